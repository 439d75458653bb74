//! Many who connect and many who listen: others look on.

use super::attacks::host;
use super::{Console, OPERATOR, VIEWER};
use crate::live::until;
use crate::local::Pair;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A console to which few may be connected at once.
fn narrow(pair: &Pair) -> Console {
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let console = "\nconsole:\n  connections: 16\n  people:\n  - { name: vera, role: viewer, token: { env: VERA } }\n  \
                   - { name: otto, role: operator, token: { env: OTTO } }\n";
    std::fs::write(&config, text + console).unwrap();
    Console::start(pair)
}

fn line(console: &Console) -> TcpStream {
    TcpStream::connect(host(console)).unwrap()
}

/// Begins to listen to events: the line, and the status of the answer.
fn listen(console: &Console, token: &str) -> (TcpStream, u16) {
    let mut line = line(console);
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\r\n",
        host(console)
    );
    line.write_all(request.as_bytes()).unwrap();
    let mut first = [0; 12];
    line.read_exact(&mut first).unwrap();
    let status = std::str::from_utf8(&first[9..]).unwrap();
    let status = status.parse().unwrap();
    (line, status)
}

#[test]
fn whoever_holds_many_lines_and_whoever_listens_much_keeps_nobody_from_looking() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = narrow(&pair);
    // Twice as many lines as there may be, on which nothing comes, or half a head.
    let mut silent: Vec<TcpStream> = (0..32).map(|_| line(&console)).collect();
    for line in silent.iter_mut().skip(1).step_by(2) {
        let _closed = line.write_all(b"GET / HTTP/1.1\r\nhost: ");
    }
    for _ in 0..4 {
        assert_eq!(console.get(VIEWER, "/overview").status, 200);
    }
    // The first of them made room.
    let mut nothing = [0; 1];
    assert_eq!(silent[0].read(&mut nothing).unwrap(), 0);
    // Half of the lines may listen; whoever comes then is told so, and looks on.
    let mut listening = Vec::new();
    for _ in 0..8 {
        let (line, status) = listen(&console, VIEWER);
        assert_eq!(status, 200);
        listening.push(line);
    }
    for token in [VIEWER, OPERATOR] {
        assert_eq!(listen(&console, token).1, 429);
        assert_eq!(console.get(token, "/overview").status, 200);
    }
    // Whoever stops listening makes room for another.
    drop(listening.pop());
    until(|| (listen(&console, OPERATOR).1 == 200).then_some(()));
    drop(silent);
}
