//! The owner hash as Redis gives it, and the one place where it is judged: what
//! of it is not as a gateway would have written it is *damage*, found before
//! anything is written. Pure.
//!
//! Anybody may write into Redis. A number that is too large is not counted with,
//! neither here nor by a script, whose numbers are doubles: one that counts
//! beyond 2^53 never comes to an end, and nobody could stop Redis then.

use std::fmt::Display;
use std::str::FromStr;

use psg_engine::printable::printable;
use psg_engine::sharding::Segment;

use super::part::{OtherLayout, Part};
use super::record::{
    FORMAT, Layout, Line, ListPosition, ROUTER_FORMAT, Record, Revision, SegmentIndex,
    StreamPosition,
};

/// Numbers are below this: half of what doubles can distinguish, so that there is
/// room to go on counting.
const LARGEST: u64 = 1 << 52;
/// Lists that may be claimed and not covered: an owner claims no more long
/// before.
const MOST_LISTS: u64 = 1_000_000;
/// Says what is wrong with a head, without doing anything by it.
pub type HeadCheck = fn(&[u8]) -> Result<(), String>;

/// Bytes of a text that are shown.
const SHOWN: usize = 80;

/// The fields, in the order in which they are asked for.
pub const FIELDS: [&str; 12] = [
    "format", "epoch", "token", "deadline", "layout", "version", "tip", "base", "index", "at",
    "line", "head",
];
/// How many of them say who owns which part of the queue.
pub const OF_OWNER: usize = 5;

/// What stands in each field; nothing in one that is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    fields: [Option<Vec<u8>>; FIELDS.len()],
}

/// Why a record can't be what a gateway has written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damage(String);

/// What a record has to be.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// What it is of.
    pub part: Part,
    /// What judges its head.
    pub check_head: HeadCheck,
}

/// Why a record is not one that can be gone on from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Misfit {
    #[error(transparent)]
    Damage(#[from] Damage),
    #[error(transparent)]
    OtherLayout(#[from] OtherLayout),
}

/// Who owns the queue, by fields without damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership<'a> {
    pub epoch: u64,
    /// Empty where the queue was given back.
    pub token: &'a str,
    /// Changes with each renewal.
    pub deadline: &'a str,
}

impl Stored {
    /// Reads what a script answers: each field with a `=` before it, or nothing
    /// where it is missing. Those that were not asked for are missing.
    pub fn read(words: &[Vec<u8>]) -> Self {
        let mut stored = Self::default();
        for (field, word) in stored.fields.iter_mut().zip(words) {
            *field = word.strip_prefix(b"=").map(<[u8]>::to_vec);
        }
        stored
    }

    /// The same of what HMGET answers.
    pub fn of(fields: Vec<Option<Vec<u8>>>) -> Self {
        let mut stored = Self::default();
        for (field, value) in stored.fields.iter_mut().zip(fields) {
            *field = value;
        }
        stored
    }

    /// Whether there is no owner hash, or none with any of these fields.
    pub fn is_absent(&self) -> bool {
        self.fields.iter().all(Option::is_none)
    }

    /// The token, whatever the rest says.
    pub fn token(&self) -> &[u8] {
        self.field("token").unwrap_or_default()
    }

    /// Whether the owner's fields are those of `other`.
    pub fn has_the_owner_of(&self, other: &Self) -> bool {
        self.fields[..OF_OWNER] == other.fields[..OF_OWNER]
    }

    /// What the owner's fields say, of a record of that part of a queue.
    pub fn owner(&self, part: Part) -> Result<Ownership<'_>, Misfit> {
        part.check(self.layout()?)?;
        Ok(self.owner_of(part)?)
    }

    /// Whether it notes, if it is there, that the queue is split as that part says.
    pub fn split_as(&self, part: Part) -> Result<(), Misfit> {
        if self.is_absent() { Ok(()) } else { Ok(part.check(self.layout()?)?) }
    }

    fn layout(&self) -> Result<Option<Layout>, Damage> {
        let Some(_) = self.field("layout") else { return Ok(None) };
        let layout = self.as_written::<Layout>("layout")?;
        if layout.generation >= LARGEST {
            return Err(too_large("layout", layout.generation));
        }
        Ok(Some(layout))
    }

    fn owner_of(&self, part: Part) -> Result<Ownership<'_>, Damage> {
        let format = self.number("format")?;
        let expected = if part.has_places() { ROUTER_FORMAT } else { FORMAT };
        if format != expected {
            let message = format!("its format is \"{format}\", this version reads {expected}");
            return Err(Damage(message));
        }
        let epoch = self.number("epoch")?;
        if epoch == 0 {
            return Err(Damage("its epoch is 0, expected one that was ever held".to_owned()));
        }
        let deadline = self.text("deadline")?;
        self.number("deadline")?;
        Ok(Ownership { epoch, token: self.text("token")?, deadline })
    }

    /// The whole record and its head.
    pub fn record(&self, expected: Expected) -> Result<(Record, Vec<u8>), Misfit> {
        let Expected { part, check_head } = expected;
        let epoch = self.owner(part)?.epoch;
        let record = Record {
            epoch,
            version: self.as_written::<Revision>("version")?,
            tip: self.as_written::<Revision>("tip")?,
            base: self.as_written::<ListPosition>("base")?,
            index: self.as_written::<SegmentIndex>("index")?,
            layout: self.layout()?,
            stream: part.has_places().then(|| self.stream(epoch)).transpose()?,
        };
        check_numbers(&record)?;
        check_index(&record)?;
        let head = self.field("head").unwrap_or_default();
        match (head, record.index.is_empty()) {
            ([], true) => {}
            ([], false) => return Err(Damage("its head is missing".to_owned()).into()),
            _ => check_head(head).map_err(|cause| Damage(format!("its head: {cause}")))?,
        }
        Ok((record, head.to_vec()))
    }

    /// Where the stream of a router's record stands; nothing of one that is no router's.
    pub fn stream_of(&self, epoch: u64) -> Option<StreamPosition> {
        self.stream(epoch).ok()
    }

    fn stream(&self, epoch: u64) -> Result<StreamPosition, Damage> {
        let (at, line) = (self.number("at")?, self.as_written::<Line>("line")?);
        if line.place >= LARGEST {
            return Err(too_large("line", line.place));
        }
        if line.epoch > epoch {
            let message = format!("its line is {line} and its epoch {epoch}, which do not fit");
            return Err(Damage(message));
        }
        Ok(StreamPosition { at, line })
    }

    fn field(&self, name: &str) -> Option<&[u8]> {
        let at = FIELDS.iter().position(|field| *field == name)?;
        self.fields[at].as_deref()
    }

    fn text(&self, name: &str) -> Result<&str, Damage> {
        let bytes = self.field(name).ok_or_else(|| Damage(format!("its {name} is missing")))?;
        str::from_utf8(bytes).map_err(|_| unreadable(name, &String::from_utf8_lossy(bytes)))
    }

    /// A value that is spelt as this version spells it: scripts compare texts.
    fn as_written<T: FromStr + Display>(&self, name: &str) -> Result<T, Damage> {
        let text = self.text(name)?;
        let value = text.parse().ok().filter(|value: &T| value.to_string() == text);
        value.ok_or_else(|| unreadable(name, text))
    }

    fn number(&self, name: &str) -> Result<u64, Damage> {
        let number = self.as_written::<u64>(name)?;
        if number < LARGEST { Ok(number) } else { Err(too_large(name, number)) }
    }
}

fn unreadable(name: &str, text: &str) -> Damage {
    Damage(format!("its {name} can't be read: \"{}\"", printable(text, SHOWN)))
}

fn too_large(name: &str, number: u64) -> Damage {
    Damage(format!("its {name} is {number}, expected less than {LARGEST}"))
}

/// Whether the numbers are small enough to count with, and fit each other.
fn check_numbers(record: &Record) -> Result<(), Damage> {
    let Record { version, tip, base, .. } = record;
    let numbers = [("version", version.number), ("tip", tip.number), ("base", base.list)];
    for (name, number) in numbers.into_iter().chain([("base", base.offset)]) {
        if number >= LARGEST {
            return Err(too_large(name, number));
        }
    }
    let after_the_tip = tip.number + 1;
    let fits = match base.list {
        0 => false,
        list if list == after_the_tip => base.offset == 0,
        list => list < after_the_tip,
    };
    if !fits {
        return Err(Damage(format!("its base is {base} and its tip {tip}, which do not fit")));
    }
    let lists = after_the_tip - base.list;
    if lists > MOST_LISTS {
        let message = format!("its base is {base} and its tip {tip}: {lists} lists between them");
        return Err(Damage(message));
    }
    Ok(())
}

/// Whether each segment was written in a version that there was.
fn check_index(record: &Record) -> Result<(), Damage> {
    let Record { version, index, .. } = record;
    for (segment, written) in index.iter() {
        let is_older = written.number < version.number;
        if Segment::from_number(segment).is_none() || !(is_older || written == *version) {
            let message = format!("its index has segment {segment} of version {written}");
            return Err(Damage(format!("{message}, its version is {version}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use psg_engine::partition::Partitions;
    use psg_engine::state::Head;

    use super::super::part::Duty;
    use super::super::totals::check_head;
    use super::*;

    fn sound() -> Stored {
        let mut index = SegmentIndex::default();
        index.set(3, Revision { number: 4, nonce: 0xa });
        index.set(9, Revision { number: 5, nonce: 0xb });
        let head =
            Head { run_time: psg_engine::state::RunTime(7), tombstone_key: [1; 16], time: None };
        let index = index.to_string();
        let value = |name| match name {
            "format" => "1",
            "epoch" => "17",
            "token" => "t",
            "deadline" => "1700000000000",
            "version" => "5-b",
            "tip" => "9-c",
            "base" => "8:3",
            _ => &*index,
        };
        Stored {
            fields: FIELDS.map(|name| match name {
                "layout" | "at" | "line" => None,
                "head" => Some(head.encode()),
                _ => Some(value(name).as_bytes().to_vec()),
            }),
        }
    }

    const WHOLE: Expected = Expected { part: Part::WHOLE, check_head };
    fn of(duty: Duty, check_head: HeadCheck) -> Expected {
        let partitions = Partitions::new(3).unwrap();
        Expected { part: Part { duty, partition: 1, partitions }, check_head }
    }

    fn router() -> Expected {
        of(Duty::Router, |head| if head == b"deltas" { Ok(()) } else { Err("odd".to_owned()) })
    }

    fn home() -> Expected {
        of(Duty::Home, check_head)
    }

    /// A router's record, with that value of a field.
    fn routed(name: &str, value: Option<&str>) -> Stored {
        let changes = [("format", "2"), ("layout", "1:3"), ("at", "70"), ("line", "16:40")];
        let mut stored =
            changes.iter().fold(sound(), |stored, (name, value)| stored.with(name, Some(value)));
        stored = stored.with("head", Some("deltas"));
        stored.with(name, value)
    }

    impl Stored {
        fn with(mut self, name: &str, value: Option<&str>) -> Self {
            let at = FIELDS.iter().position(|field| *field == name).unwrap();
            self.fields[at] = value.map(|value| value.as_bytes().to_vec());
            self
        }
    }

    fn with(name: &str, value: Option<&str>) -> Stored {
        sound().with(name, value)
    }

    #[test]
    fn a_record_that_a_gateway_wrote_is_read() {
        let (record, head) = sound().record(WHOLE).unwrap();
        assert_eq!((record.epoch, record.version.number, record.tip.number), (17, 5, 9));
        assert_eq!(
            (record.base, record.index.iter().count()),
            (ListPosition { list: 8, offset: 3 }, 2)
        );
        assert!(!head.is_empty());
        for (name, value) in [("base", "10:0"), ("token", ""), ("deadline", "0"), ("tip", "8-c")] {
            assert!(with(name, Some(value)).record(WHOLE).is_ok(), "{name} {value}");
        }
        let unused = with("index", Some("")).with("head", None);
        assert!(unused.record(WHOLE).is_ok(), "nothing was ever written");
    }

    #[test]
    fn what_no_gateway_wrote_is_damage() {
        let check = |name: &str, value: Option<&str>, word: &str| {
            let damage = with(name, value).record(WHOLE).unwrap_err().to_string();
            assert!(damage.contains(word), "{name} {value:?}: {damage}");
        };
        for name in FIELDS.iter().filter(|name| !["layout", "at", "line"].contains(name)) {
            check(name, None, &format!("its {name} is missing"));
        }
        for epoch in ["inf", "1e308", "nan", "-5", "abc", "0x10", "1.5", "", " 7", "007", "+7"] {
            check("epoch", Some(epoch), "its epoch can't be read");
        }
        check("epoch", Some("0"), "its epoch is 0");
        check("epoch", Some("9007199254740993"), "expected less than");
        check("epoch", Some("18446744073709551615"), "expected less than");
        check("epoch", Some(&"9".repeat(400)), "its epoch can't be read");
        check("deadline", Some("1e308"), "its deadline can't be read");
        check("format", Some("2"), "its format is \"2\", this version reads 1");
        check("tip", Some("18446744073709551615-c"), "expected less than");
        check("tip", Some("1000000000000-c"), "lists between them");
        check("tip", Some("009-c"), "its tip can't be read");
        check("tip", Some("6-c"), "which do not fit");
        check("base", Some("18446744073709551615:0"), "expected less than");
        check("base", Some("9007199254740996:0"), "expected less than");
        check("base", Some("8:18446744073709551615"), "expected less than");
        check("base", Some("10:1"), "which do not fit");
        check("base", Some("11:0"), "which do not fit");
        check("base", Some("0:0"), "which do not fit");
        check("version", Some("4-a"), "its index has segment 9 of version 5-b");
        check("version", Some("5-ff"), "its index has segment 9 of version 5-b");
        check("head", Some(""), "its head is missing");
        check("head", Some("damaged"), "its head: ");
        let mut wide = SegmentIndex::default();
        wide.set(1024, Revision { number: 1, nonce: 1 });
        check("index", Some(&wide.to_string()), "segment 1024");
        check("index", Some("\u{1b}[2J"), "its index can't be read");
    }

    #[test]
    fn a_router_s_record_has_its_place_and_its_line() {
        let (record, head) = routed("token", Some("t")).record(router()).unwrap();
        let stream = StreamPosition { at: 70, line: Line { epoch: 16, place: 40 } };
        assert_eq!((record.stream, &*head), (Some(stream), &b"deltas"[..]));
        assert_eq!(
            record.layout,
            Some(Layout { generation: 1, partitions: Partitions::new(3).unwrap() })
        );
        for (name, value) in [
            ("at", None),
            ("at", Some("-1")),
            ("at", Some("007")),
            ("at", Some("4503599627370496")),
            ("line", None),
            ("line", Some("16")),
            ("line", Some("18:40")),
            ("line", Some("16:4503599627370496")),
            ("layout", Some("1:65")),
            ("layout", Some("4503599627370496:3")),
            ("format", Some("1")),
            ("head", Some("totals")),
        ] {
            let misfit = routed(name, value).record(router()).unwrap_err();
            assert!(matches!(misfit, Misfit::Damage(_)), "{name} {value:?}: {misfit}");
        }
        let totals = sound().with("layout", Some("1:3"));
        assert!(totals.record(router()).is_err(), "of a home");
        assert!(totals.record(home()).is_ok());
    }

    #[test]
    fn a_queue_that_is_split_otherwise_is_told_before_anything_else() {
        let misfit = |stored: &Stored, expected| stored.record(expected).unwrap_err();
        for (stored, expected) in [
            (routed("layout", Some("1:3")), WHOLE),
            (routed("layout", Some("4:2")), router()),
            (sound(), router()),
            (sound(), home()),
            (with("layout", Some("1:3")), WHOLE),
        ] {
            let misfit = misfit(&stored, expected);
            assert!(matches!(misfit, Misfit::OtherLayout(_)), "{misfit}");
        }
    }
}
