//! The bare loader: what a first sync costs where nothing is decided. It reads every page of the ERP, sends a script
//! of requests to both systems, and keeps a row of every record.

use super::process::{Ended, Watched};
use super::scene::Scene;
use super::script::{self, PLACE, Step, Summary};
use crate::failure::{Exit, Failure};
use crate::screen::Screen;
use clap::Args;
use futures::stream::{FuturesUnordered, StreamExt};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// The ERP's record types, in its own words.
const COLLECTIONS: [&str; 9] = [
    "customers",
    "contacts",
    "employees",
    "products",
    "projects",
    "quotes",
    "orders",
    "quote-lines",
    "order-lines",
];
/// Records of a page of the ERP.
const PAGE: usize = 1_000;
/// Collections of the ERP that are read at once.
const READ_AT_ONCE: usize = 2;
/// Between two looks at a job.
const LOOK: Duration = Duration::from_millis(250);
/// Batches of rows that wait to be kept.
const WAITING: usize = 4;
/// What the scripts ask of the loader.
const SUMMARY: &str = "script.json";
/// The version of Salesforce's API.
const DATA: &str = "/services/data/v62.0";

/// Where to load.
#[derive(Debug, Args)]
pub(super) struct Bare {
    #[arg(long)]
    customerp: String,
    #[arg(long)]
    salesforce: String,
    /// The folder of the scripts, and of the rows kept
    #[arg(long)]
    folder: PathBuf,
    /// Read what the scripts ask for, and no page besides
    #[arg(long)]
    scripts_alone: bool,
}

/// Runs the loader in a process of its own, in the folder of the systems that it loads.
pub(super) async fn run(scene: &Scene, summary: Summary, scripts_alone: bool) -> Result<Ended, Failure> {
    let text = json!(summary).to_string();
    std::fs::write(scene.folder().join(SUMMARY), text).map_err(script::unusable)?;
    let words = ["bench", "bare", "--json", "--customerp", &scene.customerp.url];
    let mut words: Vec<OsString> = words.map(OsString::from).to_vec();
    words.extend(["--salesforce".into(), OsString::from(&scene.salesforce.url)]);
    words.extend(["--folder".into(), scene.folder().into()]);
    words.extend(scripts_alone.then(|| "--scripts-alone".into()));
    Watched::start(words)?.end().await
}

/// The script of each system within the folder.
pub(super) fn scripts(folder: &Path) -> [PathBuf; 2] {
    ["customerp.script", "salesforce.script"].map(|name| folder.join(name))
}

impl Bare {
    pub(super) async fn load(&self, screen: &Screen) -> Result<Exit, Failure> {
        let text = std::fs::read(self.folder.join(SUMMARY)).map_err(script::unusable)?;
        let summary: Summary = serde_json::from_slice(&text).unwrap_or_default();
        let (rows, kept) = keep(&self.folder.join("rows.sqlite"))?;
        let client = Client::builder().no_proxy().build().map_err(broken)?;
        let token = sign_in(&client, &self.salesforce).await?;
        let places = (0..summary.places).map(|_| OnceLock::new()).collect();
        let loader = Loader {
            client,
            roots: [format!("{}/api/v1", self.customerp), self.salesforce.clone()],
            tokens: ["customerp-tandem-token".to_owned(), token],
            places,
            news: Notify::new(),
            rows,
        };
        let pages = COLLECTIONS.iter().filter(|_| !self.scripts_alone);
        let pages = pages.map(|collection| loader.pages(collection));
        let pages: Vec<_> = futures::stream::iter(pages)
            .buffer_unordered(READ_AT_ONCE)
            .collect()
            .await;
        let read = pages.into_iter().sum::<Result<u64, Failure>>()?;
        let files = scripts(&self.folder);
        futures::try_join!(
            loader.send_all(0, &files[0], summary.at_once[0]),
            loader.send_all(1, &files[1], summary.at_once[1])
        )?;
        drop(loader);
        let kept = kept.await.map_err(|error| unkept(&error))?;
        let rows = kept.map_err(|error| unkept(&error))?;
        screen.json(&json!({ "read": read, "rows": rows, "steps": summary.steps }));
        Ok(Exit::Done)
    }
}

/// A row for each record: whose it is, its id, and its bytes.
type Rows = Vec<(u8, String, Vec<u8>)>;

struct Loader {
    client: Client,
    roots: [String; 2],
    tokens: [String; 2],
    /// The ids of records that were made, by their places.
    places: Vec<OnceLock<String>>,
    news: Notify,
    rows: mpsc::Sender<Rows>,
}

impl Loader {
    /// Reads all pages of a collection of the ERP. Answers how many records it holds.
    async fn pages(&self, collection: &str) -> Result<u64, Failure> {
        let (mut cursor, mut read) = (String::new(), 0);
        loop {
            let path = format!("/{collection}?limit={PAGE}&includeDeleted=true{cursor}");
            let page = self.answer(self.request(0, Method::GET, &path)).await?;
            let page: Json = serde_json::from_slice(&page).unwrap_or_default();
            let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let row = |item: &Json| (0, item["id"].to_string(), item.to_string().into_bytes());
            read += items.len() as u64;
            self.keep(items.iter().map(row).collect()).await;
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(read),
            }
        }
    }

    /// Sends the script of a system, so many steps at once.
    async fn send_all(&self, system: usize, script: &Path, at_once: usize) -> Result<(), Failure> {
        let mut steps = BufReader::new(File::open(script).map_err(script::unusable)?).lines();
        let mut under_way = FuturesUnordered::new();
        let (mut number, mut open) = (0, BTreeSet::new());
        while let Some(line) = steps.next().transpose().map_err(script::unusable)? {
            let step: Step = serde_json::from_str(&line).map_err(|error| script::unusable(error.into()))?;
            while under_way.len() >= at_once || !step.after.is_disjoint(&open) {
                if let Some(done) = under_way.next().await.transpose()? {
                    open.remove(&done);
                }
            }
            let own = number;
            open.insert(own);
            under_way.push(async move { self.send(system, step).await.map(|()| own) });
            number += 1;
        }
        while under_way.next().await.transpose()?.is_some() {}
        Ok(())
    }

    /// Sends a step once what it names was made, and keeps what it makes.
    async fn send(&self, system: usize, step: Step) -> Result<(), Failure> {
        let body = self.filled(&step.body).await;
        let path = self.filled(&step.path).await;
        let sent = step.data.as_ref().map_or(body.len(), String::len);
        let (made, refused) = match &step.data {
            Some(data) => {
                let data = self.filled(data).await;
                (self.job(&path, body, data).await?, 0)
            }
            None => {
                let method = Method::from_bytes(step.method.as_bytes()).unwrap_or(Method::POST);
                let path = if system == 0 {
                    path.trim_start_matches("/api/v1")
                } else {
                    &path
                };
                let request = self
                    .request(system, method, path)
                    .header("content-type", &step.media);
                let request = if system == 0 {
                    request.header("if-match", "*")
                } else {
                    request
                };
                let answer = self.answer(request.body(body)).await?;
                let answer: Json = serde_json::from_slice(&answer).unwrap_or_default();
                if system == 0 {
                    return Ok(());
                }
                (script::ids(&answer), script::refused(&answer))
            }
        };
        if (made.len(), refused) != (step.makes.len(), step.refused) {
            let [made, makes] = [made.len(), step.makes.len()];
            let what = format!(
                "{} {path} made {made} records and was refused {refused} times, instead of {makes} and {}",
                step.method, step.refused
            );
            return Err(Failure::trouble(what, "Run it again"));
        }
        let bytes = sent / made.len().max(1);
        let row = |id: &String| (1, id.clone(), vec![b' '; bytes]);
        self.keep(made.iter().map(row).collect()).await;
        for (place, id) in step.makes.into_iter().zip(made) {
            // A record that is named again has its id already.
            let _ = self.places[place as usize].set(id);
        }
        self.news.notify_waiters();
        Ok(())
    }

    /// A job of Bulk API 2.0 from its making to its results. Answers the ids of its records.
    async fn job(&self, path: &str, making: String, data: String) -> Result<Vec<String>, Failure> {
        let call = |method, path: &str| {
            self.request(1, method, path)
                .header("content-type", "application/json")
        };
        let job = self.answer(call(Method::POST, path).body(making)).await?;
        let job: Json = serde_json::from_slice(&job).unwrap_or_default();
        let job = format!("{DATA}/jobs/ingest/{}", job["id"].as_str().unwrap_or_default());
        let upload = self.request(1, Method::PUT, &format!("{job}/batches"));
        self.answer(upload.header("content-type", "text/csv").body(data))
            .await?;
        self.answer(call(Method::PATCH, &job).body(r#"{"state":"UploadComplete"}"#))
            .await?;
        loop {
            let state = self.answer(call(Method::GET, &job)).await?;
            let state: Json = serde_json::from_slice(&state).unwrap_or_default();
            match state["state"].as_str() {
                Some("JobComplete" | "Failed" | "Aborted") => break,
                _ => tokio::time::sleep(LOOK).await,
            }
        }
        let results = self
            .answer(call(Method::GET, &format!("{job}/successfulResults")))
            .await?;
        Ok(script::ids_of_results(&String::from_utf8_lossy(&results)))
    }

    fn request(&self, system: usize, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.roots[system]));
        request.bearer_auth(&self.tokens[system])
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let answer = request.send().await.map_err(broken)?;
        let answer = answer.error_for_status().map_err(broken)?;
        Ok(answer.bytes().await.map_err(broken)?.to_vec())
    }

    /// A text with the ids that belong into its places, once they are known.
    async fn filled(&self, text: &str) -> String {
        let mut parts = text.split(PLACE[0]);
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (place, rest) = part.split_once(PLACE[1]).unwrap_or_default();
            let place = &self.places[place.parse::<usize>().unwrap_or_default()];
            loop {
                let news = self.news.notified();
                if let Some(id) = place.get() {
                    filled.push_str(id);
                    break;
                }
                news.await;
            }
            filled.push_str(rest);
        }
        filled
    }

    async fn keep(&self, rows: Rows) {
        // Who keeps them tells at the end why it no longer does.
        let _ = self.rows.send(rows).await;
    }
}

/// Keeps rows in a database as durable as Tandem's own, a transaction for each batch. Answers at its end how many.
fn keep(path: &Path) -> Result<(mpsc::Sender<Rows>, JoinHandle<rusqlite::Result<u64>>), Failure> {
    let mut database = rusqlite::Connection::open(path).map_err(|error| unkept(&error))?;
    let settings = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -32000;
        CREATE TABLE row (system INTEGER, id TEXT, bytes BLOB, PRIMARY KEY (system, id)) WITHOUT ROWID;";
    database.execute_batch(settings).map_err(|error| unkept(&error))?;
    let (sender, mut batches) = mpsc::channel::<Rows>(WAITING);
    let keeping = tokio::task::spawn_blocking(move || {
        let mut kept = 0;
        while let Some(batch) = batches.blocking_recv() {
            let transaction = database.transaction()?;
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO row VALUES (?1, ?2, ?3)")?;
            for (system, id, bytes) in &batch {
                kept += insert.execute((system, id, bytes))? as u64;
            }
            drop(insert);
            transaction.commit()?;
        }
        Ok(kept)
    });
    Ok((sender, keeping))
}

async fn sign_in(client: &Client, url: &str) -> Result<String, Failure> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "tandem"),
        ("client_secret", "tandem-secret"),
    ];
    let answer = client
        .post(format!("{url}/services/oauth2/token"))
        .form(&form)
        .send()
        .await
        .map_err(broken)?;
    let answer = answer
        .error_for_status()
        .map_err(broken)?
        .bytes()
        .await
        .map_err(broken)?;
    let answer: Json = serde_json::from_slice(&answer).unwrap_or_default();
    Ok(answer["access_token"].as_str().unwrap_or_default().to_owned())
}

fn broken(error: reqwest::Error) -> Failure {
    Failure::trouble(
        format!("a local system does not answer the bare loader ({error})"),
        "Run it again",
    )
}

fn unkept(error: &dyn std::fmt::Display) -> Failure {
    Failure::trouble(
        format!("the rows of the bare loader cannot be kept ({error})"),
        "Free space, or set TMPDIR",
    )
}
