//! Aggregates and subqueries.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Org;

/// Two accounts with people, and one without.
async fn people(org: &Org) -> Vec<String> {
    let mut ids = Vec::new();
    for (name, revenue) in [("Acme", 100), ("Beta", 50), ("Corp", 25)] {
        let account = json!({ "Name": name, "AnnualRevenue": revenue, "Industry": "Retail" });
        ids.push(org.add("Account", account).await);
    }
    for (account, name, title) in [
        (0, "Lee", "Boss"),
        (0, "Kim", "boss"),
        (0, "Fox", "Clerk"),
        (1, "Ray", "Clerk"),
    ] {
        let contact = json!({ "LastName": name, "AccountId": ids[account], "Title": title });
        org.add("Contact", contact).await;
    }
    ids
}

#[tokio::test]
async fn groups_are_counted_and_summed() {
    let org = Org::new().await;
    people(&org).await;
    let rows = org
        .query(
            "SELECT Title, COUNT(Id) total, MIN(LastName), MAX(LastName) FROM Contact GROUP BY Title \
             ORDER BY COUNT(Id) DESC, Title",
        )
        .await;
    // Titles are grouped without regard to case.
    let boss = json!({ "attributes": { "type": "AggregateResult" }, "Title": "Boss", "total": 2, "expr0": "Kim", "expr1": "Lee" });
    let clerk = json!({ "attributes": { "type": "AggregateResult" }, "Title": "Clerk", "total": 2, "expr0": "Fox", "expr1": "Ray" });
    assert_eq!(rows, [boss, clerk]);
    let rows = org
        .query("SELECT COUNT(Id), COUNT_DISTINCT(Industry), SUM(AnnualRevenue), AVG(AnnualRevenue) average FROM Account")
        .await;
    let row = &rows[0];
    assert_eq!((&row["expr0"], &row["expr1"]), (&json!(3), &json!(1)));
    // Numbers of the type currency keep their point.
    assert_eq!(row["expr2"].to_string(), "175.0");
    assert!(row["average"].to_string().starts_with("58.333333"), "{row}");
    let none = org
        .query("SELECT COUNT(Id), SUM(AnnualRevenue) FROM Account WHERE Name = 'Nobody'")
        .await;
    assert_eq!((&none[0]["expr0"], &none[0]["expr1"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn groups_are_chosen_by_having() {
    let org = Org::new().await;
    people(&org).await;
    let query = "SELECT Account.Name, COUNT(Id) n FROM Contact GROUP BY Account.Name HAVING COUNT(Id) ";
    for (having, names) in [
        ("> 1", vec!["Acme"]),
        ("< 2", vec!["Beta"]),
        ("IN (1, 3)", vec!["Acme", "Beta"]),
    ] {
        let rows = org.query(&format!("{query}{having} ORDER BY Account.Name")).await;
        let found: Vec<&str> = rows.iter().map(|row| row["Name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{having}");
    }
    let columns = super::url_encode("SELECT Title, COUNT(Id) n FROM Contact GROUP BY Title");
    let columns = org.get(&format!("query?q={columns}&columns=true")).await.body;
    assert_eq!(
        (&columns["groupBy"], &columns["columnMetadata"][1]["columnName"]),
        (&json!(true), &json!("n"))
    );
}

#[tokio::test]
async fn what_cannot_be_grouped_is_refused() {
    let org = Org::new().await;
    for (soql, code) in [
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY"),
        ("SELECT SUM(Name) FROM Account", "INVALID_FIELD"),
        (
            "SELECT COUNT(Id) n, COUNT(Name) n FROM Account",
            "MALFORMED_QUERY",
        ),
        ("SELECT Name n FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE COUNT(Id) > 1", "MALFORMED_QUERY"),
        ("SELECT COUNT(Description) FROM Account", "INVALID_FIELD"),
        (
            "SELECT CALENDAR_YEAR(CreatedDate) FROM Account",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id, (SELECT Id FROM Nonsense) FROM Account",
            "INVALID_TYPE",
        ),
        (
            "SELECT Id, (SELECT COUNT(Id) FROM Contacts) FROM Account",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Account WHERE Name IN (SELECT LastName FROM Contact)",
            "MALFORMED_QUERY",
        ),
    ] {
        let reply = org.query_reply(soql).await;
        assert_eq!(
            (reply.status, reply.code()),
            (StatusCode::BAD_REQUEST, code),
            "{soql}"
        );
    }
}

#[tokio::test]
async fn parents_come_with_their_children() {
    let org = Org::new().await;
    let ids = people(&org).await;
    let rows = org
        .query(
            "SELECT Name, (SELECT LastName, Account.Name FROM Contacts WHERE Title = 'boss' ORDER BY LastName) \
             FROM Account ORDER BY Name",
        )
        .await;
    let contacts = &rows[0]["Contacts"];
    assert_eq!(
        (&contacts["totalSize"], &contacts["done"]),
        (&json!(2), &json!(true))
    );
    let names: Vec<&Value> = contacts["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["LastName"])
        .collect();
    assert_eq!(names, ["Kim", "Lee"]);
    assert_eq!(contacts["records"][0]["attributes"]["type"], "Contact");
    assert_eq!(rows[1]["Contacts"], Value::Null);
    let names = org
        .names("SELECT Name FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact) ORDER BY Name")
        .await;
    assert_eq!(names, ["Corp"]);
    let names = org
        .names("SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName = 'Ray')")
        .await;
    assert_eq!(names, ["Beta"]);
    let described = org.get("sobjects/Account/describe").await.body;
    let child = described["childRelationships"]
        .as_array()
        .unwrap()
        .iter()
        .find(|child| child["childSObject"] == "Contact" && child["field"] == "AccountId");
    assert_eq!(child.unwrap()["relationshipName"], "Contacts");
    assert_eq!(ids.len(), 3);
}
