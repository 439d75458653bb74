//! How things stood over time: what rested, what was away, and of when there is no record.

use super::{Console, OPERATOR, VIEWER};
use crate::live::until;
use crate::local::Pair;
use reqwest::Method;
use serde_json::{Value as Json, json};
use tandem_ledger::{Home, Keys, Ledger, Stood, Store as _};

const FLOW: &str = "product-product2";

fn sum(of: &Json) -> u64 {
    of.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum()
}

#[test]
fn how_long_a_flow_rested_and_a_system_was_away_outlasts_the_process() {
    // GIVEN a process with a flow that is paused for a while
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    console.linked(FLOW);
    let paused = console.post(OPERATOR, &format!("/flows/{FLOW}/pause"), &json!({}));
    assert_eq!(paused.status, 200, "{}", paused.text);
    let cookie = console.sign_in(&console.link).unwrap();
    let page = |console: &Console, cookie: &str, path: &str| {
        console.send(Method::GET, path, &[("cookie", cookie)], None).text
    };
    // The last hour is told by the process itself.
    until(|| {
        page(&console, &cookie, "/")
            .contains(&format!("{FLOW} in the last hour: paused "))
            .then_some(())
    });
    std::thread::sleep(std::time::Duration::from_secs(3));
    drop(console);
    // WHEN another one works with the state
    let console = Console::start(&pair);
    let course = console.get(VIEWER, "/course?over=day").json();
    // THEN it knows for how long, and that of most of the day there is no record
    let flow = &course["flows"][FLOW];
    let (watched, paused) = (sum(&course["watched_seconds"]), sum(&flow["paused_seconds"]));
    assert!(paused >= 2 && paused <= watched && watched < 7_200, "{course}");
    assert_eq!(sum(&flow["held_seconds"]), 0, "{course}");
    assert_eq!(
        sum(&course["systems"]["salesforce"]["away_seconds"]),
        0,
        "{course}"
    );
    let cookie = console.sign_in(&console.link).unwrap();
    for (path, told) in [
        ("/?over=day", format!("{FLOW} in the last day: paused ")),
        (
            &format!("/flows/{FLOW}"),
            "How it stood in the last week, in steps of six hours: paused ".to_owned(),
        ),
    ] {
        let shown = page(&console, &cookie, path);
        let (_, words) = shown
            .split_once(&told)
            .unwrap_or_else(|| panic!("{told}: {shown}"));
        assert!(
            words.split_once('"').unwrap().0.contains("no record of"),
            "{words}"
        );
        assert!(shown.contains("path class=\"paused\""), "{shown}");
    }
    // WHEN a system is away for a while THEN that is known, too
    drop(pair.salesforce);
    until(|| {
        let ready = console.send(Method::GET, "/health/ready", &[], None);
        (ready.status == 503).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_secs(4));
    drop(console);
    if std::env::var_os("TANDEM_POSTGRES").is_none() {
        let home = Home::Folder(pair.folder.path().join("state"));
        let mut state = Ledger::open_to_look(&home, &Keys::default()).unwrap().unwrap();
        let hours = state.hours(jiff::Timestamp::UNIX_EPOCH).unwrap();
        let away = Stood::Away("salesforce".to_owned()).what();
        let away: u64 = hours
            .iter()
            .filter(|hour| hour.what == away)
            .map(|hour| hour.n)
            .sum();
        assert!(away >= 2, "{hours:?}");
    }
}
