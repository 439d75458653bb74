//! Who opens the console, and who is told.

use crate::problems::{main_changed, only};

#[test]
fn who_opens_the_console_and_who_is_told_is_named_plainly_and_by_reference() {
    let with = |rows: &str| main_changed("introduction: >", &format!("{rows}\nintroduction: >"));
    only(
        &with("console: { address: here }"),
        &["`here` is no address to serve at", "127.0.0.1:8743"],
    );
    let problems = with("console: { people: [{ name: ann, role: boss, token: { env: ANN } }] }");
    only(&problems, &["`boss` is no role", "`operator`"]);
    let twice = "{ name: ann, role: viewer, token: { env: ANN } }";
    let problems = with(&format!("console: {{ people: [{twice}, {twice}] }}"));
    only(&problems, &["`ann` stands here twice"]);
    let problems = with("console: { people: [{ name: ann, role: viewer, token: very-secret }] }");
    only(&problems, &["here stands a secret itself", "{ env: NAME }"]);
    let problems = with("alerts: { webhook: https://hooks.example/very-secret }");
    only(&problems, &["here stands a secret itself", "{ env: NAME }"]);
    assert!(!problems[0].to_string().contains("very-secret"));
    let problems = with("alerts: { webhook: { env: HOOK }, after: soon }");
    only(&problems, &["`soon` is no length of time"]);
    only(
        &with("console: { connections: 3 }"),
        &["`3` is no number of connections"],
    );
}
