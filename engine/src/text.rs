//! Text: the strings and values of a payload, as places in it or, where they were
//! escaped, in the decoder's buffer, so that they can be kept without borrowing
//! either.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonType {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// A string's place: `start..end` of the payload with the unescaped strings
/// appended to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    start: usize,
    end: usize,
}

/// A place in a payload, in half the room of a [`Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PayloadSpan {
    start: u32,
    end: u32,
}

/// The two buffers that a [`Text`] points into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts<'a> {
    payload: &'a str,
    unescaped: &'a str,
}

/// One member of `labels`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LabelText {
    pub(crate) name: Text,
    /// Empty where there is no label: for null, for an empty string, and where
    /// another member of the same name follows.
    pub(crate) value: Text,
    /// The type of a value that can't be one.
    pub(crate) wrong: Option<JsonType>,
}

impl JsonType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            JsonType::Null => "null",
            JsonType::Boolean => "a boolean",
            JsonType::Number => "a number",
            JsonType::String => "a string",
            JsonType::Array => "an array",
            JsonType::Object => "an object",
        }
    }
}

impl Text {
    pub(crate) const EMPTY: Text = Text { start: 0, end: 0 };

    pub(crate) fn in_payload(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub(crate) fn in_unescaped(start: usize, end: usize, payload_length: usize) -> Self {
        Self { start: payload_length + start, end: payload_length + end }
    }

    pub(crate) fn len(self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl PayloadSpan {
    /// From `start` up to `end`; where a payload is so large that these don't fit,
    /// nothing.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let end = u32::try_from(end).unwrap_or(0);
        Self { start: u32::try_from(start).unwrap_or(end).min(end), end }
    }
}

impl From<PayloadSpan> for (u32, u32) {
    fn from(PayloadSpan { start, end }: PayloadSpan) -> Self {
        (start, end)
    }
}

impl From<PayloadSpan> for Text {
    fn from(PayloadSpan { start, end }: PayloadSpan) -> Self {
        Self::in_payload(start as usize, end as usize)
    }
}

impl LabelText {
    /// Makes it no label, since a later one of its name takes its place.
    pub(crate) fn supersede(&mut self) {
        self.value = Text::EMPTY;
        self.wrong = None;
    }
}

impl<'a> Texts<'a> {
    pub(crate) fn new(payload: &'a str, unescaped: &'a str) -> Self {
        Self { payload, unescaped }
    }

    /// Whether it stands in the payload as it is: without an escape, and so
    /// without quotes, backslashes and line feeds.
    #[inline]
    pub(crate) fn is_verbatim(&self, text: Text) -> bool {
        text.end <= self.payload.len()
    }

    #[inline]
    pub(crate) fn get(&self, text: Text) -> &'a str {
        match text.start.checked_sub(self.payload.len()) {
            None => &self.payload[text.start..text.end],
            Some(start) => &self.unescaped[start..text.end - self.payload.len()],
        }
    }
}
