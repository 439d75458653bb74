//! The `tandem` binary: the only reader of arguments, environment and files.

mod alerting;
mod arguments;
#[cfg(feature = "lab")]
mod bench;
mod beside;
mod clock;
mod commands;
#[cfg(feature = "lab")]
mod demo;
mod failure;
mod following;
mod harmless;
mod interrupt;
mod loading;
mod log;
mod metadata;
mod moment;
mod progress;
mod proposing;
mod qa;
mod screen;
mod serving;
mod sheet;
#[cfg(all(test, feature = "lab"))]
mod simulation;
mod standing;

use arguments::Arguments;
use clap::Parser;
use failure::Exit;
use screen::Screen;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Records are made of many small texts, which travel from one thread to another: it serves them in half the time of the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::new(&arguments.common);
    log_to_stderr(arguments.common.verbose, arguments.common.quiet);
    // Whoever was first wins, and serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            screen.complain(&failure::Failure::trouble(
                format!("no threads could be started ({error})"),
                "Free memory or raise the limit of processes, then run again",
            ));
            return Exit::Trouble.into();
        }
    };
    let done = runtime.block_on(async {
        let done = commands::carry_out(arguments, &screen).await;
        loading::leave_all().await;
        done
    });
    // Reading standard input cannot be interrupted: do not wait for it.
    runtime.shutdown_background();
    screen::flush();
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            screen.complain(&failure);
            failure.exit().into()
        }
    }
}

/// Logs go to standard error: warnings, with `-v` what is done, with `-vv` every call, with `-vvv` each
/// request and reply. `TANDEM_LOG` overrides;
/// `TANDEM_LOG_FORMAT=json` makes data of each line.
fn log_to_stderr(verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (_, 0) => "warn,tandem::audit=info",
        (_, 1) => "tandem=info,tandem_engine=info,tandem_connector=info,warn",
        (_, 2) => "tandem=debug,tandem_engine=debug,tandem_connector=debug,tandem_ledger=debug,info",
        _ => {
            "tandem=debug,tandem_engine=debug,tandem_connector=debug,tandem_ledger=debug,tandem_connector::wire=trace,info"
        }
    };
    let filter = EnvFilter::try_from_env("TANDEM_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    if std::env::var_os("TANDEM_LOG_FORMAT").is_some_and(|format| format == "json") {
        let data = tracing_subscriber::fmt().json().flatten_event(true);
        return data.with_env_filter(filter).with_writer(|| log::Data).init();
    }
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .event_format(log::Style {
            colours: log::colours(std::io::stderr().is_terminal()),
        });
    lines.init();
}
