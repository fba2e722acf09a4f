//! Samplers: which cases, classes and patches batches are made of (v1 `DataLoader3D`, v2 `nnUNetDataLoader`).

mod class_balanced;
mod foreground;
mod slices;
