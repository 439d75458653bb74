//! How many digits behind the point either system holds, and how many a row keeps.

use super::compare::{Finding, Weight};
use tandem_connector::{PropertySchema, Schema};
use tandem_merge::config::scale_to_write;
use tandem_merge::dataflow::{Flow, Kind, Mapping, Side};

/// One finding for each decimal that a system rounds, or that its description makes whole.
pub(super) fn findings(flow: &Flow, schemas: &[Schema; 2]) -> Vec<Finding> {
    let described = |mapping: &Mapping| {
        Side::BOTH.map(|side| {
            let of = schemas[side.index()]
                .types
                .get(&flow.end(side).record_type.name)?;
            of.properties.get(mapping.property(side)).cloned()
        })
    };
    let rows = flow.mappings.iter();
    rows.flat_map(|mapping| {
        let described = described(mapping);
        let whole = Side::BOTH.map(|side| made_whole(flow, mapping, side, described[side.index()].as_ref()));
        let mut found: Vec<Finding> = whole.into_iter().flatten().collect();
        found.extend(of_row(flow, mapping, &described));
        found
    })
    .collect()
}

/// The type to write for a decimal, by its own digits; none where its system does not say them.
pub(super) fn own(described: &PropertySchema) -> Option<String> {
    let exact = ["decimal", "currency", "double", "percent"].contains(&described.data_type.as_str());
    let (all, behind) = described.precision.zip(described.scale)?;
    exact.then(|| format!("decimal({all},{behind})"))
}

/// A column with digits behind the point that the description calls a whole number.
fn made_whole(
    flow: &Flow,
    mapping: &Mapping,
    side: Side,
    described: Option<&PropertySchema>,
) -> Option<Finding> {
    let described = described?;
    let scale = described.scale.filter(|scale| *scale > 0)?;
    let name = mapping.property(side);
    let what = format!(
        "{}.{name} has {scale} digits behind the point, and is described as integer",
        flow.end(side).object
    );
    let why = "leave its `type` out of the description, or write decimal";
    (described.data_type == "integer").then(|| Finding::new(Weight::Wrong, flow, what, why).about(name))
}

/// What of a row's digits gets lost, or is kept on one side alone.
fn of_row(flow: &Flow, mapping: &Mapping, described: &[Option<PropertySchema>; 2]) -> Option<Finding> {
    let Kind::Decimal { scale: kept } = mapping.kind else {
        return None;
    };
    let scales = described
        .each_ref()
        .map(|one| one.as_ref().and_then(|one| one.scale));
    let place = |side: Side| format!("{}.{}", flow.end(side).object, mapping.property(side));
    let finding = |weight, what: String, why: String| {
        Some(Finding::new(weight, flow, what, why).about(mapping.property(Side::First)))
    };
    let [first, second] = Side::BOTH.map(place);
    if let (Some(scale), [Some(here), Some(there)]) = (scale_to_write(&mapping.kind, scales), scales) {
        let all = described[0].as_ref().and_then(|one| one.precision).unwrap_or(18);
        let what = format!(
            "{first} has {here} digits behind the point and {second} has {there}, but the row keeps {kept}"
        );
        let why = format!("the others would be rounded away: write `type: decimal({all},{scale})`");
        return finding(Weight::Wrong, what, why);
    }
    let (wide, narrow) = match scales {
        [Some(here), Some(there)] if here != there => (here.max(there), here.min(there)),
        [Some(one), None] | [None, Some(one)] if kept < one => (one, kept),
        _ => return None,
    };
    let said =
        |scale: Option<u32>| scale.map_or_else(|| "any number of".to_owned(), |scale| scale.to_string());
    let what = format!(
        "{first} has {} digits behind the point and {second} has {}",
        said(scales[0]),
        said(scales[1])
    );
    let why = match kept > narrow {
        false => format!(
            "values are compared and carried rounded to {kept} (half away from zero); what stands behind stays where it is until \
             the value is edited on the other side"
        ),
        true => format!(
            "a value that needs {wide} is carried whole; where the other side rounds it, it is parked and told"
        ),
    };
    finding(Weight::Limit, what, why)
}
