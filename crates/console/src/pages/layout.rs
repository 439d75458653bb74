//! What all pages have.

use crate::access::Person;
use crate::desk::Desk;
use maud::{DOCTYPE, Markup, html};

/// The places that the navigation leads to.
const PLACES: [(&str, &str); 8] = [
    ("/", "Overview"),
    ("/inbox", "Inbox"),
    ("/changes", "Changes"),
    ("/runs", "Runs"),
    ("/plan", "Plan"),
    ("/systems", "Systems"),
    ("/configuration", "Configuration"),
    ("/qa", "QA"),
];

/// A page's frame.
pub(super) struct Sheet<'a> {
    title: &'a str,
    /// The place of the navigation that it belongs to.
    place: &'a str,
    person: Option<&'a Person>,
    /// What was asked for in the search field.
    sought: &'a str,
    waiting: u64,
    troubles: Vec<String>,
    /// The page is made anew when something changed.
    live: bool,
    /// Within a second or two it says something else: it is made anew without a word.
    soon: bool,
}

impl<'a> Sheet<'a> {
    /// The frame of a page for somebody.
    pub(super) fn new(desk: &Desk, person: &'a Person, title: &'a str, place: &'a str) -> Self {
        let latest = desk.pulse.latest();
        let flows = latest.iter().flat_map(|overview| &overview.flows);
        let waiting = flows
            .map(|flow| flow.parked + flow.questions + flow.approvals)
            .sum();
        Self {
            title,
            place,
            person: Some(person),
            sought: "",
            waiting,
            troubles: desk.now().troubles,
            live: false,
            soon: false,
        }
    }

    /// The frame of the way in.
    pub(super) fn outside(title: &'a str) -> Self {
        Self {
            title,
            place: "",
            person: None,
            sought: "",
            waiting: 0,
            troubles: Vec::new(),
            live: false,
            soon: false,
        }
    }

    /// Made anew when something changed.
    pub(super) fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Made anew every second or two: something goes on that leaves no line in the history.
    pub(super) fn soon(mut self) -> Self {
        self.soon = true;
        self
    }

    /// With what was looked for.
    pub(super) fn sought(mut self, text: &'a str) -> Self {
        self.sought = text;
        self
    }

    /// The whole page.
    pub(super) fn with(&self, body: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Tandem" }
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/console.css";
                    script src="/assets/console.js" defer {}
                    @if self.soon { noscript { meta http-equiv="refresh" content="2"; } }
                }
                body {
                    a.skip href="#main" { "To the content" }
                    (self.head())
                    @if !self.troubles.is_empty() {
                        div.troubles role="status" {
                            @for trouble in &self.troubles { p { span.mark.bad aria-hidden="true" { "!" } " " (trouble) } }
                        }
                    }
                    main #main data-live[self.live] { (body) @if self.soon { div data-soon {} } }
                    @if self.person.is_some() {
                        footer.foot {
                            "Tandem " (env!("CARGO_PKG_VERSION")) " · " a href="/reference" { "HTTP API" }
                            " · " a href="/metrics" { "Metrics" }
                        }
                    }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        html! {
            header.top {
                a.brand href="/" {
                    svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" {
                        circle cx="11" cy="16" r="8.5" class="ring one" {}
                        circle cx="21" cy="16" r="8.5" class="ring two" {}
                    }
                    "Tandem"
                }
                @if let Some(person) = self.person {
                    nav aria-label="Pages" {
                        @for (address, name) in PLACES {
                            a href=(address) aria-current=[(self.place == address).then_some("page")] {
                                (name)
                                @if address == "/inbox" && self.waiting > 0 {
                                    span.badge { (self.waiting) span.sr { " waiting" } }
                                }
                            }
                        }
                    }
                    form.search action="/search" role="search" {
                        label.sr for="q" { "Find a record" }
                        input #q type="search" name="q" value=(self.sought) placeholder="Find a record" autocomplete="off";
                    }
                    form.who method="post" action="/leave" {
                        span title={ "signed in as " (person.name) } { (person.name) }
                        button.quiet type="submit" { "Sign out" }
                    }
                }
            }
        }
    }
}
