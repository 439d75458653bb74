//! Flows for record types that look like objects of Salesforce, to be finished by hand.

use super::likeness::{Likeness, Row};
use super::names::{means, names, plain};
use super::picture::{Kind, Property};
use super::yaml::{comment, list, scalar, table};

/// A flow file.
#[derive(Clone, Debug)]
pub(crate) struct FlowFile {
    pub(crate) name: &'static str,
    /// The record type.
    pub(crate) of: String,
    pub(crate) object: &'static str,
    pub(crate) text: String,
    /// How many of its rows are kept by another name than Salesforce's.
    pub(crate) guessed: usize,
    /// Its records are parts of others, such as lines.
    pub(crate) has_parent: bool,
    /// What of the record type no row maps, what counts first.
    pub(crate) unmapped: Vec<String>,
}

/// The flow of a likeness; `erp` is what the ERP's connection is called.
pub(crate) fn flow(draft: &Likeness, all: &[Likeness], erp: &str) -> FlowFile {
    let Likeness { of, object, rows } = draft;
    let mut text = comment(
        0,
        &format!(
            "Proposed for {} and {}: look at every row, and add what is missing.",
            of.name, object.name
        ),
    );
    let mut put = |key: &str, value: &str| text += &format!("{key}: {value}\n");
    put("flow", object.flow);
    let parent = rows.iter().find(|row| row.target.is("parent"));
    if let Some((flow, row)) = parent.and_then(|row| Some((row.target.refers_to()?, row))) {
        put("supports", flow);
        put("rolls_up_to", &scalar(&row.property.name));
    }
    put(erp, &scalar(&of.name));
    put("salesforce", object.name);
    put("match", &keys(draft, erp));
    let conflict = if object.conflict == "erp" {
        erp
    } else {
        object.conflict
    };
    put("conflict", conflict);
    match parent {
        // A line that goes in the ERP goes with its order; what goes in Salesforce takes nothing of the ERP's with it unasked.
        Some(_) => put(
            "on_delete",
            &format!(
                "{}   # guessed: the ERP's lines are its own; ask: may a deletion in Salesforce delete lines in the ERP? Then \
                 write propagate",
                table(&[(erp, "propagate"), ("salesforce", "ask")])
            ),
        ),
        None => put("on_delete", &table(&[(erp, "ask"), ("salesforce", "ask")])),
    }
    put("create", &table(&[("salesforce", "on"), (erp, "off")]));
    if object.name == "User" {
        put("needs_approval", &approval(rows));
    }
    text += "identity:\n";
    let own = of
        .properties
        .iter()
        .find(|property| property.unique && !property.read_only && means(&property.name, "identity"));
    if let Some(own) = own {
        text += &format!("  {erp}: {{ property: {} }}\n", scalar(&own.name));
    }
    text += &format!(
        "  salesforce: {{ property: Customerp_Id__c, prefix: \"{}:\" }}\n",
        of.name.replace(['"', '\\'], "")
    );
    text += constants(object.name);
    text += "properties:\n";
    for row in rows {
        text += &format!("  - {}{}\n", table(&cells(row, of.updates, erp)), marked(row));
    }
    let unmapped = unmapped(draft, own);
    if !unmapped.is_empty() {
        text += &comment(
            1,
            "No row maps these: add one for each that is to be kept in step.",
        );
    }
    for property in &unmapped {
        text += &comment(1, &format!("- {}: {}", property.name, property.kind.text()));
    }
    if object.name == "Quote" {
        text += &companions(draft, all);
    }
    FlowFile {
        name: object.flow,
        of: of.name.clone(),
        object: object.name,
        text,
        guessed: rows.iter().filter(|row| !row.is_plain()).count(),
        has_parent: parent.is_some(),
        unmapped: unmapped.iter().map(|property| property.name.clone()).collect(),
    }
}

/// What no row maps and people may miss: money, status and numbers first. What the record type's own keys hold is none of it.
fn unmapped<'a>(draft: &'a Likeness, own: Option<&Property>) -> Vec<&'a Property> {
    /// What the connector keeps for itself.
    const KEPT: [&str; 7] = [
        "modified",
        "created",
        "author",
        "version",
        "deleted",
        "deletedat",
        "id",
    ];
    let of = &draft.of;
    let keys: Vec<&str> = of
        .lines
        .iter()
        .filter(|line| line.key == "key")
        .map(|line| line.text.as_str())
        .collect();
    let is_key = |name: &str| {
        keys.iter()
            .any(|key| key.trim_matches(['[', ']']).split(", ").any(|part| part == name))
    };
    let missed = |property: &&Property| {
        let mapped = draft.rows.iter().any(|row| row.property.name == property.name);
        let kept = KEPT.iter().any(|what| means(&property.name, what));
        !mapped && !kept && !is_key(&property.name) && own.is_none_or(|own| own.name != property.name)
    };
    let mut all: Vec<&Property> = of.properties.iter().filter(missed).collect();
    all.sort_by_key(|property| match property.kind {
        _ if counts(&property.name) => 0,
        Kind::Integer | Kind::Decimal(_) => 1,
        _ => 2,
    });
    all
}

/// Whether a name sounds like money or status.
fn counts(name: &str) -> bool {
    let plain = plain(name);
    names("counts").iter().any(|word| plain.contains(word))
}

fn marked(row: &Row) -> String {
    match row.is_plain() {
        true => String::new(),
        false => "   # guessed: by its name; ask: are the two the same?".to_owned(),
    }
}

/// What a create is given besides the rows.
fn constants(object: &str) -> &'static str {
    match object {
        "Order" => {
            "constants:\n  # Lines need a price book, and an order begins as a draft.\n  salesforce: { Pricebook2Id: \"derive:standard-price-book\", Status: Draft }\n"
        }
        "Quote" => {
            "constants:\n  # Lines need a price book.\n  salesforce: { Pricebook2Id: \"derive:standard-price-book\" }\n"
        }
        "OrderItem" | "QuoteLineItem" => {
            "constants:\n  # The entry of the price book for the line's product; created where there is none.\n  salesforce: { PricebookEntryId: \"derive:price-book-entry\" }\n"
        }
        "User" => {
            "constants:\n  # Accounts are created only where the connection's `users:` says with which profile.\n  salesforce:\n    \
             ProfileId: \"profile:${users.profile}\"\n    Alias: derive:alias\n    CommunityNickname: derive:nickname\n    \
             TimeZoneSidKey: ${users.time_zone}\n    LocaleSidKey: ${users.locale}\n    EmailEncodingKey: ${users.encoding}\n    \
             LanguageLocaleKey: ${users.language}\n"
        }
        _ => "",
    }
}

/// An administrator's word stands: accounts are not taken over from here, nor switched on again.
fn approval(rows: &[Row]) -> String {
    let active = rows.iter().find(|row| row.target.name == "IsActive");
    let mut keys = Vec::new();
    keys.extend(active.map(|row| ("values", table(&[(row.property.name.as_str(), "true")]))));
    keys.push(("links", "true".to_owned()));
    table(&[("salesforce", table(&keys))])
}

/// The match keys whose properties are all there.
fn keys(draft: &Likeness, erp: &str) -> String {
    let by = |target: &str| draft.rows.iter().find(|row| row.target.name == target);
    let rules = draft.object.keys.iter().filter_map(|key| {
        let (property, rest) = key.split_once(':')?;
        let row = by(property)?;
        let mut words = rest.split(' ');
        let mut rule = vec![(row.property.name.clone(), words.next()?.to_owned())];
        let Some(what) = words.next() else {
            return Some(table(&rule));
        };
        if what == "within" {
            // A quote has no account of its own: it is its opportunity's.
            let account = by("-AccountId")?;
            let keys = [
                (erp, scalar(&account.property.name)),
                ("salesforce", "AccountId".to_owned()),
                ("references", "customer".to_owned()),
            ];
            rule.push((what.to_owned(), table(&keys)));
            return Some(table(&rule));
        }
        let others: Vec<&str> = words
            .filter_map(by)
            .map(|row| row.property.name.as_str())
            .collect();
        match (what, others.is_empty()) {
            // What must agree and cannot be told makes no key.
            ("agree", true) => return None,
            (_, true) => {}
            _ => rule.push((what.to_owned(), list(&others))),
        }
        Some(table(&rule))
    });
    let rules: Vec<String> = rules.collect();
    match rules.is_empty() {
        true => "[]".to_owned(),
        false => rules.iter().map(|rule| format!("\n  - {rule}")).collect(),
    }
}

/// A row of a flow.
fn cells(row: &Row, updates: bool, erp: &str) -> Vec<(String, String)> {
    let Row { property, target } = row;
    let mut cells: Vec<(String, String)> = vec![(erp.to_owned(), scalar(&property.name))];
    let mut put = |key: &str, value: &str| cells.push((key.to_owned(), value.to_owned()));
    if target.name.starts_with('-') {
        if let Kind::Reference(to) = &property.kind {
            put(&format!("{erp}_type"), &scalar(&format!("reference({to})")));
        }
        put("direction", "to-salesforce");
        put(
            "note",
            &scalar("through the opportunity, whose account is the customer's"),
        );
        return cells;
    }
    put("salesforce", target.name);
    if let Some(flow) = target.refers_to() {
        put("references", flow);
    }
    if let Some(written) = row_type(&property.kind, &target.data_type) {
        put("type", &written);
    }
    if !matches!(
        target.data_type.as_str(),
        "string" | "boolean" | "date" | "reference"
    ) {
        put("salesforce_type", &scalar(&target.data_type));
    }
    if !target.length.is_empty() {
        put("salesforce_length", target.length);
    }
    let read_only = property.read_only || !updates && !property.create_only;
    if target.is("person") {
        put("direction", &format!("to-{erp}"));
        put("on_create", "value");
    } else if read_only || target.is("to-salesforce") {
        put("direction", "to-salesforce");
    }
    let mut once = Vec::new();
    if target.is("parent") || property.create_only && !read_only {
        once.push(erp);
    }
    if target.is("parent") || target.is("given") {
        once.push("salesforce");
    }
    let mut blank = Vec::new();
    if property.required || target.is("parent") {
        blank.push(erp);
    }
    if target.is("required") || target.is("filled") || target.is("owner") || target.is("person") {
        blank.push("salesforce");
    }
    if !once.is_empty() {
        put("create_only", &list(&once));
    }
    if target.is("filled") || target.is("owner") {
        put("filled_on_create", "[salesforce]");
    }
    if !blank.is_empty() {
        put("never_blank", &list(&blank));
    }
    if target.is("owner") {
        put(
            "or",
            &table(&[(erp, "nothing"), ("salesforce", "\"user:${owner}\"")]),
        );
    } else if target.is("self") {
        put("or", &table(&[(erp, "nothing"), ("salesforce", "nothing")]));
    }
    if target.is("reverse") || target.is("parent") {
        put("reverse", "required");
    } else if target.is("optional") {
        put("reverse", "optional");
    }
    if target.is("personal") {
        put("personal", "true");
    }
    cells
}

/// The type of a row, where it is no text.
fn row_type(kind: &Kind, theirs: &str) -> Option<String> {
    Some(match (kind, theirs.split('(').next().unwrap_or_default()) {
        (Kind::Boolean, _) => "boolean".to_owned(),
        (Kind::Date, _) => "date".to_owned(),
        (Kind::Integer, "double" | "currency") => "\"decimal(18,0)\"".to_owned(),
        (Kind::Decimal(digits), _) => format!("\"decimal(18,{})\"", digits.map_or(2, |(_, scale)| scale)),
        _ => return None,
    })
}

/// A quote stands below an opportunity, which is made with it.
fn companions(draft: &Likeness, all: &[Likeness]) -> String {
    let by = |target: &str| {
        draft
            .rows
            .iter()
            .find(|row| row.target.name == target)
            .map(|row| scalar(&row.property.name))
    };
    let customer = all
        .iter()
        .find(|other| other.object.flow == "customer")
        .map(|other| &other.of.name);
    let account = by("-AccountId").zip(customer);
    let mut text = String::from("companions:\n");
    if let Some((account, customer)) = &account {
        text += &format!(
            "  - {{ role: Account, salesforce: AccountId, of: {account}, object: Account, find: [Customerp_Id__c, Name], \
             identity: {{ property: Customerp_Id__c, prefix: \"{customer}:\" }} }}\n"
        );
    }
    let name = by("Name").unwrap_or_default();
    let closes = by("ExpirationDate").map_or_else(
        || "constant: 2030-12-31".to_owned(),
        |until| format!("any_of: [{until}], otherwise: 2030-12-31"),
    );
    text += &format!(
        "  # One opportunity per quote.\n  - role: Opportunity\n    salesforce: OpportunityId\n    of: id\n    object: Opportunity\n    \
         find: [Customerp_Id__c]\n    identity: {{ property: Customerp_Id__c, prefix: \"{}:\" }}\n    create: true\n    values:\n      \
         Name: {name}\n      StageName: {{ constant: Prospecting }}\n      CloseDate: {{ {closes} }}\n",
        draft.of.name
    );
    if let Some((account, _)) = &account {
        text += &format!("      AccountId: {{ companion: Account, of: {account} }}\n");
    }
    text
}
