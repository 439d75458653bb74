//! Calls to the local systems, as a person makes them.

use serde_json::Value as Json;

/// What an address answers.
pub(crate) fn get(url: &str) -> Json {
    call(reqwest::Method::GET, url, None, None)
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

/// Reads from Customerp as Alice.
pub(crate) fn get_customerp(url: &str, path: &str) -> Json {
    let token = Some("customerp-alice-token".to_owned());
    call(reqwest::Method::GET, &format!("{url}/api/v1/{path}"), token, None)
}

fn call(method: reqwest::Method, url: &str, token: Option<String>, body: Option<&Json>) -> Json {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(Vec::<reqwest::Certificate>::new())
            .build()
            .unwrap();
        let mut request = client.request(method, url).header("if-match", "*");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await.unwrap().error_for_status().unwrap();
        reply.json().await.unwrap()
    })
}
