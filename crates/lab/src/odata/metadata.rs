//! `$metadata`: the description of a service as an EDMX document, in the form of its version.

use axum::http::StatusCode;

use super::exchange::Answer;
use super::model::{EntitySet, Filling, Kind, Model, Navigation, Property, Service, Version};

pub(crate) fn answer(model: &Model, service: &Service) -> Answer {
    let text = match service.version {
        Version::V4 => v4(model, service),
        Version::V2 => v2(model, service),
    };
    Answer::text(StatusCode::OK, "application/xml;charset=utf-8", text)
}

fn sets<'a>(model: &'a Model, service: &'a Service) -> impl Iterator<Item = &'a EntitySet> {
    service.sets.iter().map(|set| &model.sets[*set])
}

fn ways<'a>(set: &'a EntitySet, service: &'a Service) -> impl Iterator<Item = &'a Navigation> {
    set.navigations
        .iter()
        .filter(|way| service.sets.contains(&way.target))
}

fn key(set: &EntitySet) -> String {
    let names = set.key.iter().map(|property| &set.properties[*property].name);
    let refs = names.map(|name| format!("<PropertyRef Name=\"{name}\"/>"));
    format!("<Key>{}</Key>", refs.collect::<String>())
}

/// A property's type and facets, as attributes.
fn facets(property: &Property, version: Version) -> String {
    let mut text = format!(
        "Name=\"{}\" Type=\"{}\"",
        property.name,
        property.kind.name(version)
    );
    if property.required {
        text.push_str(" Nullable=\"false\"");
    }
    match property.kind {
        Kind::Text(most) => text.push_str(&format!(" MaxLength=\"{most}\"")),
        Kind::Decimal { precision, scale } => {
            text.push_str(&format!(" Precision=\"{precision}\" Scale=\"{scale}\""));
        }
        Kind::Moment if version == Version::V4 => text.push_str(" Precision=\"3\""),
        Kind::Moment | Kind::Time if version == Version::V2 => text.push_str(" Precision=\"0\""),
        Kind::Date if version == Version::V2 => text.push_str(" Precision=\"0\" sap:display-format=\"Date\""),
        _ => {}
    }
    text
}

fn v4(model: &Model, service: &Service) -> String {
    let (mut types, mut container) = (String::new(), String::new());
    for set in sets(model, service) {
        types.push_str(&format!("<EntityType Name=\"{}\">{}", set.type_name, key(set)));
        for (_, property) in set.shown() {
            types.push_str(&format!("<Property {}", facets(property, Version::V4)));
            if property.filling.computed() {
                types.push_str("><Annotation Term=\"Org.OData.Core.V1.Computed\"/></Property>");
            } else if property.once && !matches!(property.filling, Filling::Number { .. }) {
                types.push_str("><Annotation Term=\"Org.OData.Core.V1.Immutable\"/></Property>");
            } else {
                types.push_str("/>");
            }
        }
        for way in ways(set, service) {
            types.push_str(&way_v4(model, service, set, way));
        }
        types.push_str("</EntityType>");
        if !set.contained {
            container.push_str(&set_v4(model, service, set));
        }
    }
    let namespace = &service.namespace;
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices>\
         <Schema Namespace=\"{namespace}\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">{types}\
         <EntityContainer Name=\"Container\">{container}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )
}

/// By which properties an entity names the one that it refers to: a constraint runs from the referring entity alone.
fn constraint<'a>(model: &'a Model, set: &'a EntitySet, way: &Navigation) -> Vec<(&'a str, &'a str)> {
    let target = &model.sets[way.target];
    let pairs = way.by.iter().filter(|_| !way.many);
    let pairs = pairs.map(|(own, theirs)| (&set.properties[*own], &target.properties[*theirs]));
    pairs
        .filter(|(own, theirs)| !own.hidden && !theirs.hidden)
        .map(|(own, theirs)| (own.name.as_str(), theirs.name.as_str()))
        .collect()
}

fn way_v4(model: &Model, service: &Service, set: &EntitySet, way: &Navigation) -> String {
    let target = &model.sets[way.target];
    let name = format!("{}.{}", service.namespace, target.type_name);
    let full = if way.many {
        format!("Collection({name})")
    } else {
        name
    };
    let contains = if target.contained {
        " ContainsTarget=\"true\""
    } else {
        ""
    };
    let mut text = format!(
        "<NavigationProperty Name=\"{}\" Type=\"{full}\"{contains}",
        way.name
    );
    let pairs = constraint(model, set, way);
    if pairs.is_empty() {
        text.push_str("/>");
        return text;
    }
    text.push('>');
    for (own, theirs) in pairs {
        text.push_str(&format!(
            "<ReferentialConstraint Property=\"{own}\" ReferencedProperty=\"{theirs}\"/>"
        ));
    }
    text.push_str("</NavigationProperty>");
    text
}

fn set_v4(model: &Model, service: &Service, set: &EntitySet) -> String {
    let mut text = format!(
        "<EntitySet Name=\"{}\" EntityType=\"{}.{}\">",
        set.name, service.namespace, set.type_name
    );
    for way in ways(set, service).filter(|way| !model.sets[way.target].contained) {
        let target = &model.sets[way.target].name;
        text.push_str(&format!(
            "<NavigationPropertyBinding Path=\"{}\" Target=\"{target}\"/>",
            way.name
        ));
    }
    text.push_str(
        "<Annotation Term=\"Org.OData.Capabilities.V1.ChangeTracking\"><Record>\
                   <PropertyValue Property=\"Supported\" Bool=\"true\"/></Record></Annotation>",
    );
    let mut restricted = |term: &str, property: &str| {
        text.push_str(&format!(
            "<Annotation Term=\"Org.OData.Capabilities.V1.{term}\"><Record>\
             <PropertyValue Property=\"{property}\" Bool=\"false\"/></Record></Annotation>"
        ));
    };
    if set.fixed {
        restricted("InsertRestrictions", "Insertable");
        restricted("UpdateRestrictions", "Updatable");
    }
    if set.fixed || set.permanent {
        restricted("DeleteRestrictions", "Deletable");
    }
    text.push_str("</EntitySet>");
    text
}

fn v2(model: &Model, service: &Service) -> String {
    let (mut types, mut associations) = (String::new(), String::new());
    let (mut container, mut bound_sets) = (String::new(), String::new());
    let namespace = &service.namespace;
    for set in sets(model, service) {
        let (insert, change, delete) = (!set.fixed, !set.fixed, !set.fixed && !set.permanent);
        container.push_str(&format!(
            "<EntitySet Name=\"{}\" EntityType=\"{namespace}.{}\" sap:creatable=\"{insert}\" sap:updatable=\"{change}\" \
             sap:deletable=\"{delete}\"/>",
            set.name, set.type_name
        ));
        types.push_str(&format!("<EntityType Name=\"{}\">{}", set.type_name, key(set)));
        for (_, property) in set.shown() {
            types.push_str(&format!("<Property {}", facets(property, Version::V2)));
            let computed = property.filling.computed();
            if computed {
                types.push_str(" sap:creatable=\"false\"");
            }
            if computed || property.once {
                types.push_str(" sap:updatable=\"false\"");
            }
            types.push_str("/>");
        }
        for way in ways(set, service) {
            let name = format!("{}_{}", set.type_name, way.name);
            types.push_str(&format!(
                "<NavigationProperty Name=\"{}\" Relationship=\"{namespace}.{name}\" FromRole=\"From_{name}\" \
                 ToRole=\"To_{name}\"/>",
                way.name
            ));
            let (association, bound) = association(model, service, set, way, &name);
            associations.push_str(&association);
            bound_sets.push_str(&bound);
        }
        types.push_str("</EntityType>");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <edmx:Edmx Version=\"1.0\" xmlns:edmx=\"http://schemas.microsoft.com/ado/2007/06/edmx\" \
         xmlns:m=\"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata\" \
         xmlns:sap=\"http://www.sap.com/Protocols/SAPData\"><edmx:DataServices m:DataServiceVersion=\"2.0\">\
         <Schema Namespace=\"{namespace}\" xmlns=\"http://schemas.microsoft.com/ado/2008/09/edm\">{types}{associations}\
         <EntityContainer Name=\"{namespace}_Entities\" m:IsDefaultEntityContainer=\"true\">{container}{bound_sets}\
         </EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )
}

/// The association of a way, and the association set.
fn association(
    model: &Model,
    service: &Service,
    set: &EntitySet,
    way: &Navigation,
    name: &str,
) -> (String, String) {
    let (namespace, target) = (&service.namespace, &model.sets[way.target]);
    let (from, to) = if way.many { ("1", "*") } else { ("*", "0..1") };
    let pairs = constraint(model, set, way);
    let names = |of: fn(&(&str, &str)) -> String| pairs.iter().map(of).collect::<String>();
    let constrained = match pairs.is_empty() {
        true => String::new(),
        false => format!(
            "<ReferentialConstraint><Principal Role=\"To_{name}\">{}</Principal><Dependent Role=\"From_{name}\">{}</Dependent>\
             </ReferentialConstraint>",
            names(|(_, theirs)| format!("<PropertyRef Name=\"{theirs}\"/>")),
            names(|(own, _)| format!("<PropertyRef Name=\"{own}\"/>"))
        ),
    };
    let association = format!(
        "<Association Name=\"{name}\"><End Type=\"{namespace}.{}\" Multiplicity=\"{from}\" Role=\"From_{name}\"/>\
         <End Type=\"{namespace}.{}\" Multiplicity=\"{to}\" Role=\"To_{name}\"/>{constrained}</Association>",
        set.type_name, target.type_name
    );
    let bound = format!(
        "<AssociationSet Name=\"{name}_Set\" Association=\"{namespace}.{name}\">\
         <End EntitySet=\"{}\" Role=\"From_{name}\"/><End EntitySet=\"{}\" Role=\"To_{name}\"/></AssociationSet>",
        set.name, target.name
    );
    (association, bound)
}
