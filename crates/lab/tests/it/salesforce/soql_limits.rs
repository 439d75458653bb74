//! Statements that are well formed and refused all the same, and the order of picklists.

use reqwest::StatusCode;
use serde_json::json;

use super::Org;

#[tokio::test]
async fn semi_joins_have_limits() {
    let org = Org::new().await;
    let with_contacts = "SELECT AccountId FROM Contact";
    let cases = [
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)".to_owned(),
            "same object type",
        ),
        (
            "SELECT Id FROM Account a WHERE Id NOT IN (SELECT b.ParentId FROM account b)".to_owned(),
            "same object type",
        ),
        (
            format!(
                "SELECT Id FROM Account WHERE Id IN ({with_contacts} WHERE Id IN (SELECT WhoId FROM Task))"
            ),
            "Nesting of semi join",
        ),
        (
            format!(
                "SELECT Id FROM Account WHERE Id IN ({with_contacts}) AND Id IN (SELECT AccountId FROM Order) AND Id \
                 NOT IN (SELECT AccountId FROM Opportunity)"
            ),
            "Maximum 2",
        ),
        (
            format!("SELECT Id FROM Account WHERE Name = 'A' OR Id IN ({with_contacts})"),
            "'OR'",
        ),
        (
            format!("SELECT Id FROM Account WHERE NOT Id IN ({with_contacts})"),
            "'NOT'",
        ),
        (
            format!("SELECT Id FROM Account WHERE Name = 'A' AND (Phone = '1' AND Id IN ({with_contacts}))"),
            "top level",
        ),
        (
            format!("SELECT Id FROM Account WHERE Id IN ({with_contacts} ORDER BY Name)"),
            "ORDER BY",
        ),
        (
            format!("SELECT Id FROM Account WHERE Id IN ({with_contacts} LIMIT 5)"),
            "LIMIT",
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT Account.ParentId FROM Contact)".to_owned(),
            "own object",
        ),
    ];
    for (statement, word) in cases {
        let reply = org.query_reply(&statement).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{statement}");
        assert_eq!(reply.code(), "MALFORMED_QUERY", "{statement}");
        let message = reply.body[0]["message"].as_str().unwrap();
        assert!(message.contains(word), "{statement}: {message}");
    }
    for taken in [
        "SELECT Id FROM Account WHERE Id IN (SELECT c.AccountId FROM Contact c) AND Id NOT IN (SELECT AccountId FROM Order)",
        "SELECT Id FROM Account WHERE (Id IN (SELECT AccountId FROM Contact WHERE Name = 'A' OR Name = 'B'))",
    ] {
        let reply = org.query_reply(taken).await;
        assert_eq!(reply.status, StatusCode::OK, "{taken}: {reply:?}");
    }
}

#[tokio::test]
async fn counts_lists_and_literals_have_limits() {
    let org = Org::new().await;
    let children = vec!["(SELECT Id FROM Contacts)"; 21].join(", ");
    let long = "x".repeat(4_001);
    for statement in [
        "SELECT COUNT() FROM Account ORDER BY Name".to_owned(),
        "SELECT COUNT() FROM Account GROUP BY Name".to_owned(),
        format!("SELECT Id, {children} FROM Account"),
        format!("SELECT Id FROM Account WHERE Name = '{long}'"),
        format!("SELECT Id FROM Account WHERE Name = 'A' AND (Phone = '1' OR Name IN ('B', '{long}'))"),
        format!("SELECT Id, (SELECT Id FROM Contacts WHERE Name = '{long}') FROM Account"),
    ] {
        let reply = org.query_reply(&statement).await;
        assert_eq!(reply.code(), "MALFORMED_QUERY", "{statement:.80}");
    }
    for statement in [
        "SELECT COUNT() FROM Account LIMIT 5".to_owned(),
        "SELECT COUNT(Id) FROM Account".to_owned(),
        format!("SELECT Id FROM Account WHERE Name = '{}'", "x".repeat(4_000)),
    ] {
        let reply = org.query_reply(&statement).await;
        assert_eq!(reply.status, StatusCode::OK, "{statement:.80}: {reply:?}");
    }
}

#[tokio::test]
async fn picklists_sort_by_the_order_of_their_entries() {
    let org = Org::new().await;
    // Web stands before Phone Inquiry in the picklist, and Barter in none of its places.
    for (name, source) in [
        ("A", json!("Phone Inquiry")),
        ("B", json!("Barter")),
        ("C", json!("Web")),
        ("D", json!(null)),
    ] {
        org.add("Account", json!({ "Name": name, "AccountSource": source }))
            .await;
    }
    let sorted = org.names("SELECT Name FROM Account ORDER BY AccountSource").await;
    assert_eq!(sorted, ["D", "C", "A", "B"]);
    let sorted = org
        .names("SELECT Name FROM Account ORDER BY AccountSource DESC NULLS LAST")
        .await;
    assert_eq!(sorted, ["B", "A", "C", "D"]);
    let grouped = org
        .query("SELECT AccountSource s FROM Account GROUP BY AccountSource ORDER BY AccountSource NULLS LAST")
        .await;
    let grouped: Vec<&str> = grouped.iter().filter_map(|group| group["s"].as_str()).collect();
    assert_eq!(grouped, ["Web", "Phone Inquiry", "Barter"]);
    let reply = org
        .query_reply("SELECT Id FROM Contact ORDER BY BuyerAttributes")
        .await;
    assert_eq!(reply.code(), "INVALID_FIELD");
}
