//! The files of a configuration.

use super::kinds;
use crate::arguments::Common;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::Path;
use tandem_merge::config::{Configuration, Described, Problem, Sources, load, load_against, load_to_ask};

/// The flow files that come with the program, by name.
pub(crate) const SHIPPED_FLOWS: [(&str, &str); 14] = shipped();

macro_rules! flow_file {
    ($name:literal) => {
        (
            concat!($name, ".yaml"),
            include_str!(concat!("../../../../flows/customerp-salesforce/", $name, ".yaml")),
        )
    };
}

const fn shipped() -> [(&'static str, &'static str); 14] {
    [
        flow_file!("customer-division"),
        flow_file!("customer-account"),
        flow_file!("order-invoice"),
        flow_file!("project-task"),
        flow_file!("quote-invoice"),
        flow_file!("contact-contact"),
        flow_file!("employee-user"),
        flow_file!("order-order"),
        flow_file!("product-product2"),
        flow_file!("quote-quote"),
        flow_file!("order-line"),
        flow_file!("quote-line"),
        flow_file!("invoice-line"),
        flow_file!("quote-invoice-line"),
    ]
}

/// Reads and validates the configuration.
pub(crate) fn configuration(common: &Common) -> Result<Configuration, Failure> {
    configuration_in(&common.config, &common.state_folder())
}

/// Holds the names in a configuration's files against what systems said of themselves.
pub(super) fn held_against(file: &Path, described: &BTreeMap<String, Described>) -> Result<(), Failure> {
    load_against(&sources(file)?, described)
        .map(drop)
        .map_err(Failure::Configuration)
}

/// The same for whoever asks the systems next and then holds the names against what they say ([`held_against`]).
pub(crate) fn configuration_to_ask(common: &Common) -> Result<Configuration, Failure> {
    read_by(load_to_ask, &common.config, &common.state_folder())
}

/// Reads and validates the configuration in a file, for the state in a folder.
pub(crate) fn configuration_in(file: &Path, state: &Path) -> Result<Configuration, Failure> {
    read_by(load, file, state)
}

fn read_by(
    load: fn(&Sources) -> Result<Configuration, Vec<Problem>>,
    file: &Path,
    state: &Path,
) -> Result<Configuration, Failure> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut configuration = load(&sources(file)?).map_err(Failure::Configuration)?;
    kinds::resolve(&mut configuration, folder)?;
    // Whoever works on one state signs in with what the one before it was given.
    let sign_in = state.join("sign-in").display().to_string();
    for connection in &mut configuration.connections {
        connection.keep = Some(sign_in.clone());
    }
    Ok(configuration)
}

/// The texts of a configuration.
fn sources(file: &Path) -> Result<Sources, Failure> {
    let main = read(file, "Run `tandem init` to write one, or name it with --config")?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let flows = match flows_folder(&main) {
        Some(name) => flow_files(&folder.join(name))?,
        None => Vec::new(),
    };
    Ok(Sources {
        main: (file.display().to_string(), main),
        flows,
        kinds: tandem_connector::kinds::KINDS,
    })
}

fn read(file: &Path, advice: &str) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{} cannot be read ({error})", file.display()), advice))
}

/// Where the flow files are, by the one line of the configuration that says so. The whole of it is read, and
/// everything wrong with it told, by the validation.
fn flows_folder(main: &str) -> Option<String> {
    let mut lines = main.lines().filter_map(|line| line.strip_prefix("flows:"));
    let value = lines.next()?.split(" #").next()?.trim();
    let value = value.trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn flow_files(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    const ADVICE: &str = "Correct `flows:` in the configuration: the folder of the flow files";
    let unreadable = |error| Failure::usage(format!("{} cannot be read ({error})", folder.display()), ADVICE);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    let text = |path: &std::path::PathBuf| Ok((path.display().to_string(), read(path, ADVICE)?));
    paths.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_flows_is_found() {
        let main = "connections: {}\nflows: \"flows\" # here\n";
        assert_eq!(flows_folder(main).as_deref(), Some("flows"));
        assert_eq!(flows_folder("flow: x"), None);
    }
}
