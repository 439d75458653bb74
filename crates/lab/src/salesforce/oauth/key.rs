//! Public keys of clients, from PEM.

use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

/// The RSA key of a certificate or of a public key in PEM, as PKCS #1; `None` for anything else.
pub(crate) fn public_key(pem: &str) -> Option<Vec<u8>> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).ok()?;
    match block.label.as_str() {
        "CERTIFICATE" => {
            let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
            rsa(certificate.public_key())
        }
        "PUBLIC KEY" => {
            let (_, key) = SubjectPublicKeyInfo::from_der(&block.contents).ok()?;
            rsa(&key)
        }
        "RSA PUBLIC KEY" => Some(block.contents.clone()),
        _ => None,
    }
}

fn rsa(key: &SubjectPublicKeyInfo<'_>) -> Option<Vec<u8>> {
    const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
    (key.algorithm.algorithm.to_id_string() == RSA_ENCRYPTION).then(|| key.subject_public_key.data.to_vec())
}
