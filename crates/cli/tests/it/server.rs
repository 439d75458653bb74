//! The state on a PostgreSQL server, as people meet it (`clients/with-postgres` starts one).

use crate::local::{Pair, tandem};
use serde_json::json;
use tandem_ledger::{Home, Keys, Ledger, Server};

fn done(pair: &Pair, arguments: &[&str]) -> serde_json::Value {
    let run = pair.run(arguments);
    assert_eq!(run.code, Some(0), "{arguments:?}: {}{}", run.out, run.err);
    run.last()
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn a_state_on_a_server_is_worked_with_backed_up_and_moved_to_a_folder_and_back() {
    let pair = Pair::start(&["--records", "6", "--seed", "41"], &[]);
    let config = pair.path("tandem.yaml");
    let on_server = std::fs::read_to_string(&config).unwrap();
    assert!(
        on_server.contains("postgres: { env: TANDEM_POSTGRES }"),
        "no server: {on_server}"
    );
    // GIVEN a state on a server that is not there yet
    let none = pair.run(&["status"]);
    assert_eq!(none.code, Some(2), "{}", none.err);
    assert!(none.err.contains("there is no state in schema c"), "{}", none.err);
    // WHEN it is synced
    done(&pair, &["sync", "--json"]);
    // THEN it is there, and no file of it is
    assert!(!pair.path("state/tandem.db").exists());
    let links = pair.run(&["links", "--json"]).lines();
    assert!(links.len() > 6);
    assert_eq!(done(&pair, &["verify", "--json"])["different"], json!(0));
    // AND while one process has it everybody may look, and nobody else work, who is told who has it
    let schema = on_server.rsplit("schema: ").next().unwrap();
    let schema = schema.trim_end_matches(" }\n");
    let connection = std::env::var("TANDEM_POSTGRES").unwrap();
    let home = Home::Server(Server::new(&connection, schema).unwrap());
    let holder = Ledger::open_at(&home, &Keys::default()).unwrap();
    assert_eq!(pair.run(&["status"]).code, Some(0));
    let held = pair.run(&["sync"]);
    assert_eq!(held.code, Some(2), "{}", held.err);
    assert!(
        held.err.contains(&format!("process {}", std::process::id())),
        "{}",
        held.err
    );
    drop(holder);
    // AND its backup is a state in a folder
    done(&pair, &["backup", "moved.backup", "--json"]);
    let in_folder = on_server.split("\nstate:").next().unwrap().to_owned() + "\n";
    std::fs::write(&config, in_folder).unwrap();
    done(&pair, &["restore", "moved.backup", "--json"]);
    done(&pair, &["sync", "--json"]);
    assert!(pair.path("state/tandem.db").exists());
    assert_eq!(pair.run(&["links", "--json"]).lines().len(), links.len());
    // AND the other way the one on the server gives way only to --yes, and is kept
    done(&pair, &["backup", "back.backup", "--json"]);
    std::fs::write(&config, on_server).unwrap();
    let kept = done(&pair, &["restore", "back.backup", "--yes", "--json"])["kept"].clone();
    assert!(kept.as_str().unwrap().contains("_replaced_"), "{kept}");
    done(&pair, &["sync", "--json"]);
    let verify = done(&pair, &["verify", "--json"]);
    assert_eq!(
        (&verify["different"], &verify["duplicates"]),
        (&json!(0), &json!(0))
    );
}

#[test]
fn a_server_that_is_away_is_told_without_the_password() {
    let pair = Pair::start(&["--records", "1"], &[]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.split("\nstate:").next().unwrap();
    std::fs::write(
        &config,
        format!("{text}\nstate: {{ postgres: {{ env: AWAY }} }}\n"),
    )
    .unwrap();
    for (connection, code, told) in [
        (
            "postgres://ann:hunter2@127.0.0.1:1/erp",
            1,
            "schema tandem of database erp on 127.0.0.1",
        ),
        (
            "postgres://ann:hunter2@127.0.0.1:door/erp",
            2,
            "no connection string",
        ),
    ] {
        let mut command = tandem();
        let ran = command
            .current_dir(pair.folder.path())
            .args(["sync"])
            .env("AWAY", connection);
        let ran = ran.output().unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{err}");
        assert!(err.contains(told) && !err.contains("hunter2"), "{err}");
    }
}
