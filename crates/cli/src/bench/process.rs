//! A command of this program as a process of its own, and what it takes of the machine.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value as Json;
use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Between two looks at the process; what it does after the last one is not seen.
const LOOK: Duration = Duration::from_millis(20);
/// What the machine counts a process's time in: hundredths of a second, on every Linux.
const TICK_MS: u64 = 10;

/// What a process has taken; 0 where the machine does not tell.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Taken {
    /// From its start to its end, in milliseconds.
    pub(super) wall_ms: u64,
    /// Of all cores together, in milliseconds.
    pub(super) cpu_ms: u64,
    /// The most memory that it has held, in KB.
    pub(super) memory_kb: u64,
    /// What it has written to disk, in bytes.
    pub(super) written: u64,
}

/// A running command.
pub(super) struct Watched {
    process: Child,
    began: Instant,
    taken: Taken,
    said: tokio::task::JoinHandle<Vec<u8>>,
}

/// How a command ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// Its standard output.
    pub(super) said: String,
    pub(super) taken: Taken,
}

impl Watched {
    /// Starts a command of this program.
    pub(super) fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| lost(&error))?;
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| lost(&error))?;
        let mut output = process.stdout.take();
        let said = tokio::spawn(async move {
            let mut text = Vec::new();
            if let Some(output) = output.as_mut() {
                let _ = tokio::io::AsyncReadExt::read_to_end(output, &mut text).await;
            }
            text
        });
        Ok(Self {
            process,
            began: Instant::now(),
            taken: Taken::default(),
            said,
        })
    }

    /// Waits until it has ended, or until `over` says that it has run long enough. Answers whether it has ended.
    pub(super) async fn run_until(&mut self, over: impl Fn() -> bool) -> Result<bool, Failure> {
        loop {
            if let Some(id) = self.process.id() {
                self.taken = self.taken.and_now(id);
            }
            if self.process.try_wait().map_err(|error| lost(&error))?.is_some() {
                return Ok(true);
            }
            if over() {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What it has taken so far.
    pub(super) fn taken(&self) -> Taken {
        self.taken
    }

    /// Kills it. Answers what it has taken.
    pub(super) async fn kill(mut self) -> Result<Taken, Failure> {
        self.process.kill().await.map_err(|error| lost(&error))?;
        Ok(self.taken)
    }

    /// Lets it go to its end.
    pub(super) async fn end(mut self) -> Result<Ended, Failure> {
        self.run_until(|| false).await?;
        let wall = self.began.elapsed().as_millis();
        let status = self.process.wait().await.map_err(|error| lost(&error))?;
        let said = self.said.await.unwrap_or_default();
        let taken = Taken {
            wall_ms: u64::try_from(wall).unwrap_or(u64::MAX),
            ..self.taken
        };
        Ok(Ended {
            status,
            said: String::from_utf8_lossy(&said).into_owned(),
            taken,
        })
    }
}

impl Ended {
    /// What a command said in its last line, as JSON.
    ///
    /// # Errors
    /// Where it did not go to its end.
    pub(super) fn result(&self) -> Result<Json, Failure> {
        if !matches!(self.status.code(), Some(0 | 3)) {
            return Err(Failure::trouble(
                format!("the process ended with {}", self.status),
                "Its own words stand above",
            ));
        }
        let last = self.said.lines().last().unwrap_or_default();
        let read = serde_json::from_str(last).or_else(|_| serde_json::from_str(&self.said));
        Ok(read.unwrap_or_default())
    }
}

impl Taken {
    /// What a process has taken by now.
    pub(super) fn of(id: u32) -> Self {
        Self::default().and_now(id)
    }

    /// What was taken since an earlier look; memory is the most of all times.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            wall_ms: self.wall_ms.saturating_sub(earlier.wall_ms),
            cpu_ms: self.cpu_ms.saturating_sub(earlier.cpu_ms),
            memory_kb: self.memory_kb,
            written: self.written.saturating_sub(earlier.written),
        }
    }

    /// The same, looked at anew. A process that has ended shows no memory any more.
    fn and_now(self, id: u32) -> Self {
        let text = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        let (stat, status, io) = (text("stat"), text("status"), text("io"));
        // The name stands in brackets and may hold anything; user and system time are the 12th and 13th after it.
        let times = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
        let times = times.into_iter().flatten().skip(11).take(2);
        let ticks: u64 = times.filter_map(|time| time.parse::<u64>().ok()).sum();
        let number = |text: &str, name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok())
        };
        Self {
            wall_ms: self.wall_ms,
            cpu_ms: (ticks * TICK_MS).max(self.cpu_ms),
            memory_kb: number(&status, "VmHWM:").unwrap_or_default().max(self.memory_kb),
            written: number(&io, "write_bytes:").unwrap_or_default().max(self.written),
        }
    }
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::trouble(
        format!("a process of the measurement could not be started or watched ({error})"),
        "Run it again",
    )
}

#[cfg(test)]
mod tests {
    use super::Taken;

    #[test]
    fn this_process_has_taken_time_and_memory() {
        let mut sum = 0_u64;
        while Taken::of(std::process::id()).cpu_ms < 30 {
            sum = (0..1_000_000).fold(sum, |sum, one| std::hint::black_box(sum ^ one));
        }
        let taken = Taken::of(std::process::id());
        assert!(taken.memory_kb > 1_000, "{taken:?} {sum}");
    }
}
