//! Notes: what the engine keeps beside the records, each a value of one type under one name.
//!
//! Architecture invariant (E19): what is kept and cannot be read stops whoever asks for it. Taken for nothing, a hold
//! would end by itself, an approval would be spent, and a state would belong to whatever answers.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tandem_ledger::{Error, Store};

/// What is kept under a name; none where nothing is.
pub(crate) fn kept<T: DeserializeOwned>(store: &mut dyn Store, name: &str) -> Result<Option<T>, Error> {
    let text = store.note(name)?.filter(|text| !text.is_empty());
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|error| unusable(name, &error))
}

/// Keeps a value under a name, where it is not what is kept there.
pub(crate) fn keep<T: Serialize>(store: &mut dyn Store, name: &str, value: &T) -> Result<(), Error> {
    let text = text(name, value)?;
    if store.note(name)?.as_deref() == Some(text.as_str()) {
        return Ok(());
    }
    store.set_note(name, &text)
}

/// The same of a value that is known to be another than the one kept.
pub(crate) fn replace<T: Serialize>(store: &mut dyn Store, name: &str, value: &T) -> Result<(), Error> {
    store.set_note(name, &text(name, value)?)
}

fn text<T: Serialize>(name: &str, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| unusable(name, &error))
}

/// Keeps nothing under a name from now on.
pub(crate) fn drop(store: &mut dyn Store, name: &str) -> Result<(), Error> {
    store.set_note(name, "")
}

/// Where and of what kind, without what stands there: it may be of the systems.
fn unusable(name: &str, error: &serde_json::Error) -> Error {
    let what = error.classify();
    let place = error.column();
    Error::Corrupt(format!("the note {name} cannot be read ({what:?} at {place})"))
}
