//! A local system as a process of its own.

use crate::failure::Failure;
use serde_json::Value as Json;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running local system; it ends when this is dropped, and also when this process dies.
#[derive(Debug)]
pub(crate) struct Local {
    /// Its address.
    pub(crate) url: String,
    // Held for its end: the process is killed, and its standard input closes.
    process: Child,
}

impl Local {
    /// Starts one on a free port and waits until it serves.
    pub(crate) async fn start(system: &str, arguments: &[String]) -> Result<Self, Failure> {
        let failed = |what: String| {
            Failure::trouble(
                format!("the local {system} did not start: {what}"),
                "Its own words stand above, if it had any",
            )
        };
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut process = Command::new(program)
            .args(["sandbox", system, "--json", "--until-stdin-closes"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the demo, which stops its systems last.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let stdout = process
            .stdout
            .take()
            .ok_or_else(|| failed("it has no output".to_owned()))?;
        let line = BufReader::new(stdout).lines().next_line().await;
        let line = line.map_err(|error| failed(error.to_string()))?;
        let said: Option<Json> = line.and_then(|line| serde_json::from_str(&line).ok());
        let url = said.and_then(|said| said["url"].as_str().map(str::to_owned));
        let url = url.ok_or_else(|| failed("it ended at once".to_owned()))?;
        Ok(Self { url, process })
    }

    /// The process's id; none once it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }
}
