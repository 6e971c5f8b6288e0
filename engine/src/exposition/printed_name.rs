//! The name of a metric as an exposition prints it.

use crate::labels::escape;
use crate::name::escaping::Escaping;
use crate::name::is_metric_name;

/// A name that is escaped, or that stands between quotes.
#[derive(Debug, Default)]
pub(super) struct PrintedName {
    /// Without the quotes.
    text: String,
    is_quoted: bool,
}

impl PrintedName {
    /// How `name` is printed.
    pub fn new(name: &str, escaping: Escaping) -> Self {
        let mut printed = Self::default();
        printed.set(name, escaping);
        printed
    }

    /// Makes it that of `name`.
    pub fn set(&mut self, name: &str, escaping: Escaping) {
        self.text.clear();
        self.is_quoted = escaping == Escaping::AllowUtf8 && !is_metric_name(name);
        match self.is_quoted {
            true => escape::append_label_value(&mut self.text, name),
            false => self.text.push_str(&escaping.metric(name)),
        }
    }

    /// That of the stem of a counter whose name ends in `_total`. Each scheme leaves
    /// that ending, so it is the counter's own name without it, as in Prometheus' own
    /// libraries, though it may not be what the stem by itself would be escaped to.
    pub fn of_stem(counter: &str, escaping: Escaping) -> Self {
        let mut printed = Self::new(counter, escaping);
        printed.text.truncate(printed.text.len() - "_total".len());
        printed
    }

    /// The name without quotes.
    #[inline]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it stands between quotes, and so within the braces of its labels.
    #[inline]
    pub fn is_quoted(&self) -> bool {
        self.is_quoted
    }

    /// Appends it as it stands in HELP, TYPE and UNIT.
    pub fn append_to(&self, out: &mut String) {
        let quote = if self.is_quoted { "\"" } else { "" };
        out.extend([quote, &self.text, quote]);
    }
}
