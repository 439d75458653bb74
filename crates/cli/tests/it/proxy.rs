//! A line between the real process and a system that is not to be relied on: it cuts, delays and half-delivers as it is
//! told, request by request, and remembers the secrets that travelled over it.

use crate::local::Pair;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, and so does its answer.
    Deliver,
    /// It waits so many milliseconds first.
    Delay(u64),
    /// The connection is cut before the system learns of it.
    CutBefore,
    /// Half of it arrives.
    HalfRequest,
    /// It is carried out; its answer never arrives.
    CutAfter,
    /// It is carried out; half of its answer arrives.
    HalfAnswer,
    /// The system never learns of it, and this is answered: status and JSON.
    Answer(u16, &'static str),
}

/// Decides by the request: its method, its path, and all of it.
pub(crate) type Rule = Box<dyn Fn(&str, &str, &str) -> Fate + Send + Sync>;

/// Makes another body out of one, by the path of the request.
pub(crate) type Alter = Box<dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync>;

struct Shared {
    target: String,
    rule: Mutex<Rule>,
    alter: Mutex<Alter>,
    struck: AtomicU64,
    secrets: Mutex<BTreeSet<String>>,
    over: AtomicBool,
}

/// The line to one system; it ends when this is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A line to a system, honest at first.
    pub(crate) fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            target: url.trim_start_matches("http://").to_owned(),
            rule: Mutex::new(Box::new(|_, _, _| Fate::Deliver)),
            alter: Mutex::new(Box::new(|_, body| body)),
            struck: AtomicU64::new(0),
            secrets: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let url = format!("http://{}", listener.local_addr().unwrap());
        let line = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if line.over.load(Ordering::SeqCst) {
                    return;
                }
                let line = Arc::clone(&line);
                // A connection that breaks is what this is for.
                std::thread::spawn(move || drop(serve(client, &line)));
            }
        });
        Self { url, shared }
    }

    /// What becomes of requests from now on.
    pub(crate) fn rule(&self, rule: impl Fn(&str, &str, &str) -> Fate + Send + Sync + 'static) {
        *self.shared.rule.lock().unwrap() = Box::new(rule);
    }

    /// What becomes of the bodies of answers from now on.
    pub(crate) fn alter(&self, alter: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync + 'static) {
        *self.shared.alter.lock().unwrap() = Box::new(alter);
    }

    /// How many requests were not simply delivered.
    pub(crate) fn struck(&self) -> u64 {
        self.shared.struck.load(Ordering::SeqCst)
    }

    /// Tokens and assertions that travelled over the line.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        self.shared.secrets.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

/// Lines to both systems; the configuration leads over those that are asked for.
pub(crate) fn between(pair: &Pair, over: [bool; 2]) -> [Proxy; 2] {
    let urls = [&pair.customerp.url, &pair.salesforce.url];
    let lines = urls.map(|url| Proxy::before(url));
    let config = pair.path("tandem.yaml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    for (place, line) in lines.iter().enumerate().filter(|(place, _)| over[*place]) {
        text = text.replace(urls[place].as_str(), &line.url);
    }
    std::fs::write(&config, text).unwrap();
    lines
}

fn serve(mut client: TcpStream, line: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    loop {
        let Some(request) = message(&mut client, true)? else {
            return Ok(());
        };
        let head = String::from_utf8_lossy(&request).into_owned();
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let fate = (line.rule.lock().unwrap())(method, path, &head);
        line.struck
            .fetch_add(u64::from(fate != Fate::Deliver), Ordering::SeqCst);
        remember(line, &head);
        match fate {
            Fate::Delay(wait) => std::thread::sleep(Duration::from_millis(wait)),
            Fate::CutBefore => return client.shutdown(Shutdown::Both),
            Fate::Answer(status, body) => {
                let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n");
                client.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
                continue;
            }
            _ => {}
        }
        let mut server = TcpStream::connect(&line.target)?;
        server.set_nodelay(true)?;
        if fate == Fate::HalfRequest {
            server.write_all(&request[..request.len() / 2])?;
            server.shutdown(Shutdown::Both)?;
            return client.shutdown(Shutdown::Both);
        }
        server.write_all(&request)?;
        let Some(answer) = message(&mut server, false)? else {
            return client.shutdown(Shutdown::Both);
        };
        remember(line, &String::from_utf8_lossy(&answer));
        match fate {
            Fate::CutAfter => return client.shutdown(Shutdown::Both),
            Fate::HalfAnswer => {
                client.write_all(&answer[..answer.len() / 2])?;
                return client.shutdown(Shutdown::Both);
            }
            _ => client.write_all(&altered(line, path, answer))?,
        }
    }
}

/// An answer with the body that it is to have.
fn altered(line: &Shared, path: &str, answer: Vec<u8>) -> Vec<u8> {
    let Some(body) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
        return answer;
    };
    let (head, before) = (
        String::from_utf8_lossy(&answer[..body]).into_owned(),
        answer[body + 4..].to_vec(),
    );
    let after = (line.alter.lock().unwrap())(path, before.clone());
    if after == before {
        return answer;
    }
    let kept = |field: &&str| !field.to_ascii_lowercase().starts_with("content-length:");
    let head: Vec<&str> = head.lines().filter(kept).collect();
    let head = format!("{}\r\ncontent-length: {}\r\n\r\n", head.join("\r\n"), after.len());
    [head.into_bytes(), after].concat()
}

/// Keeps what must never be seen anywhere else.
fn remember(line: &Shared, text: &str) {
    let mut found = BTreeSet::new();
    let ends = |c: char| matches!(c, '"' | '&' | '\r' | '\n' | ' ');
    for mark in [
        "Bearer ",
        "\"access_token\":\"",
        "\"refresh_token\":\"",
        "assertion=",
        "refresh_token=",
    ] {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let secret = rest.split(ends).next().unwrap_or_default();
            if secret.len() > 12 {
                found.insert(secret.to_owned());
            }
        }
    }
    line.secrets.lock().unwrap().extend(found);
}

/// One message of HTTP, head and body, as it came; none at the end of the connection.
fn message(stream: &mut TcpStream, is_request: bool) -> std::io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        if let Some(end) = whole(&bytes, is_request) {
            bytes.truncate(end);
            return Ok(Some(bytes));
        }
        match stream.read(&mut part)? {
            0 if bytes.is_empty() || is_request => return Ok(None),
            // A body without a length ends with the connection.
            0 => return Ok(Some(bytes)),
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
}

/// Where the message ends, once it is all there.
fn whole(bytes: &[u8], is_request: bool) -> Option<usize> {
    let body = bytes.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..body]).to_ascii_lowercase();
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    if field("transfer-encoding:").is_some() {
        let end = bytes[body..].windows(5).position(|part| part == b"0\r\n\r\n")?;
        return Some(body + end + 5);
    }
    let bodiless = head.starts_with("http/1.1 204") || head.starts_with("http/1.1 304");
    let length = match field("content-length:") {
        Some(length) => length.parse().ok()?,
        None if is_request || bodiless => 0,
        None => return None,
    };
    (bytes.len() >= body + length).then_some(body + length)
}
