//! What may become of the counterpart of a deleted record is offered as its flow has it.

use super::{ADMIN, Console, VIEWER};
use crate::live::until;
use crate::local::Pair;
use crate::rest;
use reqwest::Method;
use serde_json::{Value as Json, json};

/// The one thing about a record that waits for approval.
fn waiting(console: &Console, id: &str) -> Json {
    until(|| {
        let items = console.get(VIEWER, "/items?standing=approval").json();
        let rows = items["rows"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["id"] == id)
    })
}

#[test]
fn nobody_is_offered_to_delete_what_its_flow_puts_out_of_use() {
    // GIVEN an employee with an account, and a contact, both deleted in the ERP
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    let erp = &pair.customerp.url;
    let eva = json!({ "firstName": "Eva", "lastName": "Verdict", "email": "eva.verdict@example.com", "username": "eva.verdict@example.com" });
    let employee = rest::post_customerp(erp, "employees", &eva)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let customer = rest::get_customerp(erp, "contacts?limit=1")["items"][0]["customerId"].clone();
    let gus = json!({ "lastName": "Verdict", "customerId": customer });
    let contact = rest::post_customerp(erp, "contacts", &gus)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let gone = [format!("employees/{employee}"), format!("contacts/{contact}")];
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let [account, there] = gone.each_ref().map(|path| {
        let id = rest::get_customerp(erp, path)["salesforceId"].clone();
        id.as_str().unwrap().to_owned()
    });
    let console = Console::start(&pair);
    gone.iter().for_each(|path| rest::delete_customerp(erp, path));
    // THEN programs are told what may become of each, what the flow's policy means first
    let user = waiting(&console, &account);
    assert_eq!(
        user["verdicts"],
        json!(["deactivate", "unlink", "recreate"]),
        "{user}"
    );
    let contact = waiting(&console, &there);
    assert_eq!(
        contact["verdicts"],
        json!(["propagate", "unlink", "recreate"]),
        "{contact}"
    );
    // AND people choose among the same, by words
    let cookie = console.sign_in(&console.link).unwrap();
    let page = |path: &str| console.send(Method::GET, path, &[("cookie", &cookie)], None).text;
    let users = page("/inbox?kind=approval&flow=employee-user");
    assert!(
        users.contains("deactivate the counterpart") && !users.contains("delete the counterpart"),
        "{users}"
    );
    let contacts = page("/inbox?kind=approval&flow=contact-contact");
    assert!(
        contacts.contains("delete the counterpart") && !contacts.contains("deactivate the"),
        "{contacts}"
    );
    // AND the command says the same
    let shown = pair.run(&["approve", "employee-user"]);
    assert!(
        shown.out.contains("deactivated") && !shown.out.contains(" deleted "),
        "{}",
        shown.out
    );
    // AND what is not offered is refused to everybody, with what is
    let item = user["item"].to_string();
    for words in [&[item.as_str()][..], &["employee-user", "--yes"]] {
        let command = [&["approve"][..], words, &["--verdict", "propagate"]].concat();
        let refused = pair.run(&command);
        assert_eq!(
            refused.code,
            Some(2),
            "{command:?}: {}{}",
            refused.out,
            refused.err
        );
        let told = "employee-user does not offer `propagate` for a deletion";
        assert!(refused.err.contains(told), "{}", refused.err);
        assert!(refused.err.contains("`deactivate`, `unlink`"), "{}", refused.err);
    }
    let path = format!("/items/{item}/approve");
    let refused = console.post(ADMIN, &path, &json!({ "verdict": "propagate" }));
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    assert!(refused.text.contains("does not offer"), "{}", refused.text);
    assert_eq!(waiting(&console, &account)["item"], user["item"]);
    let approved = console.post(ADMIN, &format!("/items/{}/approve", user["item"]), &json!({}));
    assert_eq!(approved.status, 200, "{}", approved.text);
    until(|| {
        let path = format!("sobjects/User/{}", account);
        let active = rest::get_salesforce(&pair.salesforce.url, &path)["IsActive"].clone();
        (active == false).then_some(())
    });
}
