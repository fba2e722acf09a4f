//! The HTTP client and its settings.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{Error, Result};

/// A client that follows redirections, but not from an encrypted to an unencrypted address. A server has to accept a
/// connection, and to answer, within the time.
pub(crate) fn agent(patience: Duration) -> Result<Agent> {
    let mut tls = TlsConfig::builder();
    if let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
        tls = tls.root_certs(RootCerts::from(certificates(Path::new(&file))?));
    }
    let config = Agent::config_builder()
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .http_status_as_error(false)
        .user_agent(concat!("nnunet/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls.build())
        .build();
    Ok(config.into())
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>> {
    let failed = |reason: String| Error::Certificates { file: file.to_owned(), reason };
    let text = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let mut all = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(error.to_string()))? {
            all.push(certificate);
        }
    }
    if all.is_empty() { Err(failed("it has no certificate".to_owned())) } else { Ok(all) }
}
