//! The program as a process: started when it is first asked, started again when it ended, ended with us.

use super::protocol;
use crate::http::clock;
use crate::{Error, ErrorKind, Scope};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{Notify, Semaphore, oneshot};

/// The longest line that a program may answer with.
const LONGEST: usize = 64 << 20;
/// A program that keeps ending is started again no sooner than this.
const PAUSE: Duration = Duration::from_secs(1);

/// How a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The program did not get it.
    NotSent(Error),
    /// It got it, and no answer came.
    Lost(Error),
    /// It answered that it cannot.
    Told(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::NotSent(error) | Self::Lost(error) | Self::Told(error) => error,
        }
    }
}

/// A program that speaks for a system.
pub(super) struct Child {
    system: String,
    command: Vec<String>,
    folder: PathBuf,
    /// What it is told when it starts.
    hello: Json,
    deadline: Duration,
    running: tokio::sync::Mutex<Option<Running>>,
    /// Requests that it works on at once.
    pub(super) lines: Semaphore,
    /// It said that changes wait.
    pub(super) changed: Arc<Notify>,
    calls: AtomicU64,
    begun: AtomicU64,
}

type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Json>>>>>;

struct Running {
    stdin: ChildStdin,
    waiting: Waiting,
    hello: Json,
    /// Which of the processes it is, counted.
    number: u64,
    next: u64,
    /// Ends the process where it is dropped.
    _child: tokio::process::Child,
}

impl Child {
    pub(super) fn new(
        system: &str,
        command: &[String],
        folder: PathBuf,
        hello: Json,
        deadline: Duration,
    ) -> Self {
        Self {
            system: system.to_owned(),
            command: command.to_vec(),
            folder,
            hello,
            deadline,
            running: tokio::sync::Mutex::new(None),
            lines: Semaphore::new(1),
            changed: Arc::default(),
            calls: AtomicU64::new(0),
            begun: AtomicU64::new(0),
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn system(&self) -> &str {
        &self.system
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>, advice: &str) -> Error {
        Error {
            system: self.system.clone(),
            kind,
            message: message.into(),
            advice: advice.to_owned(),
            retry_at: None,
            scope: Scope::System,
        }
    }

    fn down(&self, message: String) -> Error {
        self.error(
            ErrorKind::Down,
            message,
            "Look at its log; it is started again by itself",
        )
    }

    /// Something that is not in the protocol.
    pub(super) fn wrong(&self, what: impl Into<String>) -> Error {
        let advice =
            "Let the author of the program read docs/program.md, and try it with `tandem connector test`";
        self.error(ErrorKind::Protocol, what, advice)
    }

    /// What it said when it was greeted; it is started where it does not run.
    pub(super) async fn hello(&self) -> Result<Json, Error> {
        let mut running = self.running.lock().await;
        let child = self.started(&mut running).await.map_err(Failure::into_error)?;
        Ok(child.hello.clone())
    }

    /// Asks for something, and waits for the answer.
    pub(super) async fn ask(&self, mut request: Json) -> Result<Json, Failure> {
        let _line = self.lines.acquire().await;
        let (answer, number) = {
            let mut running = self.running.lock().await;
            let child = self.started(&mut running).await?;
            let number = child.number;
            // One that does not read any more is ended; part of the request may have reached it.
            match tokio::time::timeout(self.deadline, child.send(&mut request)).await {
                Ok(Ok(answer)) => (answer, number),
                Ok(Err(error)) => {
                    *running = None;
                    let what = format!("its program takes nothing any more ({error})");
                    return Err(Failure::Lost(self.down(what)));
                }
                Err(_) => {
                    *running = None;
                    let what = "its program does not read what it is asked, and was ended";
                    return Err(Failure::Lost(self.down(what.to_owned())));
                }
            }
        };
        self.calls.fetch_add(1, Ordering::Relaxed);
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(answer)) => match protocol::trouble(&self.system, &answer) {
                Some(error) => Err(Failure::Told(error)),
                None => Ok(answer),
            },
            Ok(Err(_)) => {
                self.end(number).await;
                Err(Failure::Lost(
                    self.down("its program ended before it answered".to_owned()),
                ))
            }
            // Whatever it still does must not come beside what is asked next.
            Err(_) => {
                self.end(number).await;
                let seconds = self.deadline.as_secs();
                let what = format!("its program did not answer within {seconds} s and was ended");
                Err(Failure::Lost(self.down(what)))
            }
        }
    }

    /// Ends the process of that number, and none that was started since.
    async fn end(&self, number: u64) {
        let mut running = self.running.lock().await;
        if running.as_ref().is_some_and(|running| running.number == number) {
            *running = None;
        }
    }

    async fn started<'a>(&self, running: &'a mut Option<Running>) -> Result<&'a mut Running, Failure> {
        let ended = running
            .as_ref()
            .is_some_and(|running| lock(&running.waiting).is_none());
        if ended {
            *running = None;
            tokio::time::sleep(PAUSE).await;
        }
        match running {
            Some(running) => Ok(running),
            slot => {
                let started = self.start().await.map_err(Failure::NotSent)?;
                Ok(slot.insert(started))
            }
        }
    }

    async fn start(&self) -> Result<Running, Error> {
        let Some((program, arguments)) = self.command.split_first() else {
            let what = "no program is named";
            return Err(self.error(ErrorKind::Missing, what, "Write `command: [PROGRAM, ARGUMENT]`"));
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let what = format!("its program `{program}` cannot be started ({error})");
            self.error(
                ErrorKind::Missing,
                what,
                "Correct `command:` in the configuration",
            )
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(self.down("its program has no input or output".to_owned()));
        };
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let (told, changed, system) = (
            Arc::clone(&waiting),
            Arc::clone(&self.changed),
            self.system.clone(),
        );
        tokio::spawn(async move { listen(&system, BufReader::new(stdout), &told, &changed).await });
        let system = self.system.clone();
        tokio::spawn(async move { pass_on(&system, BufReader::new(stderr)).await });
        let mut running = Running {
            stdin,
            waiting,
            hello: Json::Null,
            number: self.begun.fetch_add(1, Ordering::Relaxed),
            next: 0,
            _child: child,
        };
        let mut hello = self.hello.clone();
        let sent = tokio::time::timeout(self.deadline, running.send(&mut hello)).await;
        let sent = sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let answer = sent.map_err(|error| self.down(format!("its program takes nothing ({error})")))?;
        let answer = tokio::time::timeout(self.deadline, answer).await;
        let Ok(Ok(answer)) = answer else {
            return Err(self.wrong("its program does not answer `hello`"));
        };
        if let Some(error) = protocol::trouble(&self.system, &answer) {
            return Err(error);
        }
        running.hello = answer;
        Ok(running)
    }
}

impl Running {
    /// Sends a request under a number of its own; the answer comes through what is returned.
    async fn send(&mut self, request: &mut Json) -> std::io::Result<oneshot::Receiver<Json>> {
        self.next += 1;
        request["ask"] = json!(self.next);
        let (sender, receiver) = oneshot::channel();
        match lock(&self.waiting).as_mut() {
            Some(waiting) => drop(waiting.insert(self.next, sender)),
            None => return Err(std::io::ErrorKind::BrokenPipe.into()),
        }
        let line = format!("{request}\n");
        let sent = async {
            self.stdin.write_all(line.as_bytes()).await?;
            self.stdin.flush().await
        };
        sent.await.inspect_err(|_| {
            if let Some(waiting) = lock(&self.waiting).as_mut() {
                waiting.remove(&self.next);
            }
        })?;
        Ok(receiver)
    }
}

fn lock(waiting: &Waiting) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Json>>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands answers to whoever waits for them, until the program says no more.
async fn listen(
    system: &str,
    mut lines: BufReader<tokio::process::ChildStdout>,
    waiting: &Waiting,
    changed: &Notify,
) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = AsyncReadExt::take(&mut lines, LONGEST as u64);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) if line.len() >= LONGEST => break,
            Ok(_) => {}
        }
        let Some(answer) = crate::http::json::parse(&line) else {
            let shown = String::from_utf8_lossy(&line[..line.len().min(80)])
                .trim()
                .to_owned();
            tracing::warn!(
                system,
                "{system}: its program says {shown:?}, which is no line of JSON"
            );
            break;
        };
        let number = answer.get("ask").and_then(Json::as_u64);
        let asked = number.and_then(|number| lock(waiting).as_mut()?.remove(&number));
        match asked {
            Some(asked) => drop(asked.send(answer)),
            None if answer.get("changed").and_then(Json::as_bool) == Some(true) => changed.notify_one(),
            None => tracing::warn!(
                system,
                "{system}: its program answers something that nobody asked"
            ),
        }
    }
    // Whoever still waits learns that nothing comes.
    *lock(waiting) = None;
}

/// What a program writes to its standard error goes into the log.
async fn pass_on(system: &str, mut lines: BufReader<tokio::process::ChildStderr>) {
    let mut line = Vec::new();
    while let Ok(read) = lines.read_until(b'\n', &mut line).await
        && read > 0
    {
        let said = String::from_utf8_lossy(&line);
        let said: String = said
            .trim_end()
            .chars()
            .filter(|sign| !sign.is_control())
            .take(400)
            .collect();
        tracing::info!(system, at = %clock::wall(), "{system}: its program says: {said}");
        line.clear();
    }
}
