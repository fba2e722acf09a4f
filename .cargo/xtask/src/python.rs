//! Python environments with the original programs, and the tests that go back and forth between them and this program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::{Result, libtorch, run};

/// An environment: the variable that names the `bin` folder of an existing one, the folder in the cache, the packages.
struct Environment {
    variable: &'static str,
    folder: &'static str,
    packages: &'static [&'static str],
}

const ENVIRONMENTS: [Environment; 2] = [
    Environment {
        variable: "NNUNET_V1",
        folder: "python-v1",
        packages: &["nnunet==1.7.1", "torch==2.1.2", "numpy<1.24", "batchgenerators==0.25.5"],
    },
    Environment {
        variable: "NNUNET_V2",
        folder: "python-v2",
        packages: &["nnunetv2==2.8.1", "torch==2.11.0", "batchgenerators==0.25.5"],
    },
];
/// The first of these that exists is used: torch 2.1.2 has wheels for no later Python.
const INTERPRETERS: [&str; 4] = ["python3.11", "python3.10", "python3.9", "python3"];
/// Written when an installation is complete.
const COMPLETE: &str = "nnunet-complete";

/// The variables of the interop tests. Installs what is missing, once; torch alone is some gigabytes.
pub(crate) fn set_up() -> Result<Vec<(&'static str, PathBuf)>> {
    ENVIRONMENTS.iter().map(|environment| Ok((environment.variable, environment.bin()?))).collect()
}

/// Runs the interop tests.
pub(crate) fn test(libtorch: &Path) -> Result<()> {
    println!("interop with Python nnU-Net v1 and v2");
    let found = set_up()?;
    let variables: Vec<(&str, &str)> =
        found.iter().filter_map(|(variable, bin)| Some((*variable, bin.to_str()?))).collect();
    crate::cargo_with(libtorch, &["test", "--release", "--workspace", "--test", "interop"], &variables)
}

impl Environment {
    fn bin(&self) -> Result<PathBuf> {
        if let Some(named) = env::var_os(self.variable).map(PathBuf::from) {
            let found = named.join("python").is_file();
            return if found {
                Ok(named)
            } else {
                Err(format!(
                    "{}={} has no `python`; name the bin folder of an environment",
                    self.variable,
                    named.display()
                ))
            };
        }
        let folder = libtorch::cache()?.join("nnunet").join(self.folder);
        if !folder.join(COMPLETE).is_file() {
            self.install(&folder).map_err(|error| {
                let packages = self.packages.join(" ");
                format!(
                    "the Python environment with {packages} cannot be installed ({error}); check the network, or set {} to the \
                     bin folder of an existing one",
                    self.variable
                )
            })?;
        }
        Ok(folder.join("bin"))
    }

    /// An environment has its path in its scripts: it is made where it stays, and complete when the mark is there.
    fn install(&self, folder: &Path) -> Result<()> {
        println!("installing {} from PyPI into {} (once)", self.packages.join(" "), folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        run(Command::new(interpreter()?).args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(self.packages);
        run(&mut pip)?;
        fs::write(folder.join(COMPLETE), self.packages.join("\n"))
            .map_err(|error| format!("{}: {error}", folder.display()))
    }
}

fn interpreter() -> Result<&'static str> {
    let works = |name: &&&str| {
        let check = "import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))";
        Command::new(name).args(["-c", check]).status().is_ok_and(|status| status.success())
    };
    let found = INTERPRETERS.iter().find(works).copied();
    found.ok_or_else(|| {
        format!("none of {} is Python 3.9 to 3.11, which torch 2.1.2 needs", INTERPRETERS.join(", "))
    })
}
