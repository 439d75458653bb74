//! No secret is ever seen anywhere but where it belongs; and a stranger's certificate is refused.

use crate::local::{Pair, System};
use crate::proxy::between;
use std::collections::BTreeSet;
use std::path::Path;

/// Everything below a folder that is no secret's own file.
fn files(folder: &Path, secret: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path, secret));
        } else if path != secret {
            all.push((
                path.display().to_string(),
                std::fs::read(&path).unwrap_or_default(),
            ));
        }
    }
    all
}

#[track_caller]
fn shows_none(secrets: &BTreeSet<String>, place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        assert!(
            !text.contains(secret.as_str()),
            "{place} shows a secret of {} letters",
            secret.len()
        );
    }
}

/// Changes how the configuration signs in to Salesforce.
fn sign_in(pair: &Pair, how: &str) {
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let usual = "secrets: { client_id: { env: SALESFORCE_CLIENT_ID }, client_secret: { env: SALESFORCE_CLIENT_SECRET } }";
    assert!(text.contains(usual), "{text}");
    std::fs::write(&config, text.replace(usual, how)).unwrap();
}

#[test]
fn no_secret_is_logged_told_or_kept_however_one_signs_in() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/tests/it/salesforce/keys");
    let certificate = ["client.crt", "client.pem", "client.pub"]
        .iter()
        .find_map(|name| std::fs::read_to_string(keys.join(name)).ok())
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = folder.path().join("org.json");
    let user = serde_json::json!({ "rotate_refresh_tokens": true, "users": [{
        "username": "canary@tandem.example", "last_name": "Canary", "profile": "System Administrator",
        "client_id": "tandem", "client_secret": "canary-client-secret-1f8b", "certificate": certificate,
        "refresh_token": "canary-refresh-token-77ab",
    }, { "username": "alice@tandem.example", "first_name": "Alice", "last_name": "A",
        "profile": "System Administrator", "client_id": "alice", "client_secret": "alice-secret" }] });
    std::fs::write(&options, user.to_string()).unwrap();
    let org = options.display().to_string();
    let ways = [
        (
            "client-credentials",
            "secrets: { client_id: { env: SALESFORCE_CLIENT_ID }, client_secret: { env: SALESFORCE_CLIENT_SECRET } }",
        ),
        (
            "jwt-bearer",
            "sign_in: jwt-bearer\n    user: canary@tandem.example\n    secrets: { client_id: { env: SALESFORCE_CLIENT_ID }, private_key: { file: KEYFILE } }",
        ),
        (
            "refresh-token",
            "sign_in: refresh-token\n    secrets: { client_id: { env: SALESFORCE_CLIENT_ID }, client_secret: { env: SALESFORCE_CLIENT_SECRET }, refresh_token: { file: token } }",
        ),
    ];
    for (way, how) in ways {
        let pair = Pair::start_with_secret(
            &["--records", "2", "--seed", "51"],
            &["--options", &org],
            "canary-client-secret-1f8b",
        );
        let lines = between(&pair, [true, true]);
        let key_file = keys.join("client.key").display().to_string();
        sign_in(&pair, &how.replace("KEYFILE", &key_file));
        let token = pair.path("token");
        std::fs::write(&token, "canary-refresh-token-77ab").unwrap();
        let key = std::fs::read_to_string(&key_file).unwrap();
        let middle: String = key.lines().nth(3).unwrap().to_owned();
        // WHEN everything is told that can be told, and things go wrong as well
        let mut outputs = Vec::new();
        for arguments in [
            &["sync", "-vvv", "--json"][..],
            &["check", "-vvv"],
            &["plan", "-vvv"],
            &["status", "--json"],
            &["verify", "-vvv", "--json"],
        ] {
            outputs.push(secret_run(&pair, arguments, "canary-client-secret-1f8b", &[]));
        }
        assert!(outputs[0].0, "{way}: {}", String::from_utf8_lossy(&outputs[0].1));
        let wrong = [("CUSTOMERP_TOKEN", "canary-wrong-token-90aa")];
        outputs.push(secret_run(
            &pair,
            &["sync", "-vvv"],
            "canary-wrong-secret-5c5c",
            &wrong,
        ));
        // THEN no secret that was given, got or made stands anywhere
        let mut secrets: BTreeSet<String> = [
            "canary-client-secret-1f8b",
            "canary-refresh-token-77ab",
            "canary-wrong-secret-5c5c",
            "canary-wrong-token-90aa",
            "customerp-tandem-token",
        ]
        .map(str::to_owned)
        .into();
        secrets.insert(middle);
        for line in &lines {
            secrets.extend(line.secrets());
        }
        assert!(secrets.len() > 6, "{way}: the line saw no token");
        let told = String::from_utf8_lossy(&outputs[0].1).into_owned();
        for shown in [
            " > GET http",
            " > authorization: ***",
            " < 200",
            " > POST http",
            "(a sign-in is not shown)",
            "LastName",
        ] {
            assert!(told.contains(shown), "{way}: no `{shown}` in what -vvv tells");
        }
        for (place, (_, output)) in outputs.iter().enumerate() {
            shows_none(&secrets, &format!("{way}: output {place}"), output);
        }
        for (place, bytes) in files(pair.folder.path(), &token) {
            shows_none(&secrets, &format!("{way}: {place}"), &bytes);
        }
    }
}

/// Whether a run ended well, and everything that it printed.
fn secret_run(pair: &Pair, arguments: &[&str], secret: &str, env: &[(&str, &str)]) -> (bool, Vec<u8>) {
    let mut command = pair.command(arguments);
    command.env("SALESFORCE_CLIENT_SECRET", secret);
    command.envs(env.iter().copied());
    let output = command.output().unwrap();
    let good = output.status.success();
    (good, [output.stdout, output.stderr].concat())
}

#[test]
fn a_server_whose_certificate_nobody_vouches_for_is_refused() {
    let mut pair = Pair::start(&["--records", "2", "--seed", "52"], &[]);
    let (ours, theirs) = (pair.path("ours.pem"), pair.path("theirs.pem"));
    let org = System::start(
        "salesforce",
        &["--https", "--certificate", &ours.display().to_string()],
    );
    let _stranger = System::start("salesforce", &["--certificate", &theirs.display().to_string()]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let https = org.url.replace("http://", "https://");
    let plain = text.replace(&pair.salesforce.url, &https);
    pair.salesforce = org;
    let with = |authority: &str| {
        let line = format!("url: {https}");
        std::fs::write(
            &config,
            plain.replace(&line, &format!("{line}\n    certificate_authority: {authority}")),
        )
        .unwrap();
        pair.run(&["sync"])
    };
    std::fs::write(&config, &plain).unwrap();
    for (what, run) in [
        ("nobody", pair.run(&["sync"])),
        ("a stranger", with("theirs.pem")),
    ] {
        assert_eq!(run.code, Some(1), "{what}: {}", run.err);
        assert!(
            run.err.contains("salesforce") && run.err.to_lowercase().contains("certificate"),
            "{what}: {}",
            run.err
        );
        let complaints = run.err.lines().filter(|line| line.starts_with("tandem: "));
        assert_eq!(complaints.count(), 1, "{what}: {}", run.err);
        assert!(run.err.contains("certificate_authority"), "{what}: {}", run.err);
    }
    let run = with("no-such.pem");
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("certificate_authority"), "{}", run.err);
    let run = with("ours.pem");
    assert_eq!(run.code, Some(0), "{}", run.err);
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_shown() {
    let pair = Pair::start(&["--records", "2"], &[]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("token: { env: CUSTOMERP_TOKEN }", "token: canary-literal-token"),
    )
    .unwrap();
    for arguments in [&["sync"][..], &["check", "--json"], &["sync", "-vv"]] {
        let run = pair.run(arguments);
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert!(run.err.contains("env: NAME"), "{}", run.err);
        assert!(
            !run.err.contains("canary-literal") && !run.out.contains("canary-literal"),
            "{}",
            run.err
        );
    }
}
