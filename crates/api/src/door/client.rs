//! The outer side of the door.

use super::{Asked, LONGEST, VERSION, place};
use crate::{Command, Done, Refused, Restore, Restored};
use serde::de::DeserializeOwned;
use std::path::Path;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A process that works, and does what is asked for.
#[derive(Debug)]
pub struct Client(UnixStream);

/// Knocks at the door of a folder: whether a process works with its state. None where nobody answers.
pub async fn knock(folder: &Path) -> Option<Client> {
    let (path, _folder) = place(folder).ok()?;
    UnixStream::connect(&path).await.ok().map(Client)
}

/// Whether a process works with the state of a folder.
#[must_use]
pub fn is_open(folder: &Path) -> bool {
    let place = place(folder);
    place.is_ok_and(|(path, _folder)| std::os::unix::net::UnixStream::connect(path).is_ok())
}

impl Client {
    /// Asks for one thing and waits until it is done.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn ask(self, command: Command) -> Result<Done, Refused> {
        self.converse(Some(command), None).await
    }

    /// Asks for a backup to be put in the place of the state, and waits until it is.
    ///
    /// # Errors
    /// Why it was not done.
    pub async fn restore(self, restore: Restore) -> Result<Restored, Refused> {
        self.converse(None, Some(restore)).await
    }

    async fn converse<T: DeserializeOwned>(
        self,
        command: Option<Command>,
        restore: Option<Restore>,
    ) -> Result<T, Refused> {
        let asked = Asked {
            version: VERSION.to_owned(),
            command,
            restore,
        };
        let answer = converse(self.0, &asked).await;
        answer.unwrap_or_else(|error| {
            Err(Refused::trouble(
                format!("the process that works with this state broke off ({error})"),
                "Look whether it was done, then try again",
            ))
        })
    }
}

async fn converse<T: DeserializeOwned>(
    stream: UnixStream,
    asked: &Asked,
) -> std::io::Result<Result<T, Refused>> {
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_string(asked)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(read.take(LONGEST)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}
