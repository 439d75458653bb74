//! OData services: what their metadata says is proposed in the words of the dialect, and kept in step as it stands.

use super::documents::{has, proposed};
use super::{ended, ended_well, flows_of, read, run_with};
use crate::local::{Ran, System, run_in};
use crate::rest;
use serde_json::{Value as Json, json};
use std::path::Path;

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    run_with("odata-tandem-token", folder, arguments)
}

/// Proposes out of a service of the local OData service, signed in by a token.
fn proposed_from(service: &str, folder: &Path, more: &[&str]) -> Json {
    let from = format!("{service}/$metadata");
    let arguments = ["init", "--from", &from, "--token-env", "ERP_TOKEN", "--json"];
    let ran = run(folder, &[&arguments[..], more].concat());
    ended(&ran, 0);
    ran.last()
}

/// How many lines of a file say something.
fn lines(text: &str) -> usize {
    let said = text.lines().map(str::trim);
    said.filter(|line| !line.is_empty() && !line.starts_with('#'))
        .count()
}

/// The local service and an org, with what is proposed from the service's metadata, and what was said of that.
fn service_proposed(version: &str) -> (System, System, tempfile::TempDir, Json) {
    let erp = System::start("odata", &["--records", "6", "--seed", "3"]);
    let org = System::start("salesforce", &[]);
    let folder = tempfile::tempdir().unwrap();
    let said = proposed_from(
        &format!("{}/{version}", erp.url),
        folder.path(),
        &["--salesforce-url", &org.url],
    );
    (erp, org, folder, said)
}

/// A service says of itself all that is needed, but how one signs in: it is signed in as its metadata was read.
fn a_service_is_connected_without_a_line_by_hand(version: &str, has_parts: &[&str]) {
    let (_erp, org, folder, said) = service_proposed(version);
    let folder = folder.path();
    let description = read(folder, "erp.yaml");
    println!(
        "{version}: lines that a person must touch before `tandem check`: {}; lines of the description: {}; guesses marked: {}; questions: {}",
        said["must"].as_array().unwrap().len(),
        lines(&description),
        said["guessed"],
        said["decide"].as_array().unwrap().len()
    );
    assert_eq!(said["must"], json!([]), "{said}");
    assert_eq!(
        flows_of(&said),
        [
            "customer",
            "contact",
            "product",
            "order",
            "order-line",
            "quote",
            "quote-line",
            "project",
            "employee"
        ]
    );
    has(&description, has_parts);
    // WHEN it is checked with the laws of reading tried, planned and kept in step
    ended(&run(folder, &["check"]), 0);
    let plan = run(folder, &["plan"]);
    ended_well(&plan);
    assert!(plan.out.contains("create 84, update 0"), "{}", plan.out);
    ended_well(&run(folder, &["sync", "--yes", "--json"]));
    // THEN both sides are alike
    let verified = run(folder, &["verify", "--json"]).last();
    assert_eq!(verified["different"], 0, "{verified}");
    assert_eq!(verified["pairs"], 6 + 7 + 10 + 9 + 35 + 3 + 10 + 1, "{verified}");
    // AND an edit arrives in the service
    let accounts = rest::query_salesforce(&org.url, "SELECT Id, Phone FROM Account");
    let account = accounts[0]["Id"].as_str().unwrap();
    rest::patch_salesforce(&org.url, "Account", account, &json!({ "Phone": "+49 30 1234" }));
    ended_well(&run(folder, &["sync", "--yes"]));
    let verified = run(folder, &["verify", "--json"]).last();
    assert_eq!(verified["different"], 0, "{verified}");
}

#[test]
fn a_service_of_odata_4_is_connected_by_its_own_metadata_without_a_line_by_hand() {
    a_service_is_connected_without_a_line_by_hand(
        "v4",
        &[
            "odata: { version: v4, changes: delta }   # guessed: ",
            "base: /v4",
            "session: { kind: bearer }   # guessed: ",
            "id: [OrderNumber, LineNumber]",
            "OrderNumber: { type: reference(Order), required: true, create_only: true, form: { as: number } }",
        ],
    );
}

#[test]
fn a_service_of_odata_2_is_connected_by_its_own_metadata_without_a_line_by_hand() {
    a_service_is_connected_without_a_line_by_hand(
        "v2",
        &[
            "odata: v2   # guessed: ",
            "id: [OrderNumber, LineNumber]",
            "Stock: { type: integer, form: { as: text, literal: int64 } }",
        ],
    );
}

/// The laws of writing are tried on all texts that may be written: one that takes times of day alone is none of them.
#[test]
fn what_is_proposed_of_times_of_day_keeps_the_laws_of_writing() {
    for version in ["v4", "v2"] {
        let (_erp, _org, folder, said) = service_proposed(version);
        let folder = folder.path();
        has(
            &read(folder, "erp.yaml"),
            &[
                "CallAfter: { type: string, read_only: true }   # guessed: it is a time of day, shown as a text",
            ],
        );
        assert!(said["decide"].to_string().contains("Contact.CallAfter"), "{said}");
        let tested = run(folder, &["connector", "test", "erp", "--write"]);
        assert_eq!(tested.code, Some(0), "{version}: {}{}", tested.out, tested.err);
    }
}

/// What is proposed for the other presets is read by the program itself.
#[test]
fn every_service_of_the_presets_is_described() {
    let sap = "sap/opu/odata/sap";
    let services = [
        (
            "business-central",
            "v2.0/tandem-tenant/sandbox/api/v2.0".to_owned(),
        ),
        ("s4hana", format!("{sap}/API_BUSINESS_PARTNER")),
        ("s4hana", format!("{sap}/API_SALES_ORDER_SRV")),
        ("s4hana", format!("{sap}/API_PRODUCT_SRV")),
    ];
    for (preset, path) in services {
        let erp = System::start("odata", &["--preset", preset, "--records", "6"]);
        let folder = tempfile::tempdir().unwrap();
        let more = ["--types", "all", "--salesforce-url", "https://x.example"];
        let said = proposed_from(&format!("{}/{path}", erp.url), folder.path(), &more);
        // What stands below another record alone is named: its key is for a person to write.
        let below = said["decide"]
            .to_string()
            .contains("`collection: companies(KEY)/customers`; those of all, to be read with them, with `inside: { type: company, at: customers, id: ... }`");
        assert_eq!(below, preset == "business-central", "{said}");
        let description = read(folder.path(), "erp.yaml");
        assert!(
            description.contains("\nodata: ") && !description.contains("left out"),
            "{description}"
        );
        let checked = run(folder.path(), &["check", "--offline"]);
        assert!(
            checked.err.contains("nothing is known yet") || checked.err.contains("there is no flow"),
            "{}",
            checked.err
        );
    }
}

const PARTS: &str = r#"<Edmx Version="4.0"><Schema Namespace="N">
  <EntityType Name="Site"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Guid" Nullable="false"/>
    <Property Name="Opens" Type="Edm.TimeOfDay"/><Property Name="Stay" Type="Edm.Duration" Nullable="false"/><Property Name="Name" Type="Edm.String"/></EntityType>
  <EntityType Name="Visit"><Key><PropertyRef Name="SiteId"/><PropertyRef Name="Day"/></Key><Property Name="SiteId" Type="Edm.Guid" Nullable="false"/>
    <Property Name="Day" Type="Edm.Date" Nullable="false"/><Property Name="UpdatedAt" Type="Edm.DateTimeOffset"/>
    <Property Name="CreatedAt" Type="Edm.DateTimeOffset" Nullable="false"/></EntityType>
  <EntityType Name="Scan"><Key><PropertyRef Name="Mark"/></Key><Property Name="Mark" Type="Edm.Binary" Nullable="false"/></EntityType>
  <EntityType Name="Shift"><Key><PropertyRef Name="Begins"/></Key><Property Name="Begins" Type="Edm.TimeOfDay" Nullable="false"/></EntityType>
  <EntityContainer Name="C">
    <EntitySet Name="Sites" EntityType="N.Site"/><EntitySet Name="Visits" EntityType="N.Visit"><Annotation Term="Org.OData.Capabilities.V1.ChangeTracking">
      <Record><PropertyValue Property="Supported" Bool="false"/></Record></Annotation></EntitySet>
    <EntitySet Name="Scans" EntityType="N.Scan"/><EntitySet Name="Shifts" EntityType="N.Shift"/>
    TRACKED
  </EntityContainer></Schema></Edmx>"#;

#[test]
fn keys_of_several_members_and_sets_that_tell_of_changes_otherwise_are_described() {
    let tracked = "<Annotation Term=\"Org.OData.Capabilities.V1.ChangeTracking\"/>";
    let (ran, folder) = proposed("metadata.xml", &PARTS.replace("TRACKED", tracked));
    ended(&ran, 0);
    let description = read(folder.path(), "erp.yaml");
    has(
        &description,
        &[
            "odata: { version: v4, changes: delta }",
            "ids: guid",
            "find:\n      properties: [Id, Name]",
            "id: [SiteId, Day]",
            "modified: [UpdatedAt, CreatedAt]   # guessed: ",
            "changes: { query: { $filter: \"{changed}\" }, headers: null, delta: null }",
            "SiteId: { type: string, required: true, create_only: true, form: { literal: guid } }",
            "# left out: its key has Mark, which is no property that can be read",
            "# left out: its key has Begins, a time of day, which no description can write into an address",
            "Opens: { type: string, read_only: true }   # guessed: it is a time of day, shown as a text",
            "Stay: { type: string, read_only: true }   # guessed: it is a length of time, shown as a text",
            "ask: does the service fill it in?",
        ],
    );
    // Without a word about changes they are asked for by the time, where there is one.
    let (ran, folder) = proposed("metadata.xml", &PARTS.replace("TRACKED", ""));
    ended(&ran, 0);
    let description = read(folder.path(), "erp.yaml");
    has(&description, &["odata: v4   # guessed: ", "\n# session: "]);
    assert!(!description.contains("changes:"), "{description}");
    let checked = run_in(folder.path(), &["check", "--offline"]);
    assert!(checked.err.contains("there is no flow"), "{}", checked.err);
}

const HOSTILE: &str = r#"<Edmx Version="4.0"><Schema Namespace="N">
  <EntityType Name="no"><Key><PropertyRef Name="a b"/><PropertyRef Name="true"/></Key><Property Name="a b" Type="Edm.String"/>
    <Property Name="true" Type="Edm.Int32"/><Property Name="x.y" Type="Edm.String"/><Property Name="q: #" Type="Edm.Guid"/>
    <Property Name="" Type="Edm.String"/></EntityType>
  <EntityType Name="{w}"><Key><PropertyRef Name="{k}"/></Key><Property Name="{k}" Type="Edm.String"/></EntityType>
  <EntityType Name="E"><Key><PropertyRef Name=""/></Key><Property Name="" Type="Edm.String"/></EntityType>
  <EntityContainer><EntitySet Name="yes: {x}" EntityType="N.no"/><EntitySet Name="{w}" EntityType="N.{w}"/>
    <EntitySet Name="Nothings" EntityType="N.E"/><EntitySet Name="" EntityType="N.no"/></EntityContainer></Schema></Edmx>"#;

/// Names that mean something to YAML, or that are none: what is written still reads, and one bad set holds up no other.
#[test]
fn hostile_names_in_metadata_hold_up_nothing() {
    let (ran, folder) = proposed("metadata.xml", HOSTILE);
    ended(&ran, 0);
    has(
        &read(folder.path(), "erp.yaml"),
        &[
            "\n  \"no\":\n    collection: \"yes: {x}\"",
            "id: [a b, \"true\"]",
            "\n  \"{w}\":",
            "# left out: its key has a member without a name",
        ],
    );
}
