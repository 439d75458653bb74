//! Files beside the database: in clear, or sealed in chunks that can be read from any place on.

use crate::{Broken, Seal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{File, OpenOptions};
use std::io::{self, Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

/// What a sealed file begins with; behind it stands a number of its own.
const HEAD: &[u8; 8] = b"TNDMSEAL";
/// Bytes of the head with the number.
const HEAD_BYTES: u64 = 24;
/// Plain bytes of a chunk; the last one has fewer, or none.
const CHUNK: usize = 64 * 1024;
/// Bytes that sealing adds to a chunk.
const ADDED: usize = 1 + 12 + 16;
/// Bytes of a sealed chunk, the last one apart.
const CHUNK_BYTES: u64 = (CHUNK + ADDED) as u64;
/// For what the lines of a file are sealed.
const LINE: &[u8] = b"line";

/// How files are kept.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// New files are sealed with the first of them; what is read may be sealed with any.
    seals: Vec<Arc<Seal>>,
}

impl Files {
    /// Sealed with the key, if there is one; files of the former key can still be read.
    #[must_use]
    pub fn new(key: Option<Arc<Seal>>, former: Option<Arc<Seal>>) -> Self {
        let former = former.filter(|_| key.is_some());
        Self {
            seals: key.into_iter().chain(former).collect(),
        }
    }

    /// A new file that only its owner may read; what was there is replaced.
    ///
    /// # Errors
    /// As the machine answers.
    pub fn create(&self, path: &Path) -> io::Result<Sink> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(path)?;
        let sealing = match self.seals.first() {
            None => None,
            Some(seal) => {
                let mut number = [0_u8; 16];
                let random = SystemRandom::new();
                random
                    .fill(&mut number)
                    .map_err(|_| Error::other(Broken::Random))?;
                file.write_all(HEAD)?;
                file.write_all(&number)?;
                Some(Sealing {
                    seal: Arc::clone(seal),
                    number,
                    next: 0,
                    chunk: Vec::with_capacity(CHUNK),
                })
            }
        };
        Ok(Sink { file, sealing })
    }

    /// A file to read.
    ///
    /// # Errors
    /// As the machine answers; a sealed file without its key.
    pub fn open(&self, path: &Path) -> io::Result<Source> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = [0_u8; HEAD_BYTES as usize];
        if length < HEAD_BYTES || file.read_exact(&mut head).is_err() || &head[..8] != HEAD {
            file.seek(SeekFrom::Start(0))?;
            return Ok(Source {
                file,
                length,
                opening: None,
            });
        }
        let mut number = [0_u8; 16];
        number.copy_from_slice(&head[8..]);
        let sealed = length - HEAD_BYTES;
        let (whole, rest) = (sealed / CHUNK_BYTES, sealed % CHUNK_BYTES);
        // The last chunk may be a full one.
        let (last, tail) = match (whole.checked_sub(1), rest) {
            (Some(last), 0) => (last, CHUNK as u64),
            _ => (whole, rest.checked_sub(ADDED as u64).ok_or_else(foreign)?),
        };
        let mut opening = Opening {
            seals: self.seals.clone(),
            number,
            last,
            at: 0,
            chunk: None,
        };
        // The first chunk tells whether the key is the right one.
        opening.load(&mut file, 0)?;
        Ok(Source {
            file,
            length: last * CHUNK as u64 + tail,
            opening: Some(opening),
        })
    }

    /// A line as it is written into a file of lines, without its end.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn line(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self.seals.first() {
            None => Ok(plain.to_vec()),
            Some(seal) => {
                let sealed = seal.close(LINE, plain).map_err(Error::other)?;
                Ok(STANDARD_NO_PAD.encode(sealed).into_bytes())
            }
        }
    }

    /// What a line of such a file says. `line` may have its end.
    ///
    /// # Errors
    /// It was sealed with another key.
    pub fn unline(&self, line: &[u8]) -> io::Result<Vec<u8>> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // A line in clear is JSON.
        if line.first() == Some(&b'{') {
            return Ok(line.to_vec());
        }
        let sealed = STANDARD_NO_PAD.decode(line).map_err(|_| foreign())?;
        any(&self.seals, LINE, &sealed)
    }
}

fn any(seals: &[Arc<Seal>], place: &[u8], sealed: &[u8]) -> io::Result<Vec<u8>> {
    let mut opened = seals.iter().map(|seal| seal.open(place, sealed));
    opened.find_map(Result::ok).ok_or_else(foreign)
}

fn foreign() -> Error {
    Error::new(ErrorKind::InvalidData, Broken::Foreign)
}

/// For what a chunk is sealed: its file, its number, and whether it is the last.
fn place(number: &[u8; 16], chunk: u64, last: bool) -> Vec<u8> {
    let mut place = b"file".to_vec();
    place.extend_from_slice(number);
    place.extend_from_slice(&chunk.to_le_bytes());
    place.push(u8::from(last));
    place
}

/// A file that is written. Without [`Sink::finish`] it is not whole.
pub struct Sink {
    file: File,
    sealing: Option<Sealing>,
}

struct Sealing {
    seal: Arc<Seal>,
    number: [u8; 16],
    next: u64,
    chunk: Vec<u8>,
}

impl Sealing {
    fn put(&mut self, file: &mut File, last: bool) -> io::Result<()> {
        let place = place(&self.number, self.next, last);
        let sealed = self.seal.close(&place, &self.chunk).map_err(Error::other)?;
        self.next += 1;
        self.chunk.clear();
        file.write_all(&sealed)
    }
}

impl Sink {
    /// Ends the file, durably.
    ///
    /// # Errors
    /// As the machine answers.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(sealing) = &mut self.sealing {
            sealing.put(&mut self.file, true)?;
        }
        self.file.sync_all()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(sealing) = &mut self.sealing else {
            return self.file.write(bytes);
        };
        // A full chunk waits for the next byte: only then it is known not to be the last.
        if sealing.chunk.len() == CHUNK {
            sealing.put(&mut self.file, false)?;
        }
        let taken = bytes.len().min(CHUNK - sealing.chunk.len());
        sealing.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file that is read.
pub struct Source {
    file: File,
    length: u64,
    opening: Option<Opening>,
}

struct Opening {
    seals: Vec<Arc<Seal>>,
    number: [u8; 16],
    last: u64,
    at: u64,
    chunk: Option<(u64, Vec<u8>)>,
}

impl Opening {
    /// The chunk of that number.
    fn load(&mut self, file: &mut File, wanted: u64) -> io::Result<&[u8]> {
        if self.chunk.as_ref().is_none_or(|(number, _)| *number != wanted) {
            file.seek(SeekFrom::Start(HEAD_BYTES + wanted * CHUNK_BYTES))?;
            let mut sealed = Vec::new();
            file.take(CHUNK_BYTES).read_to_end(&mut sealed)?;
            let place = place(&self.number, wanted, wanted == self.last);
            self.chunk = Some((wanted, any(&self.seals, &place, &sealed)?));
        }
        Ok(self.chunk.as_ref().map_or(&[], |(_, plain)| plain))
    }
}

impl Source {
    /// Bytes of what it says.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(opening) = &mut self.opening else {
            return self.file.read(into);
        };
        if opening.at >= self.length {
            return Ok(0);
        }
        let (at, chunk) = (opening.at, CHUNK as u64);
        let plain = opening.load(&mut self.file, at / chunk)?;
        let from = usize::try_from(at % chunk).unwrap_or_default();
        let rest = plain.get(from..).unwrap_or_default();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        opening.at += read as u64;
        Ok(read)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let Some(opening) = &mut self.opening else {
            return self.file.seek(to);
        };
        let moved = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => opening.at.checked_add_signed(by),
        };
        opening.at = moved.ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
        Ok(opening.at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn key(byte: u8) -> Arc<Seal> {
        Arc::new(Seal::from_text(&STANDARD.encode([byte; 32])).unwrap())
    }

    fn sealed() -> Files {
        Files::new(Some(key(1)), None)
    }

    fn written(files: &Files, path: &Path, text: &[u8]) {
        let mut sink = files.create(path).unwrap();
        for part in text.chunks(777) {
            sink.write_all(part).unwrap();
        }
        sink.finish().unwrap();
    }

    #[test]
    fn a_file_is_read_from_any_place_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
            let text: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            for files in [Files::default(), sealed()] {
                written(&files, &path, &text);
                let mut source = files.open(&path).unwrap();
                assert_eq!(source.length(), size as u64);
                let mut read = Vec::new();
                source.read_to_end(&mut read).unwrap();
                assert!(read == text, "{size}");
                for from in [0, size / 2, size.saturating_sub(1), size] {
                    source.seek(SeekFrom::Start(from as u64)).unwrap();
                    read.clear();
                    source.read_to_end(&mut read).unwrap();
                    assert!(read == text[from..], "{size} from {from}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_altered_or_sealed_by_another_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        written(&sealed(), &path, &vec![b'a'; 2 * CHUNK]);
        let whole = std::fs::read(&path).unwrap();
        assert!(!whole.windows(9).any(|part| part == b"aaaaaaaaa"));
        let refuses = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let read = sealed()
                .open(&path)
                .and_then(|mut source| source.read_to_end(&mut Vec::new()));
            read.is_err()
        };
        assert!(!refuses(&whole));
        assert!(refuses(&whole[..whole.len() - 1]));
        // At the end of a chunk, too: the last one says that it is.
        let chunk = CHUNK + ADDED;
        assert!(refuses(&whole[..usize::try_from(HEAD_BYTES).unwrap() + chunk]));
        for at in [10, 30, whole.len() - 3] {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            assert!(refuses(&altered), "{at}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(Files::default().open(&path).is_err());
        assert!(Files::new(Some(key(2)), None).open(&path).is_err());
        assert!(Files::new(Some(key(2)), Some(key(1))).open(&path).is_ok());
    }

    #[test]
    fn lines_are_sealed_one_by_one() {
        let files = sealed();
        let line = files.line(b"{\"name\":\"Alice\"}").unwrap();
        assert!(!line.contains(&b'\n') && !line.starts_with(b"{"));
        assert_eq!(files.unline(&line).unwrap(), b"{\"name\":\"Alice\"}");
        assert_eq!(files.unline(b"{\"a\":1}\n").unwrap(), b"{\"a\":1}", "of before");
        assert!(Files::default().unline(&line).is_err());
    }
}
