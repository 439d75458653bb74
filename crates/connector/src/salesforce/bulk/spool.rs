//! The rows of a job on disk, and how far the job got.
//!
//! A folder for each job, named by its handle: `rows` (one row a line, as they came, sealed where the state has a key), `job.json` (the ledger),
//! `upload.csv` (the rows in sending order), and the results. Everything is closed to other users.

use super::job::Operation;
use super::rows::{Row, Target};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Error, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tandem_seal::Files;

/// How far a job got, by its own note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stage {
    /// Nothing of it takes effect.
    Open,
    /// The rows are with the org; it may be told to begin.
    Uploaded,
    /// The org was told to begin.
    Submitted,
    /// It has ended, and its results are on disk.
    Over,
}

/// What is noted of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) object: String,
    pub(super) operation: Operation,
    /// The column that tells rows apart.
    pub(super) key: String,
    /// The job's id with the org; none between two attempts to upload.
    pub(super) job: Option<String>,
    pub(super) stage: Stage,
    /// When the org was told to begin.
    pub(super) submitted: Option<Timestamp>,
}

/// A job's folder.
pub(super) struct Spool {
    folder: PathBuf,
    /// How its files are kept.
    pub(super) files: Files,
    pub(super) ledger: Ledger,
    rows: File,
    columns: BTreeSet<String>,
    keys: BTreeSet<String>,
    /// Bytes of the cells so far.
    pub(super) bytes: u64,
    /// Rows.
    count: u64,
}

impl Spool {
    /// A new one for an open job.
    pub(super) fn create(
        (folder, files): (&Path, &Files),
        id: &str,
        operation: Operation,
        target: &Target,
    ) -> Result<Self, Error> {
        let folder = folder.join(id);
        make_folder(&folder)?;
        let spool = Self {
            rows: closed()
                .create(true)
                .truncate(true)
                .read(true)
                .open(folder.join("rows"))?,
            folder,
            files: files.clone(),
            ledger: Ledger {
                object: target.object.clone(),
                operation,
                key: target.key.clone(),
                job: Some(id.to_owned()),
                stage: Stage::Open,
                submitted: None,
            },
            columns: BTreeSet::new(),
            keys: BTreeSet::new(),
            bytes: 0,
            count: 0,
        };
        spool.note()?;
        Ok(spool)
    }

    /// The one of an earlier process; none where there is no such.
    pub(super) fn open((folder, files): (&Path, &Files), handle: &str) -> Result<Option<Self>, Error> {
        if handle.is_empty() || !handle.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(None);
        }
        let folder = folder.join(handle);
        let Ok(text) = fs::read(folder.join("job.json")) else {
            return Ok(None);
        };
        let Ok(ledger) = serde_json::from_slice(&text) else {
            return Ok(None);
        };
        let mut spool = Self {
            rows: closed().read(true).open(folder.join("rows"))?,
            folder,
            files: files.clone(),
            ledger,
            columns: BTreeSet::new(),
            keys: BTreeSet::new(),
            bytes: 0,
            count: 0,
        };
        let (mut columns, mut count, mut bytes) = (BTreeSet::new(), 0, 0);
        spool.each_row(|row, _, length| {
            columns.extend(row.cells.into_keys());
            count += 1;
            bytes += length as u64;
        })?;
        (spool.columns, spool.count, spool.bytes) = (columns, count, bytes);
        Ok(Some(spool))
    }

    /// Writes the ledger, durably.
    pub(super) fn note(&self) -> Result<(), Error> {
        let (place, draft) = (self.folder.join("job.json"), self.folder.join("job.new"));
        let mut file = closed().create(true).truncate(true).open(&draft)?;
        file.write_all(&serde_json::to_vec(&self.ledger)?)?;
        file.sync_all()?;
        fs::rename(&draft, &place)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Adds rows, durably, and returns the places of those that it took: of two with one key it takes the first.
    pub(super) fn append(&mut self, rows: &[(usize, Row)]) -> Result<Vec<usize>, Error> {
        let mut taken = Vec::new();
        let mut file = BufWriter::new(&self.rows);
        for (place, row) in rows {
            if !self.keys.insert(row.key.clone()) {
                continue;
            }
            file.write_all(&self.files.line(&serde_json::to_vec(row)?)?)?;
            file.write_all(b"\n")?;
            self.bytes += row.cells.values().map(|cell| cell.len() as u64 + 3).sum::<u64>();
            let new = row.cells.keys().filter(|name| !self.columns.contains(*name));
            let new: Vec<String> = new.cloned().collect();
            self.columns.extend(new);
            self.count += 1;
            taken.push(*place);
        }
        file.flush()?;
        drop(file);
        self.rows.sync_data()?;
        Ok(taken)
    }

    /// Shows every row with its place in the file and its length there.
    pub(super) fn each_row(&self, mut show: impl FnMut(Row, u64, usize)) -> Result<(), Error> {
        let mut reader = BufReader::new(File::open(self.folder.join("rows"))?);
        let (mut line, mut place) = (Vec::new(), 0);
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            // A last line without its end was never accepted.
            if length == 0 || line.last() != Some(&b'\n') {
                return Ok(());
            }
            show(serde_json::from_slice(&self.files.unline(&line)?)?, place, length);
            place += length as u64;
        }
    }

    /// Writes the rows as CSV, children of one parent next to each other, and returns the file with its size.
    /// The org cuts a job into batches that run side by side: siblings in two of them would lock their parent
    /// against each other.
    pub(super) fn order(&self) -> Result<(PathBuf, u64), Error> {
        let mut order: Vec<(String, u64, usize)> = Vec::new();
        self.each_row(|row, place, length| order.push((row.parent, place, length)))?;
        order.sort();
        let path = self.path("upload.csv");
        let file = BufWriter::new(self.files.create(&path)?);
        let mut sheet = csv::WriterBuilder::new().from_writer(file);
        sheet.write_record(&self.columns)?;
        let mut rows = File::open(self.folder.join("rows"))?;
        let mut line = Vec::new();
        for (_, place, length) in order {
            line.resize(length, 0);
            rows.seek(SeekFrom::Start(place))?;
            rows.read_exact(&mut line)?;
            let row: Row = serde_json::from_slice(&self.files.unline(&line)?)?;
            let cell = |column: &String| row.cells.get(column).map(String::as_str).unwrap_or_default();
            sheet.write_record(self.columns.iter().map(cell))?;
        }
        let file = sheet
            .into_inner()
            .map_err(|error| Error::other(error.to_string()))?;
        file.into_inner().map_err(|error| error.into_error())?.finish()?;
        let size = self.files.open(&path)?.length();
        Ok((path, size))
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A file of the job.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The job is settled. What cannot be removed now is in nobody's way.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!("{} could not be removed: {error}", self.folder.display());
        }
    }
}

/// Makes a folder that only its owner may look into.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// How files are opened that only their owner may read.
fn closed() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    fn row(intent: u64, parent: &str, cells: &[(&str, &str)]) -> (usize, Row) {
        let cells: BTreeMap<String, String> = cells
            .iter()
            .map(|(name, cell)| ((*name).to_owned(), (*cell).to_owned()))
            .collect();
        let row = Row {
            intent,
            key: format!("Order:{intent}"),
            parent: parent.to_owned(),
            cells,
        };
        (usize::try_from(intent).unwrap(), row)
    }

    fn spool(folder: &Path) -> Spool {
        let target = Target::for_tests("Order", "Customerp_Id__c");
        Spool::create((folder, &Files::default()), "750a", Operation::Insert, &target).unwrap()
    }

    #[test]
    fn siblings_stand_together_and_cells_under_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(folder.path());
        let first = [
            row(1, "001B", &[("A", "a,\"b\"\nc")]),
            row(2, "001A", &[("A", "x"), ("B", "y")]),
        ];
        assert_eq!(spool.append(&first).unwrap(), [1, 2]);
        let again = [row(1, "001B", &[("A", "twice")]), row(3, "001B", &[("B", "z")])];
        assert_eq!(
            spool.append(&again).unwrap(),
            [3],
            "of two with one key the first"
        );
        let (path, size) = spool.order().unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text, "A,B\nx,y\n\"a,\"\"b\"\"\nc\",\n,z\n");
        assert_eq!(size, text.len() as u64);
    }

    #[test]
    fn an_earlier_process_left_it_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = spool(folder.path());
        spool.append(&[row(1, "", &[("A", "x")])]).unwrap();
        spool.ledger.stage = Stage::Submitted;
        spool.note().unwrap();
        // A line that was cut off was never accepted.
        let mut rows = closed()
            .append(true)
            .open(folder.path().join("750a/rows"))
            .unwrap();
        rows.write_all(b"{\"intent\":2").unwrap();
        let found = Spool::open((folder.path(), &Files::default()), "750a")
            .unwrap()
            .unwrap();
        assert_eq!(found.ledger, spool.ledger);
        let mut seen = Vec::new();
        found.each_row(|row, _, _| seen.push(row.intent)).unwrap();
        assert_eq!(seen, [1]);
        found.remove();
        assert!(
            Spool::open((folder.path(), &Files::default()), "750a")
                .unwrap()
                .is_none()
        );
        assert!(
            Spool::open((folder.path(), &Files::default()), "../x")
                .unwrap()
                .is_none()
        );
    }
}
