//! The systems' own log of what people did and what was done to them, and what follows from it at once. Nothing in
//! here knows Tandem's state; of Tandem's doings it knows what went over the wire and what the history says.
//!
//! Every value that a person types is a text of its own, so that a value names its edit wherever it turns up.

use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::value::Value;

#[derive(Default)]
pub struct Log {
    /// Counts everything that happens.
    pub place: u64,
    /// Every text that a person typed into a property, with the texts that it was typed on top of.
    edits: BTreeMap<String, BTreeSet<String>>,
    /// Texts that a person edited over or deleted.
    superseded: BTreeSet<String>,
    /// Texts that were typed more than once: they name no edit.
    repeated: BTreeSet<String>,
    /// Texts of writes whose outcome was not told, or that lost a race that nothing protects from.
    unclear: BTreeSet<String>,
    /// Texts that were overtaken where nothing protects from it.
    overtaken: BTreeSet<String>,
    /// Texts that conflicts or the history keep.
    filed: BTreeSet<String>,
    /// Texts that the history keeps as gone with their record.
    buried: BTreeSet<String>,
    /// Texts that went with a record that Tandem deleted: something else must hold them in the end (D1).
    pub endangered: Vec<(String, RecordKey)>,
    /// Records whose removal or link a person decided.
    judged: BTreeSet<RecordKey>,
    /// The records that each create made, by its key.
    pub effects: BTreeMap<String, Vec<RecordKey>>,
    /// By id of a record that Tandem made: what it was given.
    pub named: BTreeMap<String, BTreeSet<String>>,
    /// Writes carried out.
    pub writes: u64,
    /// What must not be.
    pub broken: Vec<String>,
    /// Conflicts met.
    pub conflicts: u64,
    /// How often each request that came to nothing was sent in this process, by its words and the state that it met.
    vain: BTreeMap<String, u32>,
    /// A system rewrites titles.
    pub rewrites: bool,
    trace: Option<Vec<String>>,
}

/// A text as it names its edit: free of the systems' habits.
pub fn plain(value: &Value) -> String {
    let text = value.to_string();
    text.trim_start().trim_end_matches(['\'', ' ']).to_lowercase()
}

impl Log {
    pub fn new(traced: bool) -> Self {
        Self {
            trace: traced.then(Vec::new),
            ..Self::default()
        }
    }

    pub fn tick(&mut self) -> u64 {
        self.place += 1;
        self.place
    }

    pub fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    pub fn trace(&self) -> String {
        self.trace.as_deref().unwrap_or_default().join("\n")
    }

    pub fn break_rule(&mut self, what: String) {
        self.say(|| format!("!!! {what}"));
        self.broken.push(what);
    }

    /// A person typed a text over what stood there.
    pub fn edited(&mut self, old: Option<&Value>, new: &str) {
        let new = plain(&Value::text(new));
        let old = old.map(plain).filter(|old| !old.is_empty());
        self.superseded.extend(old.clone());
        if new.is_empty() {
            return;
        }
        let below = old.iter().flat_map(|old| self.below(old)).chain(old.clone());
        let below: BTreeSet<String> = below.collect();
        if self.edits.contains_key(&new) {
            self.repeated.insert(new.clone());
        }
        self.edits.entry(new).or_default().extend(below);
    }

    fn below(&self, text: &str) -> BTreeSet<String> {
        self.edits.get(text).cloned().unwrap_or_default()
    }

    /// A person deleted a record with these values.
    pub fn deleted(&mut self, values: &Values) {
        self.superseded.extend(values.values().map(plain));
    }

    pub fn judged(&mut self, key: &RecordKey) {
        self.judged.insert(key.clone());
    }

    pub fn is_judged(&self, key: &RecordKey) -> bool {
        self.judged.contains(key)
    }

    /// The outcome of a write of these values was not told.
    pub fn unclear(&mut self, values: &Values) {
        self.unclear.extend(values.values().map(plain));
    }

    /// A write overtook an edit where nothing protects from it.
    pub fn raced(&mut self, old: &Value, new: &Value) {
        self.unclear.extend([plain(old), plain(new)]);
        self.overtaken.insert(plain(old));
    }

    /// Values that did not come to stand, by a write whose answer was lost, are edited beside: nobody can tell any more
    /// who blanked them.
    pub fn edited_beside(&mut self, dropped: &[Value]) {
        let texts = dropped.iter().map(plain);
        let unclear: Vec<String> = texts.filter(|text| self.unclear.contains(text)).collect();
        self.overtaken.extend(unclear);
    }

    /// Whether a write overtook it where nothing protects from that.
    pub fn is_raced(&self, text: &str) -> bool {
        self.overtaken.contains(text)
    }

    /// Whether a person edited over it, or deleted it.
    pub fn is_superseded(&self, text: &str) -> bool {
        self.superseded.contains(text)
    }

    /// A person's text that names one edit.
    pub fn is_edit(&self, text: &str) -> bool {
        self.edits.contains_key(text) && !self.repeated.contains(text)
    }

    /// Whether a text may go from a record: something else keeps it.
    pub fn may_go(&self, text: &str) -> bool {
        !self.is_edit(text) || self.is_superseded(text) || self.filed.contains(text) || self.is_raced(text)
    }

    /// Tandem wrote `new` over `old` (E5, M6).
    pub fn overwritten(&mut self, key: &RecordKey, property: &str, old: &Value, new: &Value) {
        let (old, new) = (plain(old), plain(new));
        if old == new || self.may_go(&old) || self.below(&new).contains(&old) || self.repeated.contains(&new)
        {
            return;
        }
        self.break_rule(format!(
            "E5: {old:?} in {property} of {key} is overwritten by {new:?}, which had not seen it"
        ));
    }

    /// The history got a line.
    pub fn filed(&mut self, event: &Event) {
        self.say(|| {
            format!(
                "      {} {:?}: {:?} ({})",
                event.record,
                event.property,
                short(&event.what),
                event.why
            )
        });
        match &event.what {
            EventKind::Conflict {
                contenders, winner, ..
            } => {
                self.conflicts += 1;
                let texts: Vec<String> = contenders.iter().map(|one| plain(&one.value)).collect();
                let joins = contenders
                    .iter()
                    .any(|one| one.record.is_some() && one.base.is_none());
                let rewritten = self.rewrites && matches!(event.property.as_deref(), Some("title" | "Name"));
                let answered = event.why.starts_with("answered by a person");
                if !joins && !rewritten && !answered {
                    self.judge_conflict(event, &texts, winner.as_ref().map(plain));
                }
                self.filed.extend(texts);
            }
            EventKind::Overwrote { old, .. } if event.why.starts_with("deleted with") => {
                self.buried.insert(plain(old));
            }
            EventKind::Overwrote { old, .. } => drop(self.filed.insert(plain(old))),
            // The target of a one-way property goes without a conflict.
            EventKind::Wrote { old, .. } if event.property.as_deref() == Some("Note") => {
                self.filed.insert(plain(old));
            }
            _ => {}
        }
    }

    /// M6, M7: an edit made on top of another is no conflict with it. What a system made of a value counts as an edit.
    fn judge_conflict(&mut self, event: &Event, texts: &[String], winner: Option<String>) {
        let murky = |text: &String| {
            self.unclear.contains(text)
                || self.repeated.contains(text)
                || self
                    .below(text)
                    .iter()
                    .any(|older| self.unclear.contains(older) || self.repeated.contains(older))
        };
        if texts.iter().any(|text| text.is_empty() || murky(text)) {
            return;
        }
        for older in texts {
            for newer in texts.iter().filter(|newer| self.below(newer).contains(older)) {
                if self.filed.contains(older) && winner.as_ref() != Some(older) {
                    continue;
                }
                let flips = if winner.as_ref() == Some(older) {
                    ", and the older one wins"
                } else {
                    ""
                };
                let (at, property) = (&event.record, event.property.clone().unwrap_or_default());
                let what = format!(
                    "M7: {newer:?} was typed over {older:?} and is said to be in conflict with it at {property} of {at}{flips}"
                );
                return self.break_rule(what);
            }
        }
    }

    /// A process begins, or a person decides: all may be tried anew.
    pub fn tried_anew(&mut self) {
        self.vain.clear();
    }

    /// E17: a request came to nothing, and so often before that no equal one may be sent.
    pub fn in_vain(&mut self, request: String, most: u32) {
        let times = self.vain.entry(request.clone()).or_default();
        *times += 1;
        if *times == most + 1 {
            self.break_rule(format!("E17: sent {} times in vain: {request}", most + 1));
        }
    }

    /// A person gave Tandem a value: it is typed anew.
    pub fn chosen(&mut self, value: &Value) {
        self.repeated.insert(plain(value));
    }

    /// A record with a text that nothing else keeps was deleted by Tandem.
    pub fn endangered(&mut self, text: &str, record: &RecordKey) {
        self.endangered.push((text.to_owned(), record.clone()));
    }

    /// Whether the history keeps a text as gone with its record.
    pub fn is_buried(&self, text: &str) -> bool {
        self.buried.contains(text)
    }

    /// Every text that a person typed and that nobody typed again.
    pub fn edits(&self) -> impl Iterator<Item = &String> {
        self.edits.keys().filter(|text| !self.repeated.contains(*text))
    }

    /// Whether a person ever typed it.
    pub fn knows(&self, text: &str) -> bool {
        self.edits.contains_key(text)
    }
}

fn short(what: &EventKind) -> String {
    match what {
        EventKind::Conflict {
            contenders, winner, ..
        } => {
            let shown = contenders.iter().map(|one| {
                let record = one
                    .record
                    .as_ref()
                    .map_or("head".to_owned(), |record| record.id.clone());
                format!("{record}={}", one.value)
            });
            let shown: Vec<String> = shown.collect();
            format!("conflict of {} -> {winner:?}", shown.join(", "))
        }
        other => format!("{other:?}"),
    }
}
