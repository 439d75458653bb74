//! Commands as they are on a terminal: in a pseudo-terminal of a given width, answered as by a person.

use crate::local::tandem;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// What a command showed on a terminal, and how it ended.
pub(crate) struct Shown {
    pub(crate) code: Option<i32>,
    pub(crate) text: String,
}

/// Runs the binary in a folder on a terminal of so many columns, with what a person types. None where the machine has no
/// `script`, which makes the terminal: that is told of.
pub(crate) fn on_a_terminal(
    folder: &Path,
    columns: u16,
    variables: &[(&str, Option<&str>)],
    arguments: &[&str],
    typed: &str,
) -> Option<Shown> {
    let quoted = arguments.iter().map(|word| format!(" '{word}'"));
    let program = tandem().get_program().to_string_lossy().into_owned();
    let line = format!(
        "stty cols {columns} rows 50 -echo; exec '{program}'{}",
        quoted.collect::<String>()
    );
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(folder);
    for (name, value) in tandem().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    for (name, value) in [("TERM", Some("xterm")), ("NO_COLOR", None)]
        .iter()
        .chain(variables)
    {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("passed over: this machine has no `script`");
        return None;
    };
    // A command that asks nothing may be over by now.
    let mut keyboard = child.stdin.take().unwrap();
    let _ = keyboard
        .write_all(typed.as_bytes())
        .and_then(|()| keyboard.flush());
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    drop(keyboard);
    let code = child.wait().unwrap().code();
    Some(Shown {
        code,
        text: text.replace("\r\n", "\n"),
    })
}

/// The lines of a text as they stand when it was written: what was drawn over is gone, and so are colours.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign != '\u{1b}' {
            shown.push(sign);
            continue;
        }
        if signs.next_if_eq(&'[').is_some() {
            while signs.next_if(|sign| !sign.is_ascii_alphabetic()).is_some() {}
            signs.next();
        }
    }
    shown
}
