//! Names of image files, `CASE_0000.nii.gz`: the case and the number of the channel.

/// The case and the channel of a file name without its ending; none if it does not end in a channel's number, which has
/// four digits.
#[must_use]
pub fn case_and_channel(stem: &str) -> Option<(&str, usize)> {
    let (case, channel) = stem.rsplit_once('_')?;
    let is_number = channel.len() == 4 && channel.bytes().all(|byte| byte.is_ascii_digit());
    Some((case, channel.parse().ok().filter(|_| is_number)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_four_digits() {
        assert_eq!(case_and_channel("a_b_0012"), Some(("a_b", 12)));
        for other in ["a", "a_12", "a_00012", "a_+012", "a_b"] {
            assert_eq!(case_and_channel(other), None, "{other}");
        }
    }
}
