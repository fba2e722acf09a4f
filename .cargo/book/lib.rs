//! Nothing: the test is in `tests/book.rs`.
