//! Bodies of pushes: read and decompressed within their bounds.

use std::io::{self, Read};
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use actix_web::web::Payload;
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use psg_engine::printable::{SHORT, printable};
use tokio::time::{Instant, timeout, timeout_at};

use super::memory::Holding;
use super::too_large;
use crate::doors::RequestRefused;
use crate::self_metrics::doors::RequestReason;

/// How long a body may take, and how long nothing may come of it.
const TIME: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(5);

/// A buffer that grows is copied into one that is twice as large.
const GROWTH: usize = 2;

/// Bytes that are decompressed at once.
const PIECE: usize = 32 * 1024;

/// What zstd may look back on, as a power of two: 8 MiB, which every decoder should
/// have and no encoder goes beyond unless it is told to.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a framed stream of snappy begins; without it, it is a block.
const SNAPPY_FRAMES: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// Reads all of it.
pub async fn read(
    mut payload: Payload,
    max_bytes: usize,
    held: &mut Holding,
) -> Result<Vec<u8>, RequestRefused> {
    let slow = |_| {
        let words = format!(
            "expected a body within {} s, and without a pause of {} s",
            TIME.as_secs(),
            SILENCE.as_secs()
        );
        RequestRefused::new(RequestReason::TooSlow, words)
    };
    let (deadline, mut body) = (Instant::now() + TIME, Vec::new());
    loop {
        let next = timeout_at(deadline, timeout(SILENCE, payload.next()));
        let Some(piece) = next.await.map_err(slow)?.map_err(slow)? else { return Ok(body) };
        let piece = piece.map_err(broken)?;
        if body.len() + piece.len() > max_bytes {
            return Err(too_large(max_bytes));
        }
        held.grow(GROWTH * piece.len())?;
        body.extend_from_slice(&piece);
    }
}

fn broken(cause: PayloadError) -> RequestRefused {
    RequestRefused::new(RequestReason::Malformed, format!("the body did not come whole: {cause}"))
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Identity,
    Gzip,
    Zstd,
    Snappy,
}

impl Coding {
    /// As the header says.
    pub fn of(headers: &HeaderMap) -> Result<Self, RequestRefused> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Coding::Identity) };
        let name = value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(Coding::Identity),
            "gzip" | "x-gzip" => Ok(Coding::Gzip),
            "zstd" => Ok(Coding::Zstd),
            "snappy" | "x-snappy-framed" => Ok(Coding::Snappy),
            other => {
                let other = printable(other, SHORT);
                let words =
                    format!("expected gzip, zstd, snappy or none as Content-Encoding, got {other}");
                Err(RequestRefused::new(RequestReason::Encoding, words))
            }
        }
    }

    /// The body as it was before it was compressed.
    pub fn decoded(
        self,
        body: Vec<u8>,
        max_bytes: usize,
        held: &mut Holding,
    ) -> Result<Vec<u8>, RequestRefused> {
        let body = match self {
            Coding::Identity => return Ok(body),
            // Nothing is nothing, however it is compressed.
            Coding::Gzip | Coding::Zstd | Coding::Snappy if body.is_empty() => return Ok(body),
            Coding::Gzip | Coding::Zstd | Coding::Snappy => body.as_slice(),
        };
        let reader: io::Result<Box<dyn Read>> = match self {
            Coding::Identity | Coding::Gzip => Ok(Box::new(MultiGzDecoder::new(body))),
            Coding::Zstd => zstd_decoder(body),
            Coding::Snappy if body.starts_with(SNAPPY_FRAMES) => {
                Ok(Box::new(snap::read::FrameDecoder::new(body)))
            }
            Coding::Snappy => return snappy_block(body, max_bytes, held),
        };
        read_all(reader.map_err(|cause| unfit(&cause))?, max_bytes, held)
    }
}

fn zstd_decoder(body: &[u8]) -> io::Result<Box<dyn Read + '_>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(Box::new(decoder))
}

/// A block says first how long it will be.
fn snappy_block(
    body: &[u8],
    max_bytes: usize,
    held: &mut Holding,
) -> Result<Vec<u8>, RequestRefused> {
    let length = snap::raw::decompress_len(body).map_err(|cause| unfit(&cause))?;
    if length > max_bytes {
        return Err(too_large(max_bytes));
    }
    held.grow(length)?;
    snap::raw::Decoder::new().decompress_vec(body).map_err(|cause| unfit(&cause))
}

fn read_all(
    mut reader: impl Read,
    max_bytes: usize,
    held: &mut Holding,
) -> Result<Vec<u8>, RequestRefused> {
    let (mut decoded, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        let bytes = reader.read(&mut piece).map_err(|cause| unfit(&cause))?;
        if bytes == 0 {
            return Ok(decoded);
        }
        if decoded.len() + bytes > max_bytes {
            return Err(too_large(max_bytes));
        }
        held.grow(GROWTH * bytes)?;
        decoded.extend_from_slice(&piece[..bytes]);
    }
}

fn unfit(cause: &dyn std::fmt::Display) -> RequestRefused {
    let cause = printable(&cause.to_string(), SHORT);
    let words = format!("the body is not compressed as Content-Encoding says: {cause}");
    RequestRefused::new(RequestReason::Malformed, words)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use actix_web::http::header::HeaderValue;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::memory::Memory;
    use super::*;

    const MOST: usize = 100_000;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    }

    /// Each way to compress it, as a header says it.
    fn compressed(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut frames = snap::write::FrameEncoder::new(Vec::new());
        frames.write_all(bytes).expect("memory takes all");
        vec![
            ("identity", bytes.to_vec()),
            ("gzip", gzip(bytes)),
            ("x-gzip", gzip(bytes)),
            ("zstd", zstd::encode_all(bytes, 19).expect("memory takes all")),
            ("snappy", snap::raw::Encoder::new().compress_vec(bytes).expect("it is short")),
            ("Snappy", frames.into_inner().expect("memory takes all")),
        ]
    }

    fn decoded(name: &str, body: Vec<u8>) -> Result<Vec<u8>, RequestReason> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(name).expect("visible"));
        let mut held = Memory::new(1 << 20).holding_nothing();
        let coding = Coding::of(&headers).map_err(|refused| refused.reason)?;
        coding.decoded(body, MOST, &mut held).map_err(|refused| refused.reason)
    }

    #[test]
    fn every_coding_leads_back() {
        for bytes in [b"".as_slice(), b"a 1\n", &[b'x'; MOST]] {
            for (name, body) in compressed(bytes) {
                assert_eq!(decoded(name, body).as_deref(), Ok(bytes), "{name}");
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let bomb = vec![0; 100 * MOST];
        for (name, body) in compressed(&bomb).into_iter().skip(1) {
            assert_eq!(decoded(name, body), Err(RequestReason::TooLarge), "{name}");
        }
        let in_two = [gzip(&[0; MOST]), gzip(b"x")].concat();
        assert_eq!(decoded("gzip", in_two), Err(RequestReason::TooLarge));
    }

    #[test]
    fn what_is_something_else_is_refused() {
        for (name, body) in compressed(b"http_requests_total 1\n").into_iter().skip(1) {
            let cut = body[..body.len() - 1].to_vec();
            assert_eq!(decoded(name, cut), Err(RequestReason::Malformed), "{name}");
            assert_eq!(decoded(name, b"plain".to_vec()), Err(RequestReason::Malformed), "{name}");
        }
        for name in ["br", "deflate", "gzip, zstd", "\u{1}".escape_debug().to_string().as_str()] {
            assert_eq!(decoded(name, Vec::new()), Err(RequestReason::Encoding), "{name}");
        }
    }

    #[test]
    fn what_a_body_becomes_is_charged() {
        let mut held = Memory::new(50_000).holding_nothing();
        let body = gzip(&[0; MOST]);
        let refused = Coding::Gzip.decoded(body, MOST, &mut held).map_err(|refused| refused.reason);
        assert_eq!(refused, Err(RequestReason::TooLarge));
    }
}
