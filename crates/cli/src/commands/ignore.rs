//! `tandem ignore`: leaves items out of what needs a person.

use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::loading::{self, Hand};
use crate::screen::{Screen, count_of};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use tandem_api::Command;

/// Leave items out of what needs a person, until a day or until their reason changes.
#[derive(Debug, Args)]
#[command(after_help = "\
They are counted apart in `tandem status`, and listed by `tandem failures --ignored`.

Examples:
  tandem ignore 12
  tandem ignore 12 13 14 --until 2027-01-31
  tandem ignore 12 --until 2000-01-01   counts it again")]
pub(crate) struct Ignore {
    /// The items, as `tandem failures` numbers them
    #[arg(value_name = "ITEM", required = true)]
    items: Vec<u64>,
    /// Until this day in UTC (YYYY-MM-DD), or this moment
    #[arg(long, value_name = "DATE", value_parser = moment)]
    until: Option<Timestamp>,
}

impl Ignore {
    /// Notes it.
    pub(crate) async fn carry_out(&self, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
        let mut hand = Hand::of(common, &loading::configuration(common)?).await?;
        let (items, until) = (self.items.clone(), self.until);
        hand.act(Command::Ignore { items, until }).await?;
        screen.json(&json!({ "ignored": self.items, "until": self.until }));
        let count = count_of(self.items.len() as u64, "item is", "items are");
        let until = self
            .until
            .map_or_else(String::new, |until| format!("until {until:.0}, or "));
        screen.say(format!("{count} ignored {until}until the reason changes."));
        Ok(Exit::Done)
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = text.parse::<Date>() {
        let begins = day.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(begins.timestamp());
    }
    text.parse()
        .map_err(|_| "write a day such as 2027-01-31, or a moment such as 2027-01-31T08:00:00Z".to_owned())
}
