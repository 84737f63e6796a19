//! TLS to an engine, with certificates in docker's layout.

use std::path::Path;
use std::sync::Arc;

use hostlink_core::{Error, ErrorKind, Result, read_whole};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Maximum length of one of the files: all authorities of a system take 250 KiB.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Reads the settings of `directory`: `ca.pem`, which must have signed the engine's certificate,
/// and `cert.pem` with `key.pem`, which the engine may require.
///
/// # Errors
///
/// [`ErrorKind::Data`] if files are missing or invalid.
pub(super) fn config(directory: &Path) -> Result<Arc<ClientConfig>> {
    let wrong = |file: &str, problem: String| {
        let message = format!("{}: {problem}", directory.join(file).display());
        Error::new(ErrorKind::Data, message)
    };
    let read = |file: &str| read_whole(&directory.join(file), MAX_FILE);
    let certificates = |file: &str| -> Result<Vec<CertificateDer<'static>>> {
        let unreadable = |why: String| wrong(file, format!("no certificate can be read: {why}"));
        let text = read(file).map_err(|error| unreadable(error.to_string()))?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match all {
            Ok(all) if all.is_empty() => Err(wrong(file, "it contains no certificate".to_owned())),
            Ok(all) => Ok(all),
            Err(error) => Err(unreadable(error.to_string())),
        }
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("ca.pem")? {
        roots.add(authority).map_err(|error| wrong("ca.pem", error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("", error.to_string()))?
        .with_root_certificates(roots);
    let has = |file: &str| directory.join(file).exists();
    let config = match (has("cert.pem"), has("key.pem")) {
        (false, false) => builder.with_no_client_auth(),
        _ => {
            let unreadable = |why: String| wrong("key.pem", format!("no key can be read: {why}"));
            let text = read("key.pem").map_err(|error| unreadable(error.to_string()))?;
            let key = PrivateKeyDer::from_pem_slice(&text)
                .map_err(|error| unreadable(error.to_string()))?;
            builder
                .with_client_auth_cert(certificates("cert.pem")?, key)
                .map_err(|error| wrong("cert.pem", format!("it does not match key.pem: {error}")))?
        }
    };
    Ok(Arc::new(config))
}
