//! The markups of the dataflow document.

use super::{Document, Section};

/// Prints reStructuredText, in the prescribed form to the blank line.
pub(super) fn rst(document: &Document) -> String {
    let bar = "=".repeat(document.title.chars().count());
    let mut lines = vec![bar.clone(), document.title.clone(), bar, String::new()];
    lines.push(format!("Generated: {}", document.generated));
    lines.push(String::new());
    lines.push("Introduction".to_owned());
    lines.push("-".repeat("Introduction".len()));
    lines.push(String::new());
    lines.push(document.introduction.clone());
    lines.push(String::new());
    for (at, section) in document.sections.iter().enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        rst_section(section, &mut lines);
    }
    ended(&lines)
}

fn rst_section(section: &Section, lines: &mut Vec<String>) {
    lines.push(section.title.clone());
    lines.push("-".repeat(section.title.chars().count()));
    for sentence in paragraphs(section) {
        lines.push(rst_escaped(&sentence));
        lines.push(String::new());
    }
    lines.push(".. list-table::".to_owned());
    lines.push("   :header-rows: 1".to_owned());
    lines.push(String::new());
    for row in std::iter::once(&section.header).chain(&section.rows) {
        lines.push(format!("   * - {}", row[0]));
        lines.push(format!("     - {}", row[1]));
        lines.push(format!("     - {}", row[2]));
    }
    lines.push(String::new());
}

/// Prints Markdown.
pub(super) fn markdown(document: &Document) -> String {
    let mut lines = vec![format!("# {}", document.title), String::new()];
    lines.push(format!("Generated: {}", document.generated));
    lines.push(String::new());
    lines.push("## Introduction".to_owned());
    lines.push(String::new());
    lines.push(markdown_escaped(&document.introduction));
    for section in &document.sections {
        lines.push(String::new());
        lines.push(format!("## {}", markdown_escaped(&section.title)));
        lines.push(String::new());
        for sentence in paragraphs(section) {
            lines.push(markdown_escaped(&sentence));
            lines.push(String::new());
        }
        lines.push(markdown_row(&section.header));
        lines.push("| --- | --- | --- |".to_owned());
        lines.extend(section.rows.iter().map(markdown_row));
    }
    ended(&lines)
}

fn markdown_row(row: &[String; 3]) -> String {
    let cells: Vec<String> = row.iter().map(|cell| markdown_escaped(cell)).collect();
    format!("| {} |", cells.join(" | "))
}

/// Prints a page of HTML.
pub(super) fn html(document: &Document) -> String {
    let title = html_escaped(&document.title);
    let mut lines = vec![
        "<!DOCTYPE html>".to_owned(),
        "<html lang=\"en\">".to_owned(),
        format!("<head><meta charset=\"utf-8\"><title>{title}</title></head>"),
        "<body>".to_owned(),
        format!("<h1>{title}</h1>"),
        format!("<p>Generated: {}</p>", html_escaped(&document.generated)),
        "<h2>Introduction</h2>".to_owned(),
        format!("<p>{}</p>", html_escaped(&document.introduction)),
    ];
    for section in &document.sections {
        lines.push(format!("<h2>{}</h2>", html_escaped(&section.title)));
        lines.extend(paragraphs(section).map(|sentence| format!("<p>{}</p>", html_escaped(&sentence))));
        lines.push("<table>".to_owned());
        lines.push(format!("<thead>{}</thead>", html_row(&section.header, "th")));
        lines.push("<tbody>".to_owned());
        lines.extend(section.rows.iter().map(|row| html_row(row, "td")));
        lines.push("</tbody>".to_owned());
        lines.push("</table>".to_owned());
    }
    lines.push("</body>".to_owned());
    lines.push("</html>".to_owned());
    ended(&lines)
}

fn html_row(row: &[String; 3], cell: &str) -> String {
    let cells: String = row
        .iter()
        .map(|text| format!("<{cell}>{}</{cell}>", html_escaped(text)))
        .collect();
    format!("<tr>{cells}</tr>")
}

/// A section's sentences in order.
fn paragraphs(section: &Section) -> impl Iterator<Item = String> {
    let mut all = vec![section.every.clone()];
    all.extend(section.conditions.iter().cloned());
    all.push(section.once.clone());
    all.push(section.lead.clone());
    all.into_iter()
}

fn ended(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn rst_escaped(text: &str) -> String {
    escaped(text, &['\\', '*', '`', '|'])
}

fn markdown_escaped(text: &str) -> String {
    escaped(text, &['\\', '*', '`', '|', '_', '<'])
}

fn escaped(text: &str, signs: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        if signs.contains(&sign) {
            out.push('\\');
        }
        out.push(sign);
    }
    out
}

fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
