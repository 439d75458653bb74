//! Ctrl-C and requests to terminate: whatever is waited for, a command ends within two seconds.
//!
//! Work is cut off at a point where it waits. What was sent and has no answer is marked so in the state, as after a
//! crash, and settled by the next start.

use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Work may come to its end for so long: most of what is on its way is answered by then.
const GRACE: Duration = Duration::from_millis(1_300);

/// Work that does not even wait is ended with the process: the state is safe at every moment.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// What is said of work that was cut off.
pub(crate) const STOPPED: &str = "Stopped. What was sent and has no answer yet is settled by the next start.";

/// Hears signals from its making on, so that none is lost between two waits.
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens. The process ends by itself if it is still there two seconds after a signal, with this code.
    pub(crate) fn listen(code: u8) -> Self {
        let (told, heard) = watch::channel(false);
        tokio::spawn(async move {
            interrupted().await;
            std::thread::spawn(move || {
                std::thread::sleep(PATIENCE);
                std::process::exit(code.into());
            });
            // Whoever listens no more needs no word.
            let _ = told.send(true);
        });
        Self(heard)
    }

    /// Returns once a signal was heard.
    pub(crate) async fn heard(&mut self) {
        if self.0.wait_for(|heard| *heard).await.is_err() {
            std::future::pending().await
        }
    }

    /// Works until it is done, or a signal was heard and the grace is over: then there is nothing.
    pub(crate) async fn cut<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = self.heard() => {}
        }
        tokio::time::timeout(GRACE, work).await.ok()
    }
}

/// Hears requests to read the configuration again (SIGHUP). On a terminal the signal means that it went away, and ends the
/// process as it ends any other.
pub(crate) struct Hangups(Option<Signal>);

impl Hangups {
    /// Listens.
    pub(crate) fn listen() -> Self {
        let heard = (!std::io::stdin().is_terminal()).then(|| signal(SignalKind::hangup()).ok());
        Self(heard.flatten())
    }

    /// Returns once one was heard.
    pub(crate) async fn heard(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Waits for Ctrl-C or a request to terminate.
pub(crate) async fn interrupted() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        // Without that signal there is still Ctrl-C; an error means there is neither, and nothing stops us.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_ends_when_it_is_done_or_the_grace_is_over() {
        let (told, heard) = watch::channel(false);
        let mut interrupt = Interrupt(heard);
        assert_eq!(interrupt.cut(async { 1 }).await, Some(1));
        told.send(true).unwrap();
        let soon = async {
            tokio::time::sleep(GRACE / 2).await;
            2
        };
        assert_eq!(interrupt.cut(soon).await, Some(2));
        assert_eq!(interrupt.cut(std::future::pending::<u8>()).await, None);
    }
}
