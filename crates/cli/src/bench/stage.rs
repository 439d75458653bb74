//! Both local systems in this process, with sample data and a configuration.

use super::scene;
use crate::demo::sample;
use crate::failure::Failure;
use crate::screen::Screen;
use std::net::Ipv4Addr;
use tandem_lab::{customerp, salesforce};
use tandem_merge::config::Configuration;

/// The two systems; they stop when this is dropped.
pub(super) struct Stage {
    pub(super) folder: tempfile::TempDir,
    pub(super) customerp: customerp::Server,
    pub(super) salesforce: salesforce::Server,
    pub(super) configuration: Configuration,
}

impl Stage {
    /// Starts both systems, Customerp with so many customers.
    pub(super) async fn set_up(
        customers: u32,
        org: salesforce::Options,
        screen: &Screen,
    ) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("tandem-bench-").tempdir();
        let folder = folder.map_err(|error| failed("no temporary folder could be made", &error))?;
        let options = customerp::Options {
            records: customers,
            ..customerp::Options::default()
        };
        let erp = customerp::serve(options).await;
        let erp = erp.map_err(|error| failed("the local Customerp did not start", &error))?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| failed("no port is free", &error))?;
        let options = salesforce::Options {
            event_keepalive_seconds: 1,
            ..org
        };
        let org = salesforce::serve(options, listener).await;
        let org = org.map_err(|error| failed("the local org did not start", &error))?;
        let mut configuration = sample::configuration(folder.path(), &erp.url(), &org.url(), screen).await?;
        scene::lift_guards(&mut configuration.dataflow);
        let authority = folder.path().join("org.pem");
        std::fs::write(&authority, org.certificate())
            .map_err(|error| failed("a file could not be written", &error))?;
        let connection = &mut configuration.connections[1];
        connection.certificate_authority = Some(authority.display().to_string());
        connection.changes.pubsub = Some(org.pubsub_url());
        Ok(Self {
            folder,
            customerp: erp,
            salesforce: org,
            configuration,
        })
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::trouble(format!("{what} ({error})"), "Free space or ports, then run again")
}
