//! The demo's own configuration: everything in one folder, secrets in files of their own.

use crate::arguments::Common;
use crate::commands::sandbox::Filling;
use crate::failure::Failure;
use crate::loading::{self, Bindings, CREATED_IN_CUSTOMERP, Draft, Users};
use crate::screen::{Screen, Sentence};
use serde_json::json;
use std::path::Path;
use tandem_merge::config::Configuration;

/// The secrets of the local systems' integration users: file, content.
const SECRETS: [(&str, &str); 3] = [
    ("customerp.token", "customerp-tandem-token"),
    ("salesforce.client-id", "tandem"),
    ("salesforce.client-secret", "tandem-secret"),
];
/// The local systems show every change at once, so little is read again and both are asked often.
const PACE: [&str; 3] = ["poll: 1s", "overlap: 5s", "request_deadline: 5s"];

/// The demo's configuration in its folder.
pub(crate) const FILE: &str = "tandem.yaml";

/// Writes the demo's configuration into its folder and reads it back.
pub(crate) async fn configuration(
    folder: &Path,
    customerp: &str,
    salesforce: &str,
    screen: &Screen,
) -> Result<Configuration, Failure> {
    let folder = std::path::absolute(folder).map_err(|error| unwritable(folder, &error))?;
    let secrets = folder.join("secrets");
    private_folder(&secrets)?;
    let mut places = Vec::new();
    for (name, secret) in SECRETS {
        let path = secrets.join(name);
        write_private(&path, secret)?;
        places.push(format!("{{ file: {} }}", json!(path.display().to_string())));
    }
    let secrets = places.try_into().unwrap_or_default();
    let mut draft = Draft {
        flows: loading::Chosen::all(),
        policies: loading::Policies::default(),
        customerp_url: customerp.to_owned(),
        salesforce_url: salesforce.to_owned(),
        secrets,
        users: Some(Users {
            profile: "Standard User".to_owned(),
            free_licences: 5,
        }),
        owner: None,
        accounts: None,
        pace: PACE.to_vec(),
        create_in_customerp: CREATED_IN_CUSTOMERP.to_vec(),
        bindings: Bindings::default(),
    };
    draft.bind().await?;
    for sentence in draft.bindings.why {
        screen.say(Sentence(sentence));
    }
    let config = folder.join(FILE);
    draft.write(&config)?;
    loading::configuration(&Common {
        config,
        state: Some(folder),
        json: false,
        quiet: false,
        show_personal: false,
        verbose: 0,
    })
}

/// An options file for an org with standard Invoices, which cannot be created: some of the orders' and quotes' are
/// there.
pub(crate) fn billing_org(folder: &Path, filling: &Filling) -> Result<String, Failure> {
    // The numbers that the sample data begins with.
    let (orders, quotes): (_, Vec<u32>) = match filling.northwind {
        Some(_) => (10_248..10_268, vec![10_250, 10_260]),
        None => (100_001..100_021, (100_001..100_006).collect()),
    };
    let orders = orders.map(|number| number.to_string());
    let numbers = orders.chain(quotes.iter().map(|number| format!("Q-{number}")));
    let invoices = numbers.map(|number| json!({ "number": number }));
    let options = json!({ "preset": "billing", "invoices": invoices.collect::<Vec<_>>() });
    let path = folder.join("org.json");
    std::fs::write(&path, options.to_string()).map_err(|error| unwritable(&path, &error))?;
    Ok(path.display().to_string())
}

fn private_folder(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(path);
    made.map_err(|error| unwritable(path, &error))
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(
        format!("{} cannot be written ({error})", path.display()),
        "Name another folder with --state",
    )
}
