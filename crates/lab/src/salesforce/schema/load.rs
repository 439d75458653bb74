//! Reads the metadata files.

use super::{Field, Kind, Object, Source};
use crate::salesforce::options::Options;

/// One file per object; the first lines of each describe the format.
const FILES: [&str; 23] = [
    include_str!("../metadata/Account.tsv"),
    include_str!("../metadata/Contact.tsv"),
    include_str!("../metadata/Division.tsv"),
    include_str!("../metadata/Division__c.tsv"),
    include_str!("../metadata/Group.tsv"),
    include_str!("../metadata/Invoice.tsv"),
    include_str!("../metadata/InvoiceLine.tsv"),
    include_str!("../metadata/InvoiceLine__c.tsv"),
    include_str!("../metadata/Invoice__c.tsv"),
    include_str!("../metadata/Opportunity.tsv"),
    include_str!("../metadata/Order.tsv"),
    include_str!("../metadata/OrderItem.tsv"),
    include_str!("../metadata/Organization.tsv"),
    include_str!("../metadata/Pricebook2.tsv"),
    include_str!("../metadata/PricebookEntry.tsv"),
    include_str!("../metadata/Product2.tsv"),
    include_str!("../metadata/Profile.tsv"),
    include_str!("../metadata/Quote.tsv"),
    include_str!("../metadata/QuoteLineItem.tsv"),
    include_str!("../metadata/RecordType.tsv"),
    include_str!("../metadata/Task.tsv"),
    include_str!("../metadata/User.tsv"),
    include_str!("../metadata/UserLicense.tsv"),
];

/// The line that names the object.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) label: String,
    pub(super) plural: String,
    pub(super) calls: String,
}

/// The objects that exist under these options, by name.
pub(super) fn objects(options: &Options) -> Vec<Object> {
    FILES.iter().filter_map(|text| object(text, options)).collect()
}

fn object(text: &str, options: &Options) -> Option<Object> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).map(cells);
    let [_, name, prefix, label, plural, calls, feature, _] = lines.next()?;
    if !options.has(feature) {
        return None;
    }
    let [name, prefix, label, plural, calls] = [name, prefix, label, plural, calls].map(str::to_owned);
    let fields = lines.filter_map(|line| field(line, options)).collect();
    Some(Object::new(
        &Head {
            name,
            prefix,
            label,
            plural,
            calls,
        },
        fields,
    ))
}

fn cells(line: &str) -> [&str; 8] {
    let mut cells = [""; 8];
    for (slot, cell) in cells.iter_mut().zip(line.split('\t')) {
        *slot = cell;
    }
    cells
}

fn field(line: [&str; 8], options: &Options) -> Option<Field> {
    let [_, name, kind, size, flags, references, picklist, feature] = line;
    if !options.has(feature) {
        return None;
    }
    let kind = Kind::named(kind)?;
    let (precision, scale) = match size.split_once(',') {
        Some((precision, scale)) => (precision.parse().ok()?, scale.parse().ok()?),
        None => (0, 0),
    };
    let length = match kind {
        Kind::Id | Kind::Reference => 18,
        _ if kind.is_text() => size.parse().ok()?,
        _ => 0,
    };
    let has = |flag: char| flags.contains(flag);
    Some(Field {
        name: name.to_owned(),
        label: label(name),
        kind,
        source: Source::of(name, kind),
        length,
        precision,
        scale,
        nillable: has('n'),
        createable: has('c'),
        updateable: has('u'),
        defaulted: has('d'),
        default_value: None,
        required: has('r'),
        auto_number: has('a'),
        lookup: has('i'),
        restricted: has('p'),
        external_id: has('x'),
        key: has('k'),
        references: list(references, ','),
        relationship: (kind == Kind::Reference).then(|| relationship(name)).flatten(),
        picklist: match picklist {
            "*currencies" => options.currencies.clone(),
            values => list(values, '|'),
        },
        gone: false,
    })
}

/// What every custom object has.
pub(super) fn system_fields() -> Vec<Field> {
    const LINES: &str = include_str!("../metadata/system-fields.tsv");
    let lines = LINES.lines().filter(|line| !line.starts_with('#')).map(cells);
    lines
        .filter_map(|line| field(line, &Options::default()))
        .collect()
}

fn list(text: &str, separator: char) -> Vec<String> {
    text.split(separator)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn relationship(name: &str) -> Option<String> {
    if let Some(stem) = name.strip_suffix("__c") {
        return Some(format!("{stem}__r"));
    }
    name.strip_suffix("Id")
        .filter(|stem| !stem.is_empty())
        .map(str::to_owned)
}

/// `LastModifiedDate` reads "Last Modified Date", `OwnerId` "Owner ID", `Customerp_Id__c` "Customerp Id".
pub(super) fn label(name: &str) -> String {
    if let Some(stem) = name.strip_suffix("__c") {
        return split_words(&stem.replace('_', " "));
    }
    if name.len() > 2
        && let Some(stem) = name.strip_suffix("Id")
    {
        return format!("{} ID", split_words(stem));
    }
    split_words(name)
}

fn split_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && before.is_ascii_lowercase() {
            words.push(' ');
        }
        words.push(letter);
        before = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::salesforce::features::{QueueOptions, RecordTypeOptions};

    #[test]
    fn every_line_of_every_file_is_understood() {
        let all = Options {
            divisions: false,
            person_accounts: true,
            queues: vec![QueueOptions::of("Desk", &[])],
            record_types: vec![RecordTypeOptions::of("Account", "Partner")],
            ..Options::default()
        };
        let most = objects(&Options {
            billing: true,
            ..Options::default()
        });
        for text in FILES {
            let mut lines = text.lines().filter(|line| !line.starts_with('#')).map(cells);
            let head = lines.next().unwrap();
            for line in lines {
                let size = line[3];
                assert!(Kind::named(line[2]).is_some(), "{}.{}", head[1], line[1]);
                assert!(
                    all.has(line[7]) || line[7] == "divisions",
                    "{}.{}",
                    head[1],
                    line[1]
                );
                assert!(
                    size.is_empty() || size.split(',').all(|n| n.parse::<u32>().is_ok()),
                    "{line:?}"
                );
            }
        }
        assert_eq!(most.len(), 18);
    }

    #[test]
    fn labels_read_like_words() {
        assert_eq!(label("LastModifiedDate"), "Last Modified Date");
        assert_eq!(label("OwnerId"), "Owner ID");
        assert_eq!(label("Id"), "Id");
        assert_eq!(label("BillToContact__c"), "Bill To Contact");
    }
}
