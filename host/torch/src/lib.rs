//! stub
/// stub
pub fn run(_cli: &nnunet_host::commands::Cli) -> anyhow::Result<()> { Ok(()) }
