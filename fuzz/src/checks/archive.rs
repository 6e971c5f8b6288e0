//! A whole state file: whatever its bytes are, it is an error or a state; one
//! that was just written is read as it was; and what came back from a damaged
//! one can be stored again.

use psg_engine::exposition::Format;
use psg_engine::metric::summary::SummarySettings;
use psg_engine::sharding::Segment;
use psg_engine::state::{Head, RunTime, StoredSegment, archive};
use psg_engine::timestamp::UnixTime;

use super::pipeline::{Pipeline, PipelineSettings};
use super::state::{framed, restore, segment_number, snapshot};

/// Bytes before the index, and of the frame around it.
const BEGIN: usize = 16;
const FRAME: usize = 16;
/// Segments that the input makes, at most.
const MOST_SEGMENTS: usize = 4;

thread_local! {
    /// All segments of a state without series.
    static EMPTY: Vec<StoredSegment> = {
        let settings = PipelineSettings { shards: 1, ..PipelineSettings::default() };
        snapshot(&mut Pipeline::new(&settings), RunTime(0))
    };
}

/// What is done to the file before it is read.
struct Damage {
    /// Which byte, and what of it is turned.
    at: usize,
    bits: u8,
    /// How many bytes of the end go.
    cut: usize,
    /// Whether the checksum of the index is made to fit.
    is_forged: bool,
}

/// The first eight bytes say for how long gateways have run, into which pieces
/// the rest is cut, whether segments tell when totals began, and the damage; each
/// piece is what a segment holds. All of them are read as a file too.
pub fn check(data: &[u8]) {
    let _ = archive::read(&data.to_vec().into());
    let Some((plan, content)) = data.split_first_chunk::<8>() else { return };
    let [age, piece, forged, bits, at @ .., cut] = *plan;
    let damage = Damage {
        at: usize::from(at[0]) << 8 | usize::from(at[1]) | usize::from(at[2]) << 16,
        bits,
        cut: usize::from(cut),
        is_forged: forged % 2 == 1,
    };
    let time = (age >= 64).then(|| UnixTime::from_micros(i64::from(piece) << (age % 48)));
    let head = Head { run_time: RunTime((1 << (age % 64)) - 1), tombstone_key: [7; 16], time };
    let segments = segments(content, usize::from(piece).max(1) * 16, 1 + forged / 2 % 2);
    let whole = archive::write(&head, &segments).concat();
    let (read_head, read) = archive::read(&whole.clone().into()).expect("it was just written");
    assert_eq!((read_head.encode(), &read), (head.encode(), &segments), "right: as written");

    let Ok((head, read)) = archive::read(&damaged(whole, &damage).into()) else { return };
    assert_eq!(read.len(), segments.len());
    let summary = SummarySettings::default();
    let Some(mut first) = restore(&read, summary, head.run_time) else { return };
    let again = archive::write(&head, &snapshot(&mut first, head.run_time)).concat();
    let (head, again) = archive::read(&again.into()).expect("it was just written");
    let mut second = restore(&again, summary, head.run_time).expect("it was just written");
    for format in Format::ALL {
        assert_eq!(second.lines(format), first.lines(format), "right: as first read");
    }
}

/// All segments, of which a few hold what the input says.
fn segments(content: &[u8], piece: usize, version: u8) -> Vec<StoredSegment> {
    let mut segments = EMPTY.with(Clone::clone);
    for content in content.chunks(piece).take(MOST_SEGMENTS) {
        let number = segment_number(content).and_then(Segment::from_number);
        if let Some(segment) = number {
            segments[segment.get()].bytes = framed(*b"PSGS", version, content).into();
        }
    }
    segments
}

fn damaged(mut file: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let at = damage.at % file.len();
    file[at] ^= damage.bits;
    file.truncate(file.len().saturating_sub(damage.cut));
    if damage.is_forged {
        let length = file.get(8..BEGIN).and_then(|bytes| bytes.try_into().ok());
        let length = length.map_or(0, u64::from_le_bytes);
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(BEGIN));
        if let Some(index) = end.and_then(|end| file.get(BEGIN + FRAME..end)) {
            let index = framed(*b"PSGI", 1, index);
            file[BEGIN..BEGIN + index.len()].copy_from_slice(&index);
        }
    }
    file
}
