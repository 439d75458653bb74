//! Looking for a text in whatever records show.

use crate::at_rest;
use crate::contract::Sought;
use crate::db::{Db, Trouble};
use crate::lists::{Seen, page_start};
use crate::outbox::number;
use crate::sealed::STATE;
use memchr::memmem::Finder;
use tandem_merge::record::{RecordKey, Values};

/// Letters outside of ASCII that are written in it where case is put aside, as they are stored.
const FOLDING: [(char, &str); 2] = [('i', "\u{130}"), ('k', "\u{212A}")];

/// Trimmed and without regard to case.
pub(crate) fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Whether a record's id or any of its values contains a text, without regard to case.
pub(crate) fn mentions(id: &str, values: &Values, wanted: &str) -> bool {
    let mut values = values.values();
    id.to_lowercase().contains(wanted)
        || values.any(|value| value.to_string().to_lowercase().contains(wanted))
}

/// Tells by a record's bytes that no value of it can contain a text: most records are passed over without being read.
struct Glance<'t> {
    wanted: Finder<'t>,
    folding: Vec<Finder<'static>>,
    lower: Vec<u8>,
}

impl<'t> Glance<'t> {
    /// None where the bytes do not show it: of numbers, of yes and no, and of letters outside of ASCII.
    fn of(wanted: &'t str) -> Option<Self> {
        let number = wanted.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let yes_or_no = ["true", "false"].iter().any(|word| word.contains(wanted));
        if number || yes_or_no || !wanted.is_ascii() {
            return None;
        }
        let folding = FOLDING.iter().filter(|(letter, _)| wanted.contains(*letter));
        Some(Self {
            wanted: Finder::new(wanted),
            folding: folding.map(|(_, stored)| Finder::new(*stored)).collect(),
            lower: Vec::new(),
        })
    }

    fn passes_over(&mut self, id: &str, state: &[u8]) -> bool {
        let mut may_hold = |bytes: &[u8]| {
            self.lower.clear();
            self.lower.extend_from_slice(bytes);
            self.lower.make_ascii_lowercase();
            self.wanted.find(&self.lower).is_some()
                || self.folding.iter().any(|letter| letter.find(bytes).is_some())
        };
        !may_hold(id.as_bytes()) && !may_hold(state)
    }
}

/// Records before a number whose id or any value contains a text, the youngest first.
pub(crate) fn seek(db: &Db, text: &str, before: u64, limit: usize) -> Result<Sought, Trouble> {
    let wanted = folded(text);
    let mut glance = Glance::of(&wanted);
    let sql = "SELECT rid, kind, id, state FROM record JOIN body USING (rid)
               WHERE rid < ?1 AND state IS NOT NULL ORDER BY rid DESC LIMIT ?2";
    let (mut hits, mut looked, mut last) = (Vec::new(), 0, 0);
    db.walk(sql, (page_start(before), number(limit)), |row| {
        looked += 1;
        last = row.get::<i64>(0)?;
        let id: String = row.get(2)?;
        let state = db.opened(&STATE, row.get(3)?)?;
        if glance
            .as_mut()
            .is_some_and(|glance| glance.passes_over(&id, &state))
        {
            return Ok(());
        }
        let seen: Seen = at_rest::part(&state, "record")?;
        if mentions(&id, &seen.shadow.values, &wanted) {
            hits.push((last.cast_unsigned(), row.get(1)?, id));
        }
        Ok(())
    })?;
    let key = |(number, kind, id)| {
        let record_type = db.record_type(kind)?;
        Ok((number, RecordKey { record_type, id }))
    };
    Ok(Sought {
        found: hits.into_iter().map(key).collect::<Result<_, Trouble>>()?,
        next: (looked == limit).then_some(last.cast_unsigned()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sealed::packed;
    use tandem_merge::value::Value;

    /// Whatever is found by reading a record is not passed over by its bytes.
    #[test]
    fn a_glance_passes_over_nothing_that_holds_the_text() {
        let date: jiff::civil::Date = "2026-03-01".parse().unwrap();
        let moment: jiff::Timestamp = "2026-03-01T10:00:00.25Z".parse().unwrap();
        let number = serde_json::from_str::<Value>(r#"{"n":"-12.50"}"#).unwrap();
        let all = [
            Value::text("Anderson Outdoor"),
            Value::text("\u{130}STANBUL 300 \u{212A}"),
            Value::text("Straße ΑΣ"),
            Value::Integer(-4711),
            Value::Boolean(true),
            Value::Boolean(false),
            Value::Date(date),
            Value::DateTime(moment),
            number,
            Value::Blank,
        ];
        for value in all {
            let values = Values::from([("it".to_owned(), value.clone())]);
            let state = packed(&values).unwrap();
            let shown = value.to_string();
            let signs: Vec<(usize, char)> = shown.char_indices().collect();
            for (from, _) in &signs {
                for (to, last) in signs.iter().filter(|(to, _)| to >= from) {
                    let wanted = folded(&shown[*from..to + last.len_utf8()]);
                    if let Some(mut glance) = Glance::of(&wanted) {
                        let held = mentions("", &values, &wanted);
                        assert!(held && !glance.passes_over("", &state), "{wanted} in {shown}");
                    }
                }
            }
            let mut glance = Glance::of("no such text").unwrap();
            assert!(glance.passes_over("", &state));
        }
    }
}
