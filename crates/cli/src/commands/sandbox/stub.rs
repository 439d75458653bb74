//! `tandem sandbox stub`: the imitation of a well-known ERP.

use super::{Serving, unfit, until_told_to_stop};
use crate::failure::{Exit, Failure};
use crate::screen::{Lines, Screen};
use clap::Args;
use serde_json::{Map, json};
use tandem_lab::stubs::{Options, Vendor, serve};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem sandbox stub odoo --port 8069 --records 20
  tandem sandbox stub erpnext --json")]
pub(super) struct StubArguments {
    #[command(flatten)]
    serving: Serving,
    /// Which ERP it imitates: odoo, erpnext, xero or netsuite
    #[arg(value_name = "ERP")]
    vendor: String,
    /// How many customers to make, each with a contact
    #[arg(long, value_name = "N", default_value_t = 0)]
    records: u32,
    /// How many rows a query shows at most; of netsuite
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    query_rows: u32,
}

impl StubArguments {
    pub(super) async fn serve(&self, screen: &Screen) -> Result<Exit, Failure> {
        let vendor = Vendor::of(&self.vendor).ok_or_else(|| {
            let known = Vendor::ALL.map(Vendor::name).join(", ");
            Failure::usage(
                format!("there is no stub of `{}`", self.vendor),
                format!("Write one of {known}"),
            )
        })?;
        let server = serve(Options {
            vendor,
            port: self.serving.port,
            records: self.records,
            query_rows: self.query_rows,
            latency_ms: self.serving.latency,
            record: self.serving.record.clone(),
        })
        .await
        .map_err(unfit)?;
        let (url, users, name) = (server.url(), vendor.users(), vendor.name());
        let secrets = |secrets: &[(&str, &str)]| -> Map<String, serde_json::Value> {
            let pairs = secrets.iter();
            pairs
                .map(|(name, secret)| ((*name).to_owned(), (*secret).into()))
                .collect()
        };
        screen.json(&json!({
            "system": name,
            "url": url,
            "users": users.iter().map(|(name, of)| json!({ "name": name, "secrets": secrets(of) })).collect::<Vec<_>>(),
        }));
        screen.result(format!("a stub of {name} is serving at {url} (Ctrl-C ends it)"));
        screen.result(format!("the description for it: examples/ready/{name}.yaml"));
        let lines = users.iter().map(|(user, of)| {
            let of = of.iter().map(|(name, secret)| format!("{name} {secret}"));
            format!("  {user}: {}", of.collect::<Vec<_>>().join(", "))
        });
        screen.result("Who may sign in, by which secrets:");
        screen.result(Lines(lines.collect()));
        until_told_to_stop(self.serving.until_stdin_closes).await;
        server.shutdown().await;
        Ok(Exit::Done)
    }
}
