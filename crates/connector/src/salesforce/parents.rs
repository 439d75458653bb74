//! The terms of what lines are lines of: the price book and the currency of orders and quotes. A few are asked for by
//! their ids. Of many, most have the same, and the org names the exceptions: that costs one call or two, and serves the
//! lines of the next minute too, for all parents that the org had by then.
//!
//! What is remembered may be overtaken by somebody who chooses another price book meanwhile, as an answer may on its
//! way: the org refuses an entry that does not fit, and all is asked anew, after a row of a job within the minute.

use super::prices::{BOOK, currency_of, query};
use super::{Salesforce, soql};
use crate::Error;
use crate::http::json::{count, text};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Up to so many parents are asked for by their ids: that costs one call.
const NAMED: usize = 400;
/// With more exceptions than this every parent is asked for by its id.
const EXCEPTIONS: u32 = 2_000;
/// How long an answer about all parents serves.
const SERVES: Duration = Duration::from_secs(60);

/// The price book and the currency of one parent; the currency is empty in an org with one currency.
type OfOne = (Option<String>, String);
/// The price books and currencies of parents, by object and id.
pub(super) type Terms = BTreeMap<(&'static str, String), OfOne>;

/// What is remembered of all parents, by object.
#[derive(Debug, Default)]
pub(super) struct Remembered(BTreeMap<&'static str, (Instant, Option<Usual>)>);

/// The terms of most parents of an object.
#[derive(Debug)]
struct Usual {
    terms: OfOne,
    /// The parents whose terms were others: what these are is asked each time.
    exceptions: BTreeSet<String>,
    /// The last id that the answer covers.
    last: String,
}

impl Remembered {
    /// The terms of many parents of an object, but for those that are exceptions, which are to be asked for by their
    /// ids. Nothing of a few.
    ///
    /// # Errors
    /// Those of the call.
    pub(super) async fn ask(
        &mut self,
        org: &Salesforce,
        object: &'static str,
        ids: &BTreeSet<&str>,
        currencies: bool,
    ) -> Result<Terms, Error> {
        let Some(last) = ids.last() else {
            return Ok(Terms::new());
        };
        if ids.len() <= NAMED {
            return Ok(Terms::new());
        }
        let serves = |(asked, usual): &(Instant, Option<Usual>)| {
            asked.elapsed() < SERVES && usual.as_ref().is_none_or(|usual| *last <= usual.last.as_str())
        };
        if !self.0.get(object).is_some_and(serves) {
            let asked = Instant::now();
            let usual = usual(org, object, currencies).await?;
            self.0.insert(object, (asked, usual));
        }
        let usual = self.0.get(object).and_then(|(_, usual)| usual.as_ref());
        let Some(usual) = usual.filter(|usual| *last <= usual.last.as_str()) else {
            return Ok(Terms::new());
        };
        let usually = ids.iter().filter(|id| !usual.exceptions.contains(**id));
        let of = |id: &&str| ((object, (*id).to_owned()), usual.terms.clone());
        Ok(usually.map(of).collect())
    }
}

/// The terms that most parents have, and the parents that have others. None: most have no price book, or the others
/// are too many to be exceptions.
async fn usual(org: &Salesforce, object: &'static str, currencies: bool) -> Result<Option<Usual>, Error> {
    let terms = if currencies {
        "Pricebook2Id, CurrencyIsoCode"
    } else {
        BOOK
    };
    let last = format!("SELECT Id FROM {object} ORDER BY Id DESC LIMIT 1");
    let groups = format!("SELECT {terms}, COUNT(Id) parents FROM {object} GROUP BY {terms}");
    let (mut end, mut of_terms) = (String::new(), Vec::new());
    // An org that does not group by these is asked parent by parent, and whatever else is wrong shows there.
    let Ok(answers) = query(org, vec![(LAST, last), (object, groups)]).await else {
        return Ok(None);
    };
    for (what, rows) in answers {
        match what {
            LAST => end.push_str(rows.first().and_then(|row| text(row, "Id")).unwrap_or_default()),
            _ => of_terms.extend(rows),
        }
    }
    of_terms.sort_by_key(|row| std::cmp::Reverse(count(row, "parents")));
    let others = of_terms.iter().skip(1).filter_map(|row| count(row, "parents"));
    let others: u32 = others.fold(0, u32::saturating_add);
    let most = of_terms.first();
    let Some(book) = most.and_then(|row| text(row, BOOK)).map(str::to_owned) else {
        return Ok(None);
    };
    if others > EXCEPTIONS {
        return Ok(None);
    }
    let money = most.map(currency_of).unwrap_or_default();
    let exceptions = match others {
        0 => BTreeSet::new(),
        _ => exceptions(org, object, &book, currencies.then_some(&money)).await?,
    };
    Ok(Some(Usual {
        terms: (Some(book), money),
        exceptions,
        last: end,
    }))
}

/// The parents with another price book or currency than these.
async fn exceptions(
    org: &Salesforce,
    object: &'static str,
    book: &str,
    money: Option<&String>,
) -> Result<BTreeSet<String>, Error> {
    let currency = money.map(|money| format!(" OR CurrencyIsoCode != {}", soql::quoted(money)));
    let statement = format!(
        "SELECT Id FROM {object} WHERE Pricebook2Id = null OR Pricebook2Id != {}{}",
        soql::quoted(book),
        currency.unwrap_or_default()
    );
    let found = query(org, vec![(object, statement)]).await?;
    let rows = found.iter().flat_map(|(_, rows)| rows);
    Ok(rows
        .filter_map(|row| text(row, "Id"))
        .map(str::to_owned)
        .collect())
}

/// The statement that asks for the last id.
const LAST: &str = "last";
