//! Help with flags as the originals' users type them: `-tr`, which clap calls `--tr`.

/// How far left a flag moves that clap puts behind the place of a short one.
const MOVED: &str = "     ";

/// The text with one dash before the flags in `one_dash`.
pub(super) fn as_typed(text: &str, one_dash: &[&str]) -> String {
    let line = |line: &str| {
        let line = with_one_dash(line, one_dash);
        match line.strip_prefix("      -") {
            Some(rest) if !rest.starts_with('-') => aligned(rest),
            _ => line,
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// A flag in the column of short flags, and its description where it was.
fn aligned(rest: &str) -> String {
    match rest.split_once("  ") {
        Some((flag, description)) => format!("  -{flag}{MOVED}  {description}"),
        None => format!("  -{rest}"),
    }
}

fn with_one_dash(text: &str, one_dash: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("--") {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let len = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let word = &rest[..len];
        out.push_str(if one_dash.contains(&&word[2..]) { &word[1..] } else { word });
        rest = &rest[len..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_flags_have_one_dash() {
        let text = "Usage: x --gpu_memory_target <GB> --no_pp, --np <N>... --verbose";
        let typed = as_typed(text, &["gpu_memory_target", "np"]);
        assert_eq!(typed, "Usage: x -gpu_memory_target <GB> --no_pp, -np <N>... --verbose");
    }

    #[test]
    fn columns_stay_aligned() {
        let text = "  -i <FOLDER>        Images\n      --np <N>       Cases\n      --chill        All\n      --tr <NAME>\n";
        let typed = "  -i <FOLDER>        Images\n  -np <N>            Cases\n      --chill        All\n  -tr <NAME>\n";
        assert_eq!(as_typed(text, &["np", "tr"]), typed);
    }
}
