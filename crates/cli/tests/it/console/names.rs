//! Values that name other records: whoever may see it is told which.

use super::{ADMIN, Console, VIEWER};
use crate::live::until;
use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};

#[test]
fn a_reference_leads_to_its_record_by_name_and_no_name_is_shown_to_whoever_may_not_see_it() {
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let console = Console::start(&pair);
    let link = console.get(ADMIN, "/links?flow=order-order&limit=1").json();
    let order = link["rows"][0]["first"]["id"].as_str().unwrap().to_owned();
    let path = format!("orders/{order}");
    let erp = &pair.customerp.url;
    // GIVEN an order that goes to another contact
    let now = rest::get_customerp(erp, &path)["billingContactId"].clone();
    let contacts = rest::get_customerp(erp, "contacts?limit=50")["items"].clone();
    let contact = contacts
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["id"] != now)
        .unwrap();
    rest::patch_customerp(erp, &path, &json!({ "billingContactId": contact["id"] }));
    let address = format!("/records/customerp/Order/{order}");
    let of = |token: &str| -> Option<Json> {
        let record = console.get(token, &address).json();
        let properties = record["properties"].as_array()?.clone();
        let is = |one: &&Json| one["members"][0]["property"] == "billingContactId";
        properties
            .iter()
            .find(is)
            .filter(|one| one["line"]["new"] == contact["id"] && one["members"][0]["value"] == contact["id"])
            .cloned()
    };
    let property = until(|| of(ADMIN));
    // THEN the record shows whom it goes to, and whom the edit named
    let last = contact["lastName"].as_str().unwrap();
    for names in [&property["members"][0]["names"], &property["line"]["new_names"]] {
        assert_eq!(
            (&names["type"], &names["id"]),
            (&json!("Contact"), &contact["id"]),
            "{property}"
        );
        assert!(names["name"].as_str().unwrap().contains(last), "{property}");
    }
    // AND so do the changes, where each system's id leads to that system's record
    let wrote = until(|| {
        let changes = console.get(ADMIN, &format!("{address}/changes")).json();
        let rows = changes["rows"].as_array().unwrap().clone();
        rows.into_iter().find(|row| {
            row["event"] == "wrote" && row["property"] == "BillToContactId" && row["system"] == "salesforce"
        })
    });
    let named = &wrote["new_names"];
    assert_eq!(
        (&named["system"], &named["id"]),
        (&json!("salesforce"), &wrote["new"]),
        "{wrote}"
    );
    // AND a viewer is led there, and told no name
    let masked = of(VIEWER).unwrap();
    assert_eq!(masked["members"][0]["names"]["id"], contact["id"], "{masked}");
    for path in [address.clone(), format!("{address}/changes")] {
        let text = console.get(VIEWER, &path).text;
        assert!(!text.contains(last), "{text}");
    }
}
