//! How a connection signs in: the way, and the secrets that it takes.

use super::SecretReference;
use super::known::{Known, SecretKnown, SignInKnown};
use super::main_file::{ConnectionText, SecretText};
use super::node::At;
use super::problem::{Problems, suggestion};
use std::collections::BTreeMap;

/// The way of signing in: as written, else the kind's usual one. None of a kind that is not known.
pub(crate) fn chosen(
    file: &str,
    name: &At<String>,
    written: &ConnectionText,
    known: &Known,
    problems: &mut Problems,
) -> Option<SignInKnown> {
    let usual = known.sign_ins().first()?;
    let chosen = match &written.sign_in {
        None => Some(usual),
        Some(text) if usual.name.is_empty() => {
            let message = format!("{} has one way of signing in", written.kind.value);
            problems.add(file, text, message, "Leave `sign_in` out here.");
            Some(usual)
        }
        Some(text) => {
            let found = known.sign_ins().iter().find(|it| it.name == text.value);
            if found.is_none() {
                let message = format!("{} has no way of signing in `{}`", written.kind.value, text.value);
                let names = known.sign_ins().iter().map(|it| it.name);
                problems.add(file, text, message, suggestion(&text.value, names));
            }
            found
        }
    }?;
    match (&written.user, chosen.user) {
        (None, true) => {
            let message = format!("{} lacks the user to sign in as", name.value);
            let help = format!("Add `user:` with the user name that {} is for.", chosen.name);
            problems.add(file, name, message, help);
        }
        (Some(user), false) => {
            let message = format!(
                "{} signs in as no user of its choice",
                way(chosen, &written.kind.value)
            );
            let help = "Leave `user` out here, or choose a `sign_in` that takes one.";
            problems.add(file, user, message, help);
        }
        (Some(_), true) | (None, false) => {}
    }
    Some(chosen.clone())
}

fn way<'a>(sign_in: &SignInKnown, kind: &'a str) -> &'a str {
    if sign_in.name.is_empty() {
        kind
    } else {
        sign_in.name
    }
}

/// Where the secrets are kept, after complaints about those that lack, are of no use, or cannot be kept there.
pub(crate) fn secrets(
    file: &str,
    name: &At<String>,
    written: &ConnectionText,
    sign_in: Option<&SignInKnown>,
    problems: &mut Problems,
) -> BTreeMap<String, SecretReference> {
    let takes: &[SecretKnown] = sign_in.map_or(&[], |it| &it.secrets);
    let way = sign_in.map_or(written.kind.value.as_str(), |it| way(it, &written.kind.value));
    let mut secrets = BTreeMap::new();
    for (secret, place) in written.secrets.iter().flat_map(|secrets| &secrets.0) {
        let needed = takes.iter().find(|needed| needed.name == secret.value);
        if needed.is_none() && !takes.is_empty() {
            let message = format!("{way} needs no secret `{}`", secret.value);
            let help = suggestion(&secret.value, takes.iter().map(|needed| needed.name));
            problems.add(file, secret, message, help);
        }
        let reference = match &place.value {
            Some(SecretText::Env(_)) if needed.is_some_and(|needed| needed.replaced) => {
                let message = format!("`{}` cannot be kept in the environment", secret.value);
                let help = "Write `{ file: PATH }`: the system replaces it now and then, and the new one is kept there.";
                problems.add(file, place, message, help);
                continue;
            }
            Some(text) => text.reference(),
            None => continue,
        };
        secrets.insert(secret.value.clone(), reference);
    }
    let listed = |secret: &str| {
        let all = written.secrets.as_ref();
        all.is_some_and(|all| all.keys().any(|name| name == secret))
    };
    for secret in takes
        .iter()
        .filter(|secret| !secret.optional && !listed(secret.name))
    {
        let message = format!("{} lacks the secret `{}`", name.value, secret.name);
        let (place, what) = match secret.replaced {
            true => ("file: PATH", "file"),
            false => ("env: NAME", "variable"),
        };
        let help = format!(
            "Add `secrets: {{ {}: {{ {place} }} }}`, with the {what} that holds it.",
            secret.name
        );
        problems.add(file, name, message, help);
    }
    secrets
}
