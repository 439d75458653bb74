//! Wrong credentials, a system that is down, another system: one clear sentence and the right exit code.

use crate::local::Pair;
use std::net::TcpListener;

fn pair() -> Pair {
    Pair::start(&["--records", "2"], &[])
}

#[test]
fn wrong_credentials_end_with_1() {
    let pair = pair();
    for (variable, system) in [
        ("CUSTOMERP_TOKEN", "customerp"),
        ("SALESFORCE_CLIENT_SECRET", "salesforce"),
    ] {
        let run = pair.command(&["sync"]).env(variable, "wrong").output().unwrap();
        let err = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{err}");
        assert!(err.contains(system) && !err.contains("wrong"), "{err}");
        assert_eq!(err.trim_end().lines().count(), 1, "{err}");
    }
}

#[test]
fn a_secret_that_is_not_set_ends_with_2() {
    let pair = pair();
    let run = pair
        .command(&["sync"])
        .env_remove("CUSTOMERP_TOKEN")
        .output()
        .unwrap();
    let err = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{err}");
    assert!(err.contains("CUSTOMERP_TOKEN"), "{err}");
}

#[test]
fn a_system_that_is_down_ends_with_1() {
    let pair = pair();
    // A port that was free a moment ago: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let down = format!("http://127.0.0.1:{port}");
    std::fs::write(&config, text.replace(&pair.salesforce.url, &down)).unwrap();
    let run = pair.run(&["sync"]);
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(run.err.contains("salesforce"), "{}", run.err);
}

#[test]
fn an_object_that_the_org_lacks_ends_with_2() {
    let pair = Pair::start(&["--records", "2"], &["--preset", "no-divisions"]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("Division: Division__c"), "{text}");
    std::fs::write(&config, text.replace("Division__c", "Division")).unwrap();
    let run = pair.run(&["sync"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("Division"), "{}", run.err);
}

#[test]
fn looking_at_no_state_ends_with_2_and_makes_none() {
    let pair = pair();
    for command in ["status", "links", "failures", "conflicts", "history", "verify"] {
        let run = pair.run(&[command]);
        assert_eq!(run.code, Some(2), "{command}: {}", run.err);
        assert!(run.err.contains("tandem sync"), "{command}: {}", run.err);
    }
    assert!(!pair.path("state").exists());
}
