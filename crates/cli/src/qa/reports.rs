//! The checklist as files: JUnit XML for a build server, HTML for people.

use super::checklist::{Line, Mismatch, Section, Verdict};
use crate::failure::Failure;
use crate::harmless;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::path::Path;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2328;\
     background:#fff}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;\
     border-bottom:1px solid #dde2e6}h1{font-size:1.5rem}h2{font-size:1.05rem;margin:2rem 0 .4rem}.pass{color:#12703c}.fail{color:#a81f1f;\
     font-weight:700}.other{color:#55616b}.why{color:#55616b}td:first-child{white-space:nowrap}@media(prefers-color-scheme:dark){\
     body{background:#12171b;color:#e5eaee}.pass{color:#6fd198}.fail{color:#ff9b93}.other,.why{color:#a3afb8}td,th{border-color:#2c353c}}";

/// Writes a report into a file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::usage(
            format!("the report cannot be written to {} ({error})", file.display()),
            "Name another file",
        )
    })
}

/// One test suite for each flow, one test case for each line.
pub(crate) fn junit(sections: &[Section], seconds: f64) -> String {
    let count = |verdict: Verdict| {
        let lines = sections.iter().flat_map(|section| &section.lines);
        lines.filter(|line| line.result == verdict).count()
    };
    let skipped = count(Verdict::NotServed) + count(Verdict::CannotBeTried);
    let all = skipped + count(Verdict::Pass) + count(Verdict::Fail);
    let body = html! {
        testsuites name="tandem qa" tests=(all) failures=(count(Verdict::Fail)) skipped=(skipped) time=(format!("{seconds:.3}")) {
            @for section in sections { (suite(section)) }
        }
    };
    let body = harmless::line(&body.into_string());
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}\n")
}

fn suite(section: &Section) -> Markup {
    let of = |verdicts: &[Verdict]| {
        let lines = section.lines.iter();
        lines.filter(|line| verdicts.contains(&line.result)).count()
    };
    let skipped = of(&[Verdict::NotServed, Verdict::CannotBeTried]);
    let name = if section.flow.is_empty() {
        &section.title
    } else {
        &section.flow
    };
    html! {
        testsuite name=(name) tests=(section.lines.len()) failures=(of(&[Verdict::Fail])) skipped=(skipped) {
            @for line in &section.lines {
                testcase classname=(name) name=(line.text) {
                    @match (line.result, &line.failure) {
                        (Verdict::Fail, Some(failure)) => failure message=(seen(failure)) {},
                        (Verdict::Fail, None) => failure {},
                        (Verdict::Pass, _) => {},
                        (other, _) => skipped message=(line.why.as_deref().unwrap_or(other.word())) {},
                    }
                }
            }
        }
    }
}

fn seen(failure: &Mismatch) -> String {
    let because = failure.because.as_ref().map(|why| format!(" ({why})"));
    format!(
        "{}: expected {}, seen {}{}",
        failure.done,
        failure.expected,
        failure.seen,
        because.unwrap_or_default()
    )
}

/// A page that stands alone.
pub(crate) fn page(sections: &[Section], counts: &str, at: jiff::Timestamp) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "The dataflow, ticked off" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "The dataflow, ticked off" }
                p { (counts) }
                p.why { (format!("{at:.0}")) }
                @for section in sections {
                    h2 { (section.title) }
                    table { tbody { @for line in &section.lines { (row(line)) } } }
                }
            }
        }
    };
    harmless::line(&page.into_string())
}

fn row(line: &Line) -> Markup {
    let class = match line.result {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::NotServed | Verdict::CannotBeTried => "other",
    };
    html! {
        tr {
            td class=(class) { (line.result.word()) }
            td {
                (line.text)
                @if let Some(failure) = &line.failure { div.fail { (seen(failure)) } }
                @else if let Some(why) = &line.why { div.why { (why) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sections() -> Vec<Section> {
        let line = |text: &str, result, failure, why: Option<&str>| Line {
            kind: "property",
            text: text.to_owned(),
            properties: None,
            result,
            tried: Vec::new(),
            failure,
            why: why.map(str::to_owned),
        };
        let mismatch = Mismatch {
            done: "edited in customerp".to_owned(),
            expected: "\"<b>\"".to_owned(),
            seen: "\"&\u{1b}[31m\"".to_owned(),
            because: None,
        };
        vec![Section {
            flow: "order-order".to_owned(),
            title: "Customerp Order to Salesforce Order".to_owned(),
            lines: vec![
                line("a", Verdict::Pass, None, None),
                line("b & c", Verdict::Fail, Some(mismatch), None),
                line("d", Verdict::NotServed, None, Some("no such field")),
            ],
        }]
    }

    #[test]
    fn a_build_server_reads_what_failed_and_what_was_skipped() {
        let text = junit(&sections(), 12.5);
        let read = roxmltree::Document::parse(&text).unwrap();
        let root = read.root_element();
        let count = |name: &str| root.attribute(name).unwrap().to_owned();
        assert_eq!(
            [count("tests"), count("failures"), count("skipped")],
            ["3", "1", "1"]
        );
        let cases: Vec<_> = root
            .descendants()
            .filter(|node| node.has_tag_name("testcase"))
            .collect();
        assert_eq!(cases.len(), 3);
        let failed = cases[1].children().find(roxmltree::Node::is_element).unwrap();
        assert_eq!(
            (cases[1].attribute("name"), failed.tag_name().name()),
            (Some("b & c"), "failure")
        );
        assert!(failed.attribute("message").unwrap().contains("expected \"<b>\""));
    }

    #[test]
    fn the_page_shows_every_line_and_runs_nothing() {
        let text = page(&sections(), "1 passed", jiff::Timestamp::UNIX_EPOCH);
        assert!(
            text.contains("b &amp; c") && text.contains("&lt;b&gt;") && !text.contains("<b>"),
            "{text}"
        );
        assert!(!text.contains("<script"), "{text}");
    }
}
