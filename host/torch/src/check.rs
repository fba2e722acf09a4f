//! `plugins check`: a plugin against everything the host relies on.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use nnunet_cli::report;
use nnunet_engine::plugin::Description;
use nnunet_engine::probe;
use nnunet_engine::registry::Origin;
use nnunet_engine::trust::OpenFile;
use nnunet_engine::{components, loader};
use nnunet_plugin_api::Kind;
use nnunet_plugin_api::abi::v1::import_with_tensors;
use nnunet_plugin_test::check;
use serde_json::json;

/// Runs the command.
pub(crate) fn run(file: &Path) -> Result<()> {
    let shown = file.display().to_string();
    let mut failed = 0;
    let mut note = |component: &str, check: &str, error: Option<String>| {
        failed += usize::from(error.is_some());
        let object = json!({ "component": component, "check": check, "error": error });
        let text = match error {
            None => format!("ok   {component}: {check}"),
            Some(error) => format!("FAIL {component}: {check}: {error}"),
        };
        report::record("check", &object, &text);
    };
    let open = OpenFile::new(file)?;
    note(&shown, &format!("only its owner can write to it; sha256 {}", open.sha256), None);
    probe::probe(&open)?.usable().map_err(|(_, error)| error)?;
    note(&shown, "loads in a child process; handshake, layout and manifest fit", None);
    let (about, components) = loader::load(open, import_with_tensors)?;
    let mut registry = nnunet_engine::built_in()?;
    let origin = || Origin::CommandLine(file.to_owned());
    for component in components {
        registry.register(component, &about.name, origin(), true)?;
    }
    let registry = Arc::new(registry);
    components::offer(&registry);
    note(&shown, "has a license and components", described(&about).err());
    let own: Vec<_> = registry.entries().iter().filter(|entry| entry.origin == origin()).collect();
    let has_heads = own.iter().any(|entry| entry.component.info.kind == Kind::Head);
    for entry in own {
        // The losses of a head may want its targets instead of labels.
        let is_excused = has_heads && entry.component.info.kind == Kind::Loss;
        check(&entry.component, &mut |finding| match finding.error {
            Some(error) if is_excused => {
                let first = error.lines().next().unwrap_or_default();
                note(&finding.component, &format!("not with labels ({first})"), None);
            }
            error => note(&finding.component, &finding.check, error),
        });
    }
    ensure!(failed == 0, "{failed} checks failed");
    report::line("all checks passed");
    Ok(())
}

fn described(about: &Description) -> Result<(), String> {
    match (about.license.is_empty(), about.components.is_empty()) {
        (_, true) => Err("nothing is registered; is inventory::submit! missing?".to_owned()),
        (true, _) => Err("Cargo.toml has no license".to_owned()),
        _ => Ok(()),
    }
}
