//! `tandem init --from`: a proposal out of what an ERP says of itself.

use super::said::{Said, Written};
use super::{Init, VARIABLES, aside, typed};
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::proposing::{Access, Connections, Picture, Proposal, Way, looks_like, picture_of, propose, usual};
use crate::screen::Screen;
use clap::Args;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tandem_merge::config::suggestion;

/// Options of a proposal.
#[derive(Debug, Args)]
#[command(next_help_heading = "For an ERP of your own")]
pub(super) struct Proposing {
    /// What the ERP says of itself: an OpenAPI 3 document, an OData $metadata document (a file or an address), or a
    /// database (postgres://, mysql://, sqlite:FILE)
    #[arg(long, value_name = "SOURCE")]
    pub(super) from: Option<String>,
    /// The description that is written, beside the configuration
    #[arg(long, value_name = "FILE", default_value = "erp.yaml", requires = "from")]
    description: String,
    /// Only these record types; `all` for all; without it those that look like objects of Salesforce
    #[arg(long, value_name = "TYPES", value_delimiter = ',', requires = "from")]
    types: Option<Vec<String>>,
    /// What the ERP is called in the configuration
    #[arg(long, value_name = "NAME", default_value = "erp", requires = "from")]
    system: String,
    /// Address of the ERP, where the source does not say it
    #[arg(long, value_name = "URL", requires = "from")]
    erp_url: Option<String>,
    /// Environment variable that holds the user, to read the source and for the connection
    #[arg(long, value_name = "NAME", requires = "from")]
    user_env: Option<String>,
    /// Environment variable that holds the password
    #[arg(long, value_name = "NAME", requires = "from")]
    password_env: Option<String>,
    /// Environment variable that holds a token, in place of user and password
    #[arg(long, value_name = "NAME", requires = "from")]
    token_env: Option<String>,
}

impl Proposing {
    fn access(&self) -> Result<Access, Failure> {
        let read = |name: &Option<String>| -> Result<Option<SecretString>, Failure> {
            let Some(name) = name else {
                return Ok(None);
            };
            match std::env::var(name) {
                Ok(value) if !value.trim().is_empty() => Ok(Some(SecretString::from(value))),
                _ => Err(Failure::usage(
                    format!("the environment variable {name} is not set"),
                    "Set it, then run `tandem init` again",
                )),
            }
        };
        Ok(Access {
            user: read(&self.user_env)?,
            password: read(&self.password_env)?,
            token: read(&self.token_env)?,
        })
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let named = [
            ("user", &self.user_env),
            ("password", &self.password_env),
            ("token", &self.token_env),
        ];
        named
            .into_iter()
            .filter_map(|(secret, name)| Some((secret, name.clone()?)))
            .collect()
    }

    /// Refuses what is no name of a system or of a file beside the configuration.
    fn checked(&self) -> Result<(), Failure> {
        let letters = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '-';
        let system = &self.system;
        if !system.starts_with(|sign: char| sign.is_ascii_alphabetic())
            || !system.chars().all(letters)
            || system == "salesforce"
        {
            return Err(Failure::usage(
                format!("`{system}` cannot be what the ERP is called"),
                "Write letters, digits, `_` or `-`, and not `salesforce`",
            ));
        }
        let description = Path::new(&self.description);
        if description
            .file_name()
            .is_none_or(|name| name != description.as_os_str())
        {
            return Err(Failure::usage(
                format!(
                    "`{}` is not the name of a file beside the configuration",
                    self.description
                ),
                "Write a name without a folder, such as erp.yaml; --config says where",
            ));
        }
        Ok(())
    }
}

impl Init {
    /// Looks at the ERP, proposes, writes, and says what is to be decided.
    pub(super) async fn propose(
        &self,
        from: &str,
        common: &Common,
        asks: bool,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        let options = &self.proposing;
        options.checked()?;
        let mut picture = picture_of(from, &options.access()?).await?;
        place(&mut picture, &common.config);
        let all: Vec<String> = picture.types.iter().map(|of| of.name.clone()).collect();
        let why_left = match &options.types {
            None if !asks => "nothing in Salesforce looks like them",
            _ => "they were not chosen",
        };
        let chosen = match &options.types {
            Some(names) => chosen(&picture, names)
                .map_err(|what| Failure::usage(what, "Write names of record types, or all"))?,
            None if asks => asked(&picture)?,
            None => usual(&picture),
        };
        picture.keep(&chosen);
        let variables = options.variables();
        let client = [
            self.salesforce_client_id_env.as_deref().unwrap_or(VARIABLES[1]),
            self.salesforce_client_secret_env
                .as_deref()
                .unwrap_or(VARIABLES[2]),
        ];
        for url in [&options.erp_url, &self.salesforce_url].into_iter().flatten() {
            super::questions::address(url)
                .map_err(|what| Failure::usage(what, "Write it as a browser takes it"))?;
        }
        let connections = Connections {
            erp: &options.system,
            description: &options.description,
            url: options.erp_url.as_deref(),
            salesforce: self.salesforce_url.as_deref(),
            client,
            variables: &variables,
        };
        let must = must(&picture, &connections);
        let types = chosen.len();
        let left: Vec<String> = all.into_iter().filter(|name| !chosen.contains(name)).collect();
        let proposal = propose(picture, &connections, "tandem init --from")?;
        let written = self.lay_down(&common.config, &proposal, asks)?;
        let said = Said {
            proposal: &proposal,
            written: &written,
            connections: &connections,
            must: &must,
            types,
            left: &left,
            why_left,
        };
        said.tell(screen);
        Ok(Exit::Done)
    }

    /// Writes what is proposed. A configuration that is there stays as it is.
    fn lay_down(&self, config: &Path, proposal: &Proposal, asks: bool) -> Result<Written, Failure> {
        let mut files = vec![(
            config.with_file_name(&self.proposing.description),
            &proposal.description,
        )];
        let flows = config.with_file_name("flows");
        files.extend(
            proposal
                .flows
                .iter()
                .map(|flow| (flows.join(format!("{}.yaml", flow.name)), &flow.text)),
        );
        let has_main = config.exists();
        let there: Vec<String> = files
            .iter()
            .filter(|(path, _)| path.exists())
            .map(|(path, _)| path.display().to_string())
            .collect();
        if !there.is_empty() && !self.yes {
            let question = format!(
                "{} there already. Write anew, and keep what changes beside it? (y/N)",
                are(&there)
            );
            let agreed = asks && typed(&question).is_some_and(|word| word.to_lowercase().starts_with('y'));
            if !agreed {
                return Err(Failure::usage(
                    format!("{} there already", are(&there)),
                    "Nothing is overwritten: move away what is there, choose another name with --description, or give --yes, which \
                     keeps beside it what changes",
                ));
            }
        }
        let unwritable = |path: &Path| {
            let path = path.display().to_string();
            move |error: std::io::Error| {
                Failure::usage(
                    format!("{path} cannot be written ({error})"),
                    "Choose another place with --config",
                )
            }
        };
        std::fs::create_dir_all(&flows).map_err(unwritable(&flows))?;
        let mut kept = Vec::new();
        for (path, text) in &files {
            if path.exists() && std::fs::read_to_string(path).ok().as_ref() != Some(text) {
                let aside = aside(path);
                std::fs::rename(path, &aside).map_err(unwritable(path))?;
                kept.push(aside);
            }
            std::fs::write(path, text).map_err(unwritable(path))?;
        }
        if !has_main {
            std::fs::write(config, &proposal.main).map_err(unwritable(config))?;
        }
        Ok(Written {
            config: config.to_owned(),
            description: files[0].0.clone(),
            has_main,
            kept,
        })
    }
}

fn are(there: &[String]) -> String {
    match there {
        [one] => format!("{one} is"),
        several => format!("{} are", several.join(", ")),
    }
}

/// A file is named from where the configuration is.
fn place(picture: &mut Picture, config: &Path) {
    let elsewhere = config
        .parent()
        .is_some_and(|folder| !folder.as_os_str().is_empty());
    let file = picture
        .url
        .as_ref()
        .and_then(|url| url.strip_prefix("sqlite:"))
        .map(PathBuf::from);
    if let Some(file) = file.filter(|file| elsewhere && file.is_relative())
        && let Ok(whole) = std::fs::canonicalize(&file)
    {
        picture.url = Some(format!("sqlite:{}", whole.display()));
    }
}

/// The record types that names stand for.
fn chosen(picture: &Picture, names: &[String]) -> Result<BTreeSet<String>, String> {
    let all = || picture.types.iter().map(|of| of.name.clone());
    if let [word] = names
        && word.eq_ignore_ascii_case("all")
    {
        return Ok(all().collect());
    }
    let one = |name: &String| {
        let name = name.trim();
        let exact = all().find(|known| known == name);
        let found = exact.or_else(|| all().find(|known| known.eq_ignore_ascii_case(name)));
        found.ok_or_else(|| {
            let known: Vec<String> = all().collect();
            let near = suggestion(name, known.iter().map(String::as_str));
            format!("there is no record type `{name}`. {}", near.trim_end_matches('.'))
        })
    };
    let chosen: BTreeSet<String> = names
        .iter()
        .filter(|name| !name.trim().is_empty())
        .map(one)
        .collect::<Result<_, _>>()?;
    match chosen.is_empty() {
        true => Err("no record type is chosen".to_owned()),
        false => Ok(chosen),
    }
}

/// Asks for the record types.
fn asked(picture: &Picture) -> Result<BTreeSet<String>, Failure> {
    let show = |line: &str| crate::screen::note(&line);
    show("Which record types are to be described?");
    for (number, of) in picture.types.iter().enumerate() {
        let like = match (&of.not, looks_like(&of.name)) {
            (Some(_), _) => "cannot be described".to_owned(),
            (None, Some(object)) => format!("looks like {object}"),
            (None, None) => String::new(),
        };
        show(format!("  {:>3}  {:<28} {like}", number + 1, of.name).trim_end());
    }
    let usual = usual(picture);
    let before: Vec<&str> = usual.iter().map(String::as_str).collect();
    super::questions::until(
        "Numbers or names, with commas, or all",
        Some(&before.join(", ")),
        |text| {
            let names: Vec<String> = super::questions::listed(text)
                .map(|word| {
                    let number = word
                        .parse::<usize>()
                        .ok()
                        .and_then(|number| picture.types.get(number.checked_sub(1)?));
                    number.map_or_else(|| word.to_owned(), |of| of.name.clone())
                })
                .collect();
            chosen(picture, &names)
        },
    )
}

/// What must be written by hand before the systems can be asked.
fn must(picture: &Picture, connections: &Connections<'_>) -> Vec<&'static str> {
    let mut must = Vec::new();
    if picture.url.is_none() && connections.url.is_none() {
        must.push("`url:` of the ERP in tandem.yaml");
    }
    if picture.way == Way::Rest && !picture.signs_in() {
        must.push("`session:` in the description, with its secrets in tandem.yaml");
    }
    if connections.salesforce.is_none() {
        must.push("`url:` of Salesforce in tandem.yaml");
    }
    must
}
