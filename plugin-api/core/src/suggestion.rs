//! Suggestions for names that are not known.

/// How similar a name must be to be suggested, from 0 (nothing in common) to 1 (equal).
const THRESHOLD: f64 = 0.7;

/// The known names most similar to `name`, at most `most` of them, the best first. Names with little in common are left
/// out.
#[must_use]
pub fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<&'a str> {
    let scored = known.into_iter().map(|known| (strsim::jaro_winkler(known, name), known));
    let mut scored: Vec<(f64, &str)> = scored.filter(|(score, _)| *score >= THRESHOLD).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(most).map(|(_, known)| known).collect()
}

/// The end of an error message about an unknown name: a suggestion, if there is a similar name.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    similar(name, known, 1).first().map_or(String::new(), |known| format!("; did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_names_are_suggested() {
        let known = ["trainer", "planner", "postprocessor"];
        assert_eq!(did_you_mean("trainr", known), "; did you mean `trainer`?");
        assert_eq!(did_you_mean("x", known), "");
        assert_eq!(similar("planer", known, 3).first(), Some(&"planner"));
    }
}
