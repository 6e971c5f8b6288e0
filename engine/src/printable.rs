//! Text of strangers, made safe to show: what a producer, a Redis or a Sentinel
//! sent may stand in a log line, on a terminal or in an answer, and can neither
//! forge a line there nor speak to the terminal.

/// Characters of a name or a value within a sentence.
pub const SHORT: usize = 60;

/// Characters of a sentence or of a line.
pub const LONG: usize = 300;

/// Bytes of a character in UTF-8, at most.
const MAX_BYTES: usize = 4;

/// `text` on one line of at most `longest` characters.
///
/// Escaped, as Rust writes them, are control characters (line feeds, ESC, BEL,
/// C1), those that turn the direction of writing or are not seen at all, and
/// what Unicode has no character for. Quotes and backslashes stay, so that JSON
/// can be read. What is cut ends in `…`.
///
/// What came out of it stays as it is, so text may pass through here wherever
/// it is shown, however often that has happened before.
///
/// ```
/// use psg_engine::printable::{SHORT, printable};
///
/// assert_eq!(printable("queue\r\nok  all is well", SHORT), r"queue\r\nok  all is well");
/// assert_eq!(printable("\u{1b}]0;title\u{7}", SHORT), r"\u{1b}]0;title\u{7}");
/// assert_eq!(printable("prom-stream-gateway", 5), "prom…");
/// ```
pub fn printable(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    let mut length = 0;
    // Where to cut: a character is left for the mark of it.
    let mut end = 0;
    for character in text.chars() {
        let escaped = escaped(character);
        length += escaped.clone().count();
        if length > longest {
            shown.truncate(end);
            if longest > 0 {
                shown.push('…');
            }
            break;
        }
        shown.extend(escaped);
        if length < longest {
            end = shown.len();
        }
    }
    shown
}

/// Whether [`printable`] shows `character` as it is.
pub fn is_printable(character: char) -> bool {
    if matches!(character, '"' | '\'' | '\\') {
        return true;
    }
    // Behind a letter: a mark that belongs to the one before it may stay.
    let mut bytes = [b'a'; 1 + MAX_BYTES];
    let length = 1 + character.encode_utf8(&mut bytes[1..]).len();
    let behind_a_letter = str::from_utf8(&bytes[..length]).unwrap_or_default();
    behind_a_letter.escape_debug().nth(1) == Some(character)
}

/// `character` as it may be shown.
fn escaped(character: char) -> impl Iterator<Item = char> + Clone {
    let (itself, instead) = if is_printable(character) {
        (Some(character), None)
    } else {
        (None, Some(character.escape_debug()))
    };
    itself.into_iter().chain(instead.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_speaks_to_terminals_or_forges_lines_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(printable(text, LONG), expected);
        check("a\nb\r\t\0", r"a\nb\r\t\0");
        check("\u{1b}[2J\u{1b}]0;title\u{7}", r"\u{1b}[2J\u{1b}]0;title\u{7}");
        check("\u{7f}\u{85}\u{9b}31m", r"\u{7f}\u{85}\u{9b}31m");
        check("\u{202e}\u{2066}\u{200e}\u{61c}", r"\u{202e}\u{2066}\u{200e}\u{61c}");
        check("\u{2028}\u{200b}\u{feff}\u{e000}", r"\u{2028}\u{200b}\u{feff}\u{e000}");
    }

    #[test]
    fn what_can_be_read_stays() {
        for text in ["", r#"{"a":"b\\"}'"#, "größe 😀 中文", "हिन्दी", "e\u{301}"]
        {
            assert_eq!(printable(text, LONG), text);
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(printable("abcd", 3), "ab…");
        assert_eq!(printable("a\nb", 3), "a…", "an escape is whole or not there");
        assert_eq!(printable("a", 0), "");
    }

    /// Characters that matter here, more often than chance has them.
    fn text() -> impl Strategy<Value = String> {
        let special = prop::sample::select(
            "\0\u{7}\n\r\u{1b}\u{7f}\u{80}\u{9b}\u{200f}\u{202e}\u{2069}\u{301}\u{fe0f}\"\\é"
                .chars()
                .collect::<Vec<_>>(),
        );
        let one = prop_oneof![special, any::<char>(), proptest::char::range(' ', '~')];
        prop::collection::vec(one, 0..80).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn it_is_a_short_line_that_does_nothing(text in text(), longest in 0_usize..80) {
            let shown = printable(&text, longest);
            prop_assert!(shown.chars().count() <= longest);
            let acts = |c: char| {
                c.is_control()
                    || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
                    || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
            };
            prop_assert!(!shown.contains(acts), "{shown:?}");
        }

        #[test]
        fn what_was_shown_stays_as_it_is(text in text(), longest in 0_usize..80) {
            let shown = printable(&text, longest);
            prop_assert_eq!(&printable(&shown, longest), &shown);
        }

        #[test]
        fn plain_text_stays_as_it_is(text in "[ -~é中]{0,60}") {
            prop_assert_eq!(printable(&text, SHORT), text);
        }
    }
}
