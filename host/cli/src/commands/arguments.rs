//! The originals' way of writing arguments, made clap's: `-tl 2` is `--tl 2`, a program called `nnUNet_train` is
//! `nnunet train`, and one called `nnUNetv2_train` is `nnunet v2 train`.

use std::ffi::OsString;
use std::path::Path;

use super::v2;

/// What v1's console commands begin with.
const PREFIX: &str = "nnUNet_";

/// Rewrites the arguments of a process.
pub fn normalize(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_else(|| "nnunet".into());
    let called =
        Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let command = match called.strip_prefix(v2::PREFIX) {
        Some(command) => vec!["v2".into(), command.into()],
        None => called.strip_prefix(PREFIX).map(OsString::from).into_iter().collect(),
    };
    std::iter::once(program).chain(command).chain(arguments.map(double_dash)).collect()
}

/// argparse takes long names after one dash too.
fn double_dash(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if is_single_dash_long(text) => format!("-{text}").into(),
        _ => argument,
    }
}

fn is_single_dash_long(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('-')
        && chars.next().is_some_and(char::is_alphabetic)
        && chars.next().is_some_and(|c| c != '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(line: &str) -> String {
        let words = normalize(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn v1_style_is_understood() {
        assert_eq!(
            normalized("nnunet plan_and_preprocess -t 4 -tl 2"),
            "nnunet plan_and_preprocess -t 4 --tl 2"
        );
        assert_eq!(normalized("/x/nnUNet_train 3d_fullres -c"), "/x/nnUNet_train train 3d_fullres -c");
        assert_eq!(normalized("/x/nnUNetv2_preprocess -np 1"), "/x/nnUNetv2_preprocess v2 preprocess --np 1");
        assert_eq!(
            normalized("nnunet x --step_size -0.5 -pl3d None"),
            "nnunet x --step_size -0.5 --pl3d None"
        );
    }
}
