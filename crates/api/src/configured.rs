//! The configuration in words: what people are shown of it. No secret is known here, only where each comes from.

mod differ;
mod flows;

pub use differ::differ;

use crate::view::{Configuration as View, ConnectionSettings, FileProblem, Files, Setting, Signer};
use jiff::Timestamp;
use tandem_merge::config::{
    AlertSettings, Configuration, Connection, ConsolePerson, ConsoleRole, Problem, SecretReference,
};

/// A configuration that is in force.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The main file.
    pub file: String,
    /// Since when.
    pub since: Timestamp,
    /// What it says.
    pub says: Configuration,
}

impl InForce {
    /// What people are shown of it, beside how its files are now: what they say, or what is wrong with them.
    #[must_use]
    pub fn shown(&self, files: Result<Configuration, Vec<FileProblem>>) -> View {
        let says = &self.says;
        let (differ, remarks, problems) = match files {
            Ok(read) => (differ(says, &read), read.remarks, Vec::new()),
            Err(problems) => (Vec::new(), Vec::new(), problems),
        };
        View {
            file: self.file.clone(),
            since: self.since,
            connections: says.connections.iter().map(connection).collect(),
            flows: flows::settings(&says.dataflow),
            state: state(says),
            console: console(says),
            people: says.console.people.iter().map(signer).collect(),
            alerts: says.alerts.iter().flat_map(alerts).collect(),
            remarks: says.remarks.clone(),
            files: Files {
                at: Timestamp::now(),
                differ,
                problems,
                remarks,
            },
        }
    }
}

impl From<Problem> for FileProblem {
    fn from(problem: Problem) -> Self {
        Self {
            file: problem.file,
            line: Some(problem.line),
            column: Some(problem.column),
            what: problem.message,
            instead: problem.help,
        }
    }
}

fn set(about: &str, is: impl Into<String>) -> Setting {
    Setting {
        about: about.to_owned(),
        is: is.into(),
    }
}

fn connection(of: &Connection) -> ConnectionSettings {
    let mut all = Vec::new();
    if !of.url.is_empty() {
        all.push(set("address", address(&of.url)));
    }
    all.extend(of.description.as_ref().map(|file| set("described by", file)));
    all.extend(of.folder.as_ref().map(|folder| set("folder", folder)));
    if !of.command.is_empty() {
        all.push(set("program", of.command.join(" ")));
    }
    if of.read_only {
        all.push(set("written", "never"));
    }
    if !of.sign_in.is_empty() {
        all.push(set("signs in by", &*of.sign_in));
    }
    all.extend(of.user.as_ref().map(|user| set("as", user)));
    all.extend(
        of.owner
            .as_ref()
            .map(|owner| set("owner of records whose own has no account", owner)),
    );
    all.push(set("asked for changes every", lasts(of.poll_ms)));
    all.push(set("reads again what is younger than", lasts(of.overlap_ms)));
    all.extend(
        of.request_deadline_ms
            .map(|it| set("a request may take effect for", lasts(it))),
    );
    all.extend(
        of.certificate_authority
            .as_ref()
            .map(|file| set("certificates", file)),
    );
    all.extend(of.budget.map(|budget| {
        let words = format!(
            "{} % of the calls of a day; long work leaves {} % of them for live changes",
            budget.share, budget.live_reserve
        );
        set("may use", words)
    }));
    if of.kind == "salesforce" {
        all.extend(org(of));
    }
    let secrets = of.secrets.iter();
    ConnectionSettings {
        system: of.name.clone(),
        kind: of.kind.clone(),
        settings: all,
        secrets: secrets
            .map(|(name, place)| set(name, comes_from(place)))
            .collect(),
    }
}

/// What only an org is asked for.
fn org(of: &Connection) -> Vec<Setting> {
    let events = match of.changes.events.is_empty() {
        true => "none".to_owned(),
        false => of.changes.events.join(", "),
    };
    let compared = match of.changes.compare_every_ms {
        0 => "there are none".to_owned(),
        every => lasts(every),
    };
    let jobs = match of.writes.bulk_above {
        0 => "never".to_owned(),
        above => format!("more than {} of one kind", crate::words::thousands(above.into())),
    };
    let mut all = vec![
        set("changes come as events for", events),
        set("time between full comparisons", compared),
        set("writes travel as a job", jobs),
    ];
    if of.writes.throughput {
        all.push(set("updates", "without conditions, for fewer calls"));
    }
    all.extend(of.users.as_ref().map(|users| {
        let words = format!(
            "with the profile {}; {} stay free",
            users.profile,
            crate::words::count_of(users.free_licences, "licence", "licences")
        );
        set("accounts are created", words)
    }));
    all
}

fn state(of: &Configuration) -> Vec<Setting> {
    let mut all = vec![match &of.state.server {
        None => set("kept in", "a folder of this machine"),
        Some(server) => set(
            "kept in",
            format!(
                "PostgreSQL, schema {}; the connection string comes from {}",
                server.schema,
                comes_from(&server.connection)
            ),
        ),
    }];
    all.push(match &of.state.key {
        None => set("sealed", "no: it is in clear"),
        Some(key) => set("sealed", format!("with a key from {}", comes_from(key))),
    });
    let former = of.state.former_key.as_ref();
    all.extend(former.map(|key| set("key before it", format!("from {}", comes_from(key)))));
    all.push(set("history is kept for", lasts(of.keep_history_ms)));
    all
}

fn console(of: &Configuration) -> Vec<Setting> {
    let address = of.console.address.map(|address| address.to_string());
    let mut all = vec![set(
        "address",
        address.unwrap_or_else(|| "the usual one of this machine".to_owned()),
    )];
    if !of.console.names.is_empty() {
        all.push(set("answers to", of.console.names.join(", ")));
    }
    all
}

fn signer(of: &ConsolePerson) -> Signer {
    let role = match of.role {
        ConsoleRole::Viewer => "viewer",
        ConsoleRole::Operator => "operator",
        ConsoleRole::Admin => "admin",
    };
    Signer {
        name: of.name.clone(),
        role: role.to_owned(),
        token: comes_from(&of.token),
    }
}

fn alerts(of: &AlertSettings) -> Vec<Setting> {
    vec![
        set(
            "posted to",
            format!("the address from {}", comes_from(&of.webhook)),
        ),
        set("a system may be in trouble for", lasts(of.after_ms)),
        set("what lasts is told again after", lasts(of.again_ms)),
    ]
}

/// Where a secret comes from.
fn comes_from(place: &SecretReference) -> String {
    match place {
        SecretReference::Env(name) => format!("the environment variable {name}"),
        SecretReference::File(path) => format!("the file {path}"),
    }
}

/// An address without what may be a secret in it: who signs in by it, and what is asked for.
fn address(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest
        .split_once('/')
        .map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let path = path.map(|path| format!("/{path}")).unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// `5 seconds`, `2 minutes`, `400 days`.
fn lasts(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap_or_default();
    let units = [
        (86_400_000, "day", "days"),
        (3_600_000, "hour", "hours"),
        (60_000, "minute", "minutes"),
        (1_000, "second", "seconds"),
    ];
    let whole = units.iter().find(|(unit, ..)| ms >= *unit && ms % unit == 0);
    match whole {
        Some((unit, one, many)) => crate::words::count_of(ms / unit, one, many),
        None => format!("{} ms", crate::words::thousands(ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit_that_fits() {
        let told = [0, 1_500, 5_000, 120_000, 5_400_000, 34_560_000_000].map(lasts);
        assert_eq!(
            told,
            [
                "0 ms",
                "1,500 ms",
                "5 seconds",
                "2 minutes",
                "90 minutes",
                "400 days"
            ]
        );
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_secret_in_it() {
        let shown = [
            "https://ann:pass@erp.example:8443/api?key=1#x",
            "http://localhost",
        ]
        .map(address);
        assert_eq!(shown, ["https://erp.example:8443/api", "http://localhost"]);
        assert_eq!(address("https://host/a@b"), "https://host/a@b");
    }
}
