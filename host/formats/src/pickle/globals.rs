//! The only names a pickle may mention.

/// What an allowed name does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callable {
    OrderedDict,
    Set,
    NdArrayReconstruct,
    NdArrayFromBuffer,
    NumpyScalar,
    DType,
    CodecsEncode,
    RebuildTensor,
    RebuildParameter,
    Device,
    /// A type that is mentioned but never called.
    Marker,
}

/// Looks a name up.
pub(super) fn lookup(module: &str, name: &str) -> Option<Callable> {
    let numpy_core = module.strip_prefix("numpy.core.").or_else(|| module.strip_prefix("numpy._core."));
    match (numpy_core.map_or(module, |_| "numpy.core"), numpy_core.unwrap_or_default(), name) {
        ("collections", _, "OrderedDict") => Some(Callable::OrderedDict),
        ("builtins" | "__builtin__", _, "set" | "frozenset") => Some(Callable::Set),
        ("numpy.core", "multiarray", "_reconstruct") => Some(Callable::NdArrayReconstruct),
        ("numpy.core", "multiarray", "scalar") => Some(Callable::NumpyScalar),
        ("numpy.core", "numeric", "_frombuffer") => Some(Callable::NdArrayFromBuffer),
        ("numpy", _, "dtype") => Some(Callable::DType),
        ("numpy", _, "ndarray") => Some(Callable::Marker),
        ("_codecs", _, "encode") => Some(Callable::CodecsEncode),
        ("torch._utils", _, "_rebuild_tensor_v2") => Some(Callable::RebuildTensor),
        ("torch._utils", _, "_rebuild_parameter") => Some(Callable::RebuildParameter),
        ("torch", _, "device") => Some(Callable::Device),
        ("torch", _, name) if is_storage(name) => Some(Callable::Marker),
        ("torch.storage", _, "UntypedStorage") => Some(Callable::Marker),
        // v2's postprocessing.pkl mentions its function.
        (
            "nnunetv2.postprocessing.remove_connected_components",
            _,
            "remove_all_but_largest_component_from_segmentation",
        ) => Some(Callable::Marker),
        _ => None,
    }
}

fn is_storage(name: &str) -> bool {
    let kinds = ["Half", "BFloat16", "Float", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool"];
    name.strip_suffix("Storage").is_some_and(|kind| kinds.contains(&kind))
}
