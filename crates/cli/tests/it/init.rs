//! `tandem init`: what it asks, what it keeps, what it writes.

use crate::local::{Pair, Ran, run_in, tandem};
use crate::terminal::{on_a_terminal, plain};
use serde_json::Value as Json;
use std::path::Path;

fn ended(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
}

/// Both systems, and a folder without a configuration.
fn bare() -> (Pair, tempfile::TempDir) {
    (
        Pair::start(&["--records", "2", "--seed", "6"], &[]),
        tempfile::tempdir().unwrap(),
    )
}

fn addresses(pair: &Pair) -> [&str; 4] {
    [
        "--customerp-url",
        &pair.customerp.url,
        "--salesforce-url",
        &pair.salesforce.url,
    ]
}

fn flow_files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder.join("flows")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    names
}

#[test]
fn on_a_terminal_it_asks_what_the_chosen_flows_need_and_offers_the_answers_again() {
    let (pair, folder) = bare();
    let folder = folder.path();
    // GIVEN somebody who chooses two flows, first by a name that is none, and one policy of each kind
    let typed = format!(
        "orders\n5, product-product2\nnowhere\n{}\n{}\nStandard User\nto-salesforce\nonly-new\nask\n",
        pair.customerp.url, pair.salesforce.url
    );
    let Some(shown) = on_a_terminal(folder, 80, &[], &["init"], &typed) else {
        return;
    };
    let text = plain(&shown.text);
    assert_eq!(shown.code, Some(0), "{text}");
    // THEN the nine were shown, what was wrong was asked again, and what no flow of theirs needs was not asked
    assert!(text.contains("  9  quote-quote"), "{text}");
    assert!(
        text.contains("`orders` is no flow") && text.contains("`nowhere` is no address"),
        "{text}"
    );
    assert!(!text.contains("may create records in Customerp"), "{text}");
    assert!(
        text.contains("export CUSTOMERP_TOKEN='...'") && text.contains("Next: `tandem check`"),
        "{text}"
    );
    // AND the files say so, and nothing secret stands anywhere
    let files = flow_files(folder);
    assert!(
        files.contains(&"product-product2.yaml".to_owned())
            && !files.contains(&"order-order.yaml".to_owned())
    );
    let flow = std::fs::read_to_string(folder.join("flows/product-product2.yaml")).unwrap();
    for line in [
        "conflict: ask",
        "write: { customerp: off }",
        "create: { salesforce: only-new, customerp: only-new }",
    ] {
        assert!(flow.lines().any(|found| found == line), "{line}\n{flow}");
    }
    let answers = std::fs::read_to_string(folder.join(".tandem-init.json")).unwrap();
    assert!(!answers.contains("customerp-tandem-token") && !text.contains("customerp-tandem-token"));
    // AND that is a configuration that fits both systems
    ended(&run_in(folder, &["check"]), 0);
    ended(&run_in(folder, &["sync"]), 0);
    // WHEN it is begun again and every answer is the one before
    let typed = format!("y\n{}", "\n".repeat(20));
    let again = on_a_terminal(folder, 80, &[], &["init"], &typed).unwrap();
    let text = plain(&again.text);
    // THEN the former answers are offered and everything is as it was
    assert_eq!(again.code, Some(0), "{text}");
    assert!(text.contains("[contact-contact, product-product2]"), "{text}");
    assert!(
        text.contains(&format!("[{}]", pair.customerp.url)) && text.contains("[to-salesforce]"),
        "{text}"
    );
    assert_eq!(flow_files(folder), files);
    assert!(!text.contains("is kept in"), "nothing changed: {text}");
    // AND whoever does not agree changes nothing
    let refused = on_a_terminal(folder, 80, &[], &["init"], "n\n").unwrap();
    assert_eq!(refused.code, Some(2), "{}", refused.text);
}

#[test]
fn without_a_terminal_all_is_given_and_all_that_is_missing_is_named_at_once() {
    let (pair, folder) = bare();
    let folder = folder.path();
    // GIVEN nothing THEN both addresses are asked for in one go
    let none = run_in(folder, &["init"]);
    ended(&none, 2);
    assert!(
        none.err.contains("--customerp-url and --salesforce-url"),
        "{}",
        none.err
    );
    // GIVEN no variables THEN all of them are named, ready to paste, and the answers are kept
    let arguments = [
        &["init", "--flows", "product-product2,customer-division"][..],
        &addresses(&pair),
    ]
    .concat();
    let mut bare = tandem();
    bare.env_remove("CUSTOMERP_TOKEN")
        .env_remove("SALESFORCE_CLIENT_SECRET");
    let unset: Ran = bare.current_dir(folder).args(&arguments).output().unwrap().into();
    ended(&unset, 2);
    assert!(
        unset
            .err
            .contains("CUSTOMERP_TOKEN, SALESFORCE_CLIENT_SECRET are not set"),
        "{}",
        unset.err
    );
    assert!(
        unset.err.contains("export SALESFORCE_CLIENT_ID='...'"),
        "{}",
        unset.err
    );
    assert!(!folder.join("tandem.yaml").exists());
    // THEN nothing needs to be given again
    let done = run_in(folder, &["init", "--yes", "--json"]);
    ended(&done, 0);
    let said: Json = done.last();
    assert_eq!(said["variables"][0], "CUSTOMERP_TOKEN");
    assert_eq!(
        flow_files(folder),
        [
            "customer-account.yaml",
            "customer-division.yaml",
            "product-product2.yaml"
        ]
    );
    ended(&run_in(folder, &["check"]), 0);
    // Wrong flows and addresses are refused in words.
    for (wrong, word) in [
        (["--flows", "orders"], "`orders` is no flow"),
        (["--customerp-url", "erp"], "`erp` is no address"),
    ] {
        let refused = run_in(folder, &[&["init", "--yes"][..], &wrong].concat());
        ended(&refused, 2);
        assert!(refused.err.contains(word), "{}", refused.err);
    }
}

#[test]
fn nothing_is_written_over_without_a_word_and_what_changes_is_kept() {
    let (pair, folder) = bare();
    let folder = folder.path();
    ended(&run_in(folder, &[&["init"][..], &addresses(&pair)].concat()), 0);
    let config = folder.join("tandem.yaml");
    let edited = std::fs::read_to_string(&config).unwrap() + "# by hand\n";
    std::fs::write(&config, &edited).unwrap();
    let refused = run_in(folder, &["init"]);
    ended(&refused, 2);
    assert!(
        refused.err.contains("is there already") && refused.err.contains("--yes"),
        "{}",
        refused.err
    );
    assert_eq!(std::fs::read_to_string(&config).unwrap(), edited);
    // WHEN fewer flows are wanted THEN what was there is beside it, and no longer part of the configuration
    let fewer = run_in(folder, &["init", "--yes", "--flows", "product-product2"]);
    ended(&fewer, 0);
    assert_eq!(
        std::fs::read_to_string(folder.join("tandem.yaml.before")).unwrap(),
        edited
    );
    assert_eq!(flow_files(folder), ["product-product2.yaml"]);
    assert!(folder.join("flows/order-order.yaml.before").exists());
    let once_more = run_in(
        folder,
        &[
            "init",
            "--yes",
            "--flows",
            "product-product2",
            "--conflicts",
            "latest",
        ],
    );
    ended(&once_more, 0);
    ended(&run_in(folder, &["check"]), 0);
}
