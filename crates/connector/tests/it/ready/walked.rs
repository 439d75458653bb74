//! The ready descriptions, column by column of what their ERPs ask for: what is sent to the lab's imitation of each.

use super::{all_of, create, delete, erpnext, listed, netsuite, odoo, of, stub, update, xero};
use crate::proxy::Proxy;
use crate::rest::config;
use crate::rest::ready::{BUSINESS_CENTRAL, S4HANA, filled};
use crate::scene::{applied, one};
use std::path::Path;
use tandem_connector::rest::Rest;
use tandem_connector::{Connector, Lane};
use tandem_lab::odata::{Options, Preset, serve};
use tandem_lab::stubs::Vendor;
use tandem_merge::value::Value;
use url::Url;

type Given<'a> = &'a [(&'a str, Value)];

/// All that a connector sends while records of a type are listed, asked for changes, made, changed and deleted.
async fn sent(proxy: &Proxy, rest: &Rest, name: &str, made: Given<'_>, changed: Given<'_>) -> String {
    listed(rest, name).await;
    let mut cursor = None;
    for _ in 0..3 {
        let page = rest.changes(&[of(name)], cursor.as_deref()).await.unwrap();
        cursor = Some(page.cursor);
    }
    let id = applied(&one(rest, create(name, made)).await);
    let shown = rest.fetch(&of(name), std::slice::from_ref(&id)).await.unwrap();
    let seen = shown[0].version.clone();
    applied(&one(rest, update(name, &id, changed, seen)).await);
    one(rest, delete(name, &id)).await;
    plain(&proxy.heard())
}

/// Without the escapes of addresses.
fn plain(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(&part[2..]);
            }
            None => {
                plain.push('%');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[track_caller]
fn holds(heard: &str, columns: &[(&str, &str)]) {
    for (column, words) in columns {
        assert!(
            heard.contains(words),
            "{column}: `{words}` was not sent:\n{heard}"
        );
    }
}

async fn odata(preset: Preset, text: &str) -> (tandem_lab::odata::Server, Proxy, Rest) {
    let options = Options {
        preset,
        records: 6,
        page_size: 4,
        ..Options::default()
    };
    let server = serve(options).await.unwrap();
    let proxy = Proxy::before(&server.url().parse().unwrap()).await;
    let secrets = [
        ("token", "odata-tandem-token"),
        ("user", "tandem"),
        ("password", "odata-tandem-password"),
    ];
    let rest = Rest::connect(config(proxy.url(), text, &secrets)).unwrap();
    (server, proxy, rest)
}

async fn stubbed(vendor: Vendor, text: &str) -> (tandem_lab::stubs::Server, Proxy, Rest) {
    let (server, url): (_, Url) = stub(vendor, 3).await;
    let proxy = Proxy::before(&url).await;
    let rest = all_of(proxy.url(), vendor, text);
    (server, proxy, rest)
}

#[tokio::test]
async fn business_central_column_by_column() {
    let (_server, proxy, rest) = odata(Preset::BusinessCentral, &filled(BUSINESS_CENTRAL)).await;
    let (made, changed) = (
        [("displayName", Value::text("Acme"))],
        [("city", Value::text("Ulm"))],
    );
    let several = [
        create("Item", &[("displayName", "A".into())]),
        create("Item", &[("displayName", "B".into())]),
    ];
    assert_eq!(rest.write(&several, Lane::Live).await.len(), 2);
    let heard = sent(&proxy, &rest, "Customer", &made, &changed).await;
    holds(
        &heard,
        &[
            ("auth", "authorization: Bearer "),
            ("paging", "$skiptoken="),
            ("incremental", "lastModifiedDateTime ge 20"),
            ("version token", "if-match: W/"),
            ("batch", "/$batch"),
            (
                "quirks",
                "/companies(8f1c2d3e-4a5b-4c6d-8e7f-901a2b3c4d5e)/customers",
            ),
        ],
    );
    // The real one signs in by OAuth, and takes so much.
    for said in [
        "kind: oauth",
        "lag: 10m",
        "per_minute: 1000",
        "concurrency: 5",
        "request_deadline: 10m",
    ] {
        assert!(BUSINESS_CENTRAL.contains(said), "{said}");
    }
}

#[tokio::test]
async fn s4hana_column_by_column() {
    let (_server, proxy, rest) = odata(Preset::S4hana, S4HANA).await;
    let made = [
        ("category", Value::text("2")),
        ("grouping", Value::text("BP02")),
        ("name", Value::text("Acme")),
    ];
    let heard = sent(
        &proxy,
        &rest,
        "BusinessPartner",
        &made,
        &[("name2", "Ltd".into())],
    )
    .await;
    holds(
        &heard,
        &[
            ("auth", "authorization: Basic "),
            ("auth", "x-csrf-token: Fetch"),
            ("auth", "cookie: "),
            // By the day, at its beginning.
            ("incremental", "LastChangeDate ge datetime'20"),
            ("incremental", "T00:00:00'"),
            ("version token", "if-match: W/"),
        ],
    );
    // Flags say what is deleted; nothing is.
    assert!(!heard.contains("DELETE "), "{heard}");
}

#[tokio::test]
async fn odoo_column_by_column() {
    let (_server, proxy, rest) = stubbed(Vendor::Odoo, &odoo::described()).await;
    let heard = sent(
        &proxy,
        &rest,
        "Customer",
        &[("name", "Acme".into())],
        &[("city", Value::Blank)],
    )
    .await;
    holds(
        &heard,
        &[
            ("auth", "authorization: Bearer "),
            ("auth", "x-odoo-database: "),
            ("paging", r#"[["id",">",0],["is_company","=",true]]"#),
            ("incremental", r#"[["write_date",">=","20"#),
            ("version token", "/json/2/res.partner/read"),
            ("batch", r#""vals_list":["#),
            ("quirks", r#""active_test":false"#),
            // Nothing is written as false.
            ("quirks", r#""city":false"#),
        ],
    );
}

#[tokio::test]
async fn erpnext_column_by_column() {
    let (_server, proxy, rest) = stubbed(Vendor::Erpnext, &erpnext::described()).await;
    let made = [("customer_name", Value::text("Acme"))];
    let heard = sent(&proxy, &rest, "Customer", &made, &[("tax_id", "7".into())]).await;
    holds(
        &heard,
        &[
            ("auth", "authorization: token "),
            ("paging", "limit_page_length=500"),
            ("paging", r#"[["name",">",""]]"#),
            ("incremental", r#"["modified",">=","20"#),
            ("deletes", "/resource/Deleted Document?"),
            ("version token", r#""modified":"20"#),
            ("quirks", r#"fields=["name","#),
        ],
    );
}

#[tokio::test]
async fn netsuite_column_by_column() {
    let (_server, proxy, rest) = stubbed(Vendor::Netsuite, &netsuite::described()).await;
    let made = [("companyName", Value::text("Acme"))];
    let heard = sent(&proxy, &rest, "Customer", &made, &[("phone", "123456".into())]).await;
    holds(
        &heard,
        &[
            ("auth", "client_assertion="),
            ("paging", "AND id > 0 ORDER BY id"),
            ("incremental", "lastmodifieddate >= TO_DATE('20"),
            ("deletes", "FROM deletedrecord WHERE"),
            ("version token", "WHERE id > 0 AND id = "),
            ("safe create", "PUT /services/rest/record/v1/customer/eid:key-1"),
            ("quirks", "prefer: transient"),
        ],
    );
    assert!(netsuite::described().contains("request_deadline: 15m"));
}

#[tokio::test]
async fn xero_column_by_column() {
    let (_server, proxy, rest) = stubbed(Vendor::Xero, &xero::described()).await;
    let made = [("Name", Value::text("Acme"))];
    let heard = sent(&proxy, &rest, "Contact", &made, &[("TaxNumber", "7".into())]).await;
    holds(
        &heard,
        &[
            ("auth", "/connect/token"),
            ("auth", "xero-tenant-id: "),
            ("paging", "page=1&pageSize=500"),
            ("incremental", "if-modified-since: 20"),
            ("deletes", r#""ContactStatus":"ARCHIVED""#),
            ("safe create", "idempotency-key: key-1"),
            ("quirks", "includeArchived=true"),
        ],
    );
    for said in [
        "X-MinLimit-Remaining, of: minute",
        "X-DayLimit-Remaining, of: day",
        "/Date()/",
    ] {
        assert!(xero::described().contains(said), "{said}");
    }
}

/// The table of the guide names tests that there are.
#[test]
fn each_test_that_the_table_names_is_there() {
    let table = super::shipped("README.md");
    let (_, table) = table.split_once("## Column by column").unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let folders = ["ready", "rest"].map(|name| std::fs::read_dir(tests.join(name)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let all: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let named = table
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() > 2);
    let missing: Vec<&str> = named
        .filter(|name| !all.contains(&format!("fn {name}(")))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}
