//! `tandem shell`: what a shell and a manual need to know of the commands, from the same definitions that read them.

use crate::arguments::Arguments;
use crate::failure::{Exit, Failure};
use clap::{Args, CommandFactory, Subcommand};
use clap_complete::Shell as Kind;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Print completions for a shell, or write the manual.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tandem shell completions bash > /etc/bash_completion.d/tandem
  tandem shell manual /usr/local/share/man/man1")]
pub(crate) struct Shell {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print completions for a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Kind,
    },
    /// Write a page of the manual for each command into a folder
    Manual {
        /// The folder
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

impl Shell {
    /// Prints or writes it.
    pub(crate) fn carry_out(&self) -> Result<Exit, Failure> {
        match &self.what {
            What::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut Arguments::command(), "tandem", &mut text);
                // Whoever reads may have had enough.
                let _ = std::io::stdout().write_all(&text);
            }
            What::Manual { folder } => manual(folder).map_err(|error| {
                Failure::usage(
                    format!("the manual cannot be written to {} ({error})", folder.display()),
                    "Name a folder that can be written",
                )
            })?,
        }
        Ok(Exit::Done)
    }
}

fn manual(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}
