//! Loops with the processor's widest registers, whatever the program is compiled for.

/// Does `work`, compiled for AVX2 too and called so where the processor has it. Results do not depend on it: nothing is
/// reordered or fused. `work` and what it calls must be inlined (`#[inline(always)]`).
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        #[allow(unsafe_code, reason = "a call of a function for some processors")]
        return unsafe { with_avx2(work) };
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_that_of_the_work() {
        let values: Vec<f32> = (0..1000).map(|i| i as f32 * 0.37).collect();
        let sum = || values.iter().map(|value| value * value + 1.0).fold(0.0_f32, |sum, value| sum + value);
        assert_eq!(wide(sum), sum());
    }
}
