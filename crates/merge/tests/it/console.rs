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
}

#[test]
fn a_provider_to_sign_in_with_is_one_that_can_be_relied_on() {
    let with = |rows: &str| {
        main_changed(
            "introduction: >",
            &format!("console: {{ sign_in: {{ {rows} }} }}\nintroduction: >"),
        )
    };
    let rest = "client_id: tandem, roles: [{ group: staff, role: viewer }]";
    let well = "issuer: https://login.example.com/realms/staff, client_secret: { env: SECRET }, session: 1h";
    assert_eq!(with(&format!("{well}, {rest}")), []);
    assert_eq!(with(&format!("issuer: 'http://[::1]:8080', {rest}")), []);
    for plain in [
        "http://login.example.com",
        "login.example.com",
        "https://",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "https://a.example/?x=1",
    ] {
        let problems = with(&format!("issuer: '{plain}', {rest}"));
        only(&problems, &["is no provider that can be relied on", "https://"]);
    }
    let problems = with(&format!(
        "issuer: https://a.example, client_secret: very-secret, {rest}"
    ));
    only(&problems, &["here stands a secret itself", "{ env: NAME }"]);
    for back in [
        "http://tandem.example.com",
        "https://a.example/tandem",
        "tandem.example.com",
    ] {
        let problems = with(&format!("{well}, reached_at: '{back}', {rest}"));
        only(&problems, &["lead people back to", "without a path"]);
    }
    for (roles, said) in [
        ("[]", "nobody gets a role"),
        ("[{ role: viewer }]", "for nobody, or for two"),
        (
            "[{ group: a, email: a@b.example, role: viewer }]",
            "for nobody, or for two",
        ),
        ("[{ group: a, role: boss }]", "`boss` is no role"),
        ("[{ email: ann, role: admin }]", "`ann` is no e-mail address"),
    ] {
        only(
            &with(&format!("{well}, client_id: tandem, roles: {roles}")),
            &[said],
        );
    }
    let problems = with(&format!("issuer: https://a.example, session: 30d, {rest}"));
    only(&problems, &["`30d` is no length of a session"]);
    let problems = with(&format!("{well}, scopes: ['groups roles'], {rest}"));
    only(&problems, &["`groups roles` is no scope"]);
    // Beyond this machine it must know where to lead people back to.
    let console = |more: &str| {
        let rows = format!("console: {{ address: 0.0.0.0:8743, {more} }}\nintroduction: >");
        main_changed("introduction: >", &rows)
    };
    only(
        &console(&format!("sign_in: {{ {well}, {rest} }}")),
        &[
            "nothing says where people's browsers reach the console",
            "reached_at",
        ],
    );
    let led = format!("sign_in: {{ {well}, reached_at: 'https://t.example/', {rest} }}");
    assert_eq!(console(&led), []);
    only(&console("connections: 3"), &["`3` is no number of connections"]);
}

#[test]
fn a_collector_of_traces_has_an_address_and_a_number_of_changes() {
    let with = |traces: &str| {
        let rows = format!("traces: {{ {traces} }}\nintroduction: >");
        main_changed("introduction: >", &rows)
    };
    only(&with("endpoint: collector"), &["`collector` is no address"]);
    let well = "endpoint: 'http://127.0.0.1:4318'";
    for wrong in [0, 1_000_001] {
        let problems = with(&format!("{well}, one_in: {wrong}"));
        only(&problems, &[&format!("one in {wrong} changes cannot be traced")]);
    }
    assert!(with(&format!("{well}, one_in: 1000000")).is_empty());
}
