//! An object of the customer's own, which no list of Tandem's names, kept in step both ways.

use crate::deploy::{Files, file, problems, zipped};
use crate::local::Pair;
use crate::rest;
use serde_json::json;

const FLOW: &str = r#"flow: project-visit
customerp: Project
salesforce: Visit__c
match: []
conflict: latest
create: { salesforce: on, customerp: on }
identity:
  salesforce: { property: Customerp_Id__c, prefix: "Project:" }
properties:
  - { customerp: name, salesforce: Name, salesforce_length: 80, never_blank: [customerp] }
  - { customerp: description, salesforce: Reason__c, salesforce_length: 255 }
  - { customerp: dueDate, salesforce: Day__c, type: date }
"#;

/// Deploys the object, as its owner would.
fn deploy(url: &str) {
    let field = |name: &str, rest: &str| {
        format!("<fields><fullName>{name}</fullName><label>{name}</label>{rest}</fields>\n")
    };
    let text = "<type>Text</type><length>255</length>";
    let identity = "<type>Text</type><length>255</length><externalId>true</externalId><unique>true</unique>\
                    <caseSensitive>true</caseSensitive>";
    let object = [
        "<label>Visit</label><pluralLabel>Visits</pluralLabel>",
        "<nameField><label>Visit Name</label><type>Text</type></nameField>",
        "<deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel>\n",
    ];
    let fields = [
        field("Reason__c", text),
        field("Day__c", "<type>Date</type>"),
        field("Customerp_Id__c", identity),
    ];
    let manifest =
        "<types><members>Visit__c</members><name>CustomObject</name></types><version>62.0</version>";
    let files = Files::from([
        (
            "objects/Visit__c.object".to_owned(),
            file("CustomObject", &(object.concat() + &fields.concat())),
        ),
        ("package.xml".to_owned(), file("Package", manifest)),
    ]);
    let options = json!({ "rollbackOnError": true, "singlePackage": true });
    let result = rest::deploy(url, "alice", &options, &zipped(&files));
    assert_eq!(result["status"], "Succeeded", "{:#?}", problems(&result));
}

#[test]
fn an_object_of_the_customers_own_is_kept_in_step_and_a_misspelled_one_refused() {
    let pair = Pair::start(&[], &[]);
    let (erp, org) = (&pair.customerp.url, &pair.salesforce.url);
    deploy(org);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let with = text.replace("create_in_customerp: [", "create_in_customerp: [project-visit, ");
    std::fs::write(&config, with).unwrap();
    let flow = pair.path("flows/project-visit.yaml");
    // WHEN names are misspelled, THEN they are refused with what was meant
    for (from, to, said, meant) in [
        (
            "Visit__c",
            "Visits__c",
            "no object Visits__c",
            "Did you mean `Visit__c`?",
        ),
        (
            "Reason__c",
            "Reasn__c",
            "no property Reasn__c",
            "Did you mean `Reason__c`?",
        ),
        (
            "customerp: dueDate, salesforce: Day__c, type: date",
            "customerp: priority, salesforce: Day__c",
            "Visit__c.Day__c is of type date",
            "type: date",
        ),
    ] {
        std::fs::write(&flow, FLOW.replace(from, to)).unwrap();
        let check = pair.run(&["check", "--json"]);
        assert_eq!(check.code, Some(2), "{}{}", check.out, check.err);
        for part in [said, meant] {
            assert!(check.out.contains(part), "{part}\n{}{}", check.out, check.err);
        }
    }
    std::fs::write(&flow, FLOW.replace("Visit__c", "Visits__c")).unwrap();
    let sync = pair.run(&["sync"]);
    assert_eq!(sync.code, Some(2), "{}", sync.out);
    assert!(sync.err.contains("Did you mean `Visit__c`?"), "{}", sync.err);
    // WHEN they are right, THEN both ways are open
    std::fs::write(&flow, FLOW).unwrap();
    let project = json!({ "name": "Roof", "description": "Leaks", "dueDate": "2026-03-01" });
    let project = rest::create_customerp(erp, "projects", &[project]).remove(0);
    let visit = json!({ "Name": "Cellar", "Reason__c": "Wet", "Day__c": "2026-04-01" });
    let visit = rest::create_salesforce(org, "Visit__c", &[visit]).remove(0);
    assert_eq!(pair.run(&["check"]).code, Some(0));
    let plan = pair.run(&["plan"]);
    assert!(plan.out.contains("Visit__c"), "{}{}", plan.out, plan.err);
    let sync = pair.run(&["sync"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let rows = rest::query_salesforce(
        org,
        "SELECT Id, Name, Reason__c, Day__c FROM Visit__c WHERE Name = 'Roof'",
    );
    assert_eq!(
        (&rows[0]["Reason__c"], &rows[0]["Day__c"]),
        (&json!("Leaks"), &json!("2026-03-01"))
    );
    let identity = rest::query_salesforce(
        org,
        &format!("SELECT Customerp_Id__c FROM Visit__c WHERE Id = '{visit}'"),
    );
    let born = identity[0]["Customerp_Id__c"]
        .as_str()
        .unwrap()
        .replace("Project:", "");
    assert_eq!(
        rest::get_customerp(erp, &format!("projects/{born}"))["description"],
        "Wet"
    );
    // and edits travel
    rest::patch_customerp(erp, &format!("projects/{born}"), &json!({ "description": "Dry" }));
    let roof = json!({ "Id": rows[0]["Id"], "Reason__c": "Mended" });
    rest::write_salesforce(org, "PATCH", "Visit__c", &[roof]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let dry = rest::query_salesforce(
        org,
        &format!("SELECT Reason__c FROM Visit__c WHERE Id = '{visit}'"),
    );
    assert_eq!(dry[0]["Reason__c"], "Dry");
    assert_eq!(
        rest::get_customerp(erp, &format!("projects/{project}"))["description"],
        "Mended"
    );
    assert_eq!(pair.run(&["verify"]).code, Some(0));
}
