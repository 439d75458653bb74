//! Whether lists can be read to their end, and changes and deletions be asked for from a moment on.

use super::super::super::operations::{
    ChangesText, DeletionsText, DeltaText, ListText, SinceText, WindowText,
};
use super::super::super::pages::Paging;
use super::super::super::record::{Moment, RecordText};
use super::super::super::requests::Call;
use super::super::super::times::{AS_FORM, Source};
use super::{Calls, PAGES};
use crate::rest::form::Moments;
use tandem_merge::config::node::At;

impl Calls<'_, '_> {
    /// `known`: filled in by other means.
    pub(super) fn paging(
        &mut self,
        call: Call<'_>,
        paging: Option<&At<Paging>>,
        place: &At<()>,
        known: &[&str],
    ) {
        let wanted = match paging.map(|paging| &paging.value) {
            None => {
                let named = PAGES.into_iter().filter(|hole| !known.contains(hole));
                let named = named.into_iter().find(|hole| call.takes(hole));
                if let Some(hole) = named {
                    let message = format!("`{{{hole}}}` is filled in only where there are pages");
                    self.reader
                        .problem(place, message, "Add `paging: { kind: ... }`.");
                }
                return;
            }
            Some(Paging::Url(_)) => return,
            Some(Paging::Cursor(_)) => "cursor",
            Some(Paging::Page(_)) => "page",
            Some(Paging::Offset(_)) => "offset",
            Some(Paging::Keyset(_)) if call.takes("behind") => "behind",
            Some(Paging::Keyset(_)) if self.has_parts() => return self.behind_parts(call, paging),
            Some(Paging::Keyset(_)) => "after",
        };
        let at = paging.map_or_else(|| place.with(()), |paging| paging.with(()));
        self.needs(
            &at,
            call,
            wanted,
            "without it every page is the one at the beginning",
        );
    }

    pub(in super::super) fn list(&mut self, list: &At<ListText>) {
        let call = list.value.call();
        let known: Vec<&str> = match &list.value.window {
            Some(window) => self.window(call, window, list.value.paging.as_ref()),
            None => Vec::new(),
        };
        let all: Vec<&str> = PAGES.into_iter().chain(known.iter().copied()).collect();
        self.check("list", list, call, &all);
        self.paging(call, list.value.paging.as_ref(), &list.with(()), &known);
    }

    pub(in super::super) fn changes(
        &mut self,
        changes: &At<ChangesText>,
        list: &ListText,
        record: &RecordText,
    ) {
        let all = changes.value.over(list);
        let call = all.call();
        let filled: Vec<&str> = match &all.window {
            Some(window) => self.window(call, window, all.paging.as_ref()),
            None => Vec::new(),
        };
        let known: Vec<&str> = PAGES
            .into_iter()
            .chain(["since"])
            .chain(filled.iter().copied())
            .collect();
        self.check("changes", changes, call, &known);
        self.paging(call, all.paging.as_ref(), &changes.with(()), &filled);
        match &changes.value.delta {
            Some(delta) => {
                self.delta(delta, call, &changes.value);
                self.delta_over(delta, &all);
            }
            None if call.takes("changed") => {
                let timed = matches!(record.modified, Some(Moment::At(_)));
                if !timed {
                    let help = "Add `modified:` to `record:`, with the place of the time.";
                    let message = "nothing says by which time records were changed";
                    self.reader.problem(changes, message, help);
                }
            }
            None => self.needs(changes, call, "since", "without it all records are changes"),
        }
        self.since(changes.value.since.as_ref(), &changes.with(()));
        let newest = changes.value.since.as_ref().and_then(|since| since.from);
        if newest == Some(Source::Newest) && record.modified.is_none() {
            let help = "Add `modified:` to `record:`, or write `from: clock`.";
            self.reader
                .problem(changes, "nothing says when a record was changed", help);
        }
    }

    /// Parts of the time need both their ends; what they fill in.
    fn window(
        &mut self,
        call: Call<'_>,
        window: &At<WindowText>,
        paging: Option<&At<Paging>>,
    ) -> Vec<&'static str> {
        for hole in ["since", "until"] {
            self.needs(window, call, hole, "a part of the time has two ends");
        }
        if window.value.at_most.value < 2 {
            let help = "Write how many records a query shows at most, such as `at_most: 1000`.";
            self.reader
                .problem(&window.value.at_most, "no part shows fewer than that", help);
        }
        if let Some(paging) = paging
            && matches!(paging.value, Paging::Keyset(_))
        {
            let help =
                "Take `window:` out: a list that is read behind its last id has no end before its end.";
            self.reader
                .problem(window, "what is read by keyset needs no parts", help);
        }
        self.since(window.value.since.as_ref(), &window.with(()));
        vec!["since", "until", "after"]
    }

    /// Pages that lead to a link lead there by addresses, and show records as they are.
    fn delta_over(&mut self, delta: &At<DeltaText>, list: &ListText) {
        let counted = |paging: &At<Paging>| !matches!(paging.value, Paging::Url(_));
        if list.paging.as_ref().is_some_and(counted) {
            let help = "Write `paging: { kind: url, next: ... }`: the pages before a link are addresses as the link is.";
            self.reader.problem(
                delta,
                "a link for changes stands behind pages of another kind",
                help,
            );
        }
        if list.partial == Some(true) {
            let help = "Ask for changes by `since`, or let the list show whole records.";
            self.reader
                .problem(delta, "a link for changes shows records in part", help);
        }
    }

    /// A link stands for a moment: only one of the two is asked by.
    fn delta(&mut self, delta: &At<DeltaText>, call: Call<'_>, changes: &ChangesText) {
        if call.takes("since") || call.takes("changed") || changes.since.is_some() {
            let help = "Take `since` out: the link says from where on changes are shown.";
            self.reader
                .problem(delta, "changes are asked for by a link and by a moment", help);
        }
    }

    pub(in super::super) fn deletions(&mut self, deletions: &At<DeletionsText>) {
        let known: Vec<&str> = PAGES.into_iter().chain(["since"]).collect();
        let call = deletions.value.call();
        self.check("deletions", deletions, call, &known);
        self.paging(call, deletions.value.paging.as_ref(), &deletions.with(()), &[]);
        self.since(deletions.value.since.as_ref(), &deletions.with(()));
    }

    fn since(&mut self, since: Option<&SinceText>, place: &At<()>) {
        let Some(since) = since else {
            return;
        };
        let format = since.format.as_ref();
        let zone = since.zone.as_ref();
        let word = |at: &At<String>| at.value.clone();
        let (written, named) = (format.map(word), zone.map(word));
        if written.as_deref() == Some(AS_FORM) {
            return;
        }
        let day = since
            .granularity
            .is_some_and(|step| step.length().as_hours() >= 24);
        if let Err((which, message, help)) = Moments::read(!day, written.as_deref(), named.as_deref()) {
            let at = if which == "zone" { zone } else { format };
            self.reader
                .problem(&at.map_or_else(|| place.clone(), |at| at.with(())), message, help);
        }
    }
}
