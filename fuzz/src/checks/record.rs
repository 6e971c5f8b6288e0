//! The owner hash of exactly-once delivery: whatever somebody has written into it,
//! it is damage, or a record whose numbers can be counted with, that fit each
//! other, and that a gateway would write in the same spelling.

use psg_actors::source::redis::once::{
    Duty, Expected, FIELDS, Keys, Part, Record, Stored, StreamPosition, check_head_of_totals,
    uncovered,
};
use psg_engine::partition::Partitions;
use psg_engine::state::Head;
use xxhash_rust::xxh3::xxh3_64;

use super::state::framed;

/// What is counted with is below this, by far.
const LARGEST: u64 = 1 << 52;

/// A line for each field, nothing for one that is missing. An index may begin with
/// its first `;`, a head with `H`: what a fuzzer can't know, the checksum, is put
/// before it.
pub fn check(data: &[u8]) {
    let lines = data.splitn(FIELDS.len(), |byte| *byte == b'\n');
    let words: Vec<Vec<u8>> =
        FIELDS.iter().zip(lines).map(|(field, line)| word(field, line)).collect();
    let stored = Stored::read(&words);
    let text = |name: &str| {
        let at = FIELDS.iter().position(|field| *field == name).expect("a field");
        let word = words.get(at).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(word.strip_prefix(b"=").unwrap_or_default()).into_owned()
    };
    // Popping is refused by the same texts, whatever they are.
    let _ = uncovered(&Keys::beside("q"), &text("tip"), &text("base"));
    let three = Partitions::new(3).expect("a number that there may be");
    let parts = [
        Part::WHOLE,
        Part { duty: Duty::Router, partition: 1, partitions: three },
        Part { duty: Duty::Home, partition: 1, partitions: three },
    ];
    for part in parts {
        match stored.record(Expected { part, check_head: check_head_of_totals }) {
            Ok((record, head)) => check_record(&record, &head, part, text),
            Err(misfit) => {
                let said = misfit.to_string();
                assert!(said.len() < 1000 && !said.contains(|c: char| c.is_control()), "{said:?}");
            }
        }
    }
}

/// A record that is sound, of that part of a queue.
fn check_record(record: &Record, head: &[u8], part: Part, text: impl Fn(&str) -> String) {
    assert_eq!(record.epoch.to_string(), text("epoch"));
    assert_eq!(record.version.to_string(), text("version"));
    assert_eq!(record.tip.to_string(), text("tip"));
    assert_eq!(record.base.to_string(), text("base"));
    assert_eq!(record.index.to_string(), text("index"));
    let (tip, base) = (record.tip.number, record.base);
    for number in [record.epoch, record.version.number, tip, base.list, base.offset] {
        assert!(number < LARGEST, "{number}");
    }
    assert!(base.list > 0 && base.list <= tip + 1 && tip + 1 - base.list <= 1_000_000);
    assert!(base.list <= tip || base.offset == 0, "covered beyond what was claimed");
    for (segment, version) in record.index.iter() {
        assert!(segment < 1024 && version.number <= record.version.number);
    }
    let layout = record.layout.map(|layout| layout.to_string());
    assert_eq!(layout.unwrap_or_default(), text("layout"));
    assert_eq!(record.layout.map_or(Partitions::ONE, |layout| layout.partitions), part.partitions);
    assert_eq!(record.stream.is_some(), part.duty == Duty::Router);
    if let Some(StreamPosition { at, line }) = record.stream {
        assert_eq!((at.to_string(), line.to_string()), (text("at"), text("line")));
        assert!(at < LARGEST && line.place < LARGEST && line.epoch <= record.epoch);
    }
    assert!(Head::decode(head).is_ok() || (head.is_empty() && record.index.is_empty()));
}

fn word(field: &str, line: &[u8]) -> Vec<u8> {
    match (field, line) {
        (_, []) => Vec::new(),
        (_, b"-") => b"=".to_vec(),
        ("index", [b';', ..]) => [format!("={:x}", xxh3_64(line)).as_bytes(), line].concat(),
        ("head", [b'H', content @ ..]) => [b"=", framed(*b"PSGH", 1, content).as_slice()].concat(),
        _ => [b"=", line].concat(),
    }
}
