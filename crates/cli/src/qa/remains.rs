//! What runs of `tandem qa` left in both systems, kept in a file beside the state: for people, and for `--clean`.

use super::consent::Site;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use tandem_merge::record::RecordKey;

/// The file's name in the folder of the state.
const FILE: &str = "qa-left.json";

/// The file that lists what is left.
#[derive(Debug)]
pub(crate) struct Remains {
    path: PathBuf,
    content: Content,
}

/// What the file says.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Content {
    /// What marks the records of the last run.
    run: String,
    /// When it was written.
    written: Option<jiff::Timestamp>,
    /// The two systems that the records are in.
    systems: Vec<Place>,
    records: Vec<Remnant>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    system: String,
    name: String,
    id: String,
}

/// A record that is left.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Remnant {
    system: String,
    #[serde(rename = "type")]
    record_type: String,
    id: String,
    /// Of a kind that is kept: the next run uses it again, or nobody does because its system deletes none.
    kept: bool,
}

/// Where the file of a state folder is.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl Remains {
    /// What the file of a state folder lists; nothing where there is none.
    ///
    /// # Errors
    /// It cannot be read, or lists records of other systems than these two.
    pub(crate) fn read(folder: &Path, sites: &[Site; 2]) -> Result<Self, Failure> {
        let path = path(folder);
        let name = path.display().to_string();
        let content = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                Failure::usage(
                    format!("{name} cannot be read ({error})"),
                    "Remove what it lists by hand, then move it away",
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Content::default(),
            Err(error) => {
                return Err(Failure::usage(
                    format!("{name} cannot be read ({error})"),
                    "Let Tandem read it",
                ));
            }
        };
        let remains = Self { path, content };
        remains.is_of(sites)?;
        Ok(remains)
    }

    fn is_of(&self, sites: &[Site; 2]) -> Result<(), Failure> {
        for place in &self.content.systems {
            let site = sites.iter().find(|site| site.system == place.system);
            if let Some(site) = site.filter(|site| site.id != place.id) {
                let file = self.path.display();
                return Err(Failure::usage(
                    format!(
                        "{file} lists records of {} ({}), and {} is {} ({}) now",
                        place.name, place.id, site.system, site.name, site.id
                    ),
                    "Clean up there with the configuration of then, or move the file away",
                ));
            }
        }
        Ok(())
    }

    /// The records that are left.
    pub(crate) fn records(&self) -> Vec<RecordKey> {
        let records = self.content.records.iter();
        records
            .map(|it| RecordKey::new(&it.system, &it.record_type, &it.id))
            .collect()
    }

    /// Lists these records, and no others; each with whether it is of a kind that is kept. Without any the file goes.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn keep(
        &mut self,
        run: &str,
        sites: &[Site; 2],
        records: impl IntoIterator<Item = (RecordKey, bool)>,
    ) -> Result<(), Failure> {
        let remnant = |(key, kept): (RecordKey, bool)| Remnant {
            system: key.record_type.system.clone(),
            record_type: key.record_type.name.clone(),
            id: key.id,
            kept,
        };
        let place = |site: &Site| Place {
            system: site.system.clone(),
            name: site.name.clone(),
            id: site.id.clone(),
        };
        self.content = Content {
            run: run.to_owned(),
            written: Some(jiff::Timestamp::now()),
            systems: sites.iter().map(place).collect(),
            records: records.into_iter().map(remnant).collect(),
        };
        self.write().map_err(|error| {
            Failure::trouble(
                format!("{} cannot be written ({error})", self.path.display()),
                "Free space in the folder of the state",
            )
        })
    }

    /// Writes the whole file beside the old one first: a process that dies in between leaves one of the two.
    fn write(&self) -> std::io::Result<()> {
        if self.content.records.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut draft = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut draft, &self.content)?;
        draft.write_all(b"\n")?;
        draft.as_file().sync_all()?;
        draft.persist(&self.path).map_err(|failed| failed.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    fn sites(id: &str) -> [Site; 2] {
        ["customerp", "salesforce"].map(|system| Site {
            system: system.to_owned(),
            url: String::new(),
            name: system.to_owned(),
            id: id.to_owned(),
            user: String::new(),
            makes: BTreeMap::new(),
            production: None,
        })
    }

    #[test]
    fn what_is_left_is_read_back_by_the_systems_that_it_is_in_and_by_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut remains = Remains::read(folder.path(), &sites("1")).unwrap();
        assert_eq!(remains.records(), []);
        let record = RecordKey::new("customerp", "Contact", "7");
        remains
            .keep("abc", &sites("1"), [(record.clone(), false)])
            .unwrap();
        let again = Remains::read(folder.path(), &sites("1")).unwrap();
        assert_eq!(again.records(), [record]);
        let other = Remains::read(folder.path(), &sites("2")).unwrap_err();
        assert_eq!(other.exit(), crate::failure::Exit::Usage);
        remains.keep("abc", &sites("1"), []).unwrap();
        assert!(!path(folder.path()).exists(), "nothing is left");
    }
}
