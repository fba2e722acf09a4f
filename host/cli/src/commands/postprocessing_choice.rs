//! The choice of a postprocessing on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::folders;
use nnunet_data::selection::Postprocessing;
use nnunet_engine::session::Session;
use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{Config, LabelVolume, Postprocessor};

use crate::report;

/// Means no postprocessing.
const NONE: &str = "None";

/// The choice of a postprocessing.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PostprocessingChoice {
    /// A postprocessing.json, or a postprocessor by name: of the program, of nnunet.toml or of a plugin. Given several
    /// times, one after the other.
    #[arg(
        long = "pp",
        visible_alias = "postprocessing_file",
        alias = "postprocessor",
        value_name = "FILE|NAME"
    )]
    names: Vec<String>,
    /// Parameters of the one named, as TOML, for example 'mm3 = 50.0'.
    #[arg(long, value_name = "TOML", requires = "names")]
    parameters: Option<String>,
    /// Ignore the project's choice.
    #[arg(skip)]
    leaves_project: bool,
}

/// Several postprocessors, one after the other.
struct Steps(Vec<Box<dyn Postprocessor>>);

impl Postprocessor for Steps {
    fn apply(&self, volume: &mut LabelVolume) -> nnunet_plugin_core::Result<()> {
        self.0.iter().try_for_each(|step| step.apply(volume))
    }
}

impl PostprocessingChoice {
    /// A model's own postprocessing, even if the project chooses another.
    #[must_use]
    pub fn models_own() -> Self {
        Self { leaves_project: true, ..Self::default() }
    }

    /// Whether the command line chooses a postprocessing, or none.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.names.is_empty()
    }

    /// The choice in words; `models_own` is the model's file, where it is used if there is one.
    #[must_use]
    pub fn describe(&self, models_own: Option<&Path>, session: &Session) -> String {
        match (self.of_project(session), models_own.filter(|file| file.is_file())) {
            _ if self.is_given() => self.names.join(", "),
            (Some(choice), _) => format!("{} of [use] in nnunet.toml", choice.name),
            (None, Some(file)) => file.display().to_string(),
            (None, None) => NONE.to_owned(),
        }
    }

    /// The chosen postprocessing, or else the model's own in `file`. The file is copied to the predictions, as v1 does.
    ///
    /// # Errors
    /// As [`PostprocessingChoice::postprocessor`].
    pub fn or_models(
        &self,
        file: &Path,
        session: &Session,
        output: &Path,
    ) -> Result<Option<Box<dyn Postprocessor>>> {
        let project = self.of_project(session);
        if self.is_given() || project.is_some() || !file.is_file() {
            if let Some(choice) = project.filter(|_| file.is_file()) {
                let (name, file) = (&choice.name, file.display());
                report::line(&format!("{name} of [use] in nnunet.toml is used instead of {file}"));
            }
            self.note(output)?;
            return self.postprocessor(session);
        }
        folders::copy_file(file, &output.join("postprocessing.json"))?;
        Ok(Some(Box::new(Postprocessing::load(file)?)))
    }

    /// The project's choice: `[use]` in nnunet.toml.
    fn of_project<'a>(&self, session: &'a Session) -> Option<&'a ComponentChoice> {
        session.choices.postprocessor.as_ref().filter(|_| !self.is_given() && !self.leaves_project)
    }

    /// The postprocessor, if one is chosen here or by the project.
    ///
    /// # Errors
    /// Returns an error for a file that cannot be read, an unknown name, or parameters that do not fit.
    pub fn postprocessor(&self, session: &Session) -> Result<Option<Box<dyn Postprocessor>>> {
        let config: Config = match &self.parameters {
            Some(text) => toml::from_str(text).with_context(|| format!("--parameters `{text}`"))?,
            None => Config::new(),
        };
        let alone = self.names.len() == 1 && file(&self.names[0]).is_none();
        ensure!(
            alone || config.is_empty(),
            "--parameters belong to one postprocessor named with -pp; write others as [postprocessors.NAME] in nnunet.toml"
        );
        let step = |name: &String| -> Result<Box<dyn Postprocessor>> {
            match file(name) {
                Some(file) => Ok(Box::new(Postprocessing::load(&file)?)),
                None => session
                    .registry
                    .postprocessor(&ComponentChoice { name: name.clone(), parameters: config.clone() }),
            }
        };
        let mut steps =
            self.names.iter().filter(|name| *name != NONE).map(step).collect::<Result<Vec<_>>>()?;
        Ok(match steps.len() {
            0 => self.of_project(session).map(|choice| session.registry.postprocessor(choice)).transpose()?,
            1 => steps.pop(),
            _ => Some(Box::new(Steps(steps))),
        })
    }

    /// Copies the chosen file to the results, as v1 does.
    ///
    /// # Errors
    /// Returns an I/O error.
    pub fn note(&self, folder: &Path) -> Result<()> {
        let file = self.names.iter().find_map(|name| file(name));
        file.map_or(Ok(()), |file| folders::copy_file(&file, &folder.join("postprocessing.json")))
    }
}

/// The file, if `name` refers to one.
fn file(name: &str) -> Option<PathBuf> {
    (name.ends_with(".json") || Path::new(name).is_file()).then(|| name.into())
}
