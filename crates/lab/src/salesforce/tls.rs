//! The certificate that the org makes for itself at every start, and what TLS needs of it.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The names and addresses that the certificate speaks for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate authority of its own, and a server certificate that it signed.
pub(crate) struct Tls {
    /// The authority's certificate as PEM: what a client has to trust.
    pub(crate) authority: String,
    /// Offers http/1.1.
    pub(crate) http: Arc<ServerConfig>,
    /// Offers h2, for gRPC.
    pub(crate) grpc: Arc<ServerConfig>,
}

/// The certificate could not be made or used.
#[derive(Debug, thiserror::Error)]
#[error("the local org cannot make its certificate: {0}")]
pub struct TlsError(String);

impl TlsError {
    fn of(error: impl std::fmt::Display) -> TlsError {
        TlsError(error.to_string())
    }
}

impl Tls {
    /// Makes both certificates anew; the keys never leave memory.
    pub(crate) fn make() -> Result<Tls, TlsError> {
        let authority_key = KeyPair::generate().map_err(TlsError::of)?;
        let authority = authority().map_err(TlsError::of)?;
        let signed = authority.self_signed(&authority_key).map_err(TlsError::of)?;
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().map_err(TlsError::of)?;
        let leaf = leaf()
            .and_then(|leaf| leaf.signed_by(&key, &issuer))
            .map_err(TlsError::of)?;
        let config = |protocol: &[u8]| -> Result<Arc<ServerConfig>, TlsError> {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(TlsError::of)?
                .with_no_client_auth()
                .with_single_cert(vec![leaf.der().clone(), signed.der().clone()], secret)
                .map_err(TlsError::of)?;
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok(Arc::new(config))
        };
        Ok(Tls {
            authority: signed.pem(),
            http: config(b"http/1.1")?,
            grpc: config(b"h2")?,
        })
    }
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(&[], "Tandem Local Org Certificate Authority")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf() -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(&NAMES, "localhost")?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // OpenSSL's strict mode, the default of newer Pythons, asks for it.
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(names: &[&str], common: &str) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    Ok(params)
}
