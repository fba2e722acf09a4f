//! Tests that compare numbers with Python's, under the instruction sets of other processors.

use std::path::Path;

use crate::Result;

/// The test files whose results depend on the kernels that libtorch and oneDNN choose for the processor.
const TESTS: [&str; 11] = [
    "anisotropic",
    "engine",
    "hooks",
    "losses",
    "networks",
    "norm_act",
    "optimizers",
    "optimizers_v2",
    "sliding_window",
    "train_step",
    "train_step_v2",
];

/// What limits libtorch and oneDNN to a smaller processor.
const PROCESSORS: [&[(&str, &str)]; 2] = [
    &[("ONEDNN_MAX_CPU_ISA", "AVX2"), ("ATEN_CPU_CAPABILITY", "avx2")],
    &[("ATEN_CPU_CAPABILITY", "default")],
];

/// Prints the processor and the vector instructions it has.
pub(crate) fn show_processor() {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = about.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, value)| value)
    };
    let flags: Vec<&str> = field("flags")
        .split(' ')
        .filter(|flag| flag.starts_with("avx2") || flag.starts_with("avx512"))
        .collect();
    println!("processor: {}; vector instructions: {}", field("model name"), flags.join(" "));
}

/// Runs the numeric tests once more for every smaller processor.
pub(crate) fn test(libtorch: &Path) -> Result<()> {
    // The whole workspace is named so that cargo finds what it has built, with the same features.
    let mut arguments = vec!["test", "--release", "--workspace"];
    arguments.extend(TESTS.iter().flat_map(|test| ["--test", test]));
    PROCESSORS.iter().try_for_each(|variables| {
        let shown: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        println!("numeric tests with {}", shown.join(" "));
        crate::cargo_with(libtorch, &arguments, variables)
    })
}
