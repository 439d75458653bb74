//! Metadata, listings, filters and single entities.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tandem_lab::odata::{Links, Options};

use super::{Lab, send};

#[tokio::test]
async fn a_service_describes_itself() {
    let lab = Lab::five(100).await;
    let document = lab.get("").await;
    assert_eq!(
        document.body["value"][0],
        json!({ "name": "Customers", "kind": "EntitySet", "url": "Customers" })
    );
    assert_eq!(document.header("odata-version"), "4.01");
    let metadata = lab.get("$metadata").await;
    assert!(metadata.header("content-type").starts_with("application/xml"));
    for part in [
        "<Key><PropertyRef Name=\"OrderNumber\"/><PropertyRef Name=\"LineNumber\"/></Key>",
        "<Property Name=\"CreditLimit\" Type=\"Edm.Decimal\" Precision=\"15\" Scale=\"2\"/>",
        "<NavigationProperty Name=\"Lines\" Type=\"Collection(Company.OrderLine)\"/>",
        "<ReferentialConstraint Property=\"CustomerNumber\" ReferencedProperty=\"Number\"/>",
    ] {
        assert!(metadata.text.contains(part), "{part}\n{}", metadata.text);
    }
}

#[tokio::test]
async fn pages_are_followed_by_key_and_lose_nothing() {
    let lab = Lab::five(2).await;
    let first = lab.get("Customers?$count=true").await;
    assert_eq!(
        (first.all("Number"), &first.body["@odata.count"]),
        (vec!["C1".into(), "C2".into()], &json!(5))
    );
    let next = first.body["@odata.nextLink"].as_str().unwrap();
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C1" }, "delete": true }))
        .await;
    let (rest, _) = lab.pages(next, "Number").await;
    assert_eq!(rest, [vec!["C3", "C4"], vec!["C5"]]);
}

#[tokio::test]
async fn order_top_and_skip_hold_over_pages() {
    let lab = Lab::five(2).await;
    let (pages, _) = lab
        .pages(
            "Customers?$orderby=City desc,Number desc&$skip=1&$top=3",
            "Number",
        )
        .await;
    assert_eq!(pages, [vec!["C3", "C1"], vec!["C4"]]);
    let preferring = lab
        .request(Method::GET, "Customers")
        .header("prefer", "odata.maxpagesize=1");
    let reply = send(preferring).await;
    assert_eq!(reply.header("preference-applied"), "odata.maxpagesize=1");
    let (rest, _) = lab
        .pages(reply.body["@odata.nextLink"].as_str().unwrap(), "Number")
        .await;
    assert_eq!(
        rest.len(),
        4,
        "the size asked for holds for the pages that follow"
    );
}

#[tokio::test]
async fn links_have_the_form_that_was_asked_for() {
    for (links, begin) in [
        (Links::Absolute, "http://127.0.0.1:"),
        (Links::HostRelative, "/v4/Customers?"),
        (Links::ServiceRelative, "Customers?"),
    ] {
        let lab = Lab::start(Options {
            links,
            page_size: 1,
            records: 3,
            ..Options::default()
        })
        .await;
        let page = lab.get("Customers").await;
        let link = page.body["@odata.nextLink"].as_str().unwrap();
        assert!(link.starts_with(begin), "{link}");
    }
}

#[tokio::test]
async fn filters_mean_what_the_standard_says() {
    let lab = Lab::five(100).await;
    lab.edit(json!({ "set": "Customers", "key": { "Number": "C2" }, "values": {
        "CreditLimit": 12.5, "Email": "o'neil@x.example", "Active": false } }))
        .await;
    for (filter, expected) in [
        ("Number eq 'C2'", "C2"),
        ("Number ne 'C2' and not (Number gt 'C3')", "C1,C3"),
        ("Number eq 'C1' or Number eq 'C2' and City eq 'Bonn'", "C1,C2"),
        ("(Number eq 'C1' or Number eq 'C2') and City eq 'Bonn'", "C2"),
        ("CreditLimit eq 12.50", "C2"),
        ("CreditLimit ge -1 and CreditLimit lt 1e2", "C2"),
        ("CreditLimit eq null", "C1,C3,C4,C5"),
        ("CreditLimit ne 12.5", "C1,C3,C4,C5"),
        ("not (CreditLimit gt 20)", "C1,C2,C3,C4,C5"),
        ("Email eq 'o''neil@x.example'", "C2"),
        ("not contains(Email,'zzz')", "C2"),
        ("Number in ('C5','C1','C9')", "C1,C5"),
        ("startswith(Name,'N') and endswith(Name,'4')", "C4"),
        ("tolower(City) eq 'köln' and length(Name) eq 2", "C1,C3,C5"),
        ("Active", "C1,C3,C4,C5"),
        ("not Active", "C2"),
        ("ModifiedAt gt 2999-01-01T00:00:00Z", ""),
        ("ModifiedAt gt 2020-01-01T01:00:00%2B01:00", "C1,C2,C3,C4,C5"),
    ] {
        let path = format!("Customers?$filter={}", filter.replace(' ', "%20"));
        let reply = lab.get(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{filter}: {}", reply.text);
        assert_eq!(reply.all("Number").join(","), expected, "{filter}");
        let count = lab.get(&path.replace("Customers?", "Customers/$count?")).await;
        assert_eq!(
            count.text,
            expected
                .split(',')
                .filter(|key| !key.is_empty())
                .count()
                .to_string()
        );
    }
}

#[tokio::test]
async fn what_is_no_query_of_this_version_is_refused() {
    let lab = Lab::five(100).await;
    for (query, status) in [
        ("$filter=Number eq 5", 400),
        ("$filter=Nothing eq 'x'", 400),
        ("$filter=Number eq 'open", 400),
        ("$filter=Number eq", 400),
        ("$filter=Number", 400),
        ("$filter=substringof('N',Name)", 501),
        ("$filter=ModifiedAt gt datetimeoffset'2020-01-01T00:00:00Z'", 400),
        ("$filter=CreditLimit eq 5M", 400),
        ("$filter=Orders/any(o:o/Number eq 1)", 501),
        ("$select=Nothing", 400),
        ("$orderby=Name sideways", 400),
        ("$top=-1", 400),
        ("$inlinecount=allpages", 400),
        ("$apply=aggregate(x)", 501),
        ("$expand=Orders($expand=Lines)", 501),
        ("$skiptoken=nonsense", 400),
        ("$top=1&$top=2", 400),
    ] {
        let reply = lab.get(&format!("Customers?{}", query.replace(' ', "%20"))).await;
        assert_eq!(reply.status.as_u16(), status, "{query}: {}", reply.text);
        assert!(reply.body["error"]["message"].is_string(), "{query}");
    }
    let deep = format!("Customers?$filter={}true", "not%20".repeat(500));
    assert_eq!(lab.get(&deep).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn single_entities_and_ways_from_them() {
    let lab = Lab::five(100).await;
    lab.edit(json!({ "set": "Orders", "values": { "Number": 7, "CustomerNumber": "C1", "OrderDate": "2026-01-05",
        "Lines": [{ "LineNumber": 1, "Quantity": 2, "UnitPrice": 3.5 }, { "LineNumber": 2, "Quantity": 1, "UnitPrice": 1 }] } }))
        .await;
    let order = lab
        .get("Orders(7)?$expand=Lines($select=LineNumber;$orderby=LineNumber desc),Customer&$select=Number")
        .await;
    assert_eq!(order.body["Lines"][0]["LineNumber"], 2, "{}", order.text);
    assert!(order.body["Lines"][0].get("Quantity").is_none());
    assert_eq!(
        (&order.body["Customer"]["Name"], order.body.get("Status")),
        (&json!("N1"), None)
    );
    assert!(order.body["@odata.etag"].as_str().unwrap().starts_with("W/\""));
    assert_eq!(order.body["@odata.etag"], order.header("etag"));
    for (path, value) in [
        ("OrderLines(OrderNumber=7,LineNumber=2)", "2"),
        ("OrderLines(LineNumber=2,OrderNumber=7)", "2"),
        ("Orders(7)/Lines(2)", "2"),
        ("Orders(Number=7)/Lines(LineNumber=2)", "2"),
    ] {
        let reply = lab.get(path).await;
        assert_eq!(
            super::plain(&reply.body["LineNumber"]),
            value,
            "{path}: {}",
            reply.text
        );
    }
    assert_eq!(lab.get("Orders(7)/Customer").await.body["Number"], "C1");
    assert_eq!(lab.get("Customers('C1')/Orders").await.all("Number"), ["7"]);
    assert_eq!(lab.get("Customers('C1')/Orders/$count").await.text, "1");
    assert_eq!(lab.get("Customers('C1')/Name/$value").await.text, "N1");
    assert_eq!(lab.get("Customers('C1')/Name").await.body["value"], "N1");
    for (path, status) in [
        ("Customers('C9')", 404),
        ("Nothings", 404),
        ("Customers(5)", 400),
        ("OrderLines(7)", 400),
        ("Customers('C2')/Orders(7)", 404),
        ("Customers('C1')/Nothing", 404),
    ] {
        assert_eq!(lab.get(path).await.status.as_u16(), status, "{path}");
    }
    let same = lab
        .request(Method::GET, "Orders(7)")
        .header("if-none-match", order.header("etag"));
    assert_eq!(send(same).await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn sign_in_is_needed_and_other_machines_are_refused() {
    let lab = Lab::five(100).await;
    let url = format!("{}/Customers", lab.root);
    assert_eq!(send(lab.http.get(&url)).await.status, StatusCode::UNAUTHORIZED);
    let basic = lab
        .http
        .get(&url)
        .basic_auth("tandem", Some("odata-tandem-password"));
    assert_eq!(send(basic).await.status, StatusCode::OK);
    let wrong = lab.http.get(&url).basic_auth("tandem", Some("no"));
    assert_eq!(send(wrong).await.status, StatusCode::UNAUTHORIZED);
    let foreign = lab
        .request(Method::GET, "Customers")
        .header("host", "evil.example");
    assert_eq!(send(foreign).await.status, StatusCode::FORBIDDEN);
    let atom = lab
        .request(Method::GET, "Customers")
        .header("accept", "application/atom+xml");
    assert_eq!(send(atom).await.status, StatusCode::NOT_ACCEPTABLE);
    let token = lab
        .http
        .post(format!("{}/any/oauth2/v2.0/token", lab.server.url()))
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", "tandem"),
            ("client_secret", "odata-tandem-password"),
        ]);
    assert_eq!(send(token).await.body["access_token"], "odata-tandem-token");
}
