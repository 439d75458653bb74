//! The inner side of the door.

use super::{Answer, Asked, LONGEST, VERSION, place};
use crate::{Command, Refused, Restore, Restored, carry_out};
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tandem_engine::Request;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// An open door. It closes when this is dropped; who stands in it is told that the work ended.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    _folder: Option<std::fs::File>,
    listening: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
        // One that is left is found closed, and taken away by the next process.
        let _left = std::fs::remove_file(&self.path);
    }
}

/// Somebody asks for a backup in the place of the state.
#[derive(Debug)]
pub struct Restoring {
    /// Which, and whether unasked.
    pub restore: Restore,
    /// Whom to tell what came of it.
    pub tell: oneshot::Sender<Result<Restored, Refused>>,
}

/// Where what is asked for goes.
#[derive(Clone)]
struct Within {
    engine: mpsc::Sender<Request>,
    restores: Option<mpsc::Sender<Restoring>>,
}

/// Opens the door in a folder, whose state this process holds. What is asked for goes to `engine`
/// ([`tandem_engine::Engine::listen`]), and a backup that is to take the state's place to `restores`; without that it is refused.
///
/// # Errors
/// What the file system says.
pub fn open(
    folder: &Path,
    engine: mpsc::Sender<Request>,
    restores: Option<mpsc::Sender<Restoring>>,
) -> std::io::Result<Server> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (path, folder) = place(folder)?;
    // Whoever made one that is there held the state before us, and is gone.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    let within = Within { engine, restores };
    let listening = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, within.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "the door does not open: {error}");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    });
    Ok(Server {
        path,
        _folder: folder,
        listening,
    })
}

/// Hears one command and answers it.
async fn serve(stream: UnixStream, within: Within) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LONGEST));
    let heard = read.read_line(&mut line).await;
    let mut text = match heard {
        // Somebody only looked whether anyone is there.
        Ok(0) | Err(_) => return,
        Ok(_) => tokio::select! {
            text = answered(&line, within) => text,
            // Whoever asked waits no longer. A command that the engine has is carried out all the same; a backup that is still
            // weighed does not take the place of the state.
            _ = read.fill_buf() => return,
        },
    };
    text.push('\n');
    // Whoever asked may be gone; what was done is done.
    let _gone = write.write_all(text.as_bytes()).await;
}

async fn answered(line: &str, within: Within) -> String {
    let text = match understood(line) {
        Ok(Asked {
            command: Some(command),
            ..
        }) => serde_json::to_string(&ask(&within.engine, command).await),
        Ok(Asked {
            restore: Some(restore),
            ..
        }) => serde_json::to_string(&put_in_place(within.restores, restore).await),
        Ok(_) => serde_json::to_string(&Answer::Err(not_understood("nothing is asked for"))),
        Err(refused) => serde_json::to_string(&Answer::Err(refused)),
    };
    text.unwrap_or_default()
}

fn understood(line: &str) -> Result<Asked, Refused> {
    let other = |theirs: &str| {
        Refused::usage(
            format!("the process that works with this state is Tandem {VERSION}, and this is {theirs}"),
            "Use the same program for both, or start the one that works anew",
        )
    };
    let said: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    match said["version"].as_str() {
        Some(version) if version == VERSION => {}
        Some(version) => return Err(other(&format!("Tandem {version}"))),
        None => return Err(other("another program")),
    }
    serde_json::from_value(said).map_err(not_understood)
}

fn not_understood(why: impl std::fmt::Display) -> Refused {
    Refused::usage(
        format!("the command is not understood ({why})"),
        "`tandem --help` lists them",
    )
}

/// Asks whoever drives the engine to end it and to put a backup in the state's place.
async fn put_in_place(
    restores: Option<mpsc::Sender<Restoring>>,
    restore: Restore,
) -> Result<Restored, Refused> {
    let Some(restores) = restores else {
        return Err(Refused::usage(
            "the process that works with this state takes no backup in its place",
            "Wait until it is done or stop it, then restore",
        ));
    };
    let (tell, told) = oneshot::channel();
    if restores.send(Restoring { restore, tell }).await.is_err() {
        return Err(ended());
    }
    told.await.unwrap_or_else(|_| Err(ended()))
}

/// Asks the engine of this process for something, between two steps of its work.
///
/// # Errors
/// Why it was not done.
pub async fn ask(engine: &mpsc::Sender<Request>, command: Command) -> Answer {
    let (tell, told) = oneshot::channel();
    if engine.send(request(command, tell)).await.is_err() {
        return Err(ended());
    }
    told.await.unwrap_or_else(|_| Err(ended()))
}

/// A command as a request to the engine.
fn request(command: Command, tell: oneshot::Sender<Answer>) -> Request {
    Box::new(move |engine| {
        Box::pin(async move {
            let now = jiff::Timestamp::now();
            let answer = carry_out(engine, command, now).await;
            // Whoever asked may be gone; what was done is done.
            let _gone = tell.send(answer);
        })
    })
}

fn ended() -> Refused {
    Refused::trouble(
        "the process that works with this state ended before it was done",
        "Look whether it was done, then try again",
    )
}
