//! The door of a process that works: a socket in the state's folder, which its owner alone may open.
//!
//! Whoever comes says one command, as a line of JSON, and is answered with one line. The process serves the command between
//! two steps of its work ([`tandem_engine::Request`]). Nothing is remembered between two commands.
//!
//! A backup to be put in the place of the state is no command to an engine, for the engine ends before: whoever drives it
//! hears of it ([`Restoring`]).

mod client;
mod server;

pub use client::{Client, is_open, knock};
pub use server::{Restoring, Server, ask, open};

use crate::{Command, Done, Refused, Restore};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The socket's name in the folder.
const NAME: &str = "tandem.sock";

/// The longest line that is read, in bytes: an answer about a million values still fits.
const LONGEST: u64 = 1 << 30;

/// What is said at the door.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    /// The version of the program that asks: another one may mean something else by the same words.
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Command>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restore: Option<Restore>,
}

/// What is answered.
pub type Answer = Result<Done, Refused>;

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The longest path that a socket can have everywhere, in bytes.
const LONGEST_PATH: usize = 100;

/// Where the socket of a folder is, by a path that is short enough. What is kept beside it keeps the path alive.
fn place(folder: &Path) -> std::io::Result<(PathBuf, Option<std::fs::File>)> {
    let path = folder.join(NAME);
    if path.as_os_str().len() <= LONGEST_PATH {
        return Ok((path, None));
    }
    use std::os::fd::AsRawFd;
    let folder = std::fs::File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
    Ok((path, Some(folder)))
}
