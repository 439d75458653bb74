//! The flow files of this repository and the configuration's problems.

use std::path::{Path, PathBuf};
use tandem_merge::config::{Configuration, Sources, load};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The repository's flow files with the demo's main file, changed by `edit`.
pub(crate) fn sources(edit: impl Fn(&str) -> String) -> Sources {
    let main = std::fs::read_to_string(root().join("examples/demo/tandem.yaml")).unwrap();
    let folder = root().join("flows/customerp-salesforce");
    let mut flows: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    flows.sort();
    Sources {
        main: ("tandem.yaml".to_owned(), edit(&main)),
        flows,
    }
}

/// The demo's configuration.
pub(crate) fn demo() -> Configuration {
    load(&sources(str::to_owned)).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

#[test]
fn the_nine_flows_are_valid_and_parents_come_first() {
    let names: Vec<String> = demo().dataflow.flows.into_iter().map(|flow| flow.name).collect();
    let expected = "employee-user customer-division contact-contact product-product2 quote-quote order-order \
         quote-invoice order-invoice project-task";
    assert_eq!(names.join(" "), expected);
}
