//! The describe replies, in the shape of the API.

use serde_json::{Value as Json, json};

use super::children::child_name;
use super::{Field, Kind, Object, Schema};
use crate::salesforce::write::MERGEABLE;

/// One object as the global describe lists it. `base` is `/services/data/vNN.0`.
pub(crate) fn describe_global_entry(object: &Object, base: &str) -> Json {
    let here = format!("{base}/sobjects/{}", object.name);
    json!({
        "name": object.name,
        "label": object.label,
        "labelPlural": object.plural,
        "keyPrefix": object.prefix,
        "custom": object.custom(),
        "customSetting": false,
        "activateable": false,
        "createable": object.createable,
        "updateable": object.updateable,
        "deletable": object.deletable,
        "undeletable": object.deletable,
        "mergeable": MERGEABLE.contains(&object.name.as_str()),
        "queryable": true,
        "retrieveable": true,
        "replicateable": object.replicateable,
        "searchable": object.searchable(),
        "layoutable": true,
        "triggerable": true,
        "feedEnabled": false,
        "deprecatedAndHidden": false,
        "hasSubtypes": false,
        "isInterface": false,
        "isSubtype": false,
        "mruEnabled": false,
        "associateEntityType": null,
        "associateParentEntity": null,
        "interfaceFor": null,
        "urls": {
            "sobject": here,
            "describe": format!("{here}/describe"),
            "rowTemplate": format!("{here}/{{ID}}"),
        },
    })
}

/// The describe of one object.
pub(crate) fn describe(schema: &Schema, object: &Object, base: &str) -> Json {
    let mut reply = describe_global_entry(object, base);
    reply["fields"] = object.fields().map(|field| field_json(object, field)).collect();
    reply["childRelationships"] = child_relationships(schema, object);
    reply["recordTypeInfos"] = json!([]);
    reply["supportedScopes"] = json!([{ "label": "All records", "name": "everything" }]);
    reply["searchLayoutable"] = json!(false);
    reply["compactLayoutable"] = json!(false);
    reply["actionOverrides"] = json!([]);
    reply["namedLayoutInfos"] = json!([]);
    reply["networkScopeFieldName"] = Json::Null;
    reply["extendsInterfaces"] = Json::Null;
    reply["implementedBy"] = Json::Null;
    reply["implementsInterfaces"] = Json::Null;
    reply["defaultImplementation"] = Json::Null;
    reply["listviewable"] = Json::Null;
    reply["lookupLayoutable"] = Json::Null;
    reply["sobjectDescribeOption"] = json!("FULL");
    reply
}

fn child_relationships(schema: &Schema, parent: &Object) -> Json {
    let points_here = |field: &&Field| field.references.contains(&parent.name);
    let children = schema.objects.iter().flat_map(|child| {
        child.fields().filter(points_here).map(|field| {
            json!({
                "childSObject": child.name,
                "field": field.name,
                "cascadeDelete": false,
                "restrictedDelete": false,
                "deprecatedAndHidden": false,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": child_name(child, &field.name),
            })
        })
    });
    Json::Array(children.collect())
}

/// One field, as describe and the record browser's metadata show it.
fn field_json(object: &Object, field: &Field) -> Json {
    let kind = field.kind;
    let plain = kind != Kind::Address && !field.long_text();
    let values = field.picklist.iter().map(|value| {
        json!({
            "active": true,
            "defaultValue": false,
            "label": value,
            "value": value,
            "validFor": null,
        })
    });
    let mut described = json!({
        "name": field.name,
        "label": field.label,
        "type": kind.name(),
        "soapType": kind.soap(),
        "length": field.length,
        "byteLength": field.length * 3,
        "precision": if kind == Kind::Int { 0 } else { field.precision },
        "scale": field.scale,
        "digits": if kind == Kind::Int { field.precision } else { 0 },
        "nillable": field.nillable,
        "createable": field.createable,
        "updateable": field.updateable,
        "defaultedOnCreate": field.defaulted,
        "defaultValue": if kind == Kind::Boolean { json!(false) } else { Json::Null },
        "defaultValueFormula": null,
        "autoNumber": field.auto_number,
        "externalId": field.external_id,
        "idLookup": field.lookup,
        "unique": field.external_id,
        "caseSensitive": field.case_sensitive(),
        "restrictedPicklist": field.restricted,
        "picklistValues": values.collect::<Vec<Json>>(),
        "dependentPicklist": false,
        "controllerName": null,
        "referenceTo": field.references,
        "relationshipName": field.relationship,
    });
    let rest = json!({
        "relationshipOrder": null,
        "referenceTargetField": null,
        "polymorphicForeignKey": field.references.len() > 1,
        "namePointing": field.references.len() > 1,
        "cascadeDelete": false,
        "restrictedDelete": false,
        "writeRequiresMasterRead": false,
        "calculated": false,
        "calculatedFormula": null,
        "formulaTreatNullNumberAsZero": false,
        "custom": field.custom(),
        "nameField": is_name(object, field),
        "filterable": plain,
        "sortable": plain,
        "groupable": plain && !matches!(kind, Kind::DateTime | Kind::Double | Kind::Currency | Kind::Percent),
        "aggregatable": plain,
        "encrypted": false,
        "mask": null,
        "maskType": null,
        "htmlFormatted": false,
        "displayLocationInDecimal": false,
        "deprecatedAndHidden": false,
        "permissionable": field.custom(),
        "queryByDistance": false,
        "searchPrefilterable": false,
        "highScaleNumber": field.scale > 8,
        "inlineHelpText": null,
        "compoundFieldName": null,
        "extraTypeInfo": if kind == Kind::TextArea { json!("plaintextarea") } else { Json::Null },
        "filteredLookupInfo": null,
        "aiPredictionField": false,
    });
    if let (Json::Object(described), Json::Object(rest)) = (&mut described, rest) {
        described.extend(rest);
    }
    described
}

/// Whether the field is what a record of the object is called by: its number where it has one, else its name.
fn is_name(object: &Object, field: &Field) -> bool {
    const NAMES: [&str; 7] = [
        "OrderNumber",
        "OrderItemNumber",
        "LineNumber",
        "DocumentNumber",
        "Name",
        "Subject",
        "MasterLabel",
    ];
    NAMES
        .iter()
        .find(|name| object.named(name).is_some())
        .is_some_and(|name| *name == field.name)
}
