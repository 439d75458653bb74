//! `tandem sandbox`: one local system alone.

mod odata;
mod stub;

use crate::failure::{Exit, Failure};
use crate::screen::{Lines, Screen};
use clap::{Args, Subcommand};
use odata::OdataArguments;
use serde_json::json;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use tandem_lab::{customerp, salesforce};

/// Which system to run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem sandbox salesforce --port 8081
  tandem sandbox salesforce --preset no-divisions
  tandem sandbox salesforce --latency 20 --record traffic.jsonl
  tandem sandbox customerp --port 8082 --records 100
  tandem sandbox customerp --northwind northwind.sql
  tandem sandbox odata --port 8083 --records 100
  tandem sandbox stub odoo --records 20")]
pub(crate) struct Sandbox {
    #[command(subcommand)]
    system: System,
}

#[derive(Debug, Subcommand)]
enum System {
    /// A local Salesforce org
    Salesforce(SalesforceArguments),
    /// A local Customerp: an ERP with a REST API
    Customerp(CustomerpArguments),
    /// A local OData service, in v4 and v2
    Odata(OdataArguments),
    /// A stub of a well-known ERP, to try its ready description with
    Stub(stub::StubArguments),
}

/// What all local systems take.
#[derive(Clone, Debug, Args)]
struct Serving {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "N")]
    port: u16,
    /// How many milliseconds every request is on its way
    #[arg(long, default_value_t = 0, value_name = "MS")]
    latency: u64,
    /// Write every request and its answer to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// End when standard input is closed, as it is when the starting process ends
    #[arg(long)]
    until_stdin_closes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem sandbox salesforce --port 8081
  tandem sandbox salesforce --preset billing --json
  tandem sandbox salesforce --preset bare
  tandem sandbox salesforce --https --certificate ca.pem --pubsub-port 7443
  tandem sandbox salesforce --options org.json")]
struct SalesforceArguments {
    #[command(flatten)]
    serving: Serving,
    /// What kind of org: default, no-divisions, billing or bare
    #[arg(long, value_name = "NAME", default_value = "default")]
    preset: String,
    /// A JSON file of options, which may name a preset of its own
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    options: Option<PathBuf>,
    /// Make ids and tokens repeatable; without it every start is another org
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How many seconds the org's clock is behind at first
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    clock_behind: u32,
    /// Answer https alone; without it both http and https are answered
    #[arg(long)]
    https: bool,
    /// Write the certificate to trust, as PEM, to this file: of https and of the Pub/Sub API
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The port of the Pub/Sub API [default: a free one]
    #[arg(long, value_name = "N")]
    pubsub_port: Option<u16>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem sandbox customerp --port 8082 --records 100 --seed 7
  tandem sandbox customerp --northwind northwind.sql
  tandem sandbox customerp --records 50 --ties 2 --faults too-long,unknown-enum")]
struct CustomerpArguments {
    #[command(flatten)]
    serving: Serving,
    #[command(flatten)]
    filling: Filling,
    /// A JSON file of options; what is given beside it replaces its parts
    #[arg(long, value_name = "FILE")]
    options: Option<PathBuf>,
}

/// What a local Customerp is filled with.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Filling {
    /// How many customers to generate; the other types follow in a fixed ratio
    #[arg(long, value_name = "N")]
    pub(crate) records: Option<u32>,
    /// The seed of the generator: the same seed gives the same records
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Import the Northwind SQL file instead
    #[arg(long, value_name = "FILE", conflicts_with = "records")]
    pub(crate) northwind: Option<PathBuf>,
    /// How many pairs of generated customers share a name
    #[arg(long, value_name = "K")]
    pub(crate) ties: Option<u32>,
    /// Leave out the lines of orders and quotes
    #[arg(long)]
    pub(crate) no_lines: bool,
    /// Faults to plant, separated by commas: too-long, missing-mandatory, unknown-enum, reference-to-nothing,
    /// duplicate-key
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) faults: Vec<String>,
}

impl Sandbox {
    /// Serves the system until it is told to stop.
    pub(crate) async fn serve(&self, screen: &Screen) -> Result<Exit, Failure> {
        match &self.system {
            System::Salesforce(arguments) => arguments.serve(screen).await,
            System::Customerp(arguments) => arguments.serve(screen).await,
            System::Odata(arguments) => arguments.serve(screen).await,
            System::Stub(arguments) => arguments.serve(screen).await,
        }
    }
}

impl SalesforceArguments {
    async fn serve(&self, screen: &Screen) -> Result<Exit, Failure> {
        let mut options = match &self.options {
            Some(file) => salesforce::Options::from_json(&read(file)?).map_err(unfit)?,
            None => salesforce::Options::preset(&self.preset).ok_or_else(|| {
                let known = salesforce::Options::PRESETS.join(", ");
                Failure::usage(
                    format!("no kind of org is called `{}`", self.preset),
                    format!("Write one of {known}"),
                )
            })?,
        };
        options.latency_ms = self.serving.latency.max(options.latency_ms);
        options.record = self.serving.record.clone().or(options.record);
        options.seed = self.seed.or(options.seed);
        options.clock_behind_seconds = self.clock_behind.max(options.clock_behind_seconds);
        options.tls |= self.https;
        options.pubsub_port = self.pubsub_port.unwrap_or(options.pubsub_port);
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, self.serving.port));
        let listener = listener.map_err(|error| {
            let port = self.serving.port;
            Failure::usage(
                format!("port {port} cannot be listened on ({error})"),
                "Choose another with --port; 0 takes a free one",
            )
        })?;
        let users = options.users.clone();
        let server = salesforce::serve(options, listener).await.map_err(unfit)?;
        if let Some(file) = &self.certificate {
            write(file, server.certificate())?;
        }
        let (url, pubsub, token) = (server.url(), server.pubsub_url(), server.admin_token());
        screen.json(&json!({
            "system": "salesforce",
            "url": url,
            "pubsub": pubsub,
            "records": {},
            "adminToken": token,
            "users": users.iter().map(|user| json!({
                "username": user.username,
                "client_id": user.client_id,
                "client_secret": user.client_secret,
            })).collect::<Vec<_>>(),
        }));
        screen.result(format!("salesforce is serving at {url} (Ctrl-C ends it)"));
        screen.result(format!("its Pub/Sub API: {pubsub}"));
        screen.result(format!("its admin token, for faults on request: {token}"));
        let users = users.iter().filter_map(|user| {
            let (id, secret) = (user.client_id.as_deref()?, user.client_secret.as_deref()?);
            let set = [("SALESFORCE_CLIENT_ID", id), ("SALESFORCE_CLIENT_SECRET", secret)];
            Some((
                user.username.clone(),
                set.to_vec(),
                format!("client id {id}, secret {secret}"),
            ))
        });
        screen.result(Lines(credentials("--salesforce-url", &url, users)));
        until_told_to_stop(self.serving.until_stdin_closes).await;
        server.shutdown().await;
        Ok(Exit::Done)
    }
}

impl CustomerpArguments {
    async fn serve(&self, screen: &Screen) -> Result<Exit, Failure> {
        let mut options = match &self.options {
            Some(file) => customerp::Options::from_json(&read(file)?).map_err(unfit)?,
            None => customerp::Options::default(),
        };
        self.filling.lay_over(&mut options)?;
        options.port = self.serving.port;
        options.latency_ms = self.serving.latency.max(options.latency_ms);
        options.record = self.serving.record.clone().or(options.record);
        let users = options.users.clone();
        let server = customerp::serve(options).await.map_err(unfit)?;
        let counts = server.counts();
        let records: serde_json::Map<_, _> = counts
            .iter()
            .map(|(name, count)| (name.clone(), (*count).into()))
            .collect();
        let url = server.url();
        screen.json(&json!({
            "system": "customerp",
            "url": url,
            "records": records,
            "users": users.iter().map(|user| json!({ "name": user.name, "token": user.token })).collect::<Vec<_>>(),
        }));
        screen.result(format!("customerp is serving at {url} (Ctrl-C ends it)"));
        let users = users.iter().map(|user| {
            let set = vec![("CUSTOMERP_TOKEN", user.token.as_str())];
            (user.name.clone(), set, format!("token {}", user.token))
        });
        screen.result(Lines(credentials("--customerp-url", &url, users)));
        for (name, count) in counts.iter().filter(|(_, count)| *count > 0) {
            screen.say(format!("  {count:>8} {name}"));
        }
        until_told_to_stop(self.serving.until_stdin_closes).await;
        server.shutdown().await;
        Ok(Exit::Done)
    }
}

impl Filling {
    /// Replaces what was given in the options.
    fn lay_over(&self, options: &mut customerp::Options) -> Result<(), Failure> {
        options.records = self.records.unwrap_or(options.records);
        options.seed = self.seed.unwrap_or(options.seed);
        options.ties = self.ties.unwrap_or(options.ties);
        options.lines &= !self.no_lines;
        if self.northwind.is_some() {
            options.northwind.clone_from(&self.northwind);
        }
        for name in &self.faults {
            let kind = serde_json::from_value(json!(name)).map_err(|_| {
                Failure::usage(
                    format!("no fault is called `{name}`"),
                    "Write too-long, missing-mandatory, unknown-enum, reference-to-nothing or duplicate-key",
                )
            })?;
            options.faults.push(kind);
        }
        Ok(())
    }

    /// The same as arguments, for a process of its own.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut give = |name: &str, value: Option<String>| {
            arguments.extend(value.map(|value| [name.to_owned(), value]).into_iter().flatten());
        };
        give("--records", self.records.map(|count| count.to_string()));
        give("--seed", self.seed.map(|seed| seed.to_string()));
        give("--ties", self.ties.map(|ties| ties.to_string()));
        give(
            "--northwind",
            self.northwind.as_ref().map(|file| file.display().to_string()),
        );
        give(
            "--faults",
            (!self.faults.is_empty()).then(|| self.faults.join(",")),
        );
        if self.no_lines {
            arguments.push("--no-lines".to_owned());
        }
        arguments
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(
            format!("{} cannot be read ({error})", file.display()),
            "Name a file that is there",
        )
    })
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::usage(
            format!("{} cannot be written ({error})", file.display()),
            "Name a file in a folder that is there",
        )
    })
}

fn unfit(error: impl std::error::Error) -> Failure {
    Failure::usage(error.to_string(), "")
}

/// How to sign in, ready to paste: the first user's, who is Tandem's own, as variables; the others by name. `users`: a name,
/// variables with what they hold, and the same in words.
fn credentials<'a>(
    option: &str,
    url: &str,
    users: impl Iterator<Item = (String, Vec<(&'a str, &'a str)>, String)>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, (name, set, words)) in users.enumerate() {
        if place > 0 {
            lines.push(format!("  {name}: {words}"));
            continue;
        }
        lines.push(format!("Tandem signs in as {name}; to paste:"));
        let quoted = |text: &str| text.replace('\'', "'\\''");
        let each = set.iter();
        lines.extend(each.map(|(variable, text)| format!("  export {variable}='{}'", quoted(text))));
        lines.push(format!("  tandem init {option} {url}"));
        lines.push("Others who may sign in:".to_owned());
    }
    if lines.last().is_some_and(|line| line.ends_with("sign in:")) {
        lines.pop();
    }
    lines
}

/// Returns on Ctrl-C, on a request to terminate, and where asked when standard input ends.
pub(crate) async fn until_told_to_stop(stdin_too: bool) {
    tokio::select! {
        biased;
        () = crate::interrupt::interrupted() => {}
        () = stdin_closed(), if stdin_too => {}
    }
}

/// Waits for the end of standard input on a thread of its own: such a read cannot be given up.
async fn stdin_closed() {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut rest = [0_u8; 256];
        let mut stdin = std::io::stdin().lock();
        while matches!(stdin.read(&mut rest), Ok(count) if count > 0) {}
        // Nobody waits any more: the system was told to stop another way.
        let _ = tell.send(());
    });
    // An error means that the thread is gone: the same as a closed input.
    let _ = told.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_ready_to_paste() {
        let users = [("tandem", "it's"), ("alice", "hers")].into_iter();
        let users = users.map(|(name, token)| {
            let set = vec![("CUSTOMERP_TOKEN", token)];
            (name.to_owned(), set, format!("token {token}"))
        });
        let lines = credentials("--customerp-url", "http://127.0.0.1:8082", users);
        insta::assert_snapshot!(lines.join("\n"), @r"
        Tandem signs in as tandem; to paste:
          export CUSTOMERP_TOKEN='it'\''s'
          tandem init --customerp-url http://127.0.0.1:8082
        Others who may sign in:
          alice: token hers
        ");
    }
}
