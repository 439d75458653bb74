//! The key in a state's folder, and the links that are made with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::io;
use std::path::Path;

/// The name of the key's file in the state's folder.
const KEY: &str = "console.key";
/// So long a link signs in.
const LINK: SignedDuration = SignedDuration::from_hours(1);

/// Makes a link's key that signs in once, with the key in a state's folder and what the process that works says of its
/// [start](Access::start): whoever may read both may do everything.
///
/// # Errors
/// The file cannot be read or made.
pub fn link_key(folder: &Path, start: &str, now: Timestamp) -> io::Result<String> {
    let key = key_of(folder)?;
    let until = now.checked_add(LINK).unwrap_or(now).as_second().to_be_bytes();
    let said = [&until[..], &random::<8>()?].concat();
    let sign = hmac::sign(&key, &signed(start, &said));
    Ok(URL_SAFE_NO_PAD.encode([&said, &sign.as_ref()[..SIGN]].concat()))
}

/// Bytes of a link's key that are its sign.
pub(super) const SIGN: usize = 16;
/// Bytes of it that say until when, and keep it apart from all others.
pub(super) const SAID: usize = 16;

/// What is signed of a link: no session begins so.
pub(super) fn signed(start: &str, said: &[u8]) -> Vec<u8> {
    [b"link ".as_slice(), start.as_bytes(), b" ", said].concat()
}

/// The key in a folder, made where there is none; its owner alone may read it.
pub(super) fn key_of(folder: &Path) -> io::Result<hmac::Key> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = folder.join(KEY);
    loop {
        match std::fs::read(&file) {
            Ok(secret) if secret.len() == 32 => return Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
            Ok(_) => {
                return Err(io::Error::other(format!(
                    "{} holds no key: delete it",
                    file.display()
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // It comes to its name as a whole: a full disk or a crash leaves no half of one, and whoever is first wins.
        let beside = folder.join(format!("{KEY}.{}", URL_SAFE_NO_PAD.encode(random::<6>()?)));
        let mut options = std::fs::OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(&beside);
        let written =
            made.and_then(|mut made| made.write_all(&random::<32>()?).and_then(|()| made.sync_all()));
        let named = written.and_then(|()| std::fs::hard_link(&beside, &file));
        let _left = std::fs::remove_file(&beside);
        match named {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
}

pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("this machine gives no random numbers"))?;
    Ok(bytes)
}
