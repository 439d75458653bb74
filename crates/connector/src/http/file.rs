//! A file as the body of a request, never held in memory as a whole.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::io::{Error, Read};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tandem_seal::{Files, Source};

/// Bytes read at once: few enough that the read holds nobody up.
const CHUNK: usize = 128 * 1024;

/// A file on its way.
pub(super) struct Sent {
    file: Source,
    left: u64,
}

impl Sent {
    /// The file as it is now.
    pub(super) fn open(files: &Files, path: &Path) -> Result<Self, Error> {
        let file = files.open(path)?;
        let left = file.length();
        Ok(Self { file, left })
    }

    fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let size = usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK);
        if size == 0 {
            return None;
        }
        let mut chunk = vec![0; size];
        let read = self.file.read_exact(&mut chunk);
        self.left -= size as u64;
        Some(read.map(|()| Bytes::from(chunk)))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.next().map(|read| read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
