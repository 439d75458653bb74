//! What was answered to `tandem init`, kept beside the configuration for the next time. No secret is among it.

use crate::failure::Failure;
use crate::loading::{Policies, sections};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file beside the configuration.
const FILE: &str = ".tandem-init.json";

/// What was answered; what is left out was not asked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answers {
    /// The flows that were chosen.
    pub(super) flows: Option<Vec<String>>,
    /// Address of Customerp.
    pub(super) customerp_url: Option<String>,
    /// Address of Salesforce.
    pub(super) salesforce_url: Option<String>,
    /// Profile of accounts that are created.
    pub(super) users_profile: Option<String>,
    /// Who owns what has no owner with an account.
    pub(super) owner: Option<String>,
    /// Whether customers are kept in step with Accounts too.
    pub(super) accounts: Option<bool>,
    /// Flows that create records in Customerp.
    pub(super) create_in_customerp: Vec<String>,
    /// What is chosen for all flows alike.
    #[serde(flatten)]
    pub(super) policies: Policies,
    /// Environment variables of the secrets: token, client id, client secret.
    pub(super) variables: Option<[String; 3]>,
}

impl Answers {
    /// What was answered the last time; nothing where nothing was, or where it cannot be read any more.
    pub(super) fn kept(config: &Path) -> Self {
        let text = std::fs::read_to_string(file(config));
        let read = text.ok().and_then(|text| serde_json::from_str(&text).ok());
        read.unwrap_or_default()
    }

    /// Keeps them.
    pub(super) fn keep(&self, config: &Path) -> Result<(), Failure> {
        let path = file(config);
        let unwritable = |error: std::io::Error| {
            Failure::usage(
                format!("{} cannot be written ({error})", path.display()),
                "Choose another place with --config",
            )
        };
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(unwritable)?;
        }
        std::fs::write(&path, text + "\n").map_err(unwritable)
    }

    /// The flows that were chosen: all where nothing was said.
    pub(super) fn flows(&self) -> Vec<String> {
        let all = || sections().into_iter().map(|(name, _)| name.to_owned()).collect();
        self.flows.clone().unwrap_or_else(all)
    }
}

fn file(config: &Path) -> PathBuf {
    config.with_file_name(FILE)
}
