//! Signing in to the console with a provider of OpenID Connect that a test tells what to say. One by others is tried in
//! `browser::sign_in`.

mod local;
mod scene;

use crate::console::{Console, VIEWER};
use local::{Mood, SECRET, pairs};
use reqwest::Method;
use scene::{Scene, location, pair, says, staff};
use serde_json::{Value as Json, json};

#[test]
fn whoever_the_provider_vouches_for_comes_in_with_the_role_that_the_configuration_gives() {
    let scene = Scene::start();
    assert_eq!(
        scene.provider.asked(),
        Vec::<String>::new(),
        "nobody wanted to sign in yet"
    );
    let door = scene.console.send(Method::GET, "/enter", &[], None);
    assert!(door.text.contains("Sign in with Example Login"), "{}", door.text);
    // By a group; by the highest of several; by a verified address; by what is said to whoever asks once more.
    let viewer = Scene::session(&scene.sign_in(staff()));
    assert_eq!(scene.may(&viewer), [200, 403]);
    let operator = says(json!({ "groups": ["others", "shift", "staff"], "preferred_username": "otto" }));
    let operator = Scene::session(&scene.sign_in(operator));
    assert_eq!(scene.may(&operator), [200, 409]);
    let ann = json!({ "email": "Ann@example.com", "email_verified": true, "groups": [] });
    let admin = Scene::session(&scene.sign_in(says(ann.clone())));
    let page = scene.console.send(Method::GET, "/", &[("cookie", &admin)], None);
    assert!(
        page.text.contains("signed in as ann@example.com"),
        "{}",
        page.text
    );
    scene.provider.asked();
    let asked = Mood {
        more: ann,
        ..Mood::default()
    };
    assert_eq!(scene.may(&Scene::session(&scene.sign_in(asked))), [200, 409]);
    let asked = scene.provider.asked();
    assert_eq!(
        asked,
        ["GET /auth", "POST /token", "GET /keys", "GET /userinfo"],
        "the description is known"
    );
    let in_form = Mood {
        in_form: true,
        ..staff()
    };
    assert_eq!(scene.may(&Scene::session(&scene.sign_in(in_form))), [200, 403]);
    // The log says who, by what the provider calls them.
    let said = scene.console.said().join("\n");
    for part in [
        "ann@example.com signed in (role Admin)",
        "otto (248289761001) signed in",
        "otto (248289761001) is vouched for by the provider (issuer http",
    ] {
        assert!(said.contains(part), "{said} lacks {part}");
    }
    // Whoever signs out is out, and is told that the provider may still know them.
    let headers = [
        ("cookie", viewer.as_str()),
        ("origin", scene.console.url.as_str()),
    ];
    let left = scene.console.send(Method::POST, "/leave", &headers, None);
    let door = scene.console.send(Method::GET, location(&left), &[], None);
    let out = format!("{}/end?client_id=tandem", scene.provider.url());
    assert!(
        door.text.contains("Example Login may still know you") && door.text.contains(&out),
        "{}",
        door.text
    );
    assert_eq!(scene.may(&viewer), [303, 401]);
    assert_eq!(scene.may(&operator), [200, 409]);
}

#[test]
fn what_a_provider_says_that_does_not_hold_lets_nobody_in() {
    let scene = Scene::start();
    let with = |claim: &str, value: Json| {
        let mut mood = staff();
        mood.said[claim] = value;
        mood
    };
    let long_ago = jiff::Timestamp::now().as_second() - 3_600;
    let unsigned = Mood {
        algorithm: "none",
        ..staff()
    };
    let forged = Mood {
        forged: true,
        ..staff()
    };
    let two = Mood {
        more: json!({ "sub": "1", "groups": ["staff"] }),
        ..Mood::default()
    };
    for (mood, why) in [
        (with("nonce", json!("another")), "of another sign-in (`nonce`)"),
        (with("aud", json!("another")), "for another application (`aud`"),
        (
            with("iss", json!("https://evil.example")),
            "another provider&#39;s (`iss`)",
        ),
        (with("exp", json!(long_ago)), "has expired (`exp`)"),
        (with("iat", json!(long_ago)), "not of this moment (`iat`"),
        (unsigned, "proves nothing here (`alg`)"),
        (forged, "signed by none of its keys"),
        (two, "speaks of two people"),
    ] {
        let why = why.replace("&#39;", "'");
        Scene::refused(&scene.sign_in(mood), 401, &why);
    }
    // An honest word after all that is heard.
    Scene::session(&scene.sign_in(staff()));
    // One more, and one more: then nobody is heard for a while by this way, and by the others as before.
    Scene::refused(&scene.sign_in(with("nonce", json!(null))), 401, "`nonce`");
    let nobody = says(json!({ "groups": ["others"], "email": "ann@example.com", "email_verified": false }));
    Scene::refused(
        &scene.sign_in(nobody),
        403,
        "248289761001 has signed in at the provider, and has no role here",
    );
    Scene::refused(&scene.sign_in(staff()), 429, "Too many sign-ins came to nothing");
    assert_eq!(scene.console.get(VIEWER, "/overview").status, 200);
    assert!(scene.console.sign_in(&scene.console.link).is_some());
    let said = scene.console.said().join("\n");
    assert!(
        said.contains("came to nothing: 248289761001 has signed in"),
        "{said}"
    );
    for secret in ["code%20", "code ", "for-more", "eyJ", SECRET] {
        assert!(!said.contains(secret), "{said} holds {secret}");
    }
}

#[test]
fn a_browser_that_did_not_begin_or_was_led_astray_does_not_come_in() {
    let scene = Scene::start();
    scene.provider.is(staff());
    let (address, cookie) = scene.begin();
    let not_begun = "was not begun in this browser";
    // Without what was begun, with what another browser began, with another state, without one, with two.
    let (_, another) = scene.begin();
    let state = &pairs(address.split_once('?').unwrap().1)["state"];
    let forged = address.replace(state.as_str(), &state.chars().rev().collect::<String>());
    let without = address.replace("state=", "stat=");
    for (address, cookie) in [
        (address.as_str(), "a=b"),
        (address.as_str(), another.as_str()),
        (forged.as_str(), cookie.as_str()),
        (without.as_str(), cookie.as_str()),
        (&format!("{address}&state={state}"), cookie.as_str()),
    ] {
        Scene::refused(&scene.come_back(address, cookie), 401, not_begun);
    }
    // Whoever only looks ahead uses nothing up. Then it is good once, though the answer is there twice.
    let ahead = scene
        .console
        .send(Method::HEAD, &address, &[("cookie", &cookie)], None);
    assert_eq!(ahead.status, 204);
    let session = Scene::session(&scene.come_back(&address, &cookie));
    Scene::refused(&scene.come_back(&address, &cookie), 401, not_begun);
    let both = format!("{cookie}; {session}");
    assert_eq!(
        location(&scene.come_back(&address, &both)),
        "/",
        "whoever is in is in"
    );
    // A code that was used is none for another sign-in either, nor one that somebody else got.
    let code = pairs(address.split_once('?').unwrap().1)["code"].clone();
    for stolen in [code, "code of-nobody".to_owned()] {
        let mut mood = staff();
        mood.back = json!({ "code": stolen });
        Scene::refused(&scene.sign_in(mood), 401, "does not take its code");
    }
    let (others, _) = scene.begin();
    let code = pairs(others.split_once('?').unwrap().1)["code"].clone();
    let mut mood = staff();
    mood.back = json!({ "code": code });
    Scene::refused(&scene.sign_in(mood), 401, "does not take its code");
    // Another provider's answer, one that does not say whose it is, and a no, in words that are shown or not.
    for (back, status, why) in [
        (
            json!({ "iss": "https://evil.example" }),
            401,
            "another provider than ours",
        ),
        (json!({ "iss": null }), 401, "does not say which provider"),
        (
            json!({ "code": null, "error": "access_denied" }),
            403,
            "(`access_denied`)",
        ),
        (
            json!({ "code": null, "error": "<b>Call 555</b>" }),
            403,
            "The provider signed nobody in.",
        ),
        (json!({ "code": null }), 401, "brought no code"),
    ] {
        let mut mood = staff();
        mood.back = back;
        Scene::refused(&scene.sign_in(mood), status, why);
    }
}

#[test]
fn nobody_is_led_anywhere_else() {
    let scene = Scene::start();
    scene.provider.is(staff());
    let own = scene.console.url.clone();
    let port = own.rsplit_once(':').unwrap().1;
    // Whatever is added, the provider leads back to where the console is, and the console to its first page.
    for more in [
        "?redirect_uri=https://evil.example",
        "?next=//evil.example&here=https://evil.example",
        "?here=1",
    ] {
        let out = scene
            .console
            .send(Method::GET, &format!("/enter/provider{more}"), &[], None);
        let asked = pairs(location(&out).split_once('?').unwrap().1);
        assert_eq!(asked["redirect_uri"], format!("{own}/enter/return"), "{more}");
        assert!(!location(&out).contains("evil"), "{more}");
    }
    let (address, cookie) = scene.begin();
    let answer = scene.come_back(&format!("{address}&next=https://evil.example"), &cookie);
    Scene::session(&answer);
    // By another name of this machine, the browser is led to the one that the provider knows first.
    let headers = [("host", format!("localhost:{port}"))].map(|(name, value)| (name, value.clone()));
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let out = scene.console.send(Method::GET, "/enter/provider", &headers, None);
    assert_eq!(location(&out), format!("{own}/enter/provider?here=1"));
    let evil = scene
        .console
        .send(Method::GET, "/enter/provider", &[("host", "evil.example")], None);
    assert_eq!(evil.status, 403);
    // A cookie of the way through is no session, and a session no such cookie.
    let name = format!("tandem_{port}=");
    let session = cookie.replacen(&format!("tandem_{port}_begun="), &name, 1);
    assert_eq!(scene.may(&session), [303, 401]);
}

#[test]
fn a_provider_that_is_away_or_unfit_hinders_nobody_else() {
    // GIVEN a provider that nobody can reach, the start goes on
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", away.local_addr().unwrap());
    drop(away);
    let pair = pair(&issuer);
    let console = Console::start_logging(&pair, "tandem=info,warn");
    let out = console.send(Method::GET, "/enter/provider", &[], None);
    Scene::refused(&out, 503, "The provider cannot be asked");
    assert!(out.text.contains("Tokens and the links of"), "{}", out.text);
    assert_eq!(console.get(VIEWER, "/overview").status, 200);
    assert!(console.sign_in(&console.link).is_some());
    drop(console);
    // A provider that calls itself otherwise, or would have us talk where others listen
    for (description, why) in [
        (
            json!({ "issuer": "https://evil.example" }),
            "calls itself `https://evil.example`",
        ),
        (
            json!({ "token_endpoint": "http://evil.example/token" }),
            "does not begin with https://",
        ),
        (json!({ "jwks_uri": null }), "its description is none"),
    ] {
        let scene = Scene::start();
        scene.provider.is(Mood {
            description,
            ..Mood::default()
        });
        let out = scene.console.send(Method::GET, "/enter/provider", &[], None);
        Scene::refused(&out, 503, why);
        let asked = scene.provider.asked();
        assert_eq!(asked, ["GET /.well-known/openid-configuration"]);
    }
}

#[test]
fn who_lost_the_role_is_out_once_the_configuration_was_read_again() {
    let scene = Scene::start();
    let operator = Scene::session(&scene.sign_in(says(json!({ "groups": ["shift", "staff"] }))));
    assert_eq!(scene.may(&operator), [200, 409]);
    let Scene {
        provider,
        pair,
        console,
    } = scene;
    let port = console.url.rsplit_once(':').unwrap().1.to_owned();
    drop(console);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("group: shift", "group: night-shift")).unwrap();
    let scene = Scene {
        console: Console::start(&pair),
        provider,
        pair,
    };
    let named = |port: &str| format!("tandem_{port}=");
    let other = scene.console.url.rsplit_once(':').unwrap().1;
    let session = operator.replacen(&named(&port), &named(other), 1);
    assert_eq!(
        scene.may(&session),
        [200, 403],
        "what is left is the other group's role"
    );
    let _ = &scene.pair;
}
