//! Somebody signs in to the console with a provider of OpenID Connect that others wrote (`clients/oidc`).

use super::driver::{Browser, Ended};
use crate::console::Console;
use crate::local::Pair;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the provider is installed: `TANDEM_OIDC`, else where `./test` installs it. None is told of and passed over.
fn installed() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let usual = root.join("target/oidc");
    let folder = std::env::var_os("TANDEM_OIDC").map_or(usual, PathBuf::from);
    if folder.join("node_modules/oidc-provider").is_dir() {
        return folder.canonicalize().ok();
    }
    println!(
        "passed over: no oidc-provider in {} (TANDEM_OIDC names a folder; ./test --long installs it)",
        folder.display()
    );
    None
}

/// A pair whose console knows the provider, and the provider once it knows where to lead back to.
fn stage(folder: &Path, client: &str) -> (Pair, Console, Ended) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/oidc/provider.mjs");
    let mut provider = Command::new("node")
        .arg(script)
        .env("TANDEM_OIDC", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(provider.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    };
    let issuer = line();
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let console = format!(
        "\nconsole:\n  sign_in:\n    issuer: {issuer}\n    client_id: {client}\n    client_secret: {{ file: secret }}\n    \
         called: the foreign provider\n    scopes: [groups]\n    roles:\n    - {{ group: shift, role: operator }}\n    \
         - {{ group: auditors, role: viewer }}\n    - {{ email: ann@example.com, role: admin }}\n"
    );
    std::fs::write(&config, text + &console).unwrap();
    std::fs::write(pair.path("secret"), "a secret of more than thirty-two characters").unwrap();
    let console = Console::start_logging(&pair, "tandem=info,warn");
    let mut tell = provider.stdin.take().unwrap();
    writeln!(tell, "{}/enter/return", console.url).unwrap();
    assert_eq!(line(), "ready");
    // It ends with that, and says more now and then.
    provider.stdin = Some(tell);
    std::thread::spawn(move || said.lines().for_each(drop));
    (pair, console, Ended(provider))
}

/// Goes from the console to the provider, says there who it is, and comes back.
fn sign_in(console: &Console, name: &str) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("{}/inbox", console.url));
    browser.click("//a[contains(., 'Sign in with the foreign provider')]");
    browser.type_into("//input[@name='login']", name);
    browser.type_into("//input[@name='password']", "whatever");
    browser.click("//button[@type='submit']");
    // What Tandem asks to be told.
    browser.shows("Continue");
    browser.click("//button[@type='submit']");
    browser
}

/// What is answered to an act of the session's: a flow goes on that does not rest, which is 409 for whoever may.
fn acts(browser: &Browser) -> i64 {
    let act = "fetch('/api/v1/flows/order-order/resume', { method: 'POST', body: '{}', \
               headers: { 'content-type': 'application/json' } }).then((answer) => done(answer.status))";
    browser.js_later(act).as_i64().unwrap()
}

#[test]
#[ignore = "needs chromium, chromedriver, node and oidc-provider: ./test --long"]
fn whoever_a_foreign_provider_knows_comes_in_with_the_right_role_and_nobody_else() {
    let Some(folder) = installed() else { return };
    // By RSA with a secret in a header, and by an elliptic curve with a secret in the form.
    for client in ["tandem", "tandem-es256"] {
        let (_pair, console, _provider) = stage(&folder, client);
        let ann = sign_in(&console, "ann");
        ann.find("//form[@class='who']//span[contains(., 'ann@example.com')]");
        assert_eq!(ann.address(), format!("{}/", console.url));
        assert_eq!(acts(&ann), 409);
        let otto = sign_in(&console, "otto");
        otto.find("//form[@class='who']//span[contains(., 'otto@example.com')]");
        assert_eq!(acts(&otto), 409);
        let vera = sign_in(&console, "vera");
        vera.find("//form[@class='who']//span[contains(., 'vera (vera)')]");
        assert_eq!(acts(&vera), 403);
        // Nobody takes an address for somebody's that is not verified, and nobody comes in without a role.
        for name in ["mallory", "nobody"] {
            let browser = sign_in(&console, name);
            browser.shows("has no role here");
            assert_eq!(acts(&browser), 401, "{name}");
        }
        // Out, at the provider as well: who comes next is asked who they are.
        ann.click("//button[normalize-space()='Sign out']");
        ann.shows("the foreign provider may still know you");
        ann.click("//a[contains(., 'Sign out of the foreign provider')]");
        ann.click("//button[@name='logout']");
        ann.open(&format!("{}/enter/provider", console.url));
        ann.find("//input[@name='login']");
        // The log says who came in as what.
        let said = console.said();
        for (who, role) in [
            ("ann@example.com", "Admin"),
            ("otto@example.com", "Operator"),
            ("vera (vera)", "Viewer"),
        ] {
            let line = format!("{who} signed in (role {role})");
            assert!(said.iter().any(|said| said.contains(&line)), "{line}: {said:#?}");
        }
    }
}
