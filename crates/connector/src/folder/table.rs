//! A file of records: found out once how it is written, then read by the places of its rows.

use super::description::Records;
use super::letters::Letters;
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The longest line that is taken for a row.
const LONGEST: u64 = 16 << 20;

/// Which state of a file this is: when it was changed last, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stamp {
    pub(super) changed: SystemTime,
    pub(super) length: u64,
    /// Which file it is: one that took the place of another is another.
    file: u64,
    /// A sum over what is pending over it.
    #[serde(default)]
    pub(super) over: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let about = std::fs::metadata(path)?;
        Ok(Self {
            changed: about.modified()?,
            length: about.len(),
            file: about.ino(),
            over: 0,
        })
    }

    /// That of the file by itself.
    pub(super) fn alone(self) -> Self {
        Self { over: 0, ..self }
    }
}

/// A row's place in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it begins, and how many bytes it has with its end.
    pub(super) at: u64,
    pub(super) length: u64,
    /// The line that it begins in, from 1.
    pub(super) line: u64,
    /// What stands there: rows with the same differ in nothing.
    pub(super) hash: u64,
    /// What is pending over it; 0: nothing.
    pub(super) over: u64,
}

impl Place {
    /// The place of a row that is not written yet.
    pub(super) const NONE: u64 = u64::MAX;
}

/// What is read over a row until the export shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Over {
    pub(super) cells: BTreeMap<String, String>,
    /// Columns whose cells are out of sight, and why.
    pub(super) unreadable: BTreeMap<String, String>,
    /// When it was written.
    pub(super) at: Option<Timestamp>,
}

/// Why a record is not shown although its row may be there.
#[derive(Clone, Debug)]
pub(super) enum Hidden {
    /// It was deleted then.
    Deleted(Timestamp),
    /// The ERP refused what was done with it.
    Refused(String),
}

/// A file whose rows were found.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
    /// The headings; none of lines of JSON.
    pub(super) headings: Vec<String>,
    pub(super) separator: u8,
    /// The bytes in front of the first row.
    pub(super) head: u64,
    /// How its letters are written.
    pub(super) encoding: Letters,
    /// Lines end with CR LF.
    pub(super) crlf: bool,
    /// The places of the rows by id, in the order of the ids' bytes; several where rows share an id.
    pub(super) rows: BTreeMap<String, Vec<Place>>,
    /// What is pending over rows, by what their places say.
    pub(super) over: BTreeMap<u64, Over>,
    /// Records that are not shown.
    pub(super) hidden: BTreeMap<String, Hidden>,
    /// The ERP's own ids of records that go by their key, and whose they are.
    numbers: BTreeMap<String, String>,
    keys: BTreeMap<String, String>,
    /// The file begins with a byte order mark.
    pub(super) marked: bool,
    /// Lines of rows that have no id.
    pub(super) nameless: Vec<u64>,
    /// The members that any object of a file of JSON has.
    pub(super) members: BTreeSet<String>,
    /// Who holds which text in columns that were asked for.
    held: HashMap<String, HashMap<String, String>>,
}

/// One row as it was read; of a file in UTF-16 its bytes are those of the same text in UTF-8.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) bytes: Vec<u8>,
    pub(super) content: Content,
}

/// What a row holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Cells(Vec<String>),
    Json(Map<String, Json>),
    /// It cannot be read, and why.
    Broken(String),
}

impl Table {
    /// Finds the rows of a file.
    pub(super) fn open(path: &Path, of: &Records) -> io::Result<Self> {
        let stamp = Stamp::of(path)?;
        let mut file = BufReader::new(File::open(path)?);
        let marked = file.fill_buf()?;
        // A mark is certain, whatever is said.
        let (encoding, mark) = match Letters::marked(marked) {
            Some(marked) => marked,
            None => (of.encoding.map_or_else(|| likely_encoding(path), Ok)?, 0),
        };
        file.consume(mark);
        let mut table = Self {
            path: path.to_owned(),
            stamp,
            headings: Vec::new(),
            separator: of.separator.unwrap_or(b','),
            head: mark as u64,
            encoding,
            members: BTreeSet::new(),
            crlf: false,
            rows: BTreeMap::new(),
            over: BTreeMap::new(),
            hidden: BTreeMap::new(),
            numbers: BTreeMap::new(),
            keys: BTreeMap::new(),
            marked: mark > 0,
            nameless: Vec::new(),
            held: HashMap::new(),
        };
        let (mut at, mut line) = (mark as u64, 1);
        if !of.json {
            let head = next(
                &mut file,
                &of.separator.map_or_else(|| SEPARATORS.to_vec(), |one| vec![one]),
                encoding,
            )?;
            let length = head.len() as u64;
            let head = in_octets(encoding, head);
            table.crlf = head.ends_with(b"\r\n");
            table.separator = of.separator.unwrap_or_else(|| likely(&head));
            let (cells, _) = table.parsed(table.decoded(&head).0.as_bytes());
            table.headings = cells.into_iter().map(|cell| cell.trim().to_owned()).collect();
            (at, line) = (at + length, line + lines(&head));
            table.head = at;
        }
        let separators = if of.json {
            Vec::new()
        } else {
            vec![table.separator]
        };
        loop {
            let bytes = next(&mut file, &separators, encoding)?;
            if bytes.is_empty() {
                break;
            }
            let length = bytes.len() as u64;
            let bytes = in_octets(encoding, bytes);
            let place = Place {
                at,
                length,
                line,
                hash: hash(&bytes),
                over: 0,
            };
            (at, line) = (at + place.length, line + lines(&bytes));
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let row = table.row(bytes, of.json);
            if let Content::Json(members) = &row.content {
                let new = members
                    .keys()
                    .filter(|name| !table.members.contains(*name))
                    .cloned();
                let new: Vec<String> = new.collect();
                table.members.extend(new);
            }
            match table.id_of(of, &row.content) {
                Some(id) => table.rows.entry(id).or_default().push(place),
                None => table.nameless.push(place.line),
            }
        }
        Ok(table)
    }

    /// By which id a row goes: its key where it has one, else its id. The id of one with a key is the ERP's own.
    fn id_of(&mut self, of: &Records, content: &Content) -> Option<String> {
        let cell = |column: &str| {
            let text = content.get(&self.headings, column)?;
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let number = cell(&of.id);
        let key = of.key.as_ref().and_then(|key| cell(key));
        if let (Some(key), Some(number)) = (&key, &number) {
            self.numbers.insert(key.clone(), number.clone());
            self.keys.insert(number.clone(), key.clone());
        }
        key.or(number)
    }

    /// The ERP's own id of a record; empty where it has given none yet.
    pub(super) fn number<'a>(&'a self, id: &'a str) -> &'a str {
        match self.numbers.get(id) {
            Some(number) => number,
            None if self.is_made(id) => "",
            None => id,
        }
    }

    /// By which id the record goes that has this one in the ERP.
    pub(super) fn known_as<'a>(&'a self, number: &'a str) -> &'a str {
        self.keys.get(number).map_or(number, String::as_str)
    }

    /// The export does not show it yet, because it is new.
    fn is_made(&self, id: &str) -> bool {
        let places = self.rows.get(id).map(Vec::as_slice);
        matches!(places, Some([place]) if place.length == 0)
    }

    /// Shows a record no more.
    pub(super) fn hide(&mut self, id: &str, hidden: Hidden) {
        self.rows.remove(id);
        self.hidden.insert(id.to_owned(), hidden);
    }

    /// Lays something over a row; over one at a place of its own, where the row is new.
    pub(super) fn lay(&mut self, id: &str, over: Over, made: Option<u64>) {
        let mut hasher = DefaultHasher::new();
        (id, &over).hash(&mut hasher);
        let sum = hasher.finish().max(1);
        if let Some(places) = self.rows.get_mut(id) {
            places.iter_mut().for_each(|place| place.over = sum);
        } else if let Some(at) = made {
            let place = Place {
                at,
                length: 0,
                line: 0,
                hash: 0,
                over: sum,
            };
            self.rows.insert(id.to_owned(), vec![place]);
        }
        self.over.insert(sum, over);
    }

    /// Cells as a line of the file.
    pub(super) fn line(&self, cells: &[String]) -> String {
        let mut writer = csv::WriterBuilder::new();
        let writer = writer.delimiter(self.separator).terminator(match self.crlf {
            true => csv::Terminator::CRLF,
            false => csv::Terminator::Any(b'\n'),
        });
        let mut writer = writer.from_writer(Vec::new());
        let written = writer.write_record(cells).and_then(|()| Ok(writer.flush()?));
        let bytes = written
            .ok()
            .and_then(|()| writer.into_inner().ok())
            .unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The rows at these places, with what is pending over them.
    pub(super) fn read(&self, places: &[Place], json: bool) -> io::Result<Vec<Row>> {
        let mut file = File::open(&self.path)?;
        let mut rows = Vec::with_capacity(places.len());
        for place in places {
            let mut row = match place.length {
                0 => self.blank(json),
                _ => self.read_one(&mut file, place, json)?,
            };
            if let Some(over) = self.over.get(&place.over) {
                row.bytes.extend(place.over.to_le_bytes());
                row.content.lay(&self.headings, &over.cells);
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn read_one(&self, file: &mut File, place: &Place, json: bool) -> io::Result<Row> {
        file.seek(SeekFrom::Start(place.at))?;
        let mut bytes = Vec::new();
        Read::take(file, place.length).read_to_end(&mut bytes)?;
        let bytes = in_octets(self.encoding, bytes);
        if hash(&bytes) != place.hash {
            return Err(io::Error::other(
                "it was written by somebody else while it was read",
            ));
        }
        Ok(self.row(bytes, json))
    }

    /// A row that says nothing.
    fn blank(&self, json: bool) -> Row {
        let content = match json {
            true => Content::Json(Map::new()),
            false => Content::Cells(vec![String::new(); self.headings.len()]),
        };
        Row {
            bytes: Vec::new(),
            content,
        }
    }

    /// The ids of rows that differ from those of an earlier state of the file, and of those that are not there any more.
    pub(super) fn since<'a>(&'a self, before: &'a Self) -> (Vec<&'a String>, Vec<&'a String>) {
        let same = |one: &[Place], other: &[Place]| {
            let hashes = |places: &[Place]| -> Vec<_> {
                places.iter().map(|place| (place.hash, place.over)).collect()
            };
            hashes(one) == hashes(other)
        };
        let moved = self
            .rows
            .iter()
            .filter(|(id, places)| !before.rows.get(*id).is_some_and(|other| same(places, other)));
        let gone = before.rows.keys().filter(|id| !self.rows.contains_key(*id));
        (moved.map(|(id, _)| id).collect(), gone.collect())
    }

    /// Another record with that text in a column.
    pub(super) fn holder(
        &mut self,
        of: &Records,
        column: &str,
        text: &str,
        id: Option<&str>,
    ) -> io::Result<Option<String>> {
        if !self.held.contains_key(column) {
            let mut held = HashMap::new();
            for (id, places) in &self.rows {
                let there: Vec<Place> = places
                    .iter()
                    .copied()
                    .filter(|place| place.at != Place::NONE)
                    .collect();
                for row in self.read(&there, of.json)? {
                    let text = row.content.get(&self.headings, column);
                    held.extend(
                        text.filter(|text| !text.is_empty())
                            .map(|text| (text.into_owned(), id.clone())),
                    );
                }
            }
            self.held.insert(column.to_owned(), held);
        }
        let holder = self.held.get(column).and_then(|held| held.get(text));
        Ok(holder.filter(|holder| Some(holder.as_str()) != id).cloned())
    }

    /// Notes that a record holds a text from now on.
    pub(super) fn holds(&mut self, column: &str, text: String, id: &str) {
        if let Some(held) = self.held.get_mut(column) {
            held.insert(text, id.to_owned());
        }
    }

    fn row(&self, bytes: Vec<u8>, json: bool) -> Row {
        let (text, other) = self.decoded(&bytes);
        let foreign = format!(
            "it holds bytes that are no {}, as the rest of the file is",
            self.encoding.name()
        );
        let content = if json {
            match crate::http::json::parse(text.as_bytes()) {
                _ if other => Content::Broken(foreign),
                Some(Json::Object(members)) => Content::Json(members),
                _ => Content::Broken("it is no object of JSON".to_owned()),
            }
        } else {
            let (cells, whole) = self.parsed(text.as_bytes());
            let (own, wanted) = (cells.len(), self.headings.len());
            match own == wanted {
                _ if other => self.broken(cells, foreign),
                _ if !whole => self.broken(cells, "a quote of it is open".to_owned()),
                false => self.broken(
                    cells,
                    format!("it has {own} cells where the headings have {wanted}"),
                ),
                true => Content::Cells(cells),
            }
        };
        Row { bytes, content }
    }

    /// A row that cannot be read may still say whose it is.
    fn broken(&self, cells: Vec<String>, why: String) -> Content {
        let known = self.headings.iter().cloned().zip(cells);
        let known = known.map(|(name, cell)| (name, Json::String(cell)));
        let mut members: Map<String, Json> = known.collect();
        members.insert(BROKEN.to_owned(), Json::String(why));
        Content::Json(members)
    }

    /// The cells of a row in UTF-8, and whether that is all of it: a quote may stand so that more than one row could be meant.
    fn parsed(&self, bytes: &[u8]) -> (Vec<String>, bool) {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(self.separator);
        let mut reader = reader.from_reader(without_end(bytes));
        let mut record = csv::ByteRecord::new();
        let read = reader.read_byte_record(&mut record).is_ok();
        let cells = record
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).into_owned());
        let cells = cells.collect();
        let more = reader.read_byte_record(&mut csv::ByteRecord::new());
        (
            cells,
            read && !is_open(bytes, &[self.separator]) && matches!(more, Ok(false)),
        )
    }

    /// The text of a row, and whether some of its bytes are none.
    fn decoded<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, str>, bool) {
        if self.encoding.is_wide() {
            let text = String::from_utf8_lossy(bytes);
            let lost = text.contains(char::REPLACEMENT_CHARACTER);
            return (text, lost);
        }
        self.encoding.decode(bytes)
    }

    /// A text in the file's own encoding; none where it cannot hold it.
    pub(super) fn encoded(&self, text: &str) -> Option<Vec<u8>> {
        self.encoding.encode(text)
    }

    /// Whether these bytes of the file end a line.
    pub(super) fn ends_a_line(&self, bytes: &[u8]) -> bool {
        ends_a_line(self.encoding, bytes)
    }
}

/// Where a row that has too few or too many cells keeps that.
const BROKEN: &str = "\u{0}broken";

impl Content {
    /// What a column says; none where there is no such column.
    pub(super) fn get(&self, headings: &[String], column: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Cells(cells) => {
                let at = headings.iter().position(|heading| heading == column)?;
                cells.get(at).map(|cell| Cow::Borrowed(cell.as_str()))
            }
            Self::Json(members) => Some(match members.get(column)? {
                Json::String(text) => Cow::Borrowed(text.as_str()),
                Json::Null => Cow::Borrowed(""),
                other => Cow::Owned(other.to_string()),
            }),
            Self::Broken(_) => None,
        }
    }

    /// Says something else in some columns.
    fn lay(&mut self, headings: &[String], cells: &BTreeMap<String, String>) {
        match self {
            Self::Cells(own) => {
                for (heading, own) in headings.iter().zip(own) {
                    if let Some(cell) = cells.get(heading) {
                        cell.clone_into(own);
                    }
                }
            }
            Self::Json(members) if !members.contains_key(BROKEN) => {
                members.extend(
                    cells
                        .iter()
                        .map(|(name, cell)| (name.clone(), Json::from(cell.as_str()))),
                );
            }
            Self::Json(_) | Self::Broken(_) => {}
        }
    }

    /// Why it cannot be read.
    pub(super) fn broken(&self) -> Option<&str> {
        match self {
            Self::Json(members) => members.get(BROKEN)?.as_str(),
            Self::Broken(why) => Some(why),
            Self::Cells(_) => None,
        }
    }
}

/// A row without the end of its line, which the last of a file may lack.
pub(super) fn without_end(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What may stand between cells.
const SEPARATORS: &[u8] = b",;\t|";

/// The encoding of a file that does not say: UTF-8, or Windows-1252 where it is no UTF-8 at all. One that is, but for some
/// bytes, was cut or mixed somewhere.
fn likely_encoding(path: &Path) -> io::Result<Letters> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut wide, mut other, mut line) = (false, false, Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 {
        match std::str::from_utf8(&line) {
            Ok(text) => wide |= !text.is_ascii(),
            Err(_) => other = true,
        }
        line.clear();
    }
    Ok(if other && !wide {
        Letters::WINDOWS
    } else {
        Letters::UTF_8
    })
}

/// What was read of a file, as bytes among which the signs of a table are what they are in ASCII.
fn in_octets(encoding: Letters, bytes: Vec<u8>) -> Vec<u8> {
    if !encoding.is_wide() {
        return bytes;
    }
    let (text, _) = encoding.decode(&bytes);
    text.into_owned().into_bytes()
}

/// Whether what was read since the begin of a row ends a line.
fn ends_a_line(encoding: Letters, bytes: &[u8]) -> bool {
    let end = encoding.line_end();
    bytes.len().is_multiple_of(end.len()) && bytes.ends_with(end)
}

/// Reads to the end of a line. How many bytes that were.
fn read_line(file: &mut impl BufRead, encoding: Letters, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let before = bytes.len();
    loop {
        let read = file.read_until(b'\n', bytes)?;
        if read > 0 && encoding.line_end() == b"\n\0" && bytes.len() % 2 == 1 {
            // The other half of a letter that begins so.
            Read::take(&mut *file, 1).read_to_end(bytes)?;
        }
        if read == 0 || ends_a_line(encoding, bytes) {
            return Ok(bytes.len() - before);
        }
    }
}

/// Whether a text ends within quotes. A quote opens at the beginning of a cell alone.
fn is_open(bytes: &[u8], separators: &[u8]) -> bool {
    let (mut quoted, mut begins) = (false, true);
    let mut bytes = bytes.iter().peekable();
    while let Some(byte) = bytes.next() {
        match (quoted, *byte) {
            (true, b'"') if bytes.peek() == Some(&&b'"') => drop(bytes.next()),
            (true, b'"') => quoted = false,
            (true, _) => {}
            (false, b'"') if begins => quoted = true,
            (false, byte) => begins = separators.contains(&byte) || byte == b'\n',
        }
        if quoted {
            begins = false;
        }
    }
    quoted
}

/// The next row with its end; a line that ends within quotes goes on in the next. Without separators each line is a row.
fn next(file: &mut BufReader<File>, separators: &[u8], encoding: Letters) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let room = LONGEST.saturating_sub(bytes.len() as u64);
        let read = read_line(&mut Read::take(&mut *file, room), encoding, &mut bytes)?;
        let open = !separators.is_empty()
            && match encoding.is_wide() {
                true => is_open(&in_octets(encoding, bytes.clone()), separators),
                false => is_open(&bytes, separators),
            };
        if read == 0 || (!open && ends_a_line(encoding, &bytes)) || room == 0 {
            return Ok(bytes);
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    without_end(bytes).hash(&mut hasher);
    hasher.finish()
}

/// The separator that stands most often outside of quotes in the headings.
fn likely(head: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    for byte in head {
        quoted ^= *byte == b'"';
        if !quoted && SEPARATORS.contains(byte) {
            *counts.entry(*byte).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(byte, _)| byte)
}
