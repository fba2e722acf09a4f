//! Where components come from, and which of them has precedence.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a component comes from. [`Origin::rank`] says which of two components of one name is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Named with `--plugin`.
    CommandLine(PathBuf),
    /// Listed in `[plugins]` of `nnunet.toml`.
    Project(PathBuf),
    /// Written in `nnunet.toml` as a table.
    Config(PathBuf),
    /// Found through `NNUNET_PLUGIN_PATH`.
    PluginPath(PathBuf),
    /// Listed in `[plugins]` of the user's own configuration file.
    UserListed(PathBuf),
    /// Written in the user's own configuration file as a table.
    UserConfig(PathBuf),
    /// Found in the user's data folder.
    User(PathBuf),
    /// Part of the program.
    BuiltIn,
}

impl Origin {
    /// The shared library, for components of plugins.
    #[must_use]
    pub fn library(&self) -> Option<&Path> {
        match self {
            Origin::CommandLine(path)
            | Origin::Project(path)
            | Origin::PluginPath(path)
            | Origin::UserListed(path)
            | Origin::User(path) => Some(path),
            Origin::Config(_) | Origin::UserConfig(_) | Origin::BuiltIn => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.pad("built-in"),
            Origin::CommandLine(path)
            | Origin::Project(path)
            | Origin::PluginPath(path)
            | Origin::UserListed(path)
            | Origin::User(path)
            | Origin::UserConfig(path)
            | Origin::Config(path) => f.pad(&path.display().to_string()),
        }
    }
}

impl Origin {
    /// The rank in the order of precedence: of two components of one name, the one of lower rank is used. Tables of a
    /// configuration file and plugins listed in it have the same rank.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Origin::CommandLine(_) => 0,
            Origin::Config(_) | Origin::Project(_) => 1,
            Origin::PluginPath(_) => 2,
            Origin::UserConfig(_) | Origin::UserListed(_) => 3,
            Origin::User(_) => 4,
            Origin::BuiltIn => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the documentation says: command line, project, search path, user's file, user's folder, built-in.
    #[test]
    fn ranks_are_the_order_of_precedence() {
        let path = || PathBuf::from("x");
        let order = [
            Origin::CommandLine(path()),
            Origin::Project(path()),
            Origin::Config(path()),
            Origin::PluginPath(path()),
            Origin::UserListed(path()),
            Origin::UserConfig(path()),
            Origin::User(path()),
            Origin::BuiltIn,
        ];
        assert_eq!(order.map(|origin| origin.rank()), [0, 1, 1, 2, 3, 3, 4, 5]);
    }
}
