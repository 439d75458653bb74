//! Records that stand inside others, such as the lines of an order.

use super::Type;
use super::place::Place;
use super::record::Moment;
use super::template::Body;
use super::words::words;
use std::sync::Arc;
use tandem_merge::config::node::At;
use tandem_merge::config::written::Table;
use tandem_merge::written;

/// The member under which a record sees the one that it stands in.
pub(crate) const AROUND: &str = "^";

written! {
    /// The records of the type stand inside those of another one, and are read and written with them. Their ids are
    /// `HOLDER/ID`.
    struct InsideText {
        /// The record type that holds them.
        r#type: At<String>,
        /// Where their list stands in its records.
        at: At<Place>,
        /// Where the id of one stands, which is unique among those of its holder.
        id: At<Place>,
        /// What of the list is sent where one of them is written; `replace` where nothing is said.
        style: Option<At<InsideStyle>>,
        /// Members that say of one that it is to be taken away, where what changes alone is sent.
        removed: Option<Table<Body>>,
    }
}

words! {
    /// What of a list is sent where one of its entries is written.
    enum InsideStyle {
        /// The entry that changes: the ERP keeps the others.
        Merge = "merge",
        /// All entries: the ERP has those afterwards, and no others.
        Replace = "replace",
    }
}

/// Where the records of a type stand.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    /// The type that holds them.
    pub(crate) holder: Arc<Type>,
    pub(crate) at: Place,
    pub(crate) id: Place,
    pub(crate) style: InsideStyle,
    pub(crate) removed: Option<Table<Body>>,
    pub(crate) creates: bool,
    pub(crate) updates: bool,
    pub(crate) deletes: bool,
}

impl Place {
    /// The same place as one that stands inside the record sees it.
    pub(crate) fn seen_inside(&self) -> Option<Self> {
        match self {
            Self::Header(_) => None,
            Self::Body(steps) => {
                let steps = std::iter::once(AROUND.to_owned()).chain(steps.iter().cloned());
                Some(Self::Body(steps.collect()))
            }
        }
    }

    /// It stands in the record around.
    pub(crate) fn is_around(&self) -> bool {
        matches!(self, Self::Body(steps) if steps.first().is_some_and(|step| step == AROUND))
    }
}

impl Moment {
    /// The same time as one that stands inside the record sees it.
    pub(crate) fn seen_inside(&self) -> Option<Self> {
        Some(match self {
            Self::At(places) => Self::At(places.iter().filter_map(Place::seen_inside).collect()),
            Self::Latest(places) => Self::Latest(places.iter().filter_map(Place::seen_inside).collect()),
            Self::Split { date, time } => Self::Split {
                date: date.seen_inside()?,
                time: time.seen_inside()?,
            },
        })
    }
}
