//! TLS to a database server.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;

/// How servers are known: by the authority that is named, else by those that the machine trusts.
///
/// # Errors
/// The certificates cannot be read.
pub(super) fn client(
    authority: Option<&[u8]>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    match authority {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let added = certificate.map_err(|error| error.to_string());
                let added = added.and_then(|one| roots.add(one).map_err(|error| error.to_string()));
                added.map_err(|why| format!("the certificate authority cannot be read ({why})"))?;
            }
            if roots.is_empty() {
                return Err("the certificate authority's file holds no certificate".to_owned());
            }
        }
        // One that cannot be read is one less that is trusted.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Whether a host is this machine, to which nothing has to be encrypted.
pub(super) fn is_here(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
