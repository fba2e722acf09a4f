//! Resamplers by the names of Python's functions: v1's, and those that v2's plans name.

mod keep;
mod linear;
mod parameters;
mod spline;
