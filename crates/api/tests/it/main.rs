//! The door, without an engine behind it: who is let in, and what is said where nobody serves.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use tandem_api::{Blame, Command, Refused, Restore, Restored, door};
use tandem_engine::Request;
use tokio::sync::mpsc;

fn pause() -> Command {
    Command::Pause {
        flow: "order-order".to_owned(),
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// What is answered to a line.
async fn said(folder: &Path, line: &str) -> Refused {
    let (path, line) = (folder.join("tandem.sock"), format!("{line}\n"));
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    });
    let answer: Result<serde_json::Value, Refused> = serde_json::from_str(&asking.await.unwrap()).unwrap();
    answer.unwrap_err()
}

#[tokio::test]
async fn it_is_its_owners_alone_and_is_closed_behind_the_last_one() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("state");
    let (engine, _requests) = mpsc::channel::<Request>(1);
    assert!(door::knock(&folder).await.is_none());
    let server = door::open(&folder, engine, None).unwrap();
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("tandem.sock")), 0o600);
    assert!(door::knock(&folder).await.is_some());
    drop(server);
    assert!(door::knock(&folder).await.is_none());
    assert!(!folder.join("tandem.sock").exists());
}

#[tokio::test]
async fn what_a_process_that_died_left_is_nobody_and_no_hindrance() {
    let folder = tempfile::tempdir().unwrap();
    // A socket to which nobody listens any more.
    drop(UnixListener::bind(folder.path().join("tandem.sock")).unwrap());
    assert!(door::knock(folder.path()).await.is_none());
    let (engine, _requests) = mpsc::channel::<Request>(1);
    let _server = door::open(folder.path(), engine, None).unwrap();
    assert!(door::knock(folder.path()).await.is_some());
}

#[tokio::test]
async fn a_folder_with_a_long_name_has_a_door_too() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("long".repeat(40));
    let (engine, requests) = mpsc::channel::<Request>(1);
    let _server = door::open(&folder, engine, None).unwrap();
    drop(requests);
    let client = door::knock(&folder).await.unwrap();
    assert!(client.ask(pause()).await.unwrap_err().what.contains("ended"));
}

#[tokio::test]
async fn whoever_waits_is_told_that_the_work_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, mut requests) = mpsc::channel::<Request>(1);
    let _server = door::open(folder.path(), engine, None).unwrap();
    let client = door::knock(folder.path()).await.unwrap();
    let (answer, ()) = tokio::join!(client.ask(pause()), async {
        // The engine heard of it, and ends before it serves anybody.
        drop(requests.recv().await.unwrap());
    });
    let refused = answer.unwrap_err();
    assert_eq!(refused.blame, Blame::Trouble);
    assert!(refused.what.contains("ended before it was done"), "{refused:?}");
}

#[tokio::test]
async fn words_that_are_not_understood_are_refused_and_reach_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, mut requests) = mpsc::channel::<Request>(1);
    let _server = door::open(folder.path(), engine, None).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let known = format!(r#"{{"version":"{version}","command":{{"pause":{{"flow":"x","also":1}}}}}}"#);
    let unknown = format!(r#"{{"version":"{version}","command":{{"burn":{{}}}}}}"#);
    for line in ["", "{}", "no words", "[1]", "\u{7}\u{1b}[2J"] {
        let refused = said(folder.path(), line).await;
        assert!(refused.what.contains("another program"), "{line}: {refused:?}");
    }
    let other = r#"{"version":"99.0.0","command":{"pause":{"flow":"x"}}}"#;
    let refused = said(folder.path(), other).await;
    assert!(refused.what.contains("Tandem 99.0.0"), "{refused:?}");
    assert!(refused.advice.contains("the same program"), "{refused:?}");
    for line in [known, unknown] {
        let refused = said(folder.path(), &line).await;
        assert!(refused.what.contains("not understood"), "{line}: {refused:?}");
        assert_eq!(refused.blame, Blame::Usage);
    }
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_backup_in_the_place_of_the_state_is_a_matter_of_whoever_drives_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, mut requests) = mpsc::channel::<Request>(1);
    let restore = Restore {
        file: folder.path().join("tandem.backup"),
        yes: true,
    };
    // One that ends by itself takes none.
    let server = door::open(folder.path(), engine.clone(), None).unwrap();
    let client = door::knock(folder.path()).await.unwrap();
    let refused = client.restore(restore.clone()).await.unwrap_err();
    assert_eq!(refused.blame, Blame::Usage);
    assert!(refused.what.contains("takes no backup"), "{refused:?}");
    drop(server);
    // Whoever does hears of it, and what comes of it is answered although the door is closed by then.
    let (restores, mut asked) = mpsc::channel(1);
    let server = door::open(folder.path(), engine, Some(restores)).unwrap();
    let client = door::knock(folder.path()).await.unwrap();
    let done = Restored {
        made: None,
        links: 3,
        records: 7,
        kept: Some("replaced".to_owned()),
    };
    let (answer, ()) = tokio::join!(client.restore(restore.clone()), async {
        let restoring = asked.recv().await.unwrap();
        assert_eq!(restoring.restore, restore);
        drop(server);
        restoring.tell.send(Ok(done.clone())).unwrap();
    });
    assert_eq!(answer.unwrap(), done);
    assert!(requests.try_recv().is_err());
}
