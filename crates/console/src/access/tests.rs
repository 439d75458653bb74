//! What signs somebody in, and what does not.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::access::link_key;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn with(cookie: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, cookie.parse().unwrap());
    headers
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("tandem-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_link_signs_in_once_not_after_its_hour_and_not_after_another_start() {
    let folder = folder("access");
    let access = Access::new(&folder, Vec::new()).unwrap();
    let noon = at("2026-03-01T12:00:00Z");
    let link = link_key(&folder, access.start(), noon).unwrap();
    let (person, session) = access.by_link(&link, noon).unwrap();
    assert_eq!(person.role, Role::Admin);
    assert_eq!(access.by_link(&link, noon), None, "it signs in once");
    let another = Access::new(&folder, Vec::new()).unwrap();
    assert_eq!(another.by_link(&link, noon), None, "it is one of another start");
    let later = link_key(&folder, access.start(), noon).unwrap();
    assert_eq!(access.by_link(&later, at("2026-03-01T13:00:01Z")), None);
    // A session is no link, and a link no session.
    assert_eq!(access.by_link(&session, noon), None);
    let headers = with(&format!("a=b; t={session}"));
    assert_eq!(access.by_session(&headers, "t", noon), Some(person.clone()));
    assert_eq!(
        another.by_session(&headers, "t", noon),
        Some(person),
        "sessions outlive a start"
    );
    assert_eq!(access.by_session(&headers, "other", noon), None);
    assert_eq!(access.by_session(&headers, "t", at("2026-03-02T01:00:00Z")), None);
    // One with another sign is nobody's, nor one that was ended.
    let forged = session.replace(&session[..4], "eyJx");
    assert_eq!(access.by_session(&with(&format!("t={forged}")), "t", noon), None);
    access.end(&headers, "t", noon);
    assert_eq!(access.by_session(&headers, "t", noon), None);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn ann(role: Role, token: &str) -> Token {
    Token {
        person: Person {
            name: "ann".to_owned(),
            role,
        },
        token: token.to_owned(),
    }
}

#[test]
fn a_session_is_worth_what_its_person_is_now() {
    let folder = folder("persons");
    let noon = at("2026-03-01T12:00:00Z");
    let access = Access::new(&folder, vec![ann(Role::Admin, "s3cret")]).unwrap();
    let (_, session) = access.by_token("s3cret", noon).unwrap();
    let headers = with(&format!("t={session}"));
    let role = |tokens| {
        let access = Access::new(&folder, tokens).unwrap();
        access.by_session(&headers, "t", noon).map(|person| person.role)
    };
    assert_eq!(role(vec![ann(Role::Admin, "s3cret")]), Some(Role::Admin));
    assert_eq!(role(vec![ann(Role::Viewer, "s3cret")]), Some(Role::Viewer));
    assert_eq!(role(vec![ann(Role::Admin, "another")]), None);
    assert_eq!(role(Vec::new()), None);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn after_many_wrong_tokens_nobody_signs_in_by_the_form_for_a_minute_and_programs_go_on() {
    let folder = folder("tokens");
    let access = Access::new(&folder, vec![ann(Role::Operator, "s3cret")]).unwrap();
    let noon = at("2026-03-01T12:00:00Z");
    assert_eq!(access.by_token("s3cret", noon).unwrap().0.name, "ann");
    for _ in 0..WRONG {
        assert_eq!(access.by_token("guess", noon), None);
    }
    assert_eq!(access.by_token("s3cret", noon), None);
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, "Bearer s3cret".parse().unwrap());
    assert!(access.who(&headers, "t", noon).is_some());
    assert!(access.by_token("s3cret", at("2026-03-01T12:01:01Z")).is_some());
    std::fs::remove_dir_all(&folder).unwrap();
}

fn provided(folder: &std::path::Path, roles: Vec<(Mark, Role)>) -> Access {
    provided_by(folder, "https://a.example", roles)
}

fn provided_by(folder: &std::path::Path, issuer: &str, roles: Vec<(Mark, Role)>) -> Access {
    let settings = crate::provider::Settings {
        issuer: issuer.to_owned(),
        called: "A".to_owned(),
        client_id: "tandem".to_owned(),
        client_secret: None,
        reached_at: None,
        scopes: Vec::new(),
        groups_claim: "groups".to_owned(),
        roles,
        session: SignedDuration::from_hours(8),
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let provider = Provider::new(settings, reqwest::Client::new());
    Access::new(folder, vec![ann(Role::Viewer, "s3cret-of-ann")])
        .unwrap()
        .with_provider(Some(provider))
}

#[test]
fn a_sign_in_comes_back_once_to_the_browser_that_began_it_within_ten_minutes_of_this_start() {
    let folder = folder("attempts");
    let access = provided(&folder, Vec::new());
    let noon = at("2026-03-01T12:00:00Z");
    let [one, two] = [access.begin(noon).unwrap(), access.begin(noon).unwrap()];
    let all = [
        &one.state,
        &one.nonce,
        &one.verifier,
        &one.cookie,
        &two.state,
        &two.nonce,
        &two.verifier,
    ];
    let apart: std::collections::BTreeSet<_> = all.into_iter().collect();
    assert_eq!(apart.len(), 7, "nothing tells of anything else");
    assert_eq!(one.verifier.len(), 43);
    let cookie = |attempt: &Attempt| with(&format!("begun={}", attempt.cookie));
    let back = |headers: &HeaderMap, state: &str, now| access.come_back(headers, "begun", state, now);
    // Another state, another browser, none, a session's or a link's text instead.
    assert!(back(&cookie(&one), &two.state, noon).is_none());
    assert!(back(&cookie(&two), &one.state, noon).is_none());
    assert!(back(&HeaderMap::new(), &one.state, noon).is_none());
    assert!(back(&cookie(&one), "", noon).is_none());
    assert!(back(&with(&format!("begun={}", one.state)), &one.state, noon).is_none());
    let link = link_key(&folder, access.start(), noon).unwrap();
    assert!(back(&with(&format!("begun={link}")), &one.state, noon).is_none());
    assert!(
        access
            .by_session(&with(&format!("t={}", one.cookie)), "t", noon)
            .is_none()
    );
    // Too late, or for another start.
    assert!(back(&cookie(&one), &one.state, at("2026-03-01T12:10:00Z")).is_none());
    let another = provided(&folder, Vec::new());
    assert!(
        another
            .come_back(&cookie(&one), "begun", &one.state, noon)
            .is_none()
    );
    // Once, with what was begun.
    let came = back(&cookie(&one), &one.state, at("2026-03-01T12:09:59Z")).unwrap();
    assert_eq!((&came.nonce, &came.verifier), (&one.nonce, &one.verifier));
    assert!(back(&cookie(&one), &one.state, noon).is_none());
    // A second one that lies beside it is no hindrance.
    let three = access.begin(noon).unwrap();
    let both = with(&format!("begun={}; begun={}", two.cookie, three.cookie));
    assert!(back(&both, &three.state, noon).is_some());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn whoever_the_provider_vouches_for_is_worth_what_the_configuration_says_now() {
    let folder = folder("guests");
    let noon = at("2026-03-01T12:00:00Z");
    let staff = || Mark::Group("staff".to_owned());
    let boss = || Mark::Group("bosses".to_owned());
    let access = provided(&folder, vec![(staff(), Role::Viewer), (boss(), Role::Admin)]);
    let guest = |name: &str, marks: Vec<Mark>| crate::provider::Guest {
        name: name.to_owned(),
        subject: "7".to_owned(),
        marks,
    };
    assert!(access.by_provider(&guest("eve", Vec::new()), noon).is_none());
    let both = guest("bea@example.com", vec![staff(), boss()]);
    let (bea, session) = access.by_provider(&both, noon).unwrap();
    assert_eq!((bea.name.as_str(), bea.role), ("bea@example.com", Role::Admin));
    let headers = with(&format!("t={session}"));
    let role = |roles, now| {
        let access = provided(&folder, roles);
        access.by_session(&headers, "t", now).map(|person| person.role)
    };
    let kept = || vec![(staff(), Role::Viewer), (boss(), Role::Admin)];
    assert_eq!(role(kept(), at("2026-03-01T19:59:59Z")), Some(Role::Admin));
    assert_eq!(
        role(kept(), at("2026-03-01T20:00:00Z")),
        None,
        "whoever left the provider is out by then"
    );
    assert_eq!(role(vec![(staff(), Role::Operator)], noon), Some(Role::Operator));
    assert_eq!(
        role(vec![(Mark::Email("staff".to_owned()), Role::Admin)], noon),
        None
    );
    let another = provided_by(&folder, "https://b.example", kept());
    assert_eq!(
        another.by_session(&headers, "t", noon),
        None,
        "its groups are others"
    );
    let without = Access::new(&folder, Vec::new()).unwrap();
    assert_eq!(without.by_session(&headers, "t", noon), None);
    // Nobody is taken in the log for whoever has a token, or for who signed in by a link.
    for taken in ["ann", OWNER] {
        let (person, _) = access.by_provider(&guest(taken, vec![staff()]), noon).unwrap();
        assert_eq!(person.name, format!("{taken} (7)"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn after_many_sign_ins_that_came_to_nothing_the_provider_is_left_alone_and_tokens_go_on() {
    let folder = folder("turns");
    let staff = || Mark::Group("staff".to_owned());
    let access = provided(&folder, vec![(staff(), Role::Viewer)]);
    let noon = at("2026-03-01T12:00:00Z");
    let guest = crate::provider::Guest {
        name: "bea".to_owned(),
        subject: "7".to_owned(),
        marks: vec![staff()],
    };
    for _ in 0..WRONG * 2 {
        assert!(access.turn(noon), "those who came in are no hindrance");
        assert!(access.by_provider(&guest, noon).is_some());
    }
    for _ in 0..WRONG {
        assert!(access.turn(noon));
    }
    assert!(!access.turn(noon));
    assert!(access.by_token("s3cret-of-ann", noon).is_some());
    assert!(access.turn(at("2026-03-01T12:01:00Z")));
    std::fs::remove_dir_all(&folder).unwrap();
}
