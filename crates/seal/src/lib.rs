//! Sealing: what the state keeps on disk, unreadable without its key.
//!
//! AES-256-GCM under keys derived from one secret (HKDF-SHA-256), a fresh random nonce for each piece. A piece is bound
//! to its place: moved to another kind of place it does not open. What a database must find again (match keys,
//! reservations) is *blinded*: a keyed hash, equal for equal texts, that nobody without the key can guess at.

mod files;

pub use files::{Files, Sink, Source};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// The first byte of a sealed piece. Neither JSON nor an unsealed piece begins with it.
pub const MARK: u8 = 0x01;

/// Bytes of a secret.
const SECRET: usize = 32;

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The text is no secret.
    #[error("the key is not 32 bytes in base64")]
    Secret,
    /// It was sealed with another key, or altered.
    #[error("it was sealed with another key, or it is damaged")]
    Foreign,
    /// The machine gives no randomness.
    #[error("the machine gives no random numbers")]
    Random,
}

/// A key, ready to seal and open.
pub struct Seal {
    body: LessSafeKey,
    blind: hmac::Key,
    name: String,
    random: SystemRandom,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({})", self.name)
    }
}

impl Seal {
    /// From a secret as people keep it: 32 random bytes in base64, as `openssl rand -base64 32` prints them.
    ///
    /// # Errors
    /// [`Broken::Secret`].
    pub fn from_text(text: &str) -> Result<Self, Broken> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| Broken::Secret)?;
        let secret: [u8; SECRET] = bytes.try_into().map_err(|_| Broken::Secret)?;
        Self::new(&secret).ok_or(Broken::Secret)
    }

    fn new(secret: &[u8; SECRET]) -> Option<Self> {
        let root = Salt::new(HKDF_SHA256, b"tandem state").extract(secret);
        let body = UnboundKey::new(&AES_256_GCM, &derived(&root, b"body")?).ok()?;
        let blind = hmac::Key::new(hmac::HMAC_SHA256, &derived(&root, b"blind")?);
        let name = derived(&root, b"name")?;
        Some(Self {
            body: LessSafeKey::new(body),
            blind,
            name: name[..8].iter().map(|byte| format!("{byte:02x}")).collect(),
            random: SystemRandom::new(),
        })
    }

    /// Tells keys apart without telling them.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seals a piece for its place.
    ///
    /// # Errors
    /// [`Broken::Random`].
    pub fn close(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut nonce = [0_u8; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| Broken::Random)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.push(MARK);
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.body
            .seal_in_place_append_tag(nonce, Aad::from(place), &mut body)
            .map_err(|_| Broken::Foreign)?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens a piece that was sealed for the place.
    ///
    /// # Errors
    /// [`Broken::Foreign`].
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Broken> {
        let rest = sealed.strip_prefix(&[MARK]).ok_or(Broken::Foreign)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(Broken::Foreign)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken::Foreign)?;
        let mut body = body.to_vec();
        let plain = self.body.open_in_place(nonce, Aad::from(place), &mut body);
        let length = plain.map_err(|_| Broken::Foreign)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// A number that equal numbers share, and that tells nothing without the key.
    #[must_use]
    pub fn blind(&self, number: i64) -> i64 {
        let tag = hmac::sign(&self.blind, &number.to_le_bytes());
        let mut bytes = [0_u8; 8];
        bytes.copy_from_slice(&tag.as_ref()[..8]);
        i64::from_le_bytes(bytes)
    }

    /// A text that equal texts share, and that tells nothing without the key.
    #[must_use]
    pub fn blind_text(&self, text: &str) -> String {
        let tag = hmac::sign(&self.blind, text.as_bytes());
        STANDARD.encode(tag.as_ref())
    }
}

fn derived(root: &Prk, purpose: &[u8]) -> Option<[u8; SECRET]> {
    let mut key = [0_u8; SECRET];
    let purposes = [purpose];
    let okm = root.expand(&purposes, HKDF_SHA256).ok()?;
    okm.fill(&mut key).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn seal(byte: u8) -> Seal {
        Seal::from_text(&STANDARD.encode([byte; SECRET])).unwrap()
    }

    #[test]
    fn a_piece_opens_with_its_key_at_its_place_alone() {
        let (ours, theirs) = (seal(1), seal(2));
        let sealed = ours.close(b"record", b"alice@example.com").unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"alice"));
        assert_eq!(ours.open(b"record", &sealed).unwrap(), b"alice@example.com");
        assert_eq!(theirs.open(b"record", &sealed), Err(Broken::Foreign));
        assert_eq!(ours.open(b"history", &sealed), Err(Broken::Foreign));
        let again = ours.close(b"record", b"alice@example.com").unwrap();
        assert_ne!(sealed, again, "equal values do not show as equal");
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(ours.open(b"record", &altered), Err(Broken::Foreign), "{place}");
            assert!(ours.open(b"record", &sealed[..place]).is_err());
        }
    }

    #[test]
    fn what_is_blinded_is_found_again_and_depends_on_the_key() {
        let (ours, theirs) = (seal(1), seal(2));
        assert_eq!(ours.blind(7), seal(1).blind(7));
        assert_ne!(ours.blind(7), theirs.blind(7));
        assert_ne!(ours.blind_text("a"), ours.blind_text("b"));
        assert_ne!(ours.name(), theirs.name());
    }

    #[test]
    fn a_secret_has_32_bytes() {
        for text in ["", "secret", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            assert_eq!(Seal::from_text(text).unwrap_err(), Broken::Secret);
        }
        assert!(Seal::from_text(&format!("{}\n", STANDARD.encode([1; 32]))).is_ok());
    }
}
