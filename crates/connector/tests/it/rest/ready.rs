//! Descriptions that are ready to start from, against the local service that imitates what is documented of each.

use super::{config, described};
use tandem_connector::proof::{Effort, Verdict, prove};
use tandem_connector::rest::Rest;
use tandem_lab::odata::{Options, Preset, serve};
use tandem_merge::record::RecordType;

pub(crate) const BUSINESS_CENTRAL: &str = include_str!("../../../../../examples/ready/business-central.yaml");
pub(crate) const S4HANA: &str = include_str!("../../../../../examples/ready/s4hana.yaml");

/// All laws on some record types of a preset; what is broken.
async fn broken(preset: Preset, text: &str, types: &[&str], write: bool) -> Vec<String> {
    let server = serve(Options {
        preset,
        records: 6,
        ..Options::default()
    })
    .await
    .unwrap();
    let secrets = [
        ("token", "odata-tandem-token"),
        ("user", "tandem"),
        ("password", "odata-tandem-password"),
    ];
    let rest = Rest::connect(config(&server.url().parse().unwrap(), text, &secrets)).unwrap();
    let types: Vec<RecordType> = types.iter().map(|name| RecordType::new("erp", *name)).collect();
    let proofs = prove(
        &rest,
        &types,
        Effort {
            pages: 50,
            write,
            ..Effort::default()
        },
    )
    .await
    .unwrap();
    let law = "it has the record type";
    assert!(proofs.iter().all(|proof| proof.law != law), "{proofs:#?}");
    let broken = proofs.iter().filter(|proof| proof.verdict == Verdict::Broken);
    broken
        .map(|proof| format!("{:?} {}: {}", proof.record_type, proof.law, proof.seen))
        .collect()
}

#[test]
fn how_long_an_erp_works_on_a_request_is_said() {
    let netsuite = include_str!("../../../../../examples/ready/netsuite.yaml");
    for (text, minutes) in [(BUSINESS_CENTRAL, 10), (netsuite, 15)] {
        let deadline = described(text).request_deadline();
        assert_eq!(deadline, Some(jiff::SignedDuration::from_mins(minutes)));
    }
}

/// Business Central's, filled in for the local service.
pub(crate) fn filled(text: &str) -> String {
    let company = "8f1c2d3e-4a5b-4c6d-8e7f-901a2b3c4d5e";
    let filled = text
        .replace("COMPANY)", &format!("{company})"))
        .replace("/TENANT/ENVIRONMENT/", "/tandem-tenant/sandbox/");
    // The local service gives out its tokens itself.
    let (before, rest) = filled.split_once("session:\n").unwrap();
    let after = rest.find("limits:").unwrap();
    format!("{before}session: {{ kind: bearer }}\n{}", &rest[after..]).replace(", per_minute: 1000", "")
}

#[tokio::test]
async fn business_central_is_read_and_written() {
    let text = filled(BUSINESS_CENTRAL);
    let all = ["Customer", "Contact", "Item", "SalesOrder", "SalesOrderLine"];
    assert_eq!(
        broken(Preset::BusinessCentral, &text, &all, false).await,
        Vec::<String>::new()
    );
    let written = ["Customer", "Item"];
    assert_eq!(
        broken(Preset::BusinessCentral, &text, &written, true).await,
        Vec::<String>::new()
    );
    assert_eq!(described(BUSINESS_CENTRAL).record_types().count(), 5);
}

#[tokio::test]
async fn s4hana_is_read_and_written() {
    let all = [
        "BusinessPartner",
        "Address",
        "Product",
        "SalesOrder",
        "SalesOrderItem",
    ];
    assert_eq!(
        broken(Preset::S4hana, S4HANA, &all, true).await,
        Vec::<String>::new()
    );
}
