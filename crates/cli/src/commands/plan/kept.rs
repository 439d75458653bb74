//! A plan that is kept in a file, to be carried out only if it still is what would be done.

use super::as_json;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::screen::Screen;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tandem_api::{Masks, words};
use tandem_engine::{Counts, PlanReport};
use tandem_merge::config::Configuration;

/// The form of the file.
const FORM: u32 = 1;

/// The first line of the file; the others are for reading.
#[derive(Serialize, Deserialize)]
struct Head {
    tandem_plan: u32,
    made: jiff::Timestamp,
    /// What tells it from any other plan: every line with its values, in clear, is in it.
    digest: String,
    counts: String,
}

/// Writes a plan into a file, which its owner alone may read.
pub(super) fn save(file: &Path, report: &PlanReport, masks: &Masks) -> Result<(), Failure> {
    let head = Head {
        tandem_plan: FORM,
        made: jiff::Timestamp::now(),
        digest: digest(report),
        counts: words::kinds(&report.summary.done),
    };
    let mut text = format!("{}\n", json!(head));
    for write in &report.writes {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{}", as_json(write, masks));
    }
    let mut options = std::fs::OpenOptions::new();
    let opened = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file);
    let written = opened.and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.map_err(|error| {
        Failure::usage(
            format!("the plan cannot be written to {} ({error})", file.display()),
            "Name another file with --save",
        )
    })
}

/// Looks whether a sync would still do what a file says.
///
/// # Errors
/// It would do something else, or the file holds no plan.
pub(crate) async fn still_holds(
    file: &Path,
    common: &Common,
    configuration: &Configuration,
    screen: &Screen,
) -> Result<(), Failure> {
    let head = read(file)?;
    let report = super::rehearsed(common, configuration, screen).await?;
    if digest(&report) == head.digest {
        return Ok(());
    }
    let now: &Counts = &report.summary.done;
    Err(Failure::usage(
        format!(
            "the plan of {:.0} is not what would be done now, and nothing was done; then: {}; now: {}",
            head.made,
            head.counts,
            words::kinds(now)
        ),
        "Look at `tandem plan` again, keep it with --save, and carry that out",
    ))
}

fn read(file: &Path) -> Result<Head, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(
            format!("the plan in {} cannot be read ({error})", file.display()),
            "Name a file that `tandem plan --save` wrote",
        )
    })?;
    let head = text
        .lines()
        .next()
        .and_then(|line| serde_json::from_str::<Head>(line).ok());
    head.filter(|head| head.tandem_plan == FORM).ok_or_else(|| {
        Failure::usage(
            format!("{} holds no plan", file.display()),
            "Name a file that this version's `tandem plan --save` wrote",
        )
    })
}

/// What tells a plan from any other: its lines with all values, whatever their order; not the words that say why, which may
/// name moments, and not what stood there before.
fn digest(report: &PlanReport) -> String {
    let bare = Masks::none();
    let mut lines: Vec<String> = report
        .writes
        .iter()
        .map(|write| {
            let mut line = as_json(write, &bare);
            line["reason"].take();
            line["before"].take();
            line.to_string()
        })
        .collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
