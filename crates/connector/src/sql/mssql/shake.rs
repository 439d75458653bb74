//! How a connection to a SQL Server begins: what is agreed on before anybody signs in, and TLS.
//!
//! The server takes the first messages of TLS within packets of its own protocol, and the bare ones after that. The library
//! that speaks the protocol is built without TLS, for it would bring another provider of it than all else here has. So both
//! are done before it: it is then told what the server answered, and finds an encrypted stream.

use rustls::pki_types::ServerName;
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Length of a packet's head.
const HEAD: usize = 8;
/// Longest packet before a length was agreed on.
const PACKET: usize = 4096;
/// The kind of packets that hold what is agreed on before signing in.
const BEFORE: u8 = 0x12;
/// The last packet of a message.
const LAST: u8 = 1;
/// Encryption as the two sides speak of it: the client asks for all of it, and the server may know none.
const ASKED: u8 = 1;
const ENCRYPTION: u8 = 1;
const NONE: u8 = 2;

/// A connection, as the library is given it.
pub(super) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<Resumed>),
}

/// Nothing is encrypted, neither name nor password.
pub(super) fn plain(tcp: TcpStream) -> Stream {
    Stream::Plain(tcp)
}

/// All that follows is encrypted.
///
/// # Errors
/// The server knows no encryption, or is not the one that it says.
pub(super) async fn encrypted(
    mut tcp: TcpStream,
    host: &str,
    tls: Arc<rustls::ClientConfig>,
) -> std::io::Result<Stream> {
    tcp.write_all(&question()).await?;
    let answer = message(&mut tcp).await?;
    if encryption(&answer[HEAD..]).is_none_or(|level| level == NONE) {
        let sentence = "it does not encrypt: have it do so, or write `?encrypt=false` behind its address";
        return Err(Error::new(ErrorKind::Unsupported, sentence));
    }
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
    let wrapped = Wrapped {
        tcp,
        wrapping: true,
        said: Vec::new(),
        out: Vec::new(),
        sent: 0,
        head: [0; HEAD],
        had: 0,
        left: 0,
    };
    let mut stream = TlsConnector::from(tls).connect(name, wrapped).await?;
    stream.get_mut().0.wrapping = false;
    Ok(Stream::Encrypted(Box::new(Resumed {
        stream,
        swallowed: Swallowed::default(),
        answer,
        told: 0,
    })))
}

/// What is asked before signing in: a version of ours, encryption, and nothing else.
fn question() -> Vec<u8> {
    // Kind, place and length of each: version, encryption, instance, thread, several results at once.
    let parts: [(u8, &[u8]); 5] = [
        (0, &[0, 0, 0, 0, 0, 0]),
        (ENCRYPTION, &[ASKED]),
        (2, &[0]),
        (3, &[0, 0, 0, 0]),
        (4, &[0]),
    ];
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (kind, part) in parts {
        let place = u16::try_from(parts.len() * 5 + 1 + data.len()).unwrap_or_default();
        let length = u16::try_from(part.len()).unwrap_or_default();
        table.push(kind);
        table.extend_from_slice(&place.to_be_bytes());
        table.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(part);
    }
    table.push(0xFF);
    table.extend_from_slice(&data);
    packets(&table)
}

/// A message in packets.
fn packets(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + HEAD);
    let mut rest = message.chunks(PACKET - HEAD).enumerate().peekable();
    while let Some((number, part)) = rest.next() {
        let length = u16::try_from(part.len() + HEAD).unwrap_or_default().to_be_bytes();
        let last = if rest.peek().is_none() { LAST } else { 0 };
        let number = u8::try_from(number).unwrap_or_default();
        out.extend_from_slice(&[BEFORE, last, length[0], length[1], 0, 0, number, 0]);
        out.extend_from_slice(part);
    }
    out
}

/// One packet, which holds the whole answer.
async fn message(tcp: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![0; HEAD];
    tcp.read_exact(&mut packet).await?;
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    if packet[1] & LAST == 0 || length < HEAD {
        return Err(Error::new(
            ErrorKind::InvalidData,
            "what answers there is no SQL Server",
        ));
    }
    packet.resize(length, 0);
    tcp.read_exact(&mut packet[HEAD..]).await?;
    Ok(packet)
}

/// What the server says of encryption.
fn encryption(answer: &[u8]) -> Option<u8> {
    let parts = answer.chunks(5).take_while(|part| part.first() != Some(&0xFF));
    let part = parts
        .filter(|part| part.len() == 5)
        .find(|part| part[0] == ENCRYPTION)?;
    answer
        .get(usize::from(u16::from_be_bytes([part[1], part[2]])))
        .copied()
}

/// A stream whose bytes travel in packets until TLS stands.
pub(super) struct Wrapped {
    tcp: TcpStream,
    wrapping: bool,
    /// What TLS said since the last packet went out.
    said: Vec<u8>,
    /// What is on its way, and how much of it went out.
    out: Vec<u8>,
    sent: usize,
    /// The head of the packet that comes in, how much of it is here, and how much of its contents is to come.
    head: [u8; HEAD],
    had: usize,
    left: usize,
}

impl Wrapped {
    /// Sends what TLS said as one message.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.sent == self.out.len() && !self.said.is_empty() {
            self.out = packets(&self.said);
            self.sent = 0;
            self.said.clear();
        }
        while self.sent < self.out.len() {
            let written = ready!(Pin::new(&mut self.tcp).poll_write(context, &self.out[self.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the head of the next packet, if one is due.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while self.left == 0 {
            let mut head = ReadBuf::new(&mut self.head[self.had..]);
            ready!(Pin::new(&mut self.tcp).poll_read(context, &mut head))?;
            let read = head.filled().len();
            if read == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            self.had += read;
            if self.had == HEAD {
                self.had = 0;
                let length = usize::from(u16::from_be_bytes([self.head[2], self.head[3]]));
                self.left = length.saturating_sub(HEAD);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wrapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.wrapping {
            return Pin::new(&mut self.tcp).poll_read(context, buffer);
        }
        ready!(self.send(context))?;
        ready!(self.next(context))?;
        let mut part = [0; PACKET];
        let most = self.left.min(buffer.remaining()).min(PACKET);
        let mut part = ReadBuf::new(&mut part[..most]);
        ready!(Pin::new(&mut self.tcp).poll_read(context, &mut part))?;
        self.left -= part.filled().len();
        buffer.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if !self.wrapping {
            return Pin::new(&mut self.tcp).poll_write(context, bytes);
        }
        self.said.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.send(context))?;
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.send(context))?;
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

/// A stream on which all was agreed: whoever asks for it once more is told what the server answered.
pub(super) struct Resumed {
    stream: TlsStream<Wrapped>,
    swallowed: Swallowed,
    answer: Vec<u8>,
    told: usize,
}

/// How much of the one message was swallowed that the server must not hear a second time.
#[derive(Default)]
struct Swallowed {
    bytes: Vec<u8>,
    whole: bool,
}

impl Swallowed {
    /// How many bytes of what is written belong to it.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while !self.whole && taken < bytes.len() {
            self.bytes.push(bytes[taken]);
            taken += 1;
            if let [_, _, high, low, ..] = self.bytes.as_slice() {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                self.whole = self.bytes.len() >= length.max(HEAD);
            }
        }
        taken
    }
}

impl AsyncRead for Resumed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let rest = self.answer.len() - self.told;
        if rest == 0 {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let part = rest.min(buffer.remaining());
        buffer.put_slice(&self.answer[self.told..self.told + part]);
        self.told += part;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Resumed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.swallowed.take(bytes) {
            0 => Pin::new(&mut self.stream).poll_write(context, bytes),
            taken => Poll::Ready(Ok(taken)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The library reads and writes by traits of its own runtime.
impl futures::io::AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, &mut buffer),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(context, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl futures::io::AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
