//! The dataflow document in the prescribed form, and its committed copies.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests read the files that the core is given as text"
)]

use crate::config::{demo, root};
use tandem_merge::document::{Format, Options, render};

const GENERATED: &str = "2026-01-01 00:00:00";

fn options(reverse: bool, plain: bool) -> Options {
    Options {
        reverse,
        plain,
        crlf: false,
        format: Format::Rst,
        generated: GENERATED.to_owned(),
    }
}

/// The text without its line of generation.
fn dateless(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("Generated: "))
        .collect()
}

/// Compares with the committed file; `TANDEM_WRITE_DOCS=1` writes it anew.
fn committed(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("TANDEM_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    let advice = "run this test with TANDEM_WRITE_DOCS=1 and commit the file";
    assert_eq!(
        dateless(&file),
        dateless(text),
        "{} is out of date: {advice}",
        path.display()
    );
}

#[test]
fn the_committed_documents_are_current() {
    let dataflow = demo().dataflow;
    committed("docs/dataflow.rst", &render(&dataflow, &options(false, false)));
    committed(
        "docs/dataflow-reverse.rst",
        &render(&dataflow, &options(true, false)),
    );
}

#[test]
fn the_committed_schemas_are_current() {
    let systems = ["customerp".to_owned(), "salesforce".to_owned()];
    let schemas = [
        (
            "docs/schema/tandem.schema.json",
            tandem_merge::config::main_schema(&systems),
        ),
        (
            "docs/schema/flow.schema.json",
            tandem_merge::config::flow_schema(&systems),
        ),
    ];
    for (path, schema) in schemas {
        committed(
            path,
            &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()),
        );
    }
}

/// The document's headings, sentences and table headers, in the words of its promise and with nothing else.
fn promise() -> String {
    let pairs = [
        ("Customer", "Division"),
        ("Order", "Invoice"),
        ("Project", "Task"),
        ("Quote", "Invoice"),
        ("Contact", "Contact"),
        ("Employee", "User"),
        ("Order", "Order"),
        ("Product", "Product2"),
        ("Quote", "Quote"),
    ];
    let bar = "=".repeat("Customerp to Salesforce Dataflow".len());
    let mut text =
        format!("{bar}\nCustomerp to Salesforce Dataflow\n{bar}\n\n\nIntroduction\n------------\n\n\n");
    for (at, (left, right)) in pairs.into_iter().enumerate() {
        let (l, r) = (format!("Customerp {left}"), format!("Salesforce {right}"));
        let title = format!("{l} to {r}");
        let gap = if at == 0 { "" } else { "\n" };
        text += &format!(
            "{gap}{title}\n{}\nEvery {l} will be synchronized with a {r}.\n\nOnce a link between a {l} and a {r} is \
             established, it will keep in sync between the two systems, regardless of where it is edited.\n\nThe \
             following properties are synchronized between a {l} and a {r}:\n\n.. list-table::\n   :header-rows: \
             1\n\n   * - {l} Property\n     - {r} Property\n     - Salesforce Data Type\n\n",
            "-".repeat(title.len())
        );
    }
    text
}

/// The text without rows, introduction and line of generation.
fn form(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut in_row = false;
    let mut after_introduction = 0;
    for line in text.lines() {
        if line == "Introduction" {
            after_introduction = 4;
        }
        after_introduction = i32::max(after_introduction - 1, 0);
        let paragraph = after_introduction == 0
            && kept.last() == Some(&"")
            && kept.iter().rev().nth(1) == Some(&"------------");
        if line.starts_with("   * - ") {
            in_row = !line.ends_with(" Property");
        }
        let cell = line.starts_with("   * - ") || line.starts_with("     - ");
        if line.starts_with("Generated: ") || (cell && in_row) || (paragraph && !line.is_empty()) {
            continue;
        }
        kept.push(line);
    }
    kept.join("\n") + "\n"
}

#[test]
fn the_plain_document_is_the_promise_with_rows() {
    let text = render(&demo().dataflow, &options(false, true));
    assert_eq!(form(&text), promise());
    assert!(text.matches("   * - ").count() > 9, "the tables have rows");
}

#[test]
fn rows_are_sorted_and_carry_the_targets_own_types() {
    let dataflow = demo().dataflow;
    let forward = render(&dataflow, &options(false, false));
    for row in [
        "   * - orderNumber\n     - InvoiceNumber__c\n     - string\n",
        "   * - billingContactId\n     - BillToContact__c\n     - reference(Contact)\n",
        "   * - totalAmount\n     - TotalAmount__c\n     - currency(18,2)\n",
        "   * - status\n     - Status\n     - picklist\n",
        "   * - customerId\n     - AccountId\n     - reference(Account)\n",
        // Given once on create: in both directions.
        "   * - username\n     - Username\n     - string\n",
    ] {
        assert!(forward.contains(row), "{row}");
    }
    // Never travels that way, has no property on the object in use.
    for absent in ["salesforceOrderNumber", "invoiceBalance", "customerNumber"] {
        assert!(!forward.contains(&format!("   * - {absent}\n")), "{absent}");
    }
    let reverse = render(&dataflow, &options(true, false));
    assert!(reverse.starts_with("================================\nSalesforce to Customerp Dataflow\n"));
    for row in [
        "     - Customerp Customer Property\n     - Customerp Data Type\n",
        "   * - OrderNumber\n     - salesforceOrderNumber\n     - string\n",
        "   * - Tax\n     - tax\n     - decimal(18,2)\n",
        "   * - Username\n     - username\n     - string\n",
    ] {
        assert!(reverse.contains(row), "{row}");
    }
    // Born as a draft, the Order's status travels both ways.
    assert!(reverse.contains("   * - Status\n     - status\n     - enum\n"));
    assert!(!reverse.contains("   * - TotalAmount__c\n"));
    for flow in &dataflow.flows {
        let rows = tandem_merge::document::rows(flow, tandem_merge::dataflow::Side::Second);
        let names: Vec<&str> = rows.iter().map(|row| row.properties[0].as_str()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(names, sorted);
        let status = rows.iter().any(|row| row.properties[0] == "status");
        assert!(status || flow.name != "order-order");
    }
}

#[test]
fn other_line_ends_and_markups_say_the_same() {
    let dataflow = demo().dataflow;
    let plain = render(&dataflow, &options(false, false));
    let crlf = render(
        &dataflow,
        &Options {
            crlf: true,
            ..options(false, false)
        },
    );
    assert_eq!(crlf.replace("\r\n", "\n"), plain);
    assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count());
    let rows = plain.matches("   * - ").count();
    let markdown = render(
        &dataflow,
        &Options {
            format: Format::Markdown,
            ..options(false, false)
        },
    );
    let table_lines = markdown
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    assert_eq!(table_lines.count(), rows);
    let html = render(
        &dataflow,
        &Options {
            format: Format::Html,
            ..options(false, false)
        },
    );
    assert_eq!(html.matches("<tr>").count(), rows);
    assert_eq!(html.matches("<h2>").count(), 10);
}
