//! Commands, carried out with an engine.

use crate::{Command, Done, Refused};
use jiff::Timestamp;
use tandem_engine::{Choice, Engine};
use tandem_merge::cluster::Verdict;
use tandem_merge::record::RecordKey;

/// Does what a person asks for. What follows from it is decided and written by the rounds that come next.
///
/// # Errors
/// Why it was not done; of several records or items the ones before the refused one are done, and none behind it.
pub async fn carry_out(engine: &mut Engine, command: Command, now: Timestamp) -> Result<Done, Refused> {
    match command {
        Command::Approve { item, verdict } => engine.approve(item, verdict)?,
        Command::ApproveMany { items, verdict } => return approve(engine, &items, verdict),
        Command::ApproveFlow { flow, verdict } => {
            let (items, held) = engine.approve_flow(&flow, verdict)?;
            return Ok(Done::Approved { items, held });
        }
        Command::ApproveSystem { system } => engine.approve_system(&system)?,
        Command::Resolve { answers } => return answer(engine, &answers).await,
        Command::Retry { records } => records.iter().try_for_each(|record| engine.retry(record))?,
        Command::Ignore { items, until } => ignore(engine, &items, until, now)?,
        Command::DecideLink { decision } => engine.decide_link(decision)?,
        Command::DecideLinks { decisions } => {
            let outcomes = engine.decide_links(&decisions)?;
            return Ok(Done::Decided { outcomes });
        }
        Command::Unlink { record, flow } => engine.unlink(&record, flow.as_deref()).map(drop)?,
        Command::Pause { flow } => engine.pause(&flow)?,
        Command::Resume { flow } => engine.resume(&flow)?,
        Command::Undo {
            selection,
            how,
            carry_out,
        } => {
            let report = engine.undo(&selection, &how, carry_out).await?;
            return Ok(Done::Undone { report });
        }
        Command::Forget { records } => return forget(engine, &records, now),
    }
    Ok(Done::Well)
}

/// Reads the contenders once more, then answers; what is refused stands beside what is not.
async fn answer(engine: &mut Engine, answers: &[(u64, Choice)]) -> Result<Done, Refused> {
    let numbers: Vec<u64> = answers.iter().map(|(number, _)| *number).collect();
    let read = engine.read_contenders(&numbers).await?;
    if let Some(trouble) = read.troubles.into_iter().next() {
        return Err(trouble.into());
    }
    let (mut resolved, mut refused) = (Vec::new(), Vec::new());
    for (number, choice) in answers {
        match engine.resolve(*number, choice) {
            Ok(()) => resolved.push(*number),
            Err(error) => refused.push(error.into()),
        }
    }
    Ok(Done::Answered { resolved, refused })
}

/// Approves one after the other: what is refused stands beside what is not, and holds up no other.
fn approve(engine: &mut Engine, items: &[u64], verdict: Option<Verdict>) -> Result<Done, Refused> {
    let (mut resolved, mut refused) = (Vec::new(), Vec::new());
    for item in items {
        match engine.approve(*item, verdict) {
            Ok(()) => resolved.push(*item),
            Err(error @ tandem_engine::Error::Command { .. }) => refused.push(error.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Done::Answered { resolved, refused })
}

fn ignore(
    engine: &mut Engine,
    items: &[u64],
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refused> {
    for item in items {
        engine.ignore(*item, until)?;
    }
    // A moment that is past already.
    Ok(engine.store().hear_again(now)?)
}

fn forget(engine: &mut Engine, records: &[RecordKey], now: Timestamp) -> Result<Done, Refused> {
    let forgotten = engine.forget(records, now)?;
    Ok(Done::Forgotten { forgotten })
}
