//! Whether it is said where things stand in a record.

use super::super::operations::ListText;
use super::super::place::Place;
use super::super::record::RecordText;
use super::Scope;
use tandem_merge::config::node::At;

impl Scope<'_, '_> {
    /// Where things stand in a record, member by member: what the type says, else what holds for all.
    pub(super) fn record(
        &mut self,
        own: Option<At<RecordText>>,
        defaults: Option<&At<RecordText>>,
    ) -> RecordText {
        let place = own
            .as_ref()
            .or(defaults)
            .map_or_else(|| self.name.with(()), |record| record.with(()));
        let said = [
            own.map(|record| record.value),
            defaults.map(|record| record.value.clone()),
        ];
        let [own, all] = said.map(|record| record.unwrap_or_else(RecordText::empty));
        let record = RecordText {
            id: own.id.or(all.id),
            ids: own.ids.or(all.ids),
            token: own.token.or(all.token),
            token_as: own.token_as.or(all.token_as),
            token_granularity: own.token_granularity.or(all.token_granularity),
            order: own.order.or(all.order),
            modified: own.modified.or(all.modified),
            created: own.created.or(all.created),
            author: own.author.or(all.author),
            deleted: own.deleted.or(all.deleted),
        };
        if record.id.is_none() {
            let help = "Add `record: { id: ... }` with the place of the id, here or under `defaults:`.";
            self.problem(
                &place,
                format!("nothing says where the id of a {} stands", self.name.value),
                help,
            );
        }
        if let Some(text) = &record.token_as {
            let alone = text.value.holes().eq(["token"]);
            let one = record
                .token
                .as_ref()
                .is_some_and(|token| token.value.alone().is_some());
            if !one || !alone {
                let help = "Add `token:` with one place, and write `{token}` once into `token_as:`.";
                self.problem(text, "`token_as` does not say how a token is written", help);
            }
        }
        record
    }

    /// What only a reply of its own shows of a record no list does.
    pub(super) fn token_in_lists(&mut self, record: &RecordText, list: &At<ListText>) {
        if let Some(token) = &record.token
            && token
                .value
                .0
                .iter()
                .any(|place| matches!(place, Place::Header(_)))
            && list.value.partial != Some(true)
        {
            let help = "Add `partial: true` to `list:`, so that each record is read by its id.";
            self.problem(
                token,
                "a list shows no header of a single record, so none has a token",
                help,
            );
        }
    }
}

impl RecordText {
    /// Nothing is said.
    pub(super) fn empty() -> Self {
        Self {
            id: None,
            ids: None,
            token: None,
            token_as: None,
            token_granularity: None,
            order: None,
            modified: None,
            created: None,
            author: None,
            deleted: None,
        }
    }
}
