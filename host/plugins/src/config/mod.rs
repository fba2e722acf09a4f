//! `nnunet.toml`: what a project uses, its own components and its plugins; below it the user's own file.

mod assignments;
mod file;
mod keys;
mod load;
mod schema;
mod tables;
mod trainer_keys;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::trust;
use crate::user_folders::config_folder;

pub use assignments::assignments;
pub use file::{Choices, File, FolderTable, PluginTable, Scope, Tables, V2Choices};
pub use schema::schema;
pub(crate) use tables::register;
pub use tables::{extends, without_extends};
pub use trainer_keys::is_setting;

/// The file's name.
pub const FILE: &str = "nnunet.toml";

/// The project's file: `--config`, `NNUNET_CONFIG`, or `nnunet.toml` in the working folder or the nearest folder above it.
#[must_use]
pub fn project_file(named: Option<&Path>) -> Option<PathBuf> {
    let named = named.map(Path::to_owned).or_else(|| std::env::var_os("NNUNET_CONFIG").map(PathBuf::from));
    named.or_else(|| Path::new(FILE).is_file().then(|| PathBuf::from(FILE)).or_else(above))
}

/// The file of the nearest folder above the working folder. One that belongs to somebody else is not taken: the user may
/// not know that it is there.
fn above() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let mut files = here.ancestors().skip(1).map(|folder| folder.join(FILE));
    files.find(|file| file.is_file()).filter(|file| trust::owned(file).is_ok())
}

/// The files that apply, the project's first, then the user's.
///
/// # Errors
/// As [`File::load`].
pub fn files(named: Option<&Path>) -> Result<Vec<File>> {
    let user = config_folder().map(|folder| folder.join(FILE)).filter(|path| path.is_file());
    let project = project_file(named).map(|path| (path, Scope::Project));
    let all = project.into_iter().chain(user.map(|path| (path, Scope::User)));
    all.map(|(path, scope)| File::load(&path, scope)).collect()
}

/// What the files choose together: the project's word goes before the user's.
#[must_use]
pub fn choices(files: &[File]) -> Choices {
    files.iter().fold(Choices::default(), |first, next| first.or(&next.choices))
}
