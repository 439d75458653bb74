//! Documents of public shape: OpenAPI as several houses write it, and OData metadata of both versions.

use super::{ended, read};
use crate::local::{Ran, run_in};
use serde_json::{Value as Json, json};

/// An interface with pages by number, a wrapper, an update by PUT, an API key, and a list of wrapped records.
pub(super) fn openapi() -> Json {
    let text = || json!({ "type": "string" });
    let page = |of: &str| {
        json!({ "type": "object", "properties": {
            "data": { "type": "array", "items": { "$ref": format!("#/components/schemas/{of}") } },
            "meta": { "type": "object", "properties": { "total_pages": { "type": "integer" }, "total": { "type": "integer" } } },
        } })
    };
    let reply = |schema: Json| json!({ "200": { "description": "ok", "content": { "application/json": { "schema": schema } } } });
    let one = |of: &str| json!({ "type": "object", "properties": { "data": { "$ref": format!("#/components/schemas/{of}") } } });
    let body = |of: &str| json!({ "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{of}Write") } } } });
    let query = |name: &str, schema: Json| json!({ "name": name, "in": "query", "schema": schema });
    let paths = |of: &str, path: &str, item: &str| {
        let list = json!({ "get": { "parameters": [
            query("page", json!({ "type": "integer", "minimum": 1 })),
            query("per_page", json!({ "type": "integer", "maximum": 200 })),
            query("updated_after", json!({ "type": "string", "format": "date-time" })),
        ], "responses": reply(page(of)) }, "post": { "requestBody": body(of), "responses": reply(one(of)) } });
        let item_path = json!({ "get": { "responses": reply(one(of)) }, "put": { "requestBody": body(of), "responses": reply(one(of)) },
            "delete": { "responses": { "204": { "description": "gone" } } } });
        [(path.to_owned(), list), (item.to_owned(), item_path)]
    };
    let all = [
        paths("Customer", "/v2/customers", "/v2/customers/{customer_id}"),
        paths("Contact", "/v2/contacts", "/v2/contacts/{id}"),
        paths("Item", "/v2/items", "/v2/items/{id}"),
    ];
    let all: serde_json::Map<String, Json> = all.into_iter().flatten().collect();
    let stamped = json!({ "type": "object", "properties": { "id": { "type": "integer", "readOnly": true }, "updated_at": { "type": "string", "format": "date-time", "readOnly": true } } });
    let record = |own: Json| json!({ "allOf": [{ "$ref": "#/components/schemas/Stamped" }, own] });
    let customer = json!({ "type": "object", "required": ["name"], "properties": {
        "name": { "type": "string", "maxLength": 120 }, "email": text(),
        "address": { "type": "object", "properties": { "street": text(), "city": text(), "zip": text(), "country": text() } },
        "tags": { "type": "array", "items": text() }, "status": { "type": "string", "enum": ["active", "blocked"] },
    } });
    let contact = json!({ "type": "object", "required": ["last_name"], "properties": {
        "first_name": { "type": "string", "nullable": true }, "last_name": text(), "email": text(), "customer_id": { "type": "integer" },
    } });
    let item = json!({ "type": "object", "properties": { "name": text(), "price": { "type": "number", "multipleOf": 0.01 } } });
    json!({
        "openapi": "3.0.3",
        "info": { "title": "An ERP: of one's own", "version": "1" },
        "servers": [{ "url": "https://{tenant}.erp.example/api" }],
        "security": [{ "key": [] }],
        "paths": all,
        "components": {
            "securitySchemes": { "key": { "type": "apiKey", "in": "header", "name": "X-Api-Key" } },
            "schemas": {
                "Stamped": stamped,
                "Customer": record(customer.clone()), "CustomerWrite": customer,
                "Contact": record(contact.clone()), "ContactWrite": contact,
                "Item": record(item.clone()), "ItemWrite": item,
            },
        },
    })
}

/// Proposes out of a document: how it ended, and the folder with the files.
pub(super) fn proposed(name: &str, text: &str) -> (Ran, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    let ran = run_in(folder.path(), &["init", "--from", name, "--types", "all"]);
    (ran, folder)
}

#[track_caller]
pub(super) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn an_interface_with_pages_wrappers_and_full_updates_is_described() {
    let (ran, folder) = proposed("erp.json", &openapi().to_string());
    ended(&ran, 0);
    let description = read(folder.path(), "erp.yaml");
    has(
        &description,
        &[
            "name: \"An ERP: of one's own\"",
            "base: /api",
            "session: { kind: api-key, headers: { X-Api-Key: \"{secret.key}\" } }",
            "query: { per_page: 200, page: \"{page}\" }",
            "items: data",
            "paging: { kind: page, pages: meta.total_pages, total: meta.total }",
            "query: { updated_after: \"{since}\" }",
            "since: { exclusive: true }",
            "request: \"GET /v2/customers/{id}\"",
            "record: data",
            "style: full",
            "omit: [id, updated_at]",
            "name: { type: string(120), required: true }",
            "addressCity: { type: string, at: address.city }",
            "customer_id: { type: reference(Customer), form: { as: number } }   # guessed: ",
            "price: \"decimal(18,2)\"",
        ],
    );
    let flow = read(folder.path(), "flows/customer.yaml");
    has(
        &flow,
        &[
            "{ erp: addressZip, salesforce: BillingPostalCode",
            "erp: Customer",
            "\n  - { name: case-fold, contradicted_by: [addressCity, addressZip] }",
        ],
    );
    has(
        &read(folder.path(), "flows/contact.yaml"),
        &[
            "{ email: email, agree: [first_name, last_name] }",
            "references: customer",
        ],
    );
    has(
        &ran.out,
        &[
            "`tags` is a list inside the record",
            "Can a create be sent twice safely?",
        ],
    );
    // The same in YAML.
    let yaml = "openapi: 3.1.0\ninfo: { title: Small, version: '1' }\npaths:\n  /customers:\n    get:\n      responses:\n        '200':\n          \
                description: ok\n          content: { application/json: { schema: { type: array, items: { type: object, properties: { id: { type: string }, name: { type: string } } } } } }\n  \
                /customers/{id}:\n    get:\n      responses:\n        '200':\n          description: ok\n          content: { application/json: { schema: { type: object, properties: { id: { type: string }, name: { type: string } } } } }\n";
    let (ran, folder) = proposed("erp.txt", yaml);
    ended(&ran, 0);
    has(
        &read(folder.path(), "erp.yaml"),
        &[
            "# left out: the document does not say how a program signs in",
            "  Customer:",
        ],
    );
    has(
        &ran.out,
        &[
            "read only",
            "How is the list read in pages?",
            "`session:` in the description",
        ],
    );
}

const V4: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Shop" xmlns="http://docs.oasis-open.org/odata/ns/edm">
  <EnumType Name="State"><Member Name="Open"/><Member Name="Shipped"/></EnumType>
  <ComplexType Name="Address"><Property Name="City" Type="Edm.String" MaxLength="40"/></ComplexType>
  <EntityType Name="Customer"><Key><PropertyRef Name="CustomerID"/></Key>
    <Property Name="CustomerID" Type="Edm.String" Nullable="false" MaxLength="5"/>
    <Property Name="CompanyName" Type="Edm.String" Nullable="false" MaxLength="40"/>
    <Property Name="Address" Type="Shop.Address"/>
    <Property Name="Photo" Type="Edm.Stream"/>
    <Property Name="ModifiedAt" Type="Edm.DateTimeOffset"><Annotation Term="Org.OData.Core.V1.Computed"/></Property>
  </EntityType>
  <EntityType Name="Order"><Key><PropertyRef Name="OrderID"/></Key>
    <Property Name="OrderID" Type="Edm.Int32" Nullable="false"><Annotation Term="Org.OData.Core.V1.Computed" Bool="true"/></Property>
    <Property Name="OrderDate" Type="Edm.Date"/><Property Name="State" Type="Shop.State"/>
    <Property Name="Freight" Type="Edm.Decimal" Precision="19" Scale="4"/><Property Name="CustomerID" Type="Edm.String"/>
    <NavigationProperty Name="Customer" Type="Shop.Customer"><ReferentialConstraint Property="CustomerID" ReferencedProperty="CustomerID"/></NavigationProperty>
  </EntityType>
  <EntityType Name="Order_Detail"><Key><PropertyRef Name="OrderID"/><PropertyRef Name="Line"/></Key>
    <Property Name="OrderID" Type="Edm.Int32" Nullable="false"/><Property Name="Line" Type="Edm.Int32" Nullable="false"/>
  </EntityType>
  <EntityContainer Name="Container">
    <EntitySet Name="Customers" EntityType="Shop.Customer"><Annotation Term="Org.OData.Core.V1.OptimisticConcurrency"><Collection/></Annotation></EntitySet>
    <EntitySet Name="Orders" EntityType="Shop.Order"/><EntitySet Name="Order_Details" EntityType="Shop.Order_Detail"/>
  </EntityContainer>
  <Annotations Target="Shop.Container/Orders"><Annotation Term="Org.OData.Capabilities.V1.DeleteRestrictions"><Record>
    <PropertyValue Property="Deletable" Bool="false"/></Record></Annotation></Annotations>
</Schema></edmx:DataServices></edmx:Edmx>"#;

#[test]
fn a_service_of_odata_4_is_described() {
    let (ran, folder) = proposed("metadata.xml", V4);
    ended(&ran, 0);
    let description = read(folder.path(), "erp.yaml");
    has(
        &description,
        &[
            "odata: v4   # guessed: ",
            "collection: Customers",
            "modified: ModifiedAt   # guessed: ",
            "find:\n      properties: [OrderID, OrderDate, Freight, CustomerID]",
            "delete: none",
            "AddressCity: { type: string(40), at: Address.City }",
            "ModifiedAt: { type: datetime, read_only: true }",
            "State: \"enum(Open|Shipped)\"",
            "Freight: \"decimal(19,4)\"",
            "CustomerID: reference(Customer)",
            "OrderID: { type: integer, unique: true, read_only: true }",
            "id: [OrderID, Line]",
        ],
    );
    // What the dialect fills in is not written.
    for part in [
        "Photo",
        "request:",
        "token:",
        "changes:",
        "headers:",
        "left out: its",
    ] {
        assert!(!description.contains(part), "{part}\n{description}");
    }
    has(
        &read(folder.path(), "flows/order.yaml"),
        &[
            "{ erp: OrderDate, salesforce: EffectiveDate, type: date",
            "references: customer",
        ],
    );
}

const V2: &str = r#"<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData">
<edmx:DataServices m:DataServiceVersion="2.0"><Schema Namespace="API" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">
  <EntityType Name="A_CustomerType"><Key><PropertyRef Name="Customer"/></Key>
    <Property Name="Customer" Type="Edm.String" Nullable="false" MaxLength="10" sap:creatable="false" sap:updatable="false"/>
    <Property Name="CustomerName" Type="Edm.String" MaxLength="80"/>
    <Property Name="LastChangeDateTime" Type="Edm.DateTimeOffset" ConcurrencyMode="Fixed" sap:creatable="false" sap:updatable="false"/>
    <Property Name="CreationDate" Type="Edm.DateTime" sap:display-format="Date"/>
  </EntityType>
  <EntityType Name="A_SalesOrderType"><Key><PropertyRef Name="SalesOrder"/></Key>
    <Property Name="SalesOrder" Type="Edm.String" Nullable="false" MaxLength="10"/>
    <Property Name="SalesOrderDate" Type="Edm.DateTime" sap:display-format="Date" sap:updatable="false"/>
    <Property Name="TotalNetAmount" Type="Edm.Decimal" Precision="16" Scale="3" sap:creatable="false" sap:updatable="false"/>
    <Property Name="SoldToParty" Type="Edm.String" MaxLength="10" sap:filterable="false"/>
    <NavigationProperty Name="to_Customer" Relationship="API.Sold" FromRole="Order" ToRole="Customer"/>
  </EntityType>
  <Association Name="Sold"><End Type="API.A_CustomerType" Multiplicity="0..1" Role="Customer"/><End Type="API.A_SalesOrderType" Multiplicity="*" Role="Order"/>
    <ReferentialConstraint><Principal Role="Customer"><PropertyRef Name="Customer"/></Principal><Dependent Role="Order"><PropertyRef Name="SoldToParty"/></Dependent></ReferentialConstraint>
  </Association>
  <EntityContainer Name="C" m:IsDefaultEntityContainer="true">
    <EntitySet Name="A_Customer" EntityType="API.A_CustomerType" sap:deletable="false"/>
    <EntitySet Name="A_SalesOrder" EntityType="API.A_SalesOrderType" sap:updatable="false" sap:creatable="false" sap:deletable="false"/>
  </EntityContainer>
</Schema></edmx:DataServices></edmx:Edmx>"#;

#[test]
fn a_service_of_odata_2_with_saps_annotations_is_described() {
    let (ran, folder) = proposed("metadata.xml", V2);
    ended(&ran, 0);
    let description = read(folder.path(), "erp.yaml");
    has(
        &description,
        &[
            "\nodata: v2\n",
            "modified: LastChangeDateTime   # guessed: ",
            "since: { format: \"datetimeoffset'%Y-%m-%dT%H:%M:%SZ'\" }",
            "LastChangeDateTime: { type: datetime, read_only: true, form: { literal: datetimeoffset } }",
            "delete: none",
            "create: none",
            "update: none",
            "find:\n      properties: [SalesOrder, SalesOrderDate, TotalNetAmount]",
            "CreationDate: date",
            "SoldToParty: reference(Customer)",
            "TotalNetAmount: { type: \"decimal(16,3)\", read_only: true }",
        ],
    );
    for part in ["request:", "token:", "csrf:", "forms:"] {
        assert!(!description.contains(part), "{part}\n{description}");
    }
    let flow = read(folder.path(), "flows/order.yaml");
    has(
        &flow,
        &[
            "{ erp: SoldToParty, salesforce: AccountId",
            "erp: SalesOrder",
            "direction: to-salesforce",
        ],
    );
}

#[test]
fn what_is_no_description_of_an_interface_is_told_in_a_sentence() {
    let bomb = "<!DOCTYPE a [<!ENTITY x \"xxxxxxxxxx\"><!ENTITY y \"&x;&x;&x;&x;&x;&x;&x;&x;\">]><a>&y;</a>";
    for (text, said) in [
        (
            "<!doctype html><html><body>Sign in</body></html>",
            "is a web page, not a description",
        ),
        ("{ \"swagger\": \"2.0\", \"paths\": {} }", "is Swagger 2.0"),
        ("{ \"name\": \"a-package\" }", "no member `openapi`"),
        (
            "{ \"openapi\": \"3.1.0\", \"paths\": { \"/health\": { \"get\": {} } } }",
            "describes no records",
        ),
        ("{ \"openapi\": \"4.0.0\" }", "is OpenAPI 4.0.0"),
        ("{ \"openapi\": ", "it:1:13: this is no JSON"),
        (&V4[..900], "this is no whole XML"),
        (bomb, "a document type is declared here"),
        (
            "<definitions xmlns=\"http://schemas.xmlsoap.org/wsdl/\"/>",
            "is a WSDL document",
        ),
        ("", "is empty"),
    ] {
        let (ran, folder) = proposed("it", text);
        ended(&ran, 2);
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
        assert!(!folder.path().join("tandem.yaml").exists());
    }
    let folder = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (&["--from", "nowhere.json"][..], "nowhere.json cannot be read"),
        (&["--from", "http://127.0.0.1:9/openapi.json"], "does not answer"),
        (
            &["--from", "http://ann:secret@127.0.0.1:9/openapi.json"],
            "the address holds a user or a password",
        ),
        (&["--from", "sqlite:nowhere.db"], "nowhere.db"),
        (
            &["--from", "x", "--token-env", "NOT_SET_AT_ALL"],
            "NOT_SET_AT_ALL is not set",
        ),
        (
            &["--from", "x", "--system", "salesforce"],
            "cannot be what the ERP is called",
        ),
        (
            &["--from", "x", "--description", "../erp.yaml"],
            "not the name of a file",
        ),
    ] {
        let ran = run_in(folder.path(), &[&["init"][..], arguments].concat());
        assert!(matches!(ran.code, Some(1 | 2)), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
}

/// Names that mean something to YAML, to a terminal, or to nobody: what is written still reads.
#[test]
fn hostile_names_make_no_proposal_that_does_not_read() {
    let mut document = openapi();
    let schemas = &mut document["components"]["schemas"];
    for name in [
        "a: b",
        "#",
        "- x",
        "{y}",
        "new\nline",
        "\u{1b}[31m",
        "",
        " ",
        "no",
        "ключ",
        "a.b/c~d",
        "*x",
        "\"q\"",
        "?",
    ] {
        schemas["Customer"]["allOf"][1]["properties"][name] =
            json!({ "type": "string", "description": name, "enum": [name, "a"] });
    }
    document["info"]["title"] = json!("x\u{7}: {y}\n# z");
    let item = document["paths"]["/v2/items"].clone();
    document["paths"]["/v2/{weird}/things"] = item;
    document["paths"]["/v2/{weird}/things/{id}"] = document["paths"]["/v2/items/{id}"].clone();
    let (ran, folder) = proposed("erp.json", &document.to_string());
    ended(&ran, 0);
    assert!(
        !ran.out.contains('\u{1b}') && !ran.out.contains('\u{7}'),
        "{:?}",
        ran.out
    );
    // The files are read by the program itself: only the addresses and secrets are missing.
    let checked = run_in(folder.path(), &["check", "--offline"]);
    assert!(checked.err.contains("nothing is known yet"), "{}", checked.err);
}
