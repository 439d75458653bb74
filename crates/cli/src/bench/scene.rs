//! Two local systems as processes of their own, with a configuration and the org's own counter of calls.

use crate::commands::sandbox::Filling;
use crate::demo::local::Local;
use crate::demo::sample;
use crate::failure::Failure;
use crate::screen::Screen;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use tandem_merge::config::Configuration;

/// What a measurement runs on.
pub(super) struct Scene {
    folder: tempfile::TempDir,
    pub(super) salesforce: Local,
    _customerp: Local,
    pub(super) configuration: Configuration,
    client: reqwest::Client,
}

impl Scene {
    /// Starts both systems; `org`: the org's arguments.
    pub(super) async fn start(customers: u32, org: &[String], screen: &Screen) -> Result<Self, Failure> {
        let made = tempfile::Builder::new().prefix("tandem-bench-").tempdir();
        let folder = made.map_err(|error| {
            Failure::trouble(
                format!("no temporary folder could be made ({error})"),
                "Free space, or set TMPDIR",
            )
        })?;
        let filling = Filling {
            records: Some(customers),
            ..Filling::default()
        };
        let erp = filling.arguments();
        let (customerp, salesforce) =
            futures::try_join!(Local::start("customerp", &erp), Local::start("salesforce", org))?;
        let mut configuration =
            sample::configuration(folder.path(), &customerp.url, &salesforce.url, screen).await?;
        for flow in &mut configuration.dataflow.flows {
            // So many edits are what is measured.
            flow.guard.edits = None;
            flow.guard.first_links = None;
        }
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| Failure::trouble(format!("no client ({error})"), ""))?;
        Ok(Self {
            folder,
            salesforce,
            _customerp: customerp,
            configuration,
            client,
        })
    }

    /// The folder of configuration and state.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration's file.
    pub(super) fn config(&self) -> PathBuf {
        self.folder().join("tandem.yaml")
    }

    /// API calls that the org has counted so far.
    pub(super) async fn calls(&self) -> Result<u64, Failure> {
        let counted = self.org("/_local/calls").await?;
        Ok(counted["total"].as_u64().unwrap_or_default())
    }

    /// What the org shows of itself.
    pub(super) async fn org(&self, resource: &str) -> Result<Json, Failure> {
        let request = self.client.get(format!("{}{resource}", self.salesforce.url));
        let reply = request.send().await.map_err(broken)?;
        let body = reply.bytes().await.map_err(broken)?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Moves the org's clock on by so many seconds.
    pub(super) async fn advance(&self, seconds: u32) -> Result<(), Failure> {
        let request = self.client.post(format!("{}/_local/clock", self.salesforce.url));
        let request = request
            .header("content-type", "application/json")
            .body(format!(r#"{{"advance":{seconds}}}"#));
        let reply = request.send().await.map_err(broken)?;
        reply.error_for_status().map_err(broken).map(drop)
    }
}

fn broken(error: reqwest::Error) -> Failure {
    Failure::trouble(format!("the local org does not answer ({error})"), "Run it again")
}
