//! Help with flags as the originals' users type them: `-tr`, which clap calls `--tr`.

/// How far left a flag moves that clap puts behind the place of a short one.
const MOVED: &str = "     ";

/// Where clap puts flags that have no short form.
const INDENT: &str = "      ";

/// clap's style of flags on a terminal.
const BOLD: &str = "\u{1b}[1m";

/// The text with one dash before the flags in `one_dash`.
pub(super) fn as_typed(text: &str, one_dash: &[&str]) -> String {
    let line = |line: &str| {
        let line = with_one_dash(line, one_dash);
        let Some(flag) = line.strip_prefix(INDENT) else { return line };
        let (bold, flag) = flag.strip_prefix(BOLD).map_or(("", flag), |flag| (BOLD, flag));
        match flag.strip_prefix('-') {
            Some(rest) if !rest.starts_with('-') => aligned(bold, flag),
            _ => line,
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// A flag in the column of short flags, and its description where it was.
fn aligned(bold: &str, flag: &str) -> String {
    match flag.split_once("  ") {
        Some((flag, description)) => format!("  {bold}{flag}{MOVED}  {description}"),
        None => format!("  {bold}{flag}"),
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
        let text = "      \u{1b}[1m--np\u{1b}[0m <N>       Cases\n";
        assert_eq!(as_typed(text, &["np"]), "  \u{1b}[1m-np\u{1b}[0m <N>            Cases\n");
    }
}
