//! Bodies that arrive compressed.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::fault::{Code, Fault, Outcome};

/// The body as it was before it was compressed by what `Content-Encoding` names, at most `most` bytes of it.
pub(super) fn unpacked(encoding: Option<&str>, body: Bytes, most: usize) -> Outcome<Bytes> {
    let encoding = encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => unpack(MultiGzDecoder::new(body.as_ref()), most),
        "deflate" => unpack(ZlibDecoder::new(body.as_ref()), most),
        other => Err(Fault::new(
            Code::UnsupportedMediaType,
            format!("Content-Encoding header specified in HTTP request is not supported: {other}"),
        )),
    }
}

fn unpack(packed: impl Read, most: usize) -> Outcome<Bytes> {
    let refuse = |text: &str| Fault::new(Code::JsonParser, text);
    let mut whole = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    packed
        .take(bound)
        .read_to_end(&mut whole)
        .map_err(|_| refuse("the body is not compressed as Content-Encoding says"))?;
    if whole.len() > most {
        return Err(refuse("the body is larger than the request may carry"));
    }
    Ok(Bytes::from(whole))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn bodies_come_out_as_they_went_in() {
        let text = b"{\"Name\": \"A\"}";
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text).unwrap();
        let gzip = Bytes::from(gzip.finish().unwrap());
        let mut deflate = ZlibEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(text).unwrap();
        let deflate = Bytes::from(deflate.finish().unwrap());
        for (encoding, body) in [("gzip", &gzip), ("GZIP", &gzip), ("deflate", &deflate)] {
            assert_eq!(unpacked(Some(encoding), body.clone(), 100).unwrap(), &text[..]);
        }
        assert_eq!(
            unpacked(None, Bytes::from_static(text), 1).unwrap().len(),
            text.len()
        );
        assert!(unpacked(Some("gzip"), gzip.clone(), 5).is_err());
        assert!(unpacked(Some("gzip"), Bytes::from_static(text), 100).is_err());
        assert!(unpacked(Some("br"), gzip, 100).is_err());
    }
}
