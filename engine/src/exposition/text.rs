//! The Prometheus text format, 0.0.4.

use super::encoder::{Encoder, ShownSeries};
use super::families::{Families, ShownFamily};
use super::lines::{Dialect, Header, LineWriter, write_header};
use super::number::Notation;
use crate::catalog::Family;
use crate::labels::escape;
use crate::name::escaping::Escaping;

const DIALECT: Dialect = Dialect { notation: Notation::Plain, takes_negative: true };

/// One exposition in the Prometheus text format.
#[derive(Debug)]
pub(super) struct TextEncoder {
    lines: LineWriter,
}

impl TextEncoder {
    pub fn new(escaping: Escaping) -> Self {
        Self { lines: LineWriter::new(DIALECT, escaping) }
    }
}

impl Encoder for TextEncoder {
    fn shows_created(&self) -> bool {
        false
    }

    fn begin_family(&mut self, family: &Family) {
        self.lines.begin_family(family);
    }

    fn write_series(
        &mut self,
        out: &mut Vec<u8>,
        family: &Family,
        series: ShownSeries<'_>,
    ) -> bool {
        self.lines.write(out, family, ShownSeries { exemplars: None, ..series });
        false
    }

    fn write_header(&self, out: &mut Vec<u8>, shown: &ShownFamily<'_>, _: &Families<'_>) {
        let family = shown.family;
        let name = &self.lines.printed(family.name());
        let (type_word, help) = (family.kind().as_str(), family.help());
        write_header(out, &Header { name, type_word, help, unit: "" }, escape::append_line);
    }
}
