//! Alice, who works in both systems through their own interfaces, never through Tandem.

use crate::failure::Failure;
use crate::loading;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Map, Value as Json, json};
use tandem_merge::config::Configuration;
use tandem_merge::dataflow::{End, Side};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

/// Her token in the local Customerp.
const TOKEN: &str = "customerp-alice-token";
/// Her client in the local org, and its secret.
const CLIENT: [&str; 2] = ["alice", "alice-secret"];

/// Her sessions.
pub(crate) struct People {
    client: Client,
    customerp: String,
    salesforce: String,
    session: String,
    api: String,
    configuration: Configuration,
}

impl People {
    /// Signs in to both systems.
    pub(crate) async fn sign_in(
        customerp: &str,
        salesforce: &str,
        configuration: &Configuration,
    ) -> Result<Self, Failure> {
        let client = Client::builder()
            .no_proxy()
            .build()
            .map_err(|error| broken(&error))?;
        let [id, secret] = CLIENT;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        let request = client
            .post(format!("{salesforce}/services/oauth2/token"))
            .form(&form);
        let reply = answer(request).await?;
        let session = reply["access_token"].as_str().unwrap_or_default().to_owned();
        let versions = answer(client.get(format!("{salesforce}/services/data"))).await?;
        let newest = versions.as_array().and_then(|all| all.last());
        let api = newest
            .and_then(|version| version["url"].as_str())
            .unwrap_or("/services/data/v60.0");
        Ok(Self {
            client,
            customerp: customerp.to_owned(),
            salesforce: salesforce.to_owned(),
            session,
            api: format!("{salesforce}{api}"),
            configuration: configuration.clone(),
        })
    }

    /// Where a person opens a record in a browser.
    pub(crate) fn page(&self, side: Side, end: &End, id: &str) -> String {
        match side {
            Side::First => format!("{}/{}/{id}", self.customerp, self.collection(&end.record_type)),
            Side::Second => format!("{}/{id}", self.salesforce),
        }
    }

    /// A record as the system shows it.
    pub(crate) async fn record(&self, side: Side, end: &End, id: &str) -> Result<Map<String, Json>, Failure> {
        let reply = answer(self.request(Method::GET, &self.address(side, end, Some(id)), side)).await?;
        Ok(reply.as_object().cloned().unwrap_or_default())
    }

    /// Changes a property.
    pub(crate) async fn change(
        &self,
        side: Side,
        end: &End,
        id: &str,
        property: &str,
        value: &Value,
    ) -> Result<(), Failure> {
        let mut body = Map::new();
        body.insert(property.to_owned(), as_json(value));
        let request = self.request(Method::PATCH, &self.address(side, end, Some(id)), side);
        answer(request.header("if-match", "*").json(&body))
            .await
            .map(drop)
    }

    /// Creates a record in Salesforce and returns its id.
    pub(crate) async fn create(&self, end: &End, values: &Map<String, Json>) -> Result<String, Failure> {
        let request = self.request(Method::POST, &self.address(Side::Second, end, None), Side::Second);
        let reply = answer(request.json(values)).await?;
        Ok(reply["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether Customerp holds a record with that value.
    pub(crate) async fn has(&self, end: &End, property: &str, value: &str) -> Result<bool, Failure> {
        let address = format!("{}/lookup", self.address(Side::First, end, None));
        let body = json!({ "property": property, "values": [value] });
        let reply = answer(self.request(Method::POST, &address, Side::First).json(&body)).await?;
        Ok(reply["items"].as_array().is_some_and(|items| !items.is_empty()))
    }

    fn collection(&self, record_type: &RecordType) -> String {
        loading::collection(&self.configuration, record_type)
    }

    fn address(&self, side: Side, end: &End, id: Option<&str>) -> String {
        let all = match side {
            Side::First => format!("{}/api/v1/{}", self.customerp, self.collection(&end.record_type)),
            Side::Second => format!("{}/sobjects/{}", self.api, end.object),
        };
        id.map_or(all.clone(), |id| format!("{all}/{id}"))
    }

    fn request(&self, method: Method, address: &str, side: Side) -> RequestBuilder {
        let token = match side {
            Side::First => TOKEN,
            Side::Second => self.session.as_str(),
        };
        self.client.request(method, address).bearer_auth(token)
    }
}

/// A value as both systems write it.
pub(crate) fn as_json(value: &Value) -> Json {
    match value {
        Value::Blank => Json::Null,
        Value::Boolean(yes) => (*yes).into(),
        Value::Integer(number) => (*number).into(),
        Value::Decimal(number) => serde_json::from_str(&number.to_string()).unwrap_or_default(),
        Value::Text(text) => text.as_str().into(),
        Value::Date(_) | Value::DateTime(_) => value.to_string().into(),
    }
}

async fn answer(request: RequestBuilder) -> Result<Json, Failure> {
    let reply = request.send().await.map_err(|error| broken(&error))?;
    let status = reply.status();
    let text = reply.text().await.map_err(|error| broken(&error))?;
    if !status.is_success() {
        let what = format!("a local system refused what a person did ({status}): {text}");
        return Err(Failure::trouble(
            what,
            "This is a mistake of the demo; please report it",
        ));
    }
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn broken(error: &reqwest::Error) -> Failure {
    Failure::trouble(
        format!("a local system did not answer ({error})"),
        "Run the demo again",
    )
}
