//! Which objects make events: the members of the standard channel.

use crate::salesforce::id::RecordId;

/// The channel of everything that is selected.
pub(crate) const STANDARD: &str = "ChangeEvents";
/// How many objects an org may select without the add-on.
const WITHOUT_ADDON: usize = 5;
/// What the ids of members begin with.
const PREFIX: &str = "0v8";

/// One selected object.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: RecordId,
    pub(crate) name: String,
    /// The object's name.
    pub(crate) entity: String,
}

/// The members, in the order of their selection.
#[derive(Clone)]
pub(crate) struct Members {
    list: Vec<Member>,
    addon: bool,
    given: u64,
}

/// More objects than the org may select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Members {
    pub(crate) fn new(addon: bool) -> Members {
        Members {
            list: Vec::new(),
            addon,
            given: 0,
        }
    }

    pub(crate) fn list(&self) -> &[Member] {
        &self.list
    }

    pub(crate) fn selects(&self, entity: &str) -> bool {
        self.list.iter().any(|member| member.entity == entity)
    }

    /// Selects an object that is not selected yet.
    pub(crate) fn add(&mut self, pod: [u8; 3], name: String, entity: String) -> Result<RecordId, TooMany> {
        if !self.addon && self.list.len() >= WITHOUT_ADDON {
            return Err(TooMany);
        }
        self.given += 1;
        let id = RecordId::numbered(PREFIX, pod, self.given);
        self.list.push(Member { id, name, entity });
        Ok(id)
    }

    /// Selects the object no longer; whether it was.
    pub(crate) fn remove(&mut self, id: RecordId) -> bool {
        let before = self.list.len();
        self.list.retain(|member| member.id != id);
        self.list.len() < before
    }
}
