//! A disk that is full, read-only or damaged: clear words, nothing lost, and the work goes on.
//!
//! Each disk is a real one: a file system in memory, of a few hundred kilobytes, in a mount namespace of the test's own.

use crate::local::{Pair, Ran};
use crate::rest;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that sees disks of its own.
struct Shell {
    process: Child,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Shell {
    /// A shell in the pair's folder; none where this machine makes no namespaces, which is told.
    fn start(pair: &Pair) -> Option<Self> {
        let probe = Command::new("unshare")
            .args(["-rm", "true"])
            .stderr(Stdio::null())
            .status();
        if !probe.is_ok_and(|status| status.success()) {
            println!("passed over: this machine lets nobody unshare its mounts");
            return None;
        }
        // What the binary is given in the environment goes to the shell.
        let tandem = pair.command(&[]);
        let mut shell = Command::new("unshare");
        for (name, value) in tandem.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let mut process = shell
            .args(["-rm", "sh"])
            .env("TANDEM", tandem.get_program())
            .current_dir(pair.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut shell = Self { process, answers };
        assert_eq!(shell.code("mkdir -p state"), 0);
        Some(shell)
    }

    /// Carries out a command; answers its exit code.
    fn code(&mut self, command: &str) -> i32 {
        let stdin = self.process.stdin.as_mut().unwrap();
        writeln!(stdin, "{command} </dev/null >/dev/null 2>&1; echo $?").unwrap();
        self.answers.next().unwrap().unwrap().parse().unwrap()
    }

    /// Makes the state's disk so large, or makes a new one.
    fn disk(&mut self, how: &str) {
        let mounted = self.code(&format!("mount -t tmpfs -o {how} none state"));
        assert_eq!(mounted, 0, "{how}");
    }

    /// Runs the binary to its end.
    fn tandem(&mut self, pair: &Pair, arguments: &str) -> Ran {
        let stdin = self.process.stdin.as_mut().unwrap();
        writeln!(stdin, "\"$TANDEM\" {arguments} </dev/null >out 2>err; echo $?").unwrap();
        let code = self.answers.next().unwrap().unwrap().parse().unwrap();
        let read = |name: &str| std::fs::read_to_string(pair.path(name)).unwrap();
        Ran {
            code: Some(code),
            out: read("out"),
            err: read("err"),
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_full_disk_is_told_and_the_work_resumes_when_space_returns() {
    let pair = Pair::start(&["--records", "12", "--seed", "21"], &[]);
    let Some(mut shell) = Shell::start(&pair) else {
        return;
    };
    // GIVEN disks that are full at the start, in the middle, and near the end of the first sync
    shell.disk("size=4k");
    let mut full = 0;
    for size in ["4k", "64k", "160k", "320k", "640k", "900k"] {
        assert_eq!(shell.code(&format!("mount -o remount,size={size} state")), 0);
        let run = shell.tandem(&pair, "sync");
        if run.code == Some(0) {
            continue;
        }
        // THEN one clear sentence says what to do
        assert_eq!(run.code, Some(1), "{size}: {}", run.err);
        assert!(
            run.err.contains("disk is full") && run.err.contains("Free space"),
            "{size}: {}",
            run.err
        );
        let complaints = run.err.lines().filter(|line| line.starts_with("tandem: "));
        assert_eq!(complaints.count(), 1, "{size}: {}", run.err);
        full += 1;
    }
    assert!(full >= 4, "the disks were too large: {full}");
    // AND with space again the work goes on where it stopped, and nothing is lost or doubled
    assert_eq!(shell.code("mount -o remount,size=200m state"), 0);
    let run = shell.tandem(&pair, "sync");
    assert_eq!(run.code, Some(0), "{}", run.err);
    let verify = shell.tandem(&pair, "verify --json");
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    for count in ["different", "duplicates", "unlinked"] {
        assert_eq!(verify.last()[count], 0, "{count}: {}", verify.out);
    }
}

#[test]
fn a_run_waits_on_a_full_disk_and_goes_on_by_itself() {
    let pair = Pair::start(&["--records", "3", "--seed", "22"], &[]);
    let Some(mut shell) = Shell::start(&pair) else {
        return;
    };
    shell.disk("size=100m");
    assert_eq!(shell.tandem(&pair, "sync").code, Some(0));
    // GIVEN a run whose disk fills up
    let stdin = shell.process.stdin.as_mut().unwrap();
    writeln!(stdin, "\"$TANDEM\" run </dev/null >run.out 2>run.err & echo $!").unwrap();
    let process = shell.answers.next().unwrap().unwrap();
    until(&pair.path("run.err"), "Keeping in step");
    assert_eq!(
        shell.code("dd if=/dev/zero of=state/filler bs=4k count=100000"),
        1,
        "until it is full"
    );
    let edit = |text: &str| {
        let body = json!({ "description": text.repeat(700) });
        rest::patch_customerp(&pair.customerp.url, "products/1", &body);
    };
    // WHEN edits come until it has no place for them
    let mut edits = 0;
    while !told(&pair.path("run.err"), "disk is full") {
        edits += 1;
        edit(&format!("{edits} "));
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(edits < 300, "the disk never filled");
    }
    edit("last ");
    assert_eq!(shell.code("rm state/filler"), 0);
    // THEN it goes on by itself, and the last edit arrives
    until(&pair.path("run.err"), "There is space again");
    until(&pair.path("run.out"), "last last");
    assert_eq!(shell.code(&format!("kill {process}")), 0);
    until(&pair.path("run.err"), "Stopped.");
    assert_eq!(shell.tandem(&pair, "sync").code, Some(0));
    let verify = shell.tandem(&pair, "verify --json");
    assert_eq!(
        (verify.code, &verify.last()["different"]),
        (Some(0), &json!(0)),
        "{}",
        verify.out
    );
}

#[test]
fn a_read_only_disk_is_told() {
    let pair = Pair::start(&["--records", "2"], &[]);
    let Some(mut shell) = Shell::start(&pair) else {
        return;
    };
    shell.disk("size=100m");
    assert_eq!(shell.tandem(&pair, "sync").code, Some(0));
    assert_eq!(shell.code("mount -o remount,ro state"), 0);
    let run = shell.tandem(&pair, "sync");
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert!(
        run.err.contains("read-only") && run.err.contains("--state"),
        "{}",
        run.err
    );
    assert_eq!(shell.code("mount -o remount,rw state"), 0);
    assert_eq!(shell.tandem(&pair, "sync").code, Some(0));
}

fn told(file: &Path, text: &str) -> bool {
    std::fs::read_to_string(file).is_ok_and(|said| said.contains(text))
}

fn until(file: &Path, text: &str) {
    let began = std::time::Instant::now();
    while !told(file, text) {
        let said = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            began.elapsed().as_secs() < 60,
            "no `{text}` in {}: {said}",
            file.display()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
