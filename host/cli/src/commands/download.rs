//! `download_pretrained_model`, `download_pretrained_model_by_url`: fetches archives of models and installs them.

mod license;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nnunet_data::exchange::{self, published_named};
use nnunet_data::folders::{self, Folders};
use nnunet_download::{Checksum, Error, fetch};
use nnunet_engine::user_folders::cache_folder;
use serde_json::json;

use super::install_pretrained_model_from_zip::install;
use crate::report;

/// Bytes of a step of the progress bar.
const STEP: u64 = 1 << 20;

/// Arguments of v1's `download_pretrained_model`.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Name or number of the model.
    task_name: String,
    #[command(flatten)]
    options: Options,
}

/// Arguments of `download_pretrained_model_by_url`, of v1 and v2.
#[derive(Debug, clap::Args)]
pub struct Url {
    /// URL of the archive.
    url: String,
    #[command(flatten)]
    options: Options,
}

/// Options of both commands.
#[derive(Debug, clap::Args)]
struct Options {
    /// Accept the license of the data that the model was trained on, without being asked.
    #[arg(long = "accept_license")]
    accept_license: bool,
    /// Look for the archive in this folder first, as URL/NAME.zip; may be given several times.
    #[arg(long = "mirror", value_name = "URL", env = "NNUNET_MIRRORS", value_delimiter = ',')]
    mirrors: Vec<String>,
    /// Checksum of the archive, which is checked after the download.
    #[arg(long, value_name = "sha256:HEX|md5:HEX")]
    checksum: Option<Checksum>,
    /// Seconds after which a server that sends nothing is asked again for the rest.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    timeout: NonZeroU64,
    /// Replace files of a model that is installed already.
    #[arg(long)]
    overwrite: bool,
}

/// Downloads a published model and installs it.
///
/// # Errors
/// Returns an error for an unknown name, a license that is not accepted, or a download or installation that fails.
pub(crate) fn by_name(args: &Named, folders: &Folders) -> Result<()> {
    let model = published_named(&args.task_name)?;
    license::acknowledge(&model.name, Some(&model.description()), args.options.accept_license)?;
    for url in model.urls() {
        let archive = place(&url)?;
        if archive.is_file() {
            // Somebody without a connection has put it there.
            args.options.check(&archive)?;
        } else {
            let hint = format!("copy it to {} and repeat this command", archive.display());
            args.options.fetch(&url, &archive, &hint)?;
        }
        install_and_remove(&archive, folders, args.options.overwrite)?;
    }
    Ok(())
}

/// Downloads an archive and installs it.
///
/// # Errors
/// As [`by_name`].
pub(crate) fn by_url(args: &Url, folders: &Folders) -> Result<()> {
    license::acknowledge(&args.url, None, args.options.accept_license)?;
    let archive = place(&args.url)?;
    let is_same = || std::fs::read_to_string(note(&archive)).is_ok_and(|known| known == args.url);
    if archive.is_file() && is_same() {
        report::line(&format!("{} is there already; remove it to download it again", archive.display()));
        args.options.check(&archive)?;
    } else {
        let hint = "install it with nnunet install_pretrained_model_from_zip FILE";
        args.options.fetch(&args.url, &archive, hint)?;
    }
    install_and_remove(&archive, folders, args.options.overwrite)
}

impl Options {
    /// Downloads an archive; `hint` says what to do with it where there is no connection.
    fn fetch(&self, url: &str, archive: &Path, hint: &str) -> Result<()> {
        let name = file_name(url);
        let mirror = |folder: &String| format!("{}/{name}", folder.trim_end_matches('/'));
        let urls: Vec<String> = self.mirrors.iter().map(mirror).chain([url.to_owned()]).collect();
        let mut bar = None;
        let mut progress = |done: u64, size: Option<u64>| {
            let size = (size.unwrap_or(0) / STEP) as usize;
            bar.get_or_insert_with(|| report::bar(size, &format!("{name}, MB"))).set_position(done / STEP);
        };
        let patience = Duration::from_secs(self.timeout.get());
        let options = nnunet_download::Options { checksum: self.checksum.as_ref(), patience };
        let fetched = fetch(&urls, archive, options, &mut progress);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        fetched.map_err(|error| offline(error, url, hint))?;
        if let Err(error) = exchange::is_of_v2(archive) {
            // The next call would take it for one that was put there. A tar archive can be unpacked by hand.
            if !exchange::is_tar(archive) {
                std::fs::remove_file(archive).with_context(|| archive.display().to_string())?;
            }
            return Err(error.context(format!("{url}: the server sent something else than a zip archive")));
        }
        std::fs::write(note(archive), url).with_context(|| archive.display().to_string())?;
        let bytes = archive.metadata().map_or(0, |file| file.len());
        report::line(&format!("downloaded {name}, {bytes} bytes"));
        report::event("downloaded", &json!({ "url": url, "bytes": bytes }));
        Ok(())
    }

    /// Checks an archive that is there already. It may be the only copy, so it is not deleted.
    fn check(&self, archive: &Path) -> Result<()> {
        match self.checksum.as_ref().map_or(Ok(()), |checksum| checksum.check(archive)) {
            Err(Error::Checksum { found, wanted, .. }) => {
                bail!("its checksum is {found} and should be {wanted}; {}", replace(archive))
            }
            done => done?,
        }
        exchange::is_of_v2(archive).with_context(|| replace(archive)).map(drop)
    }
}

/// What to do about an archive that cannot be used and was there before.
fn replace(archive: &Path) -> String {
    format!("replace {}, or remove it to download it", archive.display())
}

/// Where the archive of a URL is kept until it is installed.
fn place(url: &str) -> Result<PathBuf> {
    let folder =
        cache_folder().context("the folder of this user's cache is not known: set HOME")?.join("downloads");
    folders::create(&folder)?;
    Ok(folder.join(file_name(url)))
}

/// The last part of a URL's path.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let name = path.split('/').skip(1).filter(|part| !part.is_empty()).last().unwrap_or_default();
    if name.is_empty() || name.starts_with('.') { "model.zip".to_owned() } else { name.to_owned() }
}

fn install_and_remove(archive: &Path, folders: &Folders, overwrite: bool) -> Result<()> {
    install(archive, folders, overwrite)?;
    // There is none for an archive that was put there.
    let _ = std::fs::remove_file(note(archive));
    std::fs::remove_file(archive).with_context(|| archive.display().to_string())
}

/// Where the URL of an archive is noted, which says for what a file that could not be installed may be used again.
fn note(archive: &Path) -> PathBuf {
    let mut name = archive.as_os_str().to_owned();
    name.push(".url");
    name.into()
}

/// A failed download with what to do where there is no connection, or no file.
fn offline(error: Error, url: &str, hint: &str) -> anyhow::Error {
    match error {
        Error::Connection { .. } | Error::Incomplete { .. } | Error::Stalled { .. } => {
            anyhow!(
                "{error}. The next attempt continues. Without a connection, fetch {url} on another machine and {hint}"
            )
        }
        Error::Status { .. } | Error::WebPage { .. } => {
            anyhow!("{error}. If you can get the archive elsewhere, {hint}")
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_name_at_the_end_of_the_url() {
        for (url, name) in [
            ("https://zenodo.org/record/1/files/Task004_A.zip?download=1", "Task004_A.zip"),
            ("http://host/a/b.zip#x", "b.zip"),
            ("http://host/", "model.zip"),
            ("http://host", "model.zip"),
            ("http://host/a/..", "model.zip"),
        ] {
            assert_eq!(file_name(url), name, "{url}");
        }
    }
}
