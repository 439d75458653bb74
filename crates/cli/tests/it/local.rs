//! Both local systems, a configuration for them, and the binary to run against it.

use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The binary.
pub(crate) fn tandem() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command
        .env("CUSTOMERP_TOKEN", "customerp-tandem-token")
        .env("ODOO_KEY", "odoo-tandem-key")
        .env("ODOO_DATABASE", "odoo-local")
        .env("SALESFORCE_CLIENT_ID", "tandem")
        .env("SALESFORCE_CLIENT_SECRET", "tandem-secret")
        .env_remove("TANDEM_LOG")
        .stdin(Stdio::null());
    command
}

/// What a finished run printed and how it ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Every line of the output as JSON.
    pub(crate) fn lines(&self) -> Vec<Json> {
        let lines = self.out.lines().filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last line of the output as JSON.
    pub(crate) fn last(&self) -> Json {
        let line = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A local system that ends when this is dropped.
pub(crate) struct System {
    pub(crate) url: String,
    process: Child,
}

impl System {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut process = tandem()
            .args(["sandbox", name, "--json", "--until-stdin-closes"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Json = serde_json::from_str(&line).unwrap();
        Self {
            url: said["url"].as_str().unwrap().to_owned(),
            process,
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the state is to be kept: on the server that `TANDEM_POSTGRES` names, if there is one (`clients/with-postgres`).
fn state() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    match std::env::var_os("TANDEM_POSTGRES") {
        Some(_) => format!(
            "\nstate: {{ postgres: {{ env: TANDEM_POSTGRES }}, schema: c{}_{number} }}\n",
            std::process::id()
        ),
        None => String::new(),
    }
}

/// Both systems and a folder with a configuration for them.
pub(crate) struct Pair {
    pub(crate) customerp: System,
    pub(crate) salesforce: System,
    pub(crate) folder: tempfile::TempDir,
}

impl Pair {
    /// Starts both and lets `tandem init` write the configuration, made fit for quick local systems.
    pub(crate) fn start(customerp: &[&str], salesforce: &[&str]) -> Self {
        Self::start_with_secret(customerp, salesforce, "tandem-secret")
    }

    /// The same, of an org whose client has another secret.
    pub(crate) fn start_with_secret(customerp: &[&str], salesforce: &[&str], secret: &str) -> Self {
        let pair = Self {
            customerp: System::start("customerp", customerp),
            salesforce: System::start("salesforce", salesforce),
            folder: tempfile::tempdir().unwrap(),
        };
        let mut init = pair.command(&[
            "init",
            "--create-in-customerp",
            "--users-profile",
            "Standard User",
            "--customerp-url",
            &pair.customerp.url,
            "--salesforce-url",
            &pair.salesforce.url,
        ]);
        let init = init.env("SALESFORCE_CLIENT_SECRET", secret).output().unwrap();
        let init = Ran::from(init);
        assert_eq!(init.code, Some(0), "{}", init.err);
        let config = pair.path("tandem.yaml");
        let text = std::fs::read_to_string(&config).unwrap();
        let quick = "\n    poll: 1s\n    overlap: 5s\n    request_deadline: 5s\n    secrets:";
        let text = text.replace("\n    secrets:", quick) + &state();
        std::fs::write(&config, text).unwrap();
        pair
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = tandem();
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    /// Runs the binary in the folder to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }
}

/// Where the console is, where a line of the log of `run` says so.
pub(crate) fn console_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("  Console: ")?;
    rest.split(' ').next().map(str::to_owned)
}

/// Runs the binary in a folder to its end.
pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Ran {
    tandem()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
        .into()
}

/// The Northwind dump: `TANDEM_NORTHWIND`, else beside the repository. None is told of and passed over.
pub(crate) fn northwind() -> Option<String> {
    let named = std::env::var("TANDEM_NORTHWIND").map(PathBuf::from).ok();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = named.unwrap_or_else(|| root.join("../shared/northwind/northwind.sql"));
    if path.is_file() {
        return Some(path.canonicalize().unwrap().display().to_string());
    }
    println!(
        "passed over: no Northwind dump at {} (TANDEM_NORTHWIND names one)",
        path.display()
    );
    None
}
