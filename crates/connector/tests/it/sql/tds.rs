//! A server that speaks as SQL Server does: agrees on what comes before signing in, lets the connector in, and answers
//! statements by a script. It keeps no rows; what was said to it is looked at by the tests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A statement as it came in, with what it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) sql: String,
    pub(super) given: Vec<Cell>,
}

/// A value that travels.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Bit(bool),
    Int(i64),
    Text(String),
    /// A number without its point, and how many digits stand behind that.
    Numeric(i128, u8),
    /// Days since the year 1, and tenths of a microsecond.
    Moment(u32, u64),
}

/// A column of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    Int,
    Bit,
    Text,
    Numeric(u8),
    Moment,
}

/// What is answered to a statement.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Rows of columns.
    Rows(Vec<Of>, Vec<Vec<Cell>>),
    Done,
    /// A number and a sentence.
    Error(u32, &'static str),
    /// The connection is lost.
    Cut,
}

/// A step of a script: a part of the statement that is expected, and the answer.
pub(super) type Step = (&'static str, Answer);

/// A server that runs until it is dropped.
pub(super) struct Tds {
    pub(super) port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    script: Arc<Mutex<VecDeque<Step>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Tds {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tds {
    /// A server; `tls` encrypts what follows the first words.
    pub(super) async fn start(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, script) = (
            Arc::<Mutex<Vec<Heard>>>::default(),
            Arc::<Mutex<VecDeque<Step>>>::default(),
        );
        let (ears, steps) = (Arc::clone(&heard), Arc::clone(&script));
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (ears, steps, tls) = (Arc::clone(&ears), Arc::clone(&steps), tls.clone());
                tokio::spawn(async move { serve(tcp, tls, &ears, &steps).await });
            }
        });
        Self {
            port,
            heard,
            script,
            task,
        }
    }

    /// What is answered to the next statements, in this order.
    pub(super) fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.script.lock().unwrap().extend(steps);
    }

    /// All that was said since the last time, settings and what the server is asked of itself left out.
    pub(super) fn heard(&self) -> Vec<Heard> {
        assert_eq!(
            self.script.lock().unwrap().len(),
            0,
            "not all that was expected was said"
        );
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

async fn serve(
    mut tcp: TcpStream,
    tls: Option<tokio_rustls::TlsAcceptor>,
    heard: &Mutex<Vec<Heard>>,
    script: &Mutex<VecDeque<Step>>,
) -> Option<()> {
    let (kind, _) = message(&mut tcp).await?;
    assert_eq!(kind, 0x12, "the first words come before signing in");
    let level = if tls.is_some() { 1 } else { 2 };
    // Version and encryption: place and length of each, then the two.
    let words = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 16, 0, 0, 0, 0, 0, level];
    say(&mut tcp, &words).await?;
    match tls {
        None => speak(tcp, heard, script).await,
        Some(tls) => {
            let (ours, theirs) = tokio::io::duplex(65_536);
            let accepting = tls.accept(theirs);
            let stream = unwrapping(tcp, ours, accepting).await?;
            speak(stream, heard, script).await
        }
    }
}

/// Lets the two sides of TLS shake hands through packets, and then carries what they say as it is.
async fn unwrapping(
    mut tcp: TcpStream,
    mut ours: tokio::io::DuplexStream,
    accepting: tokio_rustls::Accept<tokio::io::DuplexStream>,
) -> Option<tokio_rustls::server::TlsStream<tokio::io::DuplexStream>> {
    let mut accepting = std::pin::pin!(accepting);
    let mut buffer = vec![0; 65_536];
    let stream = loop {
        tokio::select! {
            biased;
            read = ours.read(&mut buffer) => say_as(&mut tcp, 0x12, &buffer[..read.ok()?]).await?,
            done = &mut accepting => break done.ok()?,
            packet = message(&mut tcp) => ours.write_all(&packet?.1).await.ok()?,
        }
    };
    // The last words of the handshake are still on their way.
    while let Ok(Ok(read)) =
        tokio::time::timeout(std::time::Duration::from_millis(20), ours.read(&mut buffer)).await
    {
        say_as(&mut tcp, 0x12, &buffer[..read]).await?;
    }
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut tcp, &mut ours).await });
    Some(stream)
}

async fn speak(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    heard: &Mutex<Vec<Heard>>,
    script: &Mutex<VecDeque<Step>>,
) -> Option<()> {
    let (kind, login) = message(&mut stream).await?;
    assert_eq!(kind, 0x10, "it signs in");
    if text(&login).contains("nobody") {
        let said = error(18_456, "Login failed for user ''.");
        say(&mut stream, &[said, done(0xFD)].concat()).await?;
        return None;
    }
    let mut welcome = vec![0xAD];
    let body = [
        &[1, 0x74, 0, 0, 4][..],
        &short("Microsoft SQL Server"),
        &[16, 0, 0, 0],
    ]
    .concat();
    welcome.extend_from_slice(&u16::try_from(body.len()).unwrap().to_le_bytes());
    welcome.extend_from_slice(&body);
    welcome.extend_from_slice(&done(0xFD));
    say(&mut stream, &welcome).await?;
    loop {
        let (kind, body) = message(&mut stream).await?;
        let said = match kind {
            1 => Heard {
                sql: text(&body[headers(&body)..]),
                given: Vec::new(),
            },
            3 => remote(&body[headers(&body)..]),
            other => panic!("packets of kind {other} are not expected"),
        };
        let answer = answer(&said, heard, script);
        match answer {
            Answer::Cut => return None,
            Answer::Done if kind == 1 => say(&mut stream, &done(0xFD)).await?,
            Answer::Done => say(&mut stream, &done(0xFE)).await?,
            Answer::Error(number, sentence) => {
                say(&mut stream, &[error(number, sentence), done(0xFE)].concat()).await?;
            }
            Answer::Rows(of, rows) => say(&mut stream, &[table(&of, &rows), done(0xFE)].concat()).await?,
        }
    }
}

/// What the script says; settings and the clock are answered always.
fn answer(said: &Heard, heard: &Mutex<Vec<Heard>>, script: &Mutex<VecDeque<Step>>) -> Answer {
    let sql = said.sql.as_str();
    if sql.starts_with("SET NOCOUNT ON") || sql.starts_with("IF @@TRANCOUNT > 0 ROLLBACK") {
        return Answer::Done;
    }
    if sql == "SELECT SYSUTCDATETIME()" {
        return Answer::Rows(vec![Of::Moment], vec![vec![Cell::Moment(739_800, 0)]]);
    }
    heard.lock().unwrap().push(said.clone());
    let step = script.lock().unwrap().pop_front();
    let Some((part, answer)) = step else {
        panic!("nobody expected `{sql}`");
    };
    assert!(sql.contains(part), "`{sql}` does not hold `{part}`");
    answer
}

/// The next message: its kind, and what its packets hold.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let mut whole = Vec::new();
    loop {
        let mut head = [0; 8];
        stream.read_exact(&mut head).await.ok()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]])) - 8;
        let at = whole.len();
        whole.resize(at + length, 0);
        stream.read_exact(&mut whole[at..]).await.ok()?;
        if head[1] & 1 == 1 {
            return Some((head[0], whole));
        }
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Option<()> {
    say_as(stream, 4, message).await
}

async fn say_as(stream: &mut (impl AsyncWrite + Unpin), kind: u8, message: &[u8]) -> Option<()> {
    let parts: Vec<&[u8]> = message.chunks(4_088).collect();
    for (at, part) in parts.iter().enumerate() {
        let length = u16::try_from(part.len() + 8).unwrap().to_be_bytes();
        let last = u8::from(at + 1 == parts.len());
        let head = [kind, last, length[0], length[1], 0, 0, 1, 0];
        stream.write_all(&[&head[..], part].concat()).await.ok()?;
    }
    stream.flush().await.ok()
}

/// How long the headers in front of a statement are.
fn headers(body: &[u8]) -> usize {
    usize::try_from(u32::from_le_bytes(body[..4].try_into().unwrap())).unwrap()
}

fn text(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|two| u16::from_le_bytes([two[0], two[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}

/// A statement with values: a call of `sp_executesql`, whose first two values are the statement and the types.
fn remote(mut body: &[u8]) -> Heard {
    assert_eq!(take(&mut body, 4), [0xFF, 0xFF, 10, 0], "it calls sp_executesql");
    take(&mut body, 2);
    let mut values = Vec::new();
    while !body.is_empty() {
        let name = usize::from(take(&mut body, 1)[0]);
        take(&mut body, name * 2 + 1);
        values.push(value(&mut body));
    }
    let Cell::Text(sql) = values.remove(0) else {
        panic!("the first value is no statement")
    };
    values.remove(0);
    Heard { sql, given: values }
}

fn take<'a>(body: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (part, rest) = body.split_at(length);
    *body = rest;
    part
}

fn number(bytes: &[u8]) -> i128 {
    let whole = bytes
        .iter()
        .rev()
        .fold(0_i128, |sum, byte| sum * 256 + i128::from(*byte));
    match bytes.last() {
        Some(high) if *high >= 128 => whole - (1 << (bytes.len() * 8)),
        _ => whole,
    }
}

/// A value with its type in front.
fn value(body: &mut &[u8]) -> Cell {
    let of = take(body, 1)[0];
    match of {
        // Texts: the longest length, five bytes of how they are compared, and the value in one piece or in several.
        0xE7 => {
            let long = take(body, 2) == [0xFF, 0xFF];
            take(body, 5);
            if !long {
                let length = usize::from(u16::from_le_bytes(take(body, 2).try_into().unwrap()));
                return if length == 0xFFFF {
                    Cell::Null
                } else {
                    Cell::Text(text(take(body, length)))
                };
            }
            let mut whole = Vec::new();
            if take(body, 8) == [0xFF; 8] {
                return Cell::Null;
            }
            loop {
                let length = u32::from_le_bytes(take(body, 4).try_into().unwrap());
                if length == 0 {
                    return Cell::Text(text(&whole));
                }
                whole.extend_from_slice(take(body, usize::try_from(length).unwrap()));
            }
        }
        0x26 | 0x68 => {
            take(body, 1);
            let length = usize::from(take(body, 1)[0]);
            match (of, take(body, length)) {
                (_, []) => Cell::Null,
                (0x68, bytes) => Cell::Bit(bytes[0] == 1),
                (_, bytes) => Cell::Int(i64::try_from(number(bytes)).unwrap()),
            }
        }
        0x6A | 0x6C => {
            let scale = take(body, 3)[2];
            let length = usize::from(take(body, 1)[0]);
            match take(body, length) {
                [] => Cell::Null,
                [sign, digits @ ..] => {
                    let digits = digits
                        .iter()
                        .rev()
                        .fold(0_i128, |sum, byte| sum * 256 + i128::from(*byte));
                    Cell::Numeric(if *sign == 1 { digits } else { -digits }, scale)
                }
            }
        }
        0x2A | 0x2B => {
            take(body, 1);
            let length = usize::from(take(body, 1)[0]);
            let at = take(body, length);
            let (time, date) = (&at[..5], &at[5..8]);
            Cell::Moment(
                u32::try_from(number(date)).unwrap(),
                u64::try_from(number(time)).unwrap(),
            )
        }
        other => panic!("values of type {other:#x} are not expected"),
    }
}

fn short(text: &str) -> Vec<u8> {
    let mut out = vec![u8::try_from(text.encode_utf16().count()).unwrap()];
    out.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    out
}

fn done(token: u8) -> Vec<u8> {
    [&[token][..], &[0; 12]].concat()
}

fn error(number: u32, sentence: &str) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.extend_from_slice(&[1, 14]);
    body.extend_from_slice(
        &u16::try_from(sentence.encode_utf16().count())
            .unwrap()
            .to_le_bytes(),
    );
    body.extend(sentence.encode_utf16().flat_map(u16::to_le_bytes));
    body.extend_from_slice(&[0, 0, 1, 0, 0, 0]);
    [
        &[0xAA][..],
        &u16::try_from(body.len()).unwrap().to_le_bytes(),
        &body,
    ]
    .concat()
}

fn table(of: &[Of], rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut out = vec![0x81];
    out.extend_from_slice(&u16::try_from(of.len()).unwrap().to_le_bytes());
    for (at, of) in of.iter().enumerate() {
        out.extend_from_slice(&[0, 0, 0, 0, 9, 0]);
        match of {
            Of::Int => out.extend_from_slice(&[0x26, 8]),
            Of::Bit => out.extend_from_slice(&[0x68, 1]),
            Of::Text => out.extend_from_slice(&[0xE7, 0x40, 0x1F, 9, 4, 0xD0, 0, 0x34]),
            Of::Numeric(scale) => out.extend_from_slice(&[0x6C, 17, 38, *scale]),
            Of::Moment => out.extend_from_slice(&[0x2A, 7]),
        }
        out.extend_from_slice(&short(&format!("c{at}")));
    }
    for row in rows {
        assert_eq!(row.len(), of.len());
        out.push(0xD1);
        for (of, cell) in of.iter().zip(row) {
            match (of, cell) {
                (Of::Text, Cell::Null) => out.extend_from_slice(&[0xFF, 0xFF]),
                (_, Cell::Null) => out.push(0),
                (_, Cell::Int(number)) => {
                    out.push(8);
                    out.extend_from_slice(&number.to_le_bytes());
                }
                (_, Cell::Bit(yes)) => out.extend_from_slice(&[1, u8::from(*yes)]),
                (_, Cell::Text(text)) => {
                    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
                    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_le_bytes());
                    out.extend_from_slice(&bytes);
                }
                (_, Cell::Numeric(digits, _)) => {
                    out.extend_from_slice(&[17, u8::from(*digits >= 0)]);
                    out.extend_from_slice(&digits.unsigned_abs().to_le_bytes());
                }
                (_, Cell::Moment(days, time)) => {
                    out.push(8);
                    out.extend_from_slice(&time.to_le_bytes()[..5]);
                    out.extend_from_slice(&days.to_le_bytes()[..3]);
                }
            }
        }
    }
    out
}
