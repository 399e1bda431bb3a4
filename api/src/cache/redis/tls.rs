//! The certificate authority of `rediss://`.

use std::{fs, io, path::PathBuf};

use redis::TlsCertificates;

use super::RedisSettings;

/// Why the certificate authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// The file cannot be read.
    #[error("the file of REDIS_CA_FILE {} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file contains no certificate.
    #[error("the file of REDIS_CA_FILE {} must contain certificates in PEM format", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The connection does not use TLS.
    #[error("REDIS_CA_FILE requires a Redis URL that begins with rediss")]
    NoTls,
}

/// Reads the certificates that are trusted instead of those of the system, if there are any.
pub(super) fn read_certificates(settings: &RedisSettings, is_tls: bool) -> Result<Option<TlsCertificates>, CaFileError> {
    let Some(path) = settings.redis_ca_file.clone() else { return Ok(None) };
    if !is_tls {
        return Err(CaFileError::NoTls);
    }
    let pem = fs::read(&path).map_err(|source| CaFileError::Unreadable { path: path.clone(), source })?;
    // The client would accept an empty list, and then trust no server.
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(CaFileError::NoCertificate { path });
    }
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(pem) }))
}
