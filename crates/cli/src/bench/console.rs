//! `tandem bench console`: how long each page of the console and each route of its HTTP API takes, and how much it sends,
//! over a large state with a long history.

mod filling;

use super::merge::linked_contact;
use super::stage::Stage;
use super::storage::Contacts;
use crate::failure::{Exit, Failure};
use crate::screen::{Cell, Screen, number, table, thousands};
use clap::Args;
use filling::Filling;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tandem_api::rehearsed::Rehearsed;
use tandem_api::{Refused, Window, view};
use tandem_console::access::{Access, link_key};
use tandem_console::{Backstage, Now, Server, Setting, Wanted};
use tandem_lab::salesforce;
use tandem_ledger::{Home, Keys, Ledger};
use tandem_merge::dataflow::Dataflow;

/// An answer may take so many microseconds at the median.
const LIMIT: u64 = 100_000;
/// It may be so many bytes long.
const LONG: u64 = 150_000;
/// The counts of the first beat are waited for so long.
const READY: Duration = Duration::from_secs(60);

/// What to measure.
#[derive(Debug, Args)]
#[command(after_help = "\
Contacts are linked and told of in a history, by the store alone; then the real console serves them over loopback, and
one client that has signed in asks for one address after the other, again and again. Nothing works beside it but the
console's own look at the state, every half a second. Filling is told, and not measured.

Examples:
  tandem bench console
  tandem bench console --records 20000 --lines 100000 --rounds 20 --json")]
pub(super) struct Console {
    /// How many links there are
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
    /// How many lines the history has, about
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    lines: u32,
    /// How often each address is asked for
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// What an address took, in microseconds, and sent, in bytes.
#[derive(Debug, serde::Serialize)]
struct Answered {
    address: String,
    median: u64,
    most: u64,
    bytes: u64,
    /// The median in percent of its limit.
    percent: u64,
}

impl Console {
    pub(super) async fn measure(&self, screen: &Screen) -> Result<Exit, Failure> {
        let stage = Stage::set_up(10, salesforce::Options::default(), screen).await?;
        let (flows, _, dirty) = linked_contact(&stage).await?;
        stage.customerp.shutdown().await;
        stage.salesforce.shutdown().await;
        let folder = stage.folder.path().join("large");
        let home = super::home(&folder, "console")?;
        screen.say(format!(
            "{} links and some {} lines of history are made, which is not measured ...",
            thousands(self.records.into()),
            thousands(self.lines.into())
        ));
        let began = Instant::now();
        let filling = Filling {
            contacts: Contacts::like(&dirty),
            records: self.records,
            lines: self.lines,
        };
        filling.fill(&home, &flows)?;
        let filled = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (server, key) = serve(&folder, &home, &flows).await?;
        let answered = self.ask(&server, &key, screen).await;
        server.shutdown().await;
        Ok(self.conclude(screen, &answered?, filled))
    }

    /// Asks for everything, one after the other, round by round.
    async fn ask(&self, server: &Server, key: &str, screen: &Screen) -> Result<Vec<Answered>, Failure> {
        let client = Client::sign_in(server, key).await?;
        client.ready().await?;
        let addresses = client.addresses(self.records).await?;
        screen.say(format!(
            "{} addresses are asked for {} times each ...",
            addresses.len(),
            self.rounds
        ));
        let mut all: Vec<(Vec<u64>, u64)> = vec![(Vec::new(), 0); addresses.len()];
        for _ in 0..self.rounds {
            for (address, (times, bytes)) in addresses.iter().zip(&mut all) {
                let (took, long) = client.timed(address).await?;
                times.push(took);
                *bytes = (*bytes).max(long);
            }
        }
        let told = addresses.into_iter().zip(all);
        Ok(told
            .map(|(address, (times, bytes))| Answered::of(address, times, bytes))
            .collect())
    }

    fn conclude(&self, screen: &Screen, answered: &[Answered], filled: u64) -> Exit {
        let mut shown = table([
            "address",
            "median, us",
            "99 %, us",
            "of 100 ms",
            "bytes",
            "of 150 kB",
        ]);
        for one in answered {
            shown.add_row([
                Cell::new(&one.address),
                number(one.median),
                number(one.most),
                Cell::new(format!("{} %", one.percent)),
                number(one.bytes),
                Cell::new(format!("{} %", one.bytes * 100 / LONG)),
            ]);
        }
        screen.result(shown);
        screen.say(format!("Filling took {} ms.", thousands(filled)));
        let kept = answered
            .iter()
            .all(|one| one.median <= LIMIT && one.bytes <= LONG);
        screen.json(&json!({
            "measured": answered,
            "kept": kept,
            "more": {
                "records": self.records, "lines": self.lines, "rounds": self.rounds, "filled_ms": filled,
                "limits": { "median": LIMIT, "bytes": LONG },
            },
        }));
        if kept { Exit::Done } else { Exit::Trouble }
    }
}

impl Answered {
    fn of(address: String, mut times: Vec<u64>, bytes: u64) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).copied().unwrap_or_default()
        };
        Self {
            median: at(50),
            most: at(99),
            percent: at(50) * 100 / LIMIT,
            address,
            bytes,
        }
    }
}

/// Serves a state at which nobody works.
async fn serve(folder: &Path, home: &Home, flows: &Dataflow) -> Result<(Server, String), Failure> {
    let home = home.clone();
    let open = move || {
        let found = Ledger::open_to_look(&home, &Keys::default())?;
        found
            .map(|it| Box::new(it) as _)
            .ok_or_else(|| Refused::trouble("the state is gone", "Run it again"))
    };
    std::fs::create_dir_all(folder).map_err(|error| unserved(&error))?;
    let (asks, _nobody) = tokio::sync::mpsc::channel(1);
    let access = Access::new(folder, Vec::new()).map_err(|error| unserved(&error))?;
    let key = link_key(folder, access.start(), jiff::Timestamp::now()).map_err(|error| unserved(&error))?;
    let setting = Setting {
        window: Window::new(Box::new(open), flows.clone()),
        asks,
        backstage: Arc::new(Nobody),
        now: Box::new(Now::default),
        access,
        homes: [None, None],
        connections: 256,
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let served = tandem_console::serve(address, Vec::new(), setting).await;
    served
        .map(|server| (server, key))
        .map_err(|error| unserved(&error))
}

/// What is asked for beside the state is not measured.
struct Nobody;

impl Backstage for Nobody {
    fn configuration(&self) -> view::Configuration {
        view::Configuration::default()
    }

    fn rehearse(&self, _: &Wanted) -> Result<Rehearsed, Refused> {
        Err(Refused::usage("nobody works here", "Run `tandem run`"))
    }

    fn qa(&self) -> Result<Option<view::Qa>, Refused> {
        Ok(None)
    }
}

/// A client that has signed in.
struct Client {
    client: reqwest::Client,
    url: String,
    cookie: String,
}

impl Client {
    async fn sign_in(server: &Server, key: &str) -> Result<Self, Failure> {
        let client = reqwest::Client::builder().no_proxy();
        let client = client.redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| unserved(&error))?;
        let url = format!("http://{}", server.address());
        let reply = client.get(format!("{url}/enter?key={key}")).send().await;
        let reply = reply.map_err(|error| unserved(&error))?;
        let cookie = reply.headers().get("set-cookie");
        let cookie = cookie.and_then(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookie = cookie
            .ok_or_else(|| unserved(&"the link signs nobody in"))?
            .to_owned();
        Ok(Self { client, url, cookie })
    }

    /// What an address answers.
    async fn get(&self, address: &str) -> Result<Vec<u8>, Failure> {
        let request = self.client.get(format!("{}{address}", self.url));
        let reply = request.header("cookie", &self.cookie).send().await;
        let reply = reply.map_err(|error| unserved(&error))?;
        let status = reply.status();
        let body = reply.bytes().await.map_err(|error| unserved(&error))?;
        match status.as_u16() {
            200 => Ok(body.to_vec()),
            other => Err(unserved(&format!(
                "{address}: {other} {}",
                String::from_utf8_lossy(&body)
            ))),
        }
    }

    /// How long an address takes, in microseconds, and how long its answer is, in bytes.
    async fn timed(&self, address: &str) -> Result<(u64, u64), Failure> {
        let began = Instant::now();
        let body = self.get(address).await?;
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok((took, body.len() as u64))
    }

    /// Waits until the console has looked at the state once.
    async fn ready(&self) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            match self.get("/health/ready").await {
                Err(failure) if began.elapsed() > READY => return Err(failure),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                Ok(_) => return Ok(()),
            }
        }
    }

    /// What is asked for.
    async fn addresses(&self, records: u32) -> Result<Vec<String>, Failure> {
        let some = |text: &[u8]| -> serde_json::Value { serde_json::from_slice(text).unwrap_or_default() };
        let conflicts = some(&self.get("/api/v1/items?standing=conflict&limit=1").await?);
        let runs = some(&self.get("/api/v1/runs?limit=1").await?);
        let (flow, quiet) = (filling::FLOW, filling::QUIET);
        let one = format!("customerp/Contact/{}", records / 2);
        let mut all: Vec<String> = [
            "/",
            "/inbox",
            "/inbox?standing=parked",
            "/changes",
            "/changes?event=undone",
            "/runs",
            "/systems",
            "/search?q=somebody.7%40example.org",
            "/search?q=is+nowhere",
            "/metrics",
            "/api/v1/overview",
            "/api/v1/links",
            "/api/v1/links?limit=500",
            "/api/v1/items",
            "/api/v1/groups",
            "/api/v1/changes",
            "/api/v1/runs",
            "/api/v1/records?q=is+nowhere",
            "/api/v1/openapi.json",
        ]
        .map(str::to_owned)
        .into();
        for of in [flow, quiet] {
            all.push(format!("/flows/{of}"));
            all.push(format!("/changes?flow={of}"));
            all.push(format!("/api/v1/flows/{of}"));
            all.push(format!("/api/v1/links?flow={of}"));
            all.push(format!("/api/v1/changes?flow={of}"));
        }
        all.push(format!("/records/{one}"));
        all.push(format!("/api/v1/records/{one}"));
        all.push(format!("/api/v1/records/{one}/changes"));
        if let Some(run) = runs["rows"][0]["run"].as_u64() {
            all.push(format!("/runs/{}", run / 2 + 1));
            all.push(format!("/api/v1/runs/{}", run / 2 + 1));
        }
        if let Some(item) = conflicts["rows"][0]["item"].as_u64() {
            all.push(format!("/api/v1/items/{item}"));
            all.push(format!("/api/v1/conflicts/{item}"));
        }
        all.sort();
        Ok(all)
    }
}

fn unserved(error: &dyn std::fmt::Display) -> Failure {
    Failure::trouble(
        format!("the console does not answer as it should ({error})"),
        "Run it again",
    )
}
