//! From a bare org to all nine flows: what `tandem check` says, the metadata, its deployment.

use crate::local::{Pair, System};
use crate::rest;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;

/// The files of a package by their paths.
pub(crate) type Files = BTreeMap<String, String>;

/// Both systems, of which the org has nothing that every org has not. The configuration is that of an org with our
/// metadata.
fn bare() -> Pair {
    let mut pair = Pair::start(&["--records", "4", "--seed", "3"], &["--preset", "no-divisions"]);
    let org = System::start("salesforce", &["--preset", "bare"]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&pair.salesforce.url, &org.url)).unwrap();
    pair.salesforce = org;
    pair
}

/// What lies between a source tree and a package: the files of an object become one, and `package.xml` names all.
fn package(tree: &Path) -> Files {
    let root = tree.join("force-app/main/default");
    let (mut files, mut fields) = (Files::new(), BTreeMap::<String, String>::new());
    let (mut heads, mut named) = (Files::new(), Vec::new());
    for path in all_files(&root) {
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["objects", object, "fields", file] => {
                let name = file.strip_suffix(".field-meta.xml").unwrap();
                named.push(("CustomField", format!("{object}.{name}")));
                let inner = inside(&text);
                fields
                    .entry((*object).to_owned())
                    .or_default()
                    .push_str(&format!("<fields>{inner}</fields>\n"));
            }
            ["objects", object, _] => {
                named.push(("CustomObject", (*object).to_owned()));
                heads.insert((*object).to_owned(), inside(&text));
            }
            [folder, file] => {
                let (name, suffix) = file.strip_suffix("-meta.xml").unwrap().split_once('.').unwrap();
                let kind = match *folder {
                    "permissionsets" => "PermissionSet",
                    _ => "PlatformEventChannelMember",
                };
                named.push((kind, name.to_owned()));
                files.insert(format!("{folder}/{name}.{suffix}"), text);
            }
            _ => panic!("{path}"),
        }
    }
    for (object, fields) in fields {
        let head = heads.remove(&object).unwrap_or_default();
        files.insert(
            format!("objects/{object}.object"),
            file("CustomObject", &format!("{head}{fields}")),
        );
    }
    let types = named
        .iter()
        .map(|(kind, name)| format!("<types><members>{name}</members><name>{kind}</name></types>\n"));
    let manifest = types.collect::<String>() + "<version>62.0</version>";
    files.insert("package.xml".to_owned(), file("Package", &manifest));
    files
}

pub(crate) fn file(root: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://soap.sforce.com/2006/04/metadata\">\n{inner}</{root}>\n"
    )
}

/// What is inside the root element.
fn inside(text: &str) -> String {
    let start = text.find("metadata\">").unwrap() + "metadata\">".len();
    text[start..text.rfind("</").unwrap()].to_owned()
}

fn all_files(root: &Path) -> Vec<String> {
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn zipped(files: &Files) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in files {
        zip.start_file(path.as_str(), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What was refused, as "file: problem".
pub(crate) fn problems(result: &Json) -> Vec<String> {
    let failures = result["details"]["componentFailures"].as_array().unwrap();
    let text = |failure: &Json, name: &str| failure[name].as_str().unwrap().to_owned();
    let problem = |one: &Json| format!("{}: {}", text(one, "fileName"), text(one, "problem"));
    failures.iter().map(problem).collect()
}

#[test]
fn a_bare_org_is_told_what_to_do_and_runs_all_nine_flows_once_it_is_done() {
    let pair = bare();
    let org = pair.salesforce.url.clone();
    // WHEN the org has neither Divisions nor Billing nor our metadata
    let check = pair.run(&["check", "--json"]);
    assert_eq!(check.code, Some(2), "{}{}", check.out, check.err);
    for part in [
        "the org has no object Division__c",
        "the org has no object Invoice__c",
        "Contact has no property Customerp_Id__c",
        "tandem salesforce metadata DIR",
    ] {
        assert!(check.out.contains(part), "{part}\n{}", check.out);
    }
    assert_eq!(pair.run(&["sync"]).code, Some(2));
    // and its metadata is written, validated and deployed
    let written = pair.run(&["salesforce", "metadata", "salesforce"]);
    assert_eq!(written.code, Some(0), "{}", written.err);
    let files = package(&pair.path("salesforce"));
    let zip = zipped(&files);
    let all = json!({ "rollbackOnError": true, "singlePackage": true });
    let only = json!({ "rollbackOnError": true, "checkOnly": true });
    for (options, created) in [(&only, false), (&all, true)] {
        let result = rest::deploy(&org, "alice", options, &zip);
        assert_eq!(result["status"], "Succeeded", "{:#?}", problems(&result));
        let first = &result["details"]["componentSuccesses"][0];
        assert_eq!(first["created"], created, "{first}");
        assert_eq!(result["numberComponentErrors"], 0);
    }
    // A second deployment of the same changes nothing.
    let again = rest::deploy(&org, "alice", &all, &zip);
    let successes = again["details"]["componentSuccesses"].as_array().unwrap();
    assert!(successes.iter().all(|one| one["changed"] == false), "{again}");
    // THEN everything is kept in step
    let check = pair.run(&["check", "--json"]);
    assert_eq!(check.code, Some(0), "{}{}", check.out, check.err);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let done = sync.last();
    let flows = done["flows"].as_array().unwrap();
    for name in [
        "customer-division",
        "contact-contact",
        "employee-user",
        "product-product2",
        "order-order",
        "quote-quote",
        "project-task",
        "order-invoice",
        "quote-invoice",
    ] {
        let linked = |flow: &Json| flow["flow"] == name && flow["linked"].as_u64() > Some(0);
        assert!(flows.iter().any(linked), "{name}: {done}");
    }
    let verify = pair.run(&["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    assert_eq!(verify.last()["unequal"], 0);
}

#[test]
fn an_org_that_has_the_metadata_already_takes_it_again() {
    let org = System::start("salesforce", &[]);
    let folder = tempfile::tempdir().unwrap();
    let wrote = crate::local::run_in(folder.path(), &["salesforce", "metadata", "tree"]);
    assert_eq!(wrote.code, Some(0), "{}", wrote.err);
    let zip = zipped(&package(&folder.path().join("tree")));
    let result = rest::deploy(&org.url, "alice", &json!({ "rollbackOnError": true }), &zip);
    assert_eq!(problems(&result), [""; 0]);
    assert_eq!(result["status"], "Succeeded");
}

#[test]
fn a_package_that_does_not_fit_is_refused_whole() {
    let org = System::start("salesforce", &["--preset", "bare"]);
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let wrote = crate::local::run_in(folder.path(), &["salesforce", "metadata", "tree"]);
    assert_eq!(wrote.code, Some(0), "{}", wrote.err);
    let files = package(&tree);
    let all = json!({ "rollbackOnError": true });
    let with = |path: &str, from: &str, to: &str| {
        let mut changed = files.clone();
        let text = changed.get_mut(path).unwrap();
        assert!(text.contains(from), "{path}: {text}");
        *text = text.replacen(from, to, 1);
        problems(&rest::deploy(&org.url, "alice", &all, &zipped(&changed))).join("\n")
    };
    let invoice = "objects/Invoice__c.object";
    for (path, from, to, problem) in [
        (
            invoice,
            "<type>Currency</type>",
            "<type>Money</type>",
            "'Money' is not a valid value for the enum 'FieldType'",
        ),
        (invoice, "</CustomObject>", "", "Error parsing file"),
        (
            invoice,
            "<referenceTo>Contact<",
            "<referenceTo>Nobody<",
            "referenceTo value of 'Nobody' does not resolve",
        ),
        (
            "package.xml",
            "<members>Activity.Customerp_Id__c</members>",
            "<members>Activity.Other__c</members>",
            "was not found in zipped directory",
        ),
        (
            "package.xml",
            "<name>PermissionSet</name>",
            "<name>Porridge</name>",
            "Unknown type name 'Porridge'",
        ),
        (
            "permissionsets/Tandem.permissionset",
            "<field>Task.Customerp_Id__c<",
            "<field>Task.Nothing__c<",
            "no CustomField named Task.Nothing__c found",
        ),
    ] {
        let found = with(path, from, to);
        assert!(found.contains(problem), "{problem}\n{found}");
    }
    let mut without = files.clone();
    without.remove("package.xml");
    let refused = rest::deploy(&org.url, "alice", &all, &zipped(&without));
    assert_eq!(problems(&refused), ["package.xml: No package.xml found"]);
    let broken = rest::deploy(&org.url, "alice", &all, b"no zip file");
    assert_eq!(
        (&broken["status"], &broken["success"]),
        (&json!("Failed"), &json!(false))
    );
    // Only administrators deploy.
    let refused = rest::deploy(&org.url, "bob", &all, &zipped(&files));
    assert_eq!(refused[0]["errorCode"], "INSUFFICIENT_ACCESS");
    // Nothing of all that is there.
    let whole = rest::deploy(&org.url, "alice", &all, &zipped(&files));
    assert_eq!(whole["status"], "Succeeded", "{:#?}", problems(&whole));
    let created = whole["details"]["componentSuccesses"].as_array().unwrap().iter();
    assert!(
        created
            .clone()
            .any(|one| one["fullName"] == "Invoice__c" && one["created"] == true)
    );
}
