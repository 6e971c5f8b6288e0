//! A record as one line that nobody can forge: whatever field a stranger's text
//! stands in, it neither begins a line nor speaks to the terminal.

use std::fmt::Debug;
use std::io;

use psg_engine::printable::{is_printable, printable};
use tracing::Metadata;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};

/// Characters of one field in a text line.
const LONGEST: usize = 2000;

/// The message, and `name=value` for each other field.
pub fn text_fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    let field = |writer: &mut Writer<'_>, field: &Field, value: &dyn Debug| {
        let value = printable(&format!("{value:?}"), LONGEST);
        match field.name() {
            "message" => writer.write_str(&value),
            name if writer.has_ansi_escapes() => {
                write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}")
            }
            name => write!(writer, "{name}={value}"),
        }
    };
    debug_fn(field).delimited(" ")
}

/// Writers of JSON lines, in which what would speak to a terminal is escaped: to
/// JSON that is the same text.
pub struct JsonLines<M>(pub M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for JsonLines<M> {
    type Writer = JsonLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        JsonLine(self.0.make_writer())
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        JsonLine(self.0.make_writer_for(meta))
    }
}

/// Takes whole lines, as the layer writes them.
pub struct JsonLine<W>(W);

impl<W: io::Write> io::Write for JsonLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match str::from_utf8(bytes) {
            Ok(line) if line.contains(|c| !stays(c)) => {
                self.0.write_all(escaped(line).as_bytes())?
            }
            Ok(_) | Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn stays(character: char) -> bool {
    matches!(character, ' '..='~' | '\n') || is_printable(character)
}

fn escaped(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for character in line.chars() {
        if stays(character) {
            shown.push(character);
        } else {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            shown.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    shown
}
