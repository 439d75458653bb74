//! `tandem sandbox odata`: a local OData service.

use super::{Serving, read, unfit, until_told_to_stop};
use crate::failure::{Exit, Failure};
use crate::screen::Screen;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use tandem_lab::odata::{self, Lie, Options, Preset};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem sandbox odata --port 8083 --records 100
  tandem sandbox odata --preset s4hana --northwind northwind.sql
  tandem sandbox odata --records 50 --page-size 10 --lies offset-paging,ignores-conditions")]
pub(super) struct OdataArguments {
    #[command(flatten)]
    serving: Serving,
    /// Which company is served: company, business-central or s4hana
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// How many customers to generate; the others follow in a fixed ratio
    #[arg(long, value_name = "N")]
    records: Option<u32>,
    /// The seed of the generator: the same seed gives the same records
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Fill it with the Northwind SQL file instead
    #[arg(long, value_name = "FILE", conflicts_with = "records")]
    northwind: Option<PathBuf>,
    /// The most entities of one page
    #[arg(long, value_name = "N")]
    page_size: Option<usize>,
    /// What it does wrong, separated by commas: offset-paging, ignores-filters, ignores-delta-tokens, ignores-conditions,
    /// late-tombstones, repeats-a-page, etag-never-changes, slow-commit
    #[arg(long, value_name = "LIES", value_delimiter = ',')]
    lies: Vec<String>,
    /// A JSON file of options; what is given beside it replaces its parts
    #[arg(long, value_name = "FILE")]
    options: Option<PathBuf>,
}

impl OdataArguments {
    pub(super) async fn serve(&self, screen: &Screen) -> Result<Exit, Failure> {
        let options = self.options()?;
        let users = options.users.clone();
        let server = odata::serve(options).await.map_err(unfit)?;
        let (url, services, counts) = (server.url(), server.services(), server.counts());
        let records: serde_json::Map<_, _> = counts
            .iter()
            .map(|(name, count)| (name.clone(), (*count).into()))
            .collect();
        screen.json(&json!({
            "system": "odata",
            "url": url,
            "services": services,
            "records": records,
            "users": users.iter().map(|user| json!({
                "name": user.name,
                "password": user.password,
                "token": user.token,
            })).collect::<Vec<_>>(),
        }));
        screen.result(format!("odata is serving at {url} (Ctrl-C ends it)"));
        for service in &services {
            screen.result(format!("  {service}"));
        }
        for user in &users {
            screen.result(format!(
                "{} signs in with the password {} or the token {}",
                user.name, user.password, user.token
            ));
        }
        for (name, count) in counts.iter().filter(|(_, count)| *count > 0) {
            screen.say(format!("  {count:>8} {name}"));
        }
        until_told_to_stop(self.serving.until_stdin_closes).await;
        server.shutdown().await;
        Ok(Exit::Done)
    }

    fn options(&self) -> Result<Options, Failure> {
        let mut options = match &self.options {
            Some(file) => Options::from_json(&read(file)?).map_err(unfit)?,
            None => Options::default(),
        };
        if let Some(name) = &self.preset {
            options.preset = Preset::named(name).ok_or_else(|| {
                let known = Preset::NAMES.join(", ");
                Failure::usage(
                    format!("no preset is called `{name}`"),
                    format!("Write one of {known}"),
                )
            })?;
        }
        for name in &self.lies {
            let lie = Lie::named(name).ok_or_else(|| {
                let hint = "`tandem sandbox odata --help` lists them";
                Failure::usage(format!("no lie is called `{name}`"), hint)
            })?;
            options.lies.push(lie);
        }
        options.records = self.records.unwrap_or(options.records);
        options.seed = self.seed.unwrap_or(options.seed);
        options.page_size = self.page_size.unwrap_or(options.page_size);
        if self.northwind.is_some() {
            options.northwind.clone_from(&self.northwind);
        }
        options.port = self.serving.port;
        options.latency_ms = self.serving.latency.max(options.latency_ms);
        options.record = self.serving.record.clone().or(options.record);
        Ok(options)
    }
}
