//! What was handed to the ERP in files of its own and is not in its export yet: kept beside the export, and read over it.
//!
//! A file waits where it was put, until the ERP takes it away, or moves it to those that it refuses. What it took counts as written;
//! but an export that is older than that does not show it, and would seem to be an edit that takes it back.

use super::cell;
use super::description::{Records, Results};
use super::table::{Hidden, Over, Place, Stamp, Table};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is to be done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    Create,
    Update,
    Delete,
}

/// One write that the export does not show yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The file that it stands in.
    pub(super) file: String,
    pub(super) action: Action,
    pub(super) at: Timestamp,
    /// What was written, by column.
    pub(super) cells: BTreeMap<String, String>,
    /// What the export showed in these columns.
    pub(super) before: BTreeMap<String, String>,
    /// The export that lay there when it was noticed that the ERP had taken the file.
    #[serde(default)]
    pub(super) taken: Option<Stamp>,
    /// It was noticed that the ERP refused the file.
    #[serde(default)]
    pub(super) refused: bool,
}

/// All writes of a file's records that its export does not show yet, by id, in the order of writing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) records: BTreeMap<String, Vec<Entry>>,
}

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whereabouts {
    Waits,
    Refused,
    Gone,
}

/// Where the files are that are spoken of.
pub(super) struct Looked(BTreeMap<String, Whereabouts>);

impl Looked {
    fn at(&self, entry: &Entry) -> Whereabouts {
        self.0.get(&entry.file).copied().unwrap_or(Whereabouts::Gone)
    }
}

/// Where the folders are.
pub(super) struct Folders {
    pub(super) results: PathBuf,
    pub(super) refused: Option<PathBuf>,
}

impl Folders {
    pub(super) fn of(exports: &Path, results: &Results) -> Self {
        Self {
            results: exports.join(&results.folder),
            refused: results.refused.as_ref().map(|folder| exports.join(folder)),
        }
    }

    /// What a file is called while it is written; nobody takes it by that name.
    pub(super) fn draft(&self, file: &str) -> PathBuf {
        self.results.join(format!(".{file}.tandem-new"))
    }

    /// Whether a file of that name is to be found anywhere.
    pub(super) fn know(&self, file: &str) -> bool {
        let refused = self.refused.as_ref().map(|folder| folder.join(file));
        let places = [Some(self.results.join(file)), Some(self.draft(file)), refused];
        places.into_iter().flatten().any(|place| place.exists())
    }

    /// Takes away the drafts of a record type that nobody speaks of: whoever wrote them died before they counted.
    pub(super) fn clear(&self, of: &str, spoken_of: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.results)? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            let name = name.to_string_lossy();
            let file = name
                .strip_prefix('.')
                .and_then(|name| name.strip_suffix(".tandem-new"));
            let own = file.filter(|file| {
                file.rsplit_once('.')
                    .is_some_and(|(stem, _)| stem.ends_with(&format!("-{of}")))
            });
            if own.is_some_and(|file| !spoken_of(file)) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Where a file is. One that is written down as pending is whole, so what a process that died left as a draft is handed over now.
    fn look(&self, file: &str) -> io::Result<Whereabouts> {
        if self
            .refused
            .as_ref()
            .is_some_and(|folder| folder.join(file).exists())
        {
            return Ok(Whereabouts::Refused);
        }
        match std::fs::rename(self.draft(file), self.results.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // A folder that cannot be reached is not one that the ERP emptied.
        std::fs::read_dir(&self.results)?;
        Ok(match self.results.join(file).try_exists()? {
            true => Whereabouts::Waits,
            false => Whereabouts::Gone,
        })
    }
}

/// The file beside the export.
fn beside(export: &Path) -> PathBuf {
    let mut beside = export.to_owned().into_os_string();
    beside.push(".tandem-pending");
    beside.into()
}

/// Has the exports' folder alone among those who change what is pending, until it is dropped.
pub(super) fn alone(export: &Path) -> io::Result<File> {
    let folder = File::open(export.parent().unwrap_or(Path::new(".")))?;
    match folder.lock() {
        // Some networks know no locks.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(folder),
        locked => locked.map(|()| folder),
    }
}

impl Pending {
    /// What is pending over an export. What cannot be read is not taken for nothing.
    pub(super) fn over(export: &Path) -> io::Result<Self> {
        match std::fs::read(beside(export)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                io::Error::other(format!("what is pending beside it cannot be read: {error}"))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps it, durably and at once; nothing is no file.
    pub(super) fn keep(&self, export: &Path) -> io::Result<()> {
        let place = beside(export);
        if self.records.is_empty() {
            return match std::fs::remove_file(&place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let mut draft = place.clone().into_os_string();
        draft.push("-new");
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        std::fs::rename(&draft, &place)?;
        match place.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Looks for all files that it speaks of.
    pub(super) fn look(&self, folders: &Folders) -> io::Result<Looked> {
        let files: BTreeSet<&String> = self.records.values().flatten().map(|entry| &entry.file).collect();
        let looked = files
            .into_iter()
            .map(|file| Ok((file.clone(), folders.look(file)?)));
        Ok(Looked(looked.collect::<io::Result<_>>()?))
    }

    /// A sum over all that it says; 0 where it says nothing.
    pub(super) fn sum(&self, looked: &Looked) -> u64 {
        if self.records.is_empty() {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        serde_json::to_vec(self).unwrap_or_default().hash(&mut hasher);
        looked.0.hash(&mut hasher);
        hasher.finish().max(1)
    }

    /// Takes over what became of the files, and forgets what the export shows by now. The files that were refused since.
    pub(super) fn settle(
        &mut self,
        of: &Records,
        export: &Table,
        looked: &Looked,
    ) -> io::Result<BTreeSet<String>> {
        let mut refused = BTreeSet::new();
        for (id, entries) in &mut self.records {
            let made = entries.iter().any(|entry| entry.action == Action::Create);
            let mut left = Vec::new();
            for mut entry in std::mem::take(entries) {
                if looked.at(&entry) == Whereabouts::Refused && !entry.refused {
                    refused.insert(entry.file.clone());
                }
                match entry.is_done(of, export, (id, made), looked)? {
                    false => left.push(entry),
                    // What was written before a deletion went with it.
                    true if entry.action == Action::Delete => left.clear(),
                    true => {}
                }
            }
            *entries = left;
        }
        self.records.retain(|_, entries| !entries.is_empty());
        Ok(refused)
    }

    /// Lays it over an export that was read.
    pub(super) fn lay_over(&self, of: &Records, export: &mut Table, looked: &Looked) -> io::Result<()> {
        for (number, (id, entries)) in (1..).zip(&self.records) {
            let mut over = Over::default();
            let (mut hidden, mut made) = (None, false);
            for entry in entries {
                let refused = looked.at(entry) == Whereabouts::Refused;
                match entry.action {
                    Action::Create | Action::Delete if refused => {
                        let what = if entry.action == Action::Create {
                            "creates"
                        } else {
                            "deletes"
                        };
                        hidden = Some(Hidden::Refused(format!(
                            "the ERP refused {}, which {what} it",
                            entry.file
                        )));
                    }
                    Action::Delete => hidden = Some(Hidden::Deleted(entry.at)),
                    Action::Update if refused => over.refuse(entry, &there(of, export, id)?),
                    Action::Create | Action::Update => {
                        made |= entry.action == Action::Create;
                        over.write(entry);
                    }
                }
            }
            match hidden {
                Some(hidden) => export.hide(id, hidden),
                None => export.lay(id, over, made.then_some(u64::MAX - number)),
            }
        }
        Ok(())
    }
}

impl Entry {
    /// Takes over what became of its file. Whether it is done: the export shows what came of it, or somebody saw to what was refused.
    fn is_done(
        &mut self,
        of: &Records,
        export: &Table,
        (id, made): (&str, bool),
        looked: &Looked,
    ) -> io::Result<bool> {
        match looked.at(self) {
            Whereabouts::Waits => (self.taken, self.refused) = (None, false),
            Whereabouts::Refused => self.refused = true,
            Whereabouts::Gone if self.refused => return Ok(true),
            Whereabouts::Gone => {
                let stamp = export.stamp.alone();
                let newer = *self.taken.get_or_insert(stamp) != stamp;
                let known = export.rows.contains_key(id);
                return Ok(match self.action {
                    Action::Create => known,
                    // What the export does not have yet it cannot show changed or deleted.
                    Action::Update if made && !known => false,
                    Action::Delete if made && !known => newer,
                    Action::Update | Action::Delete => newer || shows(of, export, id, self)?,
                });
            }
        }
        Ok(false)
    }
}

impl Over {
    fn write(&mut self, entry: &Entry) {
        self.unreadable
            .retain(|column, _| !entry.cells.contains_key(column));
        self.cells.extend(entry.cells.clone());
        self.at = Some(entry.at);
    }

    /// What was refused is out of sight as long as the export shows what it showed before.
    fn refuse(&mut self, entry: &Entry, there: &BTreeMap<String, String>) {
        for (column, text) in &entry.cells {
            if there.get(column) == entry.before.get(column) {
                let why = format!("the ERP refused {}, in which it is `{text}`", entry.file);
                self.unreadable.insert(column.clone(), why);
            }
        }
    }
}

/// The cells of a record in the export itself.
fn there(of: &Records, export: &Table, id: &str) -> io::Result<BTreeMap<String, String>> {
    let Some([place]) = export.rows.get(id).map(Vec::as_slice) else {
        return Ok(BTreeMap::new());
    };
    let raw = Place { over: 0, ..*place };
    let row = export.read(&[raw], of.json)?.remove(0);
    let columns = of.properties.values().map(|column| &column.column);
    let cells = columns.filter_map(|name| {
        Some((
            name.clone(),
            row.content.get(&export.headings, name)?.into_owned(),
        ))
    });
    Ok(cells.collect())
}

/// Whether an export shows what was changed, or deleted.
fn shows(of: &Records, export: &Table, id: &str, entry: &Entry) -> io::Result<bool> {
    let known = export.rows.contains_key(id);
    if entry.action == Action::Delete {
        return Ok(!known);
    }
    let there = there(of, export, id)?;
    Ok(known
        && of.properties.values().all(|column| {
            let (Some(own), Some(written)) = (there.get(&column.column), entry.cells.get(&column.column))
            else {
                return !entry.cells.contains_key(&column.column);
            };
            cell::read(of, column, own) == cell::read(of, column, written)
        }))
}
