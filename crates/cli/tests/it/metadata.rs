//! `tandem salesforce metadata`: the source tree for an org.

use crate::local::tandem;
use serde_json::Value;

#[test]
fn without_a_configuration_it_is_the_tree_of_a_bare_org() {
    let folder = tempfile::tempdir().unwrap();
    let run = tandem()
        .current_dir(folder.path())
        .args(["salesforce", "metadata", "salesforce", "--json"])
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(told["permissionSet"], "Tandem");
    for path in told["files"].as_array().unwrap() {
        let path = folder.path().join("salesforce").join(path.as_str().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.is_empty(), "{}", path.display());
    }
    let fields = told["fields"].as_array().unwrap();
    for field in [
        "Contact.Customerp_Id__c",
        "Division__c.City__c",
        "InvoiceLine__c.Amount__c",
    ] {
        assert!(fields.iter().any(|known| known == field), "{field}");
    }
    // Nothing is written over, unless asked for.
    let again = || {
        let mut command = tandem();
        command
            .current_dir(folder.path())
            .args(["salesforce", "metadata", "salesforce"]);
        command
    };
    let refused = again().output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    assert!(again().arg("--force").output().unwrap().status.success());
}
