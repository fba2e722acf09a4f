//! Why networks other than the plain U-Net are not converted.

/// Residual networks of either generation.
pub const RESIDUAL: &str = "residual networks cannot be converted: where the resolution changes, the shortcut of v2's blocks \
    averages the voxels, and that of v1's is a convolution that sees one of them";
pub(super) const TRANSFORMER: &str = "v1 has no transformers like v2's Primus";
pub(super) const OTHER: &str = "only Generic_UNet of v1 and PlainConvUNet of v2 are the same network";

/// The reason, by the names of the parameters.
pub(super) fn reason<'a>(names: impl Iterator<Item = &'a String> + Clone) -> &'static str {
    let has = |part: &str| names.clone().any(|name| name.contains(part));
    match () {
        () if has("encoder.stem.") || has("encoder.initial_conv.") => RESIDUAL,
        () if has("eva.") => TRANSFORMER,
        () => OTHER,
    }
}
