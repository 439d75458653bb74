//! The provider that people sign in to the console with.

use super::connection::duration;
use super::console::role;
use super::main_file::{GrantText, ProviderText};
use super::node::At;
use super::problem::Problems;
use super::{ConsoleMark, ConsoleProvider, ConsoleRole};
use std::net::{IpAddr, SocketAddr};

/// The shortest and the longest session, in milliseconds.
const SESSIONS: std::ops::RangeInclusive<i64> = 60_000..=7 * 86_400_000;
/// The usual one.
const SESSION: i64 = 8 * 3_600_000;

/// The provider, after complaints about what nobody could rely on.
pub(crate) fn settings(
    file: &str,
    text: &At<ProviderText>,
    problems: &mut Problems,
) -> Option<ConsoleProvider> {
    let written = &text.value;
    let issuer = &written.issuer;
    let host = place(&issuer.value).filter(|_| !issuer.value.contains(['?', '#']));
    if host.is_none() {
        let message = format!("`{}` is no provider that can be relied on", issuer.value);
        let help = "Write its issuer as it calls itself, which begins with https:// (http:// on this machine alone).";
        problems.add(file, issuer, message, help);
    }
    if written.client_id.value.is_empty() {
        problems.add(
            file,
            &written.client_id,
            "`client_id` is empty",
            "Write what the provider calls Tandem.",
        );
    }
    let reached_at = written
        .reached_at
        .as_ref()
        .map(|text| reached(file, text, problems));
    for scope in written.scopes.iter().flatten() {
        let fits = |sign: char| sign.is_ascii_graphic() && !matches!(sign, '"' | '\\');
        if scope.value.is_empty() || !scope.value.chars().all(fits) {
            let message = format!("`{}` is no scope", scope.value);
            problems.add(
                file,
                scope,
                message,
                "Write one to an entry: `scopes: [groups, roles]`.",
            );
        }
    }
    let session_ms = written
        .session
        .as_ref()
        .map_or(Some(SESSION), |text| session(file, text, problems));
    let roles = roles(file, &written.roles, problems);
    Some(ConsoleProvider {
        issuer: issuer.value.clone(),
        client_id: written.client_id.value.clone(),
        client_secret: match &written.client_secret {
            Some(text) => Some(text.value.as_ref()?.reference()),
            None => None,
        },
        called: written.called.clone().or_else(|| host.map(str::to_owned))?,
        reached_at,
        roles,
        groups_claim: written
            .groups_claim
            .as_ref()
            .map_or("groups", |claim| claim.value.as_str())
            .to_owned(),
        scopes: written
            .scopes
            .iter()
            .flatten()
            .map(|scope| scope.value.clone())
            .collect(),
        session_ms: session_ms?,
        certificate_authority: written.certificate_authority.as_ref().map(|it| it.value.clone()),
    })
}

/// Complains where the provider would lead people back to an address that is none of their own.
pub(crate) fn reachable(file: &str, text: &At<ProviderText>, address: SocketAddr, problems: &mut Problems) {
    if text.value.reached_at.is_some() || address.ip().is_loopback() {
        return;
    }
    let message = "nothing says where people's browsers reach the console";
    let help = "Add `reached_at: https://..`: the provider leads them back there.";
    problems.add(file, text, message, help);
}

/// The host of an address that nobody on the way reads along: https, or http on this machine.
fn place(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => host.split(':').next()?,
    };
    let own = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let safe = scheme == "https" || (scheme == "http" && own);
    (safe && !name.is_empty() && !host.contains(['@', ' '])).then_some(name)
}

fn reached(file: &str, text: &At<String>, problems: &mut Problems) -> String {
    let plain = text.value.trim_end_matches('/');
    let path = plain
        .split_once("://")
        .is_none_or(|(_, rest)| rest.contains(['/', '?', '#']));
    if place(plain).is_none() || path {
        let message = format!(
            "`{}` is no address that the provider could lead people back to",
            text.value
        );
        let help = "Write `https://` and a name, without a path (`http://` on this machine alone).";
        problems.add(file, text, message, help);
    }
    plain.to_owned()
}

fn session(file: &str, text: &At<String>, problems: &mut Problems) -> Option<i64> {
    let lasts = duration(file, text, problems)?;
    if !SESSIONS.contains(&lasts) {
        let message = format!("`{}` is no length of a session", text.value);
        let help =
            "Write one from `1m` to `7d`; `8h` if in doubt. So long is somebody in who left the provider.";
        problems.add(file, text, message, help);
    }
    Some(lasts)
}

fn roles(file: &str, text: &At<Vec<GrantText>>, problems: &mut Problems) -> Vec<(ConsoleMark, ConsoleRole)> {
    if text.value.is_empty() {
        let help = "Add `- { group: NAME, role: viewer }`, or `- { email: ADDRESS, role: admin }`.";
        problems.add(file, text, "nobody gets a role by this provider", help);
    }
    let grants = text.value.iter();
    grants
        .filter_map(|grant| granted(file, grant, problems))
        .collect()
}

fn granted(file: &str, text: &GrantText, problems: &mut Problems) -> Option<(ConsoleMark, ConsoleRole)> {
    let role_given = role(file, &text.role, problems);
    let mark = match (&text.group, &text.email) {
        (Some(group), None) if !group.value.is_empty() => ConsoleMark::Group(group.value.clone()),
        (None, Some(email)) => {
            if !email.value.contains('@') {
                let message = format!("`{}` is no e-mail address", email.value);
                problems.add(
                    file,
                    email,
                    message,
                    "Write one whole address; groups stand under `group`.",
                );
            }
            ConsoleMark::Email(email.value.to_ascii_lowercase())
        }
        _ => {
            let help = "Write either `group: NAME` or `email: ADDRESS` beside it.";
            problems.add(file, &text.role, "this role is for nobody, or for two", help);
            return None;
        }
    };
    Some((mark, role_given?))
}
