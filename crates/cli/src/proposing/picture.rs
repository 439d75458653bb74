//! The neutral picture of an ERP that every source is read into, and that descriptions and flows are written from.
//! Each thing in it is either said by the source or a guess that says so.

use std::collections::BTreeSet;

/// What was taken for likely, why, and what to ask whoever knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guess {
    /// What it is about: the order of the closing list.
    pub(crate) topic: Topic,
    /// Why it is likely.
    pub(crate) why: String,
    /// What to ask.
    pub(crate) ask: String,
}

impl Guess {
    pub(crate) fn new(topic: Topic, why: impl Into<String>, ask: impl Into<String>) -> Self {
        Self {
            topic,
            why: why.into(),
            ask: ask.into(),
        }
    }
}

/// What there is to decide, in the order of docs/connect-your-erp.md, *Ask the vendor*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// How one signs in, and where.
    SignIn,
    /// How a long list is read.
    Lists,
    /// How changes are asked for.
    Changes,
    /// How deletions are seen.
    Deletions,
    /// What changes with each change of a record.
    Versions,
    /// What keeps a create that is sent twice from making two.
    Creates,
    /// What values mean, and who gives them.
    Values,
    /// What answers mean.
    Answers,
    /// Which records are kept in step, and how.
    Flows,
}

impl Topic {
    /// In a word, for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::SignIn => "signing in",
            Self::Lists => "lists",
            Self::Changes => "changes",
            Self::Deletions => "deletions",
            Self::Versions => "versions",
            Self::Creates => "creates",
            Self::Values => "values",
            Self::Answers => "answers",
            Self::Flows => "flows",
        }
    }
}

/// Something to decide that stands at no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) topic: Topic,
    /// What it is about: a record type, or nothing where it is about all of the ERP.
    pub(crate) of: String,
    /// A sentence.
    pub(crate) what: String,
}

/// A key of a description, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) key: String,
    /// What stands behind it, as YAML; empty where keys stand below.
    pub(crate) text: String,
    pub(crate) guess: Option<Guess>,
    pub(crate) below: Vec<Line>,
    /// It cannot be had as it stands: it is written as a comment, with this reason.
    pub(crate) not: Option<String>,
}

impl Line {
    /// A key with what stands behind it.
    pub(crate) fn new(key: &str, text: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            text: text.into(),
            guess: None,
            below: Vec::new(),
            not: None,
        }
    }

    /// A key with others below it.
    pub(crate) fn over(key: &str, below: Vec<Self>) -> Self {
        Self {
            below,
            ..Self::new(key, "")
        }
    }

    /// The same, as a guess.
    pub(crate) fn guessed(self, guess: Option<Guess>) -> Self {
        Self { guess, ..self }
    }

    /// The same as a comment, with why it cannot be had.
    pub(crate) fn not(self, why: impl Into<String>) -> Self {
        Self {
            not: Some(why.into()),
            ..self
        }
    }
}

/// What kind of values a property has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text(Option<u64>),
    Integer,
    Decimal(Option<(u64, u64)>),
    Boolean,
    Date,
    DateTime,
    Enum(Vec<String>),
    Reference(String),
}

impl Kind {
    /// The type as a description of an interface names it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(None) => "string".to_owned(),
            Self::Text(Some(length)) => format!("string({length})"),
            Self::Integer => "integer".to_owned(),
            Self::Decimal(None) => "decimal".to_owned(),
            Self::Decimal(Some((digits, scale))) => format!("decimal({digits},{scale})"),
            Self::Boolean => "boolean".to_owned(),
            Self::Date => "date".to_owned(),
            Self::DateTime => "datetime".to_owned(),
            Self::Enum(values) => format!("enum({})", values.join("|")),
            Self::Reference(to) => format!("reference({to})"),
        }
    }

    /// The type without its details, as a system describes it.
    pub(crate) fn described(&self) -> String {
        let text = self.text();
        match self {
            Self::Reference(_) => text,
            _ => text.split('(').next().unwrap_or_default().to_owned(),
        }
    }
}

/// A property of a record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Where it stands, if not under its name; of a table: its column.
    pub(crate) at: Option<String>,
    pub(crate) required: bool,
    pub(crate) unique: bool,
    pub(crate) read_only: bool,
    pub(crate) create_only: bool,
    pub(crate) filled: bool,
    /// How its values are written, as YAML.
    pub(crate) form: Option<String>,
    pub(crate) guess: Option<Guess>,
}

impl Property {
    pub(crate) fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            at: None,
            required: false,
            unique: false,
            read_only: false,
            create_only: false,
            filled: false,
            form: None,
            guess: None,
        }
    }
}

/// A record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordType {
    pub(crate) name: String,
    /// How it is reached, in the words of its kind of description.
    pub(crate) lines: Vec<Line>,
    pub(crate) properties: Vec<Property>,
    /// Records can be made.
    pub(crate) creates: bool,
    /// Records can be changed.
    pub(crate) updates: bool,
    /// Why it cannot be had as it stands: then all of it is a comment.
    pub(crate) not: Option<String>,
}

/// How the ERP is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// `kind: rest`.
    Rest,
    /// `kind: sql`.
    Sql,
}

/// An ERP as its own words show it.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) way: Way,
    /// What it was read from, for people.
    pub(crate) from: String,
    /// The ERP's address; none where nothing says it.
    pub(crate) url: Option<String>,
    /// The secrets that a connection needs, by name.
    pub(crate) secrets: Vec<String>,
    /// What stands above the record types.
    pub(crate) top: Vec<Line>,
    pub(crate) types: Vec<RecordType>,
    pub(crate) open: Vec<Open>,
}

impl Picture {
    pub(crate) fn ask(&mut self, topic: Topic, of: &str, what: impl Into<String>) {
        let open = Open {
            topic,
            of: of.to_owned(),
            what: what.into(),
        };
        if !self.open.contains(&open) {
            self.open.push(open);
        }
    }

    /// Whether it is known how one signs in.
    pub(crate) fn signs_in(&self) -> bool {
        self.top
            .iter()
            .any(|line| line.key == "session" && line.not.is_none())
    }

    /// Keeps these record types alone. A reference to another is a plain value from then on.
    pub(crate) fn keep(&mut self, names: &BTreeSet<String>) {
        self.types.retain(|of| names.contains(&of.name));
        self.open
            .retain(|open| open.of.is_empty() || names.contains(&open.of));
        let there: BTreeSet<String> = self
            .types
            .iter()
            .filter(|of| of.not.is_none())
            .map(|of| of.name.clone())
            .collect();
        for property in self.types.iter_mut().flat_map(|of| &mut of.properties) {
            if matches!(&property.kind, Kind::Reference(to) if !there.contains(to)) {
                property.kind = match property.form.take() {
                    Some(_) => Kind::Integer,
                    None => Kind::Text(None),
                };
                property.guess = None;
            }
        }
    }
}
