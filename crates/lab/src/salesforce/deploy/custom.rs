//! Components as their files describe them.

use roxmltree::{Document, Node};

use super::package::{children, text_of};
use crate::salesforce::schema::{SchemaAction, SchemaChange};

/// One component of a package.
#[derive(Debug)]
pub(super) struct Component {
    /// Its type.
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) file: String,
    /// Line and column of its element, counted from 1.
    pub(super) place: (u32, u32),
    pub(super) what: Result<What, String>,
}

/// What a component asks for.
#[derive(Debug)]
pub(super) enum What {
    /// An object that comes where it is not there yet.
    Object(Box<SchemaChange>),
    /// The head of an object that has to be there.
    Known(String),
    Field(Box<SchemaChange>),
    /// The fields and the objects that it names.
    PermissionSet(Vec<String>, Vec<String>),
    /// The channel and the entity.
    Member(String, String),
}

/// The components of a file; a folder that is not known makes one that is refused.
pub(super) fn read(path: &str, text: &str) -> Vec<Component> {
    let (folder, file) = path.split_once('/').unwrap_or(("", path));
    let name = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let (kind, root) = match folder {
        "objects" => ("CustomObject", "CustomObject"),
        "permissionsets" => ("PermissionSet", "PermissionSet"),
        "platformEventChannelMembers" => ("PlatformEventChannelMember", "PlatformEventChannelMember"),
        _ => {
            let problem = format!("the local org deploys no files of {path}: see docs/local-org.md");
            return vec![whole("", name, path, Err(problem))];
        }
    };
    let document = match Document::parse(text) {
        Ok(document) if document.root_element().tag_name().name() == root => document,
        Ok(_) => {
            let problem = format!("Error parsing file: the root element is not {root}");
            return vec![whole(kind, name, path, Err(problem))];
        }
        Err(error) => {
            let at = error.pos();
            let problem = Err(format!("Error parsing file: {error}"));
            return vec![Component {
                place: (at.row, at.col),
                ..whole(kind, name, path, problem)
            }];
        }
    };
    let node = document.root_element();
    match folder {
        "objects" => object(&document, name, path),
        "permissionsets" => vec![whole(kind, name, path, Ok(permission_set(node)))],
        _ => vec![whole(kind, name, path, member(node))],
    }
}

fn whole(kind: &'static str, name: &str, path: &str, what: Result<What, String>) -> Component {
    Component {
        kind,
        name: name.to_owned(),
        file: path.to_owned(),
        place: (1, 1),
        what,
    }
}

/// The object that has the fields of this one: those of activities are those of tasks.
pub(super) fn object_of(name: &str) -> &str {
    if name == "Activity" { "Task" } else { name }
}

fn object(document: &Document<'_>, name: &str, path: &str) -> Vec<Component> {
    let root = document.root_element();
    let mut found = vec![whole("CustomObject", name, path, head(root, name))];
    for field in children(root, "fields") {
        let own = text_of(field, "fullName").unwrap_or_default();
        let at = document.text_pos_at(field.range().start);
        found.push(Component {
            kind: "CustomField",
            name: format!("{name}.{own}"),
            file: path.to_owned(),
            place: (at.row, at.col),
            what: custom_field(field, object_of(name), own).map(|change| What::Field(Box::new(change))),
        });
    }
    found
}

fn blank(change: SchemaAction, object: &str) -> SchemaChange {
    SchemaChange {
        change,
        object: object.to_owned(),
        field: None,
        label: None,
        plural: None,
        kind: None,
        length: None,
        precision: None,
        scale: None,
        values: Vec::new(),
        references: Vec::new(),
        external_id: false,
        required: false,
        restricted: false,
        default_value: None,
        numbered: None,
        master: false,
    }
}

fn head(root: Node<'_, '_>, name: &str) -> Result<What, String> {
    let of_its_own = ["label", "pluralLabel", "nameField", "sharingModel"];
    if !name.ends_with("__c")
        || of_its_own
            .iter()
            .all(|part| children(root, part).next().is_none())
    {
        return Ok(What::Known(object_of(name).to_owned()));
    }
    let must = |part: &'static str| {
        text_of(root, part).ok_or_else(|| format!("Must specify a non-empty {part} for the CustomObject"))
    };
    let (label, plural) = (must("label")?, must("pluralLabel")?);
    must("sharingModel")?;
    let name_field = children(root, "nameField").next();
    let numbered = match name_field.and_then(|field| Some((field, text_of(field, "type")?))) {
        Some((_, "Text")) => None,
        Some((field, "AutoNumber")) => {
            let format = text_of(field, "displayFormat").filter(|format| format.contains("{0"));
            let format =
                format.ok_or("Must specify 'displayFormat' with a number such as {0} for an AutoNumber")?;
            Some(format.to_owned())
        }
        _ => return Err("Must specify a nameField of type Text or AutoNumber".to_owned()),
    };
    Ok(What::Object(Box::new(SchemaChange {
        label: Some(label.to_owned()),
        plural: Some(plural.to_owned()),
        numbered,
        ..blank(SchemaAction::AddObject, name)
    })))
}

fn custom_field(node: Node<'_, '_>, object: &str, name: &str) -> Result<SchemaChange, String> {
    if !name.ends_with("__c") {
        return Err(format!(
            "the local org deploys custom fields alone, not {object}.{name}"
        ));
    }
    let wanted = text_of(node, "type").ok_or("Must specify 'type' for a CustomField")?;
    let must = |part: &'static str| {
        text_of(node, part).ok_or_else(|| format!("Must specify '{part}' for a CustomField of type {wanted}"))
    };
    let size = |part: &'static str, most: u32| {
        let number = must(part)?.parse().ok().filter(|number: &u32| *number <= most);
        number.ok_or_else(|| {
            format!("Value for '{part}' of a CustomField of type {wanted} must be between 0 and {most}")
        })
    };
    let is = |part: &'static str| text_of(node, part) == Some("true");
    let label = text_of(node, "label").ok_or("Must specify a non-empty label for the CustomField")?;
    let mut change = SchemaChange {
        field: Some(name.to_owned()),
        label: Some(label.to_owned()),
        required: is("required"),
        ..blank(SchemaAction::AddField, object)
    };
    let sized = |change: &mut SchemaChange, kind: &str, length: usize| {
        change.kind = Some(kind.to_owned());
        change.length = Some(length);
    };
    match wanted {
        "Text" => {
            sized(&mut change, "string", size("length", 255)? as usize);
            change.external_id = external_id(is("externalId"), is("unique"), is("caseSensitive"))?;
        }
        "LongTextArea" => {
            must("visibleLines")?;
            sized(&mut change, "textarea", size("length", 131_072)? as usize);
        }
        "TextArea" | "Url" => sized(&mut change, if wanted == "Url" { "url" } else { "textarea" }, 255),
        "Email" => sized(&mut change, "email", 80),
        "Phone" => sized(&mut change, "phone", 40),
        "Date" | "DateTime" => change.kind = Some(wanted.to_ascii_lowercase()),
        "Checkbox" => {
            change.kind = Some("boolean".to_owned());
            change.default_value = Some(must("defaultValue")?.to_owned());
        }
        "Number" | "Currency" | "Percent" => {
            let kind = if wanted == "Number" {
                "double".to_owned()
            } else {
                wanted.to_ascii_lowercase()
            };
            let precision = size("precision", 18)?;
            change.kind = Some(kind);
            change.precision = Some(precision);
            change.scale = Some(size("scale", precision.min(17))?);
        }
        "Picklist" => picklist(node, &mut change)?,
        "Lookup" | "MasterDetail" => {
            must("relationshipName")?;
            change.kind = Some("reference".to_owned());
            change.references = vec![must("referenceTo")?.to_owned()];
            change.master = wanted == "MasterDetail";
        }
        "AutoNumber"
        | "ExternalLookup"
        | "File"
        | "Hierarchy"
        | "Html"
        | "IndirectLookup"
        | "Location"
        | "EncryptedText"
        | "MetadataRelationship"
        | "MultiselectPicklist"
        | "Summary"
        | "Time" => {
            return Err(format!(
                "the local org has no custom fields of type {wanted}: see docs/local-org.md"
            ));
        }
        _ => {
            return Err(format!(
                "Error parsing file: '{wanted}' is not a valid value for the enum 'FieldType'"
            ));
        }
    }
    Ok(change)
}

/// Ids of other systems are unique and tell case apart; anything between that and an ordinary text is refused.
fn external_id(external: bool, unique: bool, case_sensitive: bool) -> Result<bool, String> {
    match (external, unique, case_sensitive) {
        (false, false, _) => Ok(false),
        (true, true, true) => Ok(true),
        _ => Err(
            "the local org has external ids that are unique and case-sensitive, and no other unique or \
                  external fields"
                .to_owned(),
        ),
    }
}

fn picklist(node: Node<'_, '_>, change: &mut SchemaChange) -> Result<(), String> {
    let set = children(node, "valueSet").next();
    let definition = set.and_then(|set| children(set, "valueSetDefinition").next());
    let (Some(set), Some(definition)) = (set, definition) else {
        return Err("Must specify either 'valueSet' with a 'valueSetDefinition' for a CustomField of type Picklist; the \
                    local org has no global value sets"
            .to_owned());
    };
    for value in children(definition, "value") {
        let name = text_of(value, "fullName").ok_or("Must specify 'fullName' for a value of a picklist")?;
        change.values.push(name.to_owned());
        if text_of(value, "default") == Some("true") {
            change.default_value = Some(name.to_owned());
        }
    }
    change.kind = Some("picklist".to_owned());
    change.restricted = text_of(set, "restricted") == Some("true");
    Ok(())
}

fn permission_set(node: Node<'_, '_>) -> What {
    let listed = |list: &'static str, name: &'static str| {
        children(node, list)
            .filter_map(|one| text_of(one, name))
            .map(str::to_owned)
            .collect()
    };
    What::PermissionSet(
        listed("fieldPermissions", "field"),
        listed("objectPermissions", "object"),
    )
}

fn member(node: Node<'_, '_>) -> Result<What, String> {
    let must =
        |part: &'static str| text_of(node, part).ok_or_else(|| format!("Required field is missing: {part}"));
    Ok(What::Member(
        must("eventChannel")?.to_owned(),
        must("selectedEntity")?.to_owned(),
    ))
}
