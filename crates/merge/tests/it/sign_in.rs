//! How a connection signs in and what it may spend: chosen, usual, and wrongly written.

use crate::config::sources;
use tandem_merge::config::{BudgetShare, Connection, Problem, load};

const SECRETS: &str = "    secrets:
      client_id: { env: TANDEM_SALESFORCE_CLIENT_ID }
      client_secret: { env: TANDEM_SALESFORCE_CLIENT_SECRET }
";

fn written(connection: &str) -> Result<Connection, Vec<Problem>> {
    let loaded = load(&sources(|main| {
        assert!(main.contains(SECRETS));
        main.replacen(SECRETS, connection, 1)
    }));
    loaded.map(|configuration| configuration.connections[1].clone())
}

#[track_caller]
fn refused(connection: &str, parts: &[&str]) {
    let problems = written(connection).unwrap_err();
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 1, "{shown:#?}");
    for part in parts {
        assert!(shown[0].contains(part), "{} lacks {part}", shown[0]);
    }
}

#[test]
fn the_usual_way_and_the_usual_share_need_no_words() {
    let connection = written(SECRETS).unwrap();
    assert_eq!(connection.sign_in, "client-credentials");
    let usual = BudgetShare {
        share: 50,
        live_reserve: 20,
    };
    assert_eq!(connection.budget, Some(usual));
    assert_eq!(connection.certificate_authority, None);
}

#[test]
fn every_way_of_signing_in_takes_its_own_secrets() {
    let key = written(
        "    sign_in: jwt-bearer\n    user: tandem@acme.example\n    certificate_authority: ca.pem\n    budget: { share: 10, live_reserve: 0 }
    secrets: { client_id: { env: ID }, private_key: { file: key.pem } }\n",
    )
    .unwrap();
    assert_eq!(key.sign_in, "jwt-bearer");
    assert_eq!(key.user.as_deref(), Some("tandem@acme.example"));
    assert_eq!(key.certificate_authority.as_deref(), Some("ca.pem"));
    assert_eq!(
        key.budget.map(|budget| (budget.share, budget.live_reserve)),
        Some((10, 0))
    );
    for secret in ["", ", client_secret: { env: SECRET }"] {
        let token = written(&format!(
            "    sign_in: refresh-token\n    secrets: {{ client_id: {{ env: ID }}, refresh_token: {{ file: token }}{secret} }}\n",
        ));
        assert_eq!(token.unwrap().sign_in, "refresh-token");
    }
}

#[test]
fn what_does_not_fit_the_way_is_said_with_what_to_write() {
    refused(
        &format!("    sign_in: jwt\n{SECRETS}"),
        &[
            "no way of signing in `jwt`",
            "Write one of: client-credentials, jwt-bearer, refresh-token.",
        ],
    );
    refused(
        "    sign_in: jwt-bearer\n    secrets: { client_id: { env: ID }, private_key: { file: key.pem } }\n",
        &["lacks the user to sign in as", "Add `user:`"],
    );
    refused(
        "    sign_in: refresh-token\n    secrets: { client_id: { env: ID }, refresh_token: { env: TOKEN } }\n",
        &[
            "`refresh_token` cannot be kept in the environment",
            "{ file: PATH }",
        ],
    );
    refused(
        "    sign_in: refresh-token\n    secrets: { client_id: { env: ID } }\n",
        &["lacks the secret `refresh_token`", "{ file: PATH }"],
    );
    refused(
        &format!("    user: someone\n{SECRETS}"),
        &["client-credentials signs in as no user of its choice"],
    );
}

#[test]
fn a_share_is_a_part_of_the_day() {
    refused(
        &format!("    budget: {{ share: 0 }}\n{SECRETS}"),
        &["`0` is no such part of the day", "from 1 to 100"],
    );
    refused(
        &format!("    budget: {{ live_reserve: 95 }}\n{SECRETS}"),
        &["`95` is no such part of the day", "from 0 to 90"],
    );
    let problems = load(&sources(|main| {
        main.replacen("    poll: 1s", "    budget: { share: 5 }", 1)
    }))
    .unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .contains("customerp limits no calls of a day"),
        "{problems:?}"
    );
}
