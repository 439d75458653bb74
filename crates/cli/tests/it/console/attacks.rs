//! What somebody tries who means harm, by what they send or by what stands in their records.

use super::{ADMIN, Console, OPERATOR, VIEWER};
use crate::live::until;
use crate::local::Pair;
use crate::rest;
use reqwest::Method;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

/// What is answered to a request as it stands: nothing of it is put right by a client on the way.
fn raw(console: &Console, request: &str) -> String {
    let mut line = TcpStream::connect(console.url.trim_start_matches("http://")).unwrap();
    line.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A line that is cut is an answer, too.
    let _cut = line.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of such an answer; 0 where the line was cut.
fn status(answer: &str) -> u16 {
    let number = answer.split(' ').nth(1);
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// The lines of its head.
fn head(answer: &str) -> Vec<String> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().map(str::to_lowercase).collect()
}

pub(super) fn host(console: &Console) -> &str {
    console.url.trim_start_matches("http://")
}

#[test]
fn no_path_leads_to_a_file() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    let key = std::fs::read(pair.path("state/console.key")).unwrap();
    assert_eq!(key.len(), 32);
    let up = [
        "../../../../../../../../etc/passwd",
        "..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "..%5c..%5cetc%5cpasswd",
        "%252e%252e%252fetc%252fpasswd",
        "/etc/passwd",
        "../state/console.key",
        "..%2fstate%2fconsole.key",
        "../tandem.yaml",
        "console.css/../../tandem.yaml",
        "console.css%00.svg",
    ];
    let roots = [
        "/assets/",
        "/records/customerp/Order/",
        "/records/",
        "/api/v1/records/customerp/Order/",
        "/",
        "//",
    ];
    for root in roots {
        for path in up {
            let request = format!(
                "GET {root}{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {ADMIN}\r\nconnection: close\r\n\r\n",
                host(&console)
            );
            let answer = raw(&console, &request);
            assert!(
                [400, 404].contains(&status(&answer)),
                "{root}{path} is answered: {answer}"
            );
            for secret in ["root:", "secrets:", "SALESFORCE_CLIENT"] {
                assert!(!answer.contains(secret), "{root}{path}: {answer}");
            }
        }
    }
    // What is there is there.
    assert_eq!(
        console.send(Method::GET, "/assets/console.css", &[], None).status,
        200
    );
}

#[test]
fn nothing_that_is_sent_becomes_a_header_of_the_answer() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    let cookie = console.sign_in(&console.link).unwrap();
    let own = host(&console).to_owned();
    let port = own.rsplit_once(':').unwrap().1.to_owned();
    let evil = "%0d%0aset-cookie:%20evil=1%0d%0aevil:%201";
    let requests = [
        format!("GET /enter?key={evil} HTTP/1.1\r\nhost: {own}\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {own}\r\ncookie: tandem_{port}={evil}\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {own}\r\ncookie: tandem_{port}=a\u{e9}\u{1}; evil: 1\r\n"),
        format!("GET /flows/{evil} HTTP/1.1\r\nhost: {own}\r\ncookie: {cookie}\r\n"),
        format!("GET /api/v1/flows/{evil} HTTP/1.1\r\nhost: {own}\r\ncookie: {cookie}\r\n"),
        // Acts that lead on to an address made of what was sent.
        format!(
            "POST /flows/{evil}/pause HTTP/1.1\r\nhost: {own}\r\norigin: http://{own}\r\ncookie: {cookie}\r\n\
             content-length: 0\r\n"
        ),
        format!(
            "POST /inbox?kind={evil}&flow={evil} HTTP/1.1\r\nhost: {own}\r\norigin: http://{own}\r\n\
             cookie: {cookie}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 14\r\n"
        ),
    ];
    for request in requests {
        let body = if request.starts_with("POST /inbox") {
            "act=retry-kind"
        } else {
            ""
        };
        let answer = raw(&console, &format!("{request}connection: close\r\n\r\n{body}"));
        assert!(status(&answer) >= 200, "the line was cut: {request}");
        assert!(status(&answer) < 500, "{request}: {answer}");
        for line in head(&answer) {
            assert!(
                !line.starts_with("evil") && !line.starts_with("set-cookie: evil"),
                "{request}: {line}"
            );
        }
    }
    // Where somebody is sent does not depend on the name by which they came.
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        let answer = raw(
            &console,
            &format!(
                "GET / HTTP/1.1\r\nhost: {name}:{port}\r\nx-forwarded-host: evil.example\r\nconnection: close\r\n\r\n"
            ),
        );
        assert_eq!(status(&answer), 303, "{answer}");
        assert!(head(&answer).contains(&"location: /enter".to_owned()), "{answer}");
        assert!(!answer.contains("evil"), "{answer}");
    }
    // Names that only look like the console's own, and several at once.
    for hosts in [
        format!("host: {own}@evil.example\r\n"),
        format!("host: evil.example:80@{own}\r\n"),
        format!("host: evil.example#{own}\r\n"),
        format!("host: {own}, evil.example\r\n"),
        format!("host: {own}\r\nhost: evil.example\r\n"),
        "host: localhost.\u{e9}.example\r\n".to_owned(),
        "host:\r\n".to_owned(),
        String::new(),
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        let answer = raw(&console, &request);
        assert!([400, 403].contains(&status(&answer)), "{hosts}: {answer}");
    }
    let absolute =
        format!("GET http://evil.example/metrics HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&raw(&console, &absolute)), 403);
}

#[test]
fn nothing_that_systems_or_people_say_makes_a_line_of_its_own_in_the_log() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start_logging(
        &pair,
        "tandem=info,tandem_engine=debug,tandem_connector=info,warn",
    );
    console.linked("product-product2");
    // WHEN a record's value and a flow's name hold line breaks and what a terminal obeys
    let forged = "2026-01-01T00:00:00Z  WARN forged: owner asked";
    let value = format!("seen\r\n{forged}\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}2J\u{2028}{forged}");
    rest::patch_customerp(
        &pair.customerp.url,
        "products/1",
        &json!({ "description": value }),
    );
    let flow = "x%0d%0a2026-01-01T00:00:00Z%20%20WARN%20forged%1b%5b2J%c2%9b2J%e2%80%a8";
    let paused = console.post(OPERATOR, &format!("/flows/{flow}/pause"), &json!({}));
    assert_eq!(paused.status, 409, "{}", paused.text);
    let kind = format!("a\n{forged}");
    let retried = console.post(OPERATOR, "/retry", &json!({ "kind": kind, "flow": kind }));
    assert_eq!(retried.status, 200, "{}", retried.text);
    let unlink = format!("/records/customerp/Product/{flow}/unlink");
    assert_eq!(
        console.post(OPERATOR, &unlink, &json!({ "flow": kind })).status,
        409
    );
    // THEN both are told of
    let said = until(|| {
        let said = console.said();
        let has = |word: &str| said.iter().any(|line| line.contains(word));
        (has("otto asked") && has("Product2") && has("forged: owner asked")).then_some(said)
    });
    // AND on lines that are the program's own
    for line in said {
        assert!(
            !line.starts_with("2026-01-01") && !line.starts_with(forged),
            "{line}"
        );
        assert!(
            !line.contains(|sign: char| sign.is_control() || sign == '\u{2028}'),
            "{line:?}"
        );
    }
}

#[test]
fn a_value_that_is_markup_is_shown_as_what_it_is() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    console.linked("product-product2");
    let cookie = console.sign_in(&console.link).unwrap();
    let value =
        "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'><a href=\"javascript:alert(1)\">";
    rest::patch_customerp(
        &pair.customerp.url,
        "products/1",
        &json!({ "description": value }),
    );
    until(|| {
        let changes = console.get(ADMIN, "/changes?event=wrote").text;
        changes.contains("<script>alert(1)</script>").then_some(())
    });
    let encoded =
        "%3C%2Ftd%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%3Cimg%20src=x%20onerror=alert(1)%3E%22%27%3E";
    let mut shown = 0;
    for path in [
        "/",
        "/changes",
        "/changes?flow=product-product2",
        "/flows/product-product2",
        "/records/customerp/Product/1",
        "/search?q=%3Cscript%3Ealert",
        &format!("/search?q={encoded}"),
        &format!("/inbox?kind={encoded}&flow={encoded}&standing={encoded}"),
        &format!("/changes?flow={encoded}&event={encoded}"),
        &format!("/flows/{encoded}"),
        &format!("/records/customerp/Product/{encoded}"),
        &format!("/{encoded}"),
        &format!("/runs?cursor={encoded}"),
    ] {
        let page = console.send(Method::GET, path, &[("cookie", &cookie)], None);
        let kind = page.headers["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/html"), "{path}: {kind}");
        for markup in ["<script>alert", "<img", "href=\"javascript:", "onerror=alert(1)>"] {
            assert!(
                !page.text.contains(markup),
                "{path} holds {markup}: {}",
                page.text
            );
        }
        shown += usize::from(page.text.contains("&lt;script&gt;alert"));
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'"), "{policy}");
    }
    assert!(shown >= 5, "the value is shown on {shown} pages");
    // What programs are told is no page, whatever a browser would guess.
    let told = console.get(ADMIN, "/changes");
    assert_eq!(told.headers["content-type"], "application/json");
    assert_eq!(told.headers["x-content-type-options"], "nosniff");
}

#[test]
fn what_is_too_large_is_refused_and_nothing_else_suffers() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let console = Console::start(&pair);
    let cookie = console.sign_in(&console.link).unwrap();
    let form = "application/x-www-form-urlencoded";
    let large = "a".repeat(2 * 1024 * 1024 + 1);
    for path in ["/enter", "/inbox"] {
        let headers = [
            ("cookie", cookie.as_str()),
            ("origin", &console.url),
            ("content-type", form),
        ];
        let answer = console.send(Method::POST, path, &headers, Some(large.clone()));
        assert_eq!(answer.status, 413, "{path}: {}", answer.text);
    }
    let bearer = format!("Bearer {ADMIN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = console.send(Method::POST, "/api/v1/retry", &headers, Some(large));
    assert_eq!(answer.status, 413, "{}", answer.text);
    // Addresses and headers beyond what a request can hold.
    let own = host(&console);
    let long = "a".repeat(200_000);
    let long_path = format!("GET /{long} HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n");
    let answer = raw(&console, &long_path);
    assert!(
        [303, 404, 414, 431].contains(&status(&answer)),
        "{}",
        &answer[..answer.len().min(300)]
    );
    let long = "a".repeat(2_000_000);
    let answer = raw(
        &console,
        &format!("GET / HTTP/1.1\r\nhost: {own}\r\ncookie: {long}\r\n\r\n"),
    );
    assert!(
        [0, 431].contains(&status(&answer)),
        "{}",
        &answer[..answer.len().min(300)]
    );
    // A deep text is no way in either.
    let deep = "[".repeat(100_000);
    let answer = console.send(Method::POST, "/api/v1/retry", &headers, Some(deep));
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(console.get(VIEWER, "/overview").status, 200);
}

#[test]
fn a_session_is_good_for_the_state_alone_whose_key_signed_it() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    // Cookies are called by their console's port.
    let value = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
    let named = |console: &Console, value: &str| {
        let port = host(console).rsplit_once(':').unwrap().1;
        format!("tandem_{port}={value}")
    };
    let enters = |console: &Console, value: &str| {
        let cookie = named(console, value);
        console
            .send(Method::GET, "/", &[("cookie", &cookie)], None)
            .status
    };
    let (session, link) = {
        let console = Console::start(&pair);
        let session = value(&console.sign_in(&console.link).unwrap());
        (session, pair.run(&["console"]).out.trim().to_owned())
    };
    let key = |link: &str| link.split_once("?key=").unwrap().1.to_owned();
    // The same state's key, later: it is good.
    {
        let console = Console::start(&pair);
        assert_eq!(enters(&console, &session), 200);
    }
    // Another key: neither the session nor a link that nobody has used yet.
    std::fs::remove_file(pair.path("state/console.key")).unwrap();
    let console = Console::start(&pair);
    assert_eq!(enters(&console, &session), 303);
    let link = format!("{}/enter?key={}", console.url, key(&link));
    assert_eq!(console.sign_in(&link), None);
    // A sign put together from both.
    let own = value(&console.sign_in(&console.link).unwrap());
    let [theirs, ours] = [&session, &own].map(|text| text.split_once('.').unwrap());
    for forged in [
        format!("{}.{}", theirs.0, ours.1),
        format!("{}.", theirs.0),
        format!(".{}", ours.1),
        theirs.0.to_owned(),
        format!("{}.{}", ours.0, &ours.1[..ours.1.len() - 2]),
        String::new(),
    ] {
        assert_eq!(enters(&console, &forged), 303, "{forged}");
    }
    assert_eq!(enters(&console, &own), 200);
}
