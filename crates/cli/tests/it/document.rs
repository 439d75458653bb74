//! The dataflow document, from the configuration that runs.

use crate::local::Pair;

#[test]
fn the_document_is_printed_in_every_form() {
    let pair = Pair::start(&["--records", "2"], &[]);
    let at = "2026-01-02T03:04:05Z";
    let plain = pair.run(&["document", "--plain", "--generated", at]);
    assert_eq!(plain.code, Some(0), "{}", plain.err);
    let title = "================================\nCustomerp to Salesforce Dataflow\n================================\n";
    assert!(plain.out.starts_with(title), "{}", plain.out);
    assert!(plain.out.contains("\nGenerated: 2026-01-02 03:04:05\n"));
    assert_eq!(plain.out.matches(".. list-table::").count(), 9);
    assert!(!plain.out.contains('\r'));
    let crlf = pair.run(&["document", "--plain", "--crlf", "--generated", at]);
    assert_eq!(crlf.out, plain.out.replace('\n', "\r\n"));
    let reverse = pair.run(&["document", "--reverse", "--plain", "--generated", at]);
    assert!(
        reverse.out.contains("Salesforce Division to Customerp Customer"),
        "{}",
        reverse.out
    );
    let html = pair.run(&["document", "--format", "html"]);
    assert!(html.out.contains("<table"), "{}", html.out);
}
