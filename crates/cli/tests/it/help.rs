//! Help is for people: every command shows examples.

use crate::local::tandem;

const COMMANDS: [&[&str]; 56] = [
    &[],
    &["demo"],
    &["sandbox"],
    &["sandbox", "salesforce"],
    &["sandbox", "customerp"],
    &["sandbox", "odata"],
    &["sandbox", "stub"],
    &["init"],
    &["check"],
    &["plan"],
    &["sync"],
    &["run"],
    &["worker"],
    &["console"],
    &["shell"],
    &["bench", "console"],
    &["status"],
    &["links"],
    &["links", "export"],
    &["links", "import"],
    &["conflicts"],
    &["failures"],
    &["history"],
    &["explain"],
    &["undo"],
    &["forget"],
    &["verify"],
    &["approve"],
    &["resolve"],
    &["retry"],
    &["ignore"],
    &["link"],
    &["unlink"],
    &["pause"],
    &["resume"],
    &["rebind"],
    &["backup"],
    &["restore"],
    &["document"],
    &["customerp"],
    &["customerp", "sql-triggers"],
    &["connector"],
    &["connector", "test"],
    &["salesforce"],
    &["salesforce", "metadata"],
    &["bench"],
    &["bench", "initial"],
    &["bench", "unchanged"],
    &["bench", "idle"],
    &["bench", "incremental"],
    &["bench", "merge"],
    &["bench", "calls"],
    &["bench", "bulk"],
    &["bench", "latency"],
    &["bench", "conflicts"],
    &["bench", "erp"],
];

#[test]
fn every_command_has_examples() {
    for command in COMMANDS {
        let run = tandem().args(command).arg("--help").output().unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        assert!(run.status.success(), "{command:?}");
        assert!(text.contains("Examples:\n  tandem "), "{command:?}:\n{text}");
    }
}

#[test]
fn every_command_that_help_lists_is_tested() {
    let run = tandem().arg("--help").output().unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    let listed = text
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let names = listed
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        let known = COMMANDS.iter().any(|command| command.first() == Some(&name));
        assert!(known || ["help", "qa"].contains(&name), "{name}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for wrong in [
        &["snyc"][..],
        &["sync", "--frobnicate"],
        &["sandbox"],
        &["resolve", "1"],
    ] {
        let run = tandem().args(wrong).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{wrong:?}");
    }
}
