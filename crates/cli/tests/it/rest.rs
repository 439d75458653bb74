//! Calls to the local systems, as a person makes them.

use serde_json::Value as Json;

/// What an address answers.
pub(crate) fn get(url: &str) -> Json {
    call(reqwest::Method::GET, url, None, None)
}

/// What an address answers to a body.
pub(crate) fn post(url: &str, body: &Json) -> Json {
    call(reqwest::Method::POST, url, None, Some(body))
}

/// What an address answers to its end.
pub(crate) fn delete(url: &str) -> Json {
    call(reqwest::Method::DELETE, url, None, None)
}

/// Deploys a zip file of metadata to Salesforce in the name of a client: the result with its details, or the refusal.
pub(crate) fn deploy(url: &str, client: &str, options: &Json, zip: &[u8]) -> Json {
    let token = token(url, client);
    let address = format!("{url}/services/data/v62.0/metadata/deployRequest");
    let part = |name: &str, media: &str| {
        format!("--part\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {media}\r\n\r\n")
    };
    let mut body = part("json", "application/json").into_bytes();
    body.extend(
        serde_json::json!({ "deployOptions": options })
            .to_string()
            .bytes(),
    );
    body.extend(format!("\r\n{}", part("file", "application/zip")).bytes());
    body.extend_from_slice(zip);
    body.extend(b"\r\n--part--\r\n");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let taken: Json = runtime.block_on(async {
        let request = self::client().post(&address).bearer_auth(&token);
        let request = request.header("content-type", "multipart/form-data; boundary=part");
        let bytes = request.body(body).send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    });
    let Some(id) = taken["id"].as_str() else {
        return taken;
    };
    assert_eq!(taken["deployResult"]["status"], "Pending");
    let status = format!("{address}/{id}?includeDetails=true");
    let told = call(reqwest::Method::GET, &status, Some(token), None);
    told["deployResult"].clone()
}

/// Changes a record of Customerp as Alice.
pub(crate) fn patch_customerp(url: &str, path: &str, body: &Json) -> Json {
    let token = Some("customerp-alice-token".to_owned());
    call(
        reqwest::Method::PATCH,
        &format!("{url}/api/v1/{path}"),
        token,
        Some(body),
    )
}

/// Creates a record of Customerp as Alice.
pub(crate) fn post_customerp(url: &str, path: &str, body: &Json) -> Json {
    let token = Some("customerp-alice-token".to_owned());
    call(
        reqwest::Method::POST,
        &format!("{url}/api/v1/{path}"),
        token,
        Some(body),
    )
}

/// Creates in Salesforce as Alice.
pub(crate) fn post_salesforce(url: &str, path: &str, body: &Json) -> Json {
    let address = format!("{url}/services/data/v62.0/{path}");
    call(
        reqwest::Method::POST,
        &address,
        Some(token(url, "alice")),
        Some(body),
    )
}

/// Reads from Salesforce as Alice.
pub(crate) fn get_salesforce(url: &str, path: &str) -> Json {
    let address = format!("{url}/services/data/v62.0/{path}");
    call(reqwest::Method::GET, &address, Some(token(url, "alice")), None)
}

/// Deletes a record of Customerp as Alice.
pub(crate) fn delete_customerp(url: &str, path: &str) {
    let token = Some("customerp-alice-token".to_owned());
    call(
        reqwest::Method::DELETE,
        &format!("{url}/api/v1/{path}"),
        token,
        None,
    );
}

/// What Alice finds in Salesforce.
pub(crate) fn query_salesforce(url: &str, soql: &str) -> Vec<Json> {
    let token = token(url, "alice");
    let soql: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    let address = format!("{url}/services/data/v62.0/query?q={soql}");
    let found = call(reqwest::Method::GET, &address, Some(token), None);
    found["records"].as_array().unwrap().clone()
}

/// Reads from Customerp as Alice.
pub(crate) fn get_customerp(url: &str, path: &str) -> Json {
    let token = Some("customerp-alice-token".to_owned());
    call(reqwest::Method::GET, &format!("{url}/api/v1/{path}"), token, None)
}

/// Changes a record of Salesforce as Alice.
pub(crate) fn patch_salesforce(url: &str, object: &str, id: &str, body: &Json) {
    let token = token(url, "alice");
    let address = format!("{url}/services/data/v62.0/sobjects/{object}/{id}");
    call(reqwest::Method::PATCH, &address, Some(token), Some(body));
}

/// Deletes a record of Salesforce as Alice.
pub(crate) fn delete_salesforce(url: &str, object: &str, id: &str) {
    let token = token(url, "alice");
    let address = format!("{url}/services/data/v62.0/sobjects/{object}/{id}");
    call(reqwest::Method::DELETE, &address, Some(token), None);
}

/// Makes a call of Salesforce's SOAP API in the name of a client.
pub(crate) fn soap(url: &str, client: &str, call: &str) {
    let session = token(url, client);
    let envelope = format!(
        "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Header><SessionHeader><sessionId>{session}\
         </sessionId></SessionHeader></Header><Body>{call}</Body></Envelope>"
    );
    let address = format!("{url}/services/Soap/u/62.0");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let told = runtime.block_on(async {
        let request = self::client().post(&address).header("content-type", "text/xml");
        let request = request.header("soapaction", "\"\"").body(envelope);
        request.send().await.unwrap().text().await.unwrap()
    });
    assert!(told.contains("<success>true</success>"), "{told}");
}

/// Creates records of Customerp as Alice, over one connection; their ids.
pub(crate) fn create_customerp(url: &str, collection: &str, bodies: &[Json]) -> Vec<String> {
    let address = format!("{url}/api/v1/{collection}");
    let posted = each(bodies, |client, body| {
        let request = client.post(&address).bearer_auth("customerp-alice-token");
        request.json(body)
    });
    posted
        .iter()
        .map(|reply| reply["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Creates records of one object of Salesforce as Alice, 200 to a call; their ids.
pub(crate) fn create_salesforce(url: &str, object: &str, bodies: &[Json]) -> Vec<String> {
    let token = token(url, "alice");
    let address = format!("{url}/services/data/v62.0/composite/sobjects");
    let typed = |body: &Json| {
        let mut record = body.clone();
        record["attributes"] = serde_json::json!({ "type": object });
        record
    };
    let packs = bodies.chunks(200).map(|pack| {
        let records: Vec<Json> = pack.iter().map(typed).collect();
        serde_json::json!({ "allOrNone": true, "records": records })
    });
    let packs: Vec<Json> = packs.collect();
    let posted = each(&packs, |client, pack| {
        client.post(&address).bearer_auth(&token).json(pack)
    });
    let rows = posted.iter().flat_map(|reply| reply.as_array().unwrap());
    rows.map(|row| row["id"].as_str().unwrap_or_else(|| panic!("{row}")).to_owned())
        .collect()
}

/// Answers to requests that are sent one after the other over one connection.
fn each(bodies: &[Json], request: impl Fn(&reqwest::Client, &Json) -> reqwest::RequestBuilder) -> Vec<Json> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = client();
        let mut replies = Vec::new();
        for body in bodies {
            let reply = request(&client, body).send().await.unwrap();
            let reply = reply.error_for_status().unwrap();
            replies.push(serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap());
        }
        replies
    })
}

/// Writes many records of one object of Salesforce as Alice, as a script would.
pub(crate) fn write_salesforce(url: &str, method: &str, object: &str, records: &[Json]) {
    let token = token(url, "alice");
    let address = format!("{url}/services/data/v62.0/composite/sobjects");
    for records in records.chunks(200) {
        let mut records = records.to_vec();
        for record in &mut records {
            record["attributes"] = serde_json::json!({ "type": object });
        }
        let body = serde_json::json!({ "allOrNone": true, "records": records });
        let method = method.parse().unwrap();
        let done = call(method, &address, Some(token.clone()), Some(&body));
        let done = done.as_array().unwrap();
        assert!(done.iter().all(|one| one["success"] == true), "{done:#?}");
    }
}

/// An access token of one of the local org's clients.
fn token(url: &str, client: &str) -> String {
    let (url, secret) = (format!("{url}/services/oauth2/token"), format!("{client}-secret"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", &secret),
    ];
    let reply = answer(|client| client.post(&url).form(&form));
    reply["access_token"].as_str().unwrap().to_owned()
}

/// What an address answers to a request, wherever it leads on.
pub(crate) fn answered(
    request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
) -> crate::console::Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let reply = request(&client()).send().await.unwrap();
        crate::console::Answer {
            status: reply.status().as_u16(),
            headers: reply.headers().clone(),
            text: reply.text().await.unwrap(),
        }
    })
}

/// Listens to server-sent events, does something, and hears until the last one that is waited for: the data of all.
pub(crate) fn events(url: &str, token: &str, act: impl FnOnce(), last: impl Fn(&Json) -> bool) -> Vec<Json> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut reply = runtime.block_on(async {
        let reply = client().get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(reply.headers()["content-type"], "text/event-stream");
        reply
    });
    act();
    let mut heard = Vec::new();
    let mut text = String::new();
    loop {
        let chunk = runtime.block_on(async {
            let patience = std::time::Duration::from_secs(60);
            tokio::time::timeout(patience, reply.chunk()).await
        });
        let chunk = chunk.expect("an event within a minute").unwrap();
        text.push_str(core::str::from_utf8(&chunk.unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            heard.extend(data.map(|data| serde_json::from_str::<Json>(data).unwrap()));
            text = rest.to_owned();
            if heard.last().is_some_and(&last) {
                return heard;
            }
        }
    }
}

/// The text that an address answers.
pub(crate) fn text(url: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let reply = client().get(url).send().await.ok()?;
        reply.error_for_status().ok()?.text().await.ok()
    })
}

fn call(method: reqwest::Method, url: &str, token: Option<String>, body: Option<&Json>) -> Json {
    answer(|client| {
        let mut request = client.request(method, url).header("if-match", "*");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    })
}

pub(crate) fn client() -> reqwest::Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = Vec::<reqwest::Certificate>::new();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only(certificates)
        .build()
        .unwrap()
}

fn answer(request: impl FnOnce(reqwest::Client) -> reqwest::RequestBuilder) -> Json {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let reply = request(client())
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
        // A change in Salesforce is answered with nothing.
        serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or_default()
    })
}
