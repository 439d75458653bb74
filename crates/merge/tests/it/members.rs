//! Components for tests: members with the habits of real systems, and what a merge makes of them.

use jiff::Timestamp;
use tandem_merge::cluster::{Base, Head, ParkedKind, Span};
use tandem_merge::component::{self, Codec, Member, Merged, Rule};
use tandem_merge::dataflow::{ConflictPolicy, Side};
use tandem_merge::form::Trouble;
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// What a system does to the values it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Nothing.
    Plain,
    /// White space around a text does not count.
    Trims,
    /// Keeps whole tens: 14 is 10 for it, 15 is 20.
    Quantises,
    /// Holds two characters at most.
    Short,
    /// Knows `P` for `a` and `b`, `Q` for `c`, and nothing else; `P` leads back to `a`.
    Coarse,
    /// Must have a value.
    Mandatory,
}

impl Habit {
    pub(crate) const ALL: [Self; 6] = [
        Self::Plain,
        Self::Trims,
        Self::Quantises,
        Self::Short,
        Self::Coarse,
        Self::Mandatory,
    ];

    fn refusal(self) -> Trouble {
        Trouble::Mend {
            kind: ParkedKind::UnknownEnum,
            reason: format!("{self:?} cannot hold it"),
            advice: "choose another value".to_owned(),
        }
    }
}

fn tens(text: &str) -> String {
    text.parse::<u32>()
        .map_or_else(|_| text.to_owned(), |number| ((number + 5) / 10 * 10).to_string())
}

impl Codec for Habit {
    fn decode(&self, own: &Value) -> Result<Value, Trouble> {
        let Some(text) = own.as_text() else {
            return Ok(Value::Blank);
        };
        let canonical = match self {
            Self::Trims => text.trim().to_owned(),
            Self::Quantises => tens(text),
            Self::Coarse => match text {
                "P" => "a".to_owned(),
                "Q" => "c".to_owned(),
                _ => return Err(self.refusal()),
            },
            Self::Plain | Self::Short | Self::Mandatory => text.to_owned(),
        };
        Ok(Value::text(canonical))
    }

    fn encode(&self, canonical: &Value) -> Result<Value, Trouble> {
        let Some(text) = canonical.as_text() else {
            return if *self == Self::Mandatory {
                Err(self.refusal())
            } else {
                Ok(Value::Blank)
            };
        };
        match self {
            Self::Short if text.chars().count() > 2 => Err(self.refusal()),
            Self::Coarse => match text {
                "a" | "b" => Ok(Value::from("P")),
                "c" => Ok(Value::from("Q")),
                _ => Err(self.refusal()),
            },
            Self::Quantises => Ok(Value::text(tens(text))),
            _ => Ok(canonical.clone()),
        }
    }

    fn fits(&self, canonical: &Value, own: &Value) -> bool {
        self.encode(canonical).is_ok_and(|form| &form == own)
            || self.decode(own).is_ok_and(|value| &value == canonical)
    }
}

/// A member by what matters of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) habit: Habit,
    pub(crate) side: Side,
    pub(crate) shadow: Value,
    pub(crate) base: Option<(Value, u64)>,
    /// When its present value came to be, in seconds.
    pub(crate) at: i64,
    pub(crate) source: bool,
    pub(crate) target: bool,
    pub(crate) blank_is_edit: bool,
    pub(crate) in_flight: bool,
    pub(crate) parked: Option<u64>,
}

impl Spec {
    /// A plain member that agrees with the head at `epoch`.
    pub(crate) fn clean(name: &str, side: Side, value: &str, epoch: u64) -> Self {
        Self {
            name: name.to_owned(),
            habit: Habit::Plain,
            side,
            shadow: Value::from(value),
            base: Some((Value::from(value), epoch)),
            at: 0,
            source: true,
            target: true,
            blank_is_edit: true,
            in_flight: false,
            parked: None,
        }
    }

    pub(crate) fn edit(&mut self, value: &str, at: i64) {
        self.shadow = Value::from(value);
        self.at = at;
    }

    pub(crate) fn changed(&self) -> bool {
        self.base.as_ref().is_none_or(|(value, _)| value != &self.shadow)
    }
}

/// A component with its policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) members: Vec<Spec>,
    pub(crate) head: Option<Head>,
    pub(crate) policy: ConflictPolicy,
    pub(crate) answer: Option<Value>,
    pub(crate) one_way: bool,
}

pub(crate) fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(crate) fn span(at: i64) -> Span {
    Span {
        from: None,
        to: moment(at),
    }
}

pub(crate) fn head(value: &str, epoch: u64, at: i64, origin: &str) -> Head {
    Head {
        value: Value::from(value),
        epoch,
        span: span(at),
        origin: Some(RecordKey::new("s", "T", origin)),
        before: None,
        rewritten: 0,
    }
}

impl Case {
    pub(crate) fn epoch(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.epoch)
    }

    pub(crate) fn merge(&self) -> Merged {
        let members: Vec<Member<'_>> = self.members.iter().map(member).collect();
        let rule = Rule {
            policy: self.policy,
            clock_error: 2,
            answer: self.answer.as_ref(),
            one_way: self.one_way,
            floor: 0,
        };
        component::merge(self.head.as_ref(), &members, &rule)
    }

    /// Takes over what a merge decided, writing nothing.
    pub(crate) fn take(&mut self, merged: &Merged) {
        self.head = merged.head.clone();
        for (spec, base) in self.members.iter_mut().zip(&merged.bases) {
            spec.base = base.as_ref().map(|base| (base.value.clone(), base.epoch));
        }
    }

    /// Settles one write that a merge owed: the base is the value sent, at the epoch it was planned at.
    pub(crate) fn settle(&mut self, index: usize, sent: &Value, epoch: u64) {
        let spec = &mut self.members[index];
        spec.shadow = sent.clone();
        spec.base = Some((sent.clone(), epoch));
    }

    /// Merges, takes over and writes until nothing is owed; the last merge.
    pub(crate) fn drive(&mut self) -> Merged {
        for _ in 0..4 {
            let merged = self.merge();
            self.take(&merged);
            if merged.owed.is_empty() {
                return merged;
            }
            for (index, own) in &merged.owed {
                self.settle(*index, own, self.epoch());
            }
        }
        panic!("does not come to rest: {self:#?}");
    }

    pub(crate) fn shown(&self) -> Vec<String> {
        self.members.iter().map(|spec| spec.shadow.to_string()).collect()
    }
}

pub(crate) fn member(spec: &Spec) -> Member<'_> {
    Member {
        record: RecordKey::new("s", "T", spec.name.clone()),
        side: spec.side,
        shadow: spec.shadow.clone(),
        base: spec.base.clone().map(|(value, epoch)| Base { value, epoch }),
        span: span(spec.at),
        source: spec.source,
        target: spec.target,
        from_start: false,
        blank_is_edit: spec.blank_is_edit,
        newborn: None,
        ours: false,
        in_flight: spec.in_flight,
        parked: spec.parked,
        loss: None,
        codec: &spec.habit,
    }
}
