//! What the user of a database may not do, and a flow would.

use super::compare::{Finding, Weight};
use tandem_connector::{PropertySchema, Schema, TypeSchema};
use tandem_merge::config::Connection;
use tandem_merge::dataflow::{CreatePolicy, Dataflow, DeletePolicy, Flow, Side};

/// One finding for each right that a flow needs in a database and that its user lacks.
pub(super) fn findings(
    connection: &Connection,
    schema: &Schema,
    flows: &Dataflow,
    user: &str,
) -> Vec<Finding> {
    if connection.kind != "sql" {
        return Vec::new();
    }
    let ends = flows
        .flows
        .iter()
        .flat_map(|flow| Side::BOTH.map(|side| (flow, side)));
    let own = ends.filter(|(flow, side)| flow.end(*side).record_type.system == connection.name);
    own.flat_map(|(flow, side)| {
        let described = schema.types.get(&flow.end(side).record_type.name);
        described.map_or_else(Vec::new, |described| of_end(flow, side, described, user))
    })
    .collect()
}

/// Where columns can be written and the table cannot, it is a right that lacks; what the configuration or the description keeps
/// from being written shows at the columns, too.
fn of_end(flow: &Flow, side: Side, described: &TypeSchema, user: &str) -> Vec<Finding> {
    let (end, from) = (flow.end(side), flow.end(side.other()));
    let any = |can: fn(&PropertySchema) -> bool| described.properties.values().any(can);
    let (given, changed) = (
        any(|property| property.createable),
        any(|property| property.updateable),
    );
    let travels = flow.mappings.iter().any(|mapping| mapping.travels_to(side));
    let needs = [
        (
            "INSERT INTO",
            end.create != CreatePolicy::Off && given && !described.createable,
        ),
        ("UPDATE", travels && changed && !described.updateable),
        (
            "DELETE FROM",
            from.on_delete == DeletePolicy::Propagate && (given || changed) && !described.deletable,
        ),
    ];
    let lacking = needs.into_iter().filter(|(_, lacks)| end.write && *lacks);
    let finding = |(right, _): (&str, bool)| {
        let does = match right {
            "INSERT INTO" => "creates records",
            "UPDATE" => "writes",
            _ => "deletes",
        };
        let what = format!(
            "{user} may not {right} {}, but the flow {} {does} there",
            described.object, flow.name
        );
        Finding::new(
            Weight::Wrong,
            flow,
            what,
            "let a database administrator grant it, or have the flow not do so",
        )
    };
    lacking.map(finding).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_merge::config::{Sources, load};

    const MAIN: &str = "
connections:
  erp: { kind: sql, url: 'sqlite:erp.db', description: erp.yaml }
  shop: { kind: sql, url: 'sqlite:shop.db', description: shop.yaml }
flows: flows
";
    const FLOW: &str = "
flow: customer
erp: Kunde
shop: Client
match: [{ name: trim }]
create: { erp: on, shop: on }
on_delete: { erp: ask, shop: propagate }
properties:
  - { erp: name, shop: title }
";

    #[test]
    fn each_right_that_a_flow_needs_and_the_user_lacks_is_told() {
        let sources = Sources {
            main: ("tandem.yaml".to_owned(), MAIN.to_owned()),
            flows: vec![("customer.yaml".to_owned(), FLOW.to_owned())],
            kinds: tandem_connector::kinds::KINDS,
        };
        let configuration = load(&sources).unwrap();
        let name = PropertySchema {
            createable: true,
            updateable: true,
            ..PropertySchema::default()
        };
        let mut kunde = TypeSchema {
            object: "kunden".to_owned(),
            properties: [("name".to_owned(), name)].into(),
            ..TypeSchema::default()
        };
        let told = |kunde: &TypeSchema| -> Vec<String> {
            let schema = Schema {
                types: [("Kunde".to_owned(), kunde.clone())].into(),
                ..Schema::default()
            };
            let found = findings(
                &configuration.connections[0],
                &schema,
                &configuration.dataflow,
                "tandem",
            );
            assert!(found.iter().all(|finding| finding.weight == Weight::Wrong));
            found.into_iter().map(|finding| finding.what).collect()
        };
        assert_eq!(
            told(&kunde),
            [
                "tandem may not INSERT INTO kunden, but the flow customer creates records there",
                "tandem may not UPDATE kunden, but the flow customer writes there",
                "tandem may not DELETE FROM kunden, but the flow customer deletes there",
            ]
        );
        kunde.createable = true;
        kunde.updateable = true;
        kunde.deletable = true;
        assert_eq!(told(&kunde), [""; 0]);
        // What is only read by the description's own word is no matter of rights.
        let columns = kunde.properties.values_mut();
        columns.for_each(|column| (column.createable, column.updateable) = (false, false));
        (kunde.createable, kunde.updateable, kunde.deletable) = (false, false, false);
        assert_eq!(told(&kunde), [""; 0]);
    }
}
