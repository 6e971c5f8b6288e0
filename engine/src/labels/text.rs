//! Label text taken apart: names, those that need quotes within them, and values as
//! they stand between their quotes.

use memchr::{memchr, memchr_iter, memchr2, memchr2_iter};

/// The names of a text's labels, and their values as they are escaped there.
pub(super) fn parts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, value, after) = first(rest)?;
        rest = after.strip_prefix(',').unwrap_or(after);
        Some((name, value))
    })
}

/// The names and values of a text in which no name stands between quotes and nothing is
/// escaped; `None` of another one. Found by the quotes alone, of which each value has two.
#[inline]
pub(super) fn verbatim_parts(text: &str) -> Option<impl Iterator<Item = (&[u8], &[u8])>> {
    let bytes = text.as_bytes();
    if bytes.first() == Some(&b'"') || memchr(b'\\', bytes).is_some() {
        return None;
    }
    let (mut quotes, mut start) = (memchr_iter(b'"', bytes), 0);
    Some(std::iter::from_fn(move || {
        let (opening, closing) = (quotes.next()?, quotes.next()?);
        let name = bytes.get(start..opening)?.strip_suffix(b"=")?;
        start = closing + "\",".len();
        Some((name, &bytes[opening + 1..closing]))
    }))
}

/// Whether `text` is nothing but labels with a comma between them, and `is_label`
/// is true of the name and the escaped value of each.
pub(super) fn every_part<'a>(
    text: &'a str,
    mut is_label: impl FnMut(&'a str, &'a str) -> bool,
) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((name, value, after)) = first(rest) else { return false };
        let next = after.strip_prefix(',').filter(|next| !next.is_empty());
        if !is_label(name, value) || (next.is_none() && !after.is_empty()) {
            return false;
        }
        rest = next.unwrap_or_default();
    }
    true
}

/// The first label of a text, and the text after it.
fn first(text: &str) -> Option<(&str, &str, &str)> {
    // A name without quotes has no `=` in it, and a quote follows.
    let end_of_name = match text.strip_prefix('"') {
        None => memchr(b'=', text.as_bytes())?,
        Some(quoted) => end_of_value(quoted)? + "\"\"".len(),
    };
    let (name, after) = text.split_at_checked(end_of_name)?;
    let quoted = after.strip_prefix("=\"")?;
    let (value, after) = quoted.split_at_checked(end_of_value(quoted)?)?;
    Some((name, value, after.strip_prefix('"')?))
}

/// Whether `text` contains `wanted`, in any letter case of ASCII.
pub(crate) fn contains_ignoring_case(text: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else { return true };
    let cases = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr2_iter(cases.0, cases.1, text).any(|at| {
        let part = text[at..].get(..wanted.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(wanted))
    })
}

/// Where the first quote stands that is not escaped.
fn end_of_value(quoted: &str) -> Option<usize> {
    let bytes = quoted.as_bytes();
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        // A backslash, and what it escapes.
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_apart_again() {
        let of = |text| parts(text).collect::<Vec<_>>();
        assert_eq!(of(""), []);
        assert_eq!(of(r#"a="1",b="""#), [("a", "1"), ("b", "")]);
        assert_eq!(
            of(r#"a="\\",b="\",=\\\"",c="x""#),
            [("a", r"\\"), ("b", r#"\",=\\\""#), ("c", "x")]
        );
        assert_eq!(
            of(r#""a=\"\\"="1","b"="",c="x""#),
            [(r#""a=\"\\""#, "1"), (r#""b""#, ""), ("c", "x")]
        );
        for text in ["", r#"a="1""#, r#"a="1",le="é,=",c="x""#] {
            let bytes =
                |(name, value): (&'static str, &'static str)| (name.as_bytes(), value.as_bytes());
            let verbatim = verbatim_parts(text).map(Iterator::collect::<Vec<_>>);
            assert_eq!(verbatim, Some(parts(text).map(bytes).collect()), "{text}");
        }
        for not_verbatim in [r#"a="\\""#, r#""a"="1""#, r#"a="1",b="\n""#] {
            assert!(verbatim_parts(not_verbatim).is_none(), "{not_verbatim}");
        }
        for damaged in ["a", "a\"", "a=\"", "\"a=\"", "a\"=\"", "=\"\"", "a=\"\"b"] {
            let found = verbatim_parts(damaged).into_iter().flatten();
            assert!(found.count() <= 1, "whatever it is, it comes to an end: {damaged}");
        }
        for damaged in ["\"", r#""a"#, r#""a\"="1""#, r#""a"b="1""#, r#""a" ="1""#] {
            assert_eq!(of(damaged), [], "{damaged}");
        }
    }
}
