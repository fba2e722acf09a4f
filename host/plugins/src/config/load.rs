//! Reads configuration files.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::file::{File, Scope};
use super::keys;
use super::schema::schema;
use crate::trust;

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// Returns an error if the file belongs to another user, is not valid TOML, or has an unknown key, for which a similar
    /// one is suggested.
    pub fn load(path: &Path, scope: Scope) -> Result<Self> {
        let shown = || path.display().to_string();
        trust::owned(path).with_context(shown)?;
        let text = nnunet_formats::input::read_text(path)?;
        let table: Value = toml::from_str(&text).with_context(shown)?;
        keys::check(&table, &schema(), "").with_context(shown)?;
        let file: File = toml::from_str(&text).with_context(shown)?;
        Ok(File { path: path.to_owned(), scope, ..file })
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_core::Kind;

    use super::*;

    fn load(text: &str) -> Result<File> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(super::super::FILE);
        std::fs::write(&path, text).unwrap();
        File::load(&path, Scope::Project)
    }

    #[test]
    fn the_projects_word_goes_before_the_users() {
        let project = load("[use]\ntrainer = \"A\"\n").unwrap().choices;
        let user =
            load("[use]\ntrainer = \"B\"\narchitecture = { name = \"N\", depth = 3 }\n").unwrap().choices;
        let both = project.or(&user);
        assert_eq!(both.trainer.as_deref(), Some("A"));
        assert_eq!(both.architecture.unwrap().parameters["depth"], 3);
    }

    #[test]
    fn unknown_keys_get_the_nearest_one_with_its_place() {
        let cases = [
            ("[use]\ntrainr = \"A\"", "unknown key `use.trainr`; did you mean `trainer`?"),
            ("[traners.A]", "unknown key `traners`; did you mean `trainers`?"),
            (
                "[planners.A]\nextends = \"B\"\nbase_num_feature = 3",
                "unknown key `planners.A.base_num_feature`; did you mean `base_num_features`?",
            ),
            ("[plugins.a]\npath = \"x\"\nsha = \"y\"", "unknown key `plugins.a.sha`; did you mean `sha256`?"),
        ];
        for (text, wanted) in cases {
            let error = format!("{:#}", load(text).unwrap_err());
            assert!(error.ends_with(wanted), "{error}");
        }
    }

    #[test]
    fn parameters_of_components_are_their_own() {
        let file = load("[losses.Mine]\nextends = \"DC_and_topk_loss\"\nk = 10\n").unwrap();
        assert_eq!(file.tables(Kind::Loss).unwrap()["Mine"]["k"], 10);
    }
}
