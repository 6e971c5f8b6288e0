//! One line of text: its words, its labels and its numbers. Both text formats write
//! them alike.

use std::borrow::Cow;

use psg_engine::name::{is_label_name, is_metric_name};

use super::body::{LabelPairs, shown};
use super::samples::BodyExemplar;

const BLANKS: [char; 2] = [' ', '\t'];

/// A line of a sample.
#[derive(Debug, PartialEq)]
pub(super) struct SampleLine<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: f64,
    /// What stands behind the value.
    pub(super) rest: &'a str,
}

/// Reads a sample; `labels` gets those of it.
pub(super) fn sample<'a>(
    line: &'a str,
    labels: &mut LabelPairs<'a>,
) -> Result<SampleLine<'a>, String> {
    labels.clear();
    let (bare, rest) = line.split_at(line.find(['{', ' ', '\t']).unwrap_or(line.len()));
    if !bare.is_empty() && !is_metric_name(bare) {
        return Err(format!("expected the name of a metric, got {}", shown(bare)));
    }
    let mut name = (!bare.is_empty()).then_some(Cow::Borrowed(bare));
    let mut rest = skip_blanks(rest);
    if let Some(inside) = rest.strip_prefix('{') {
        let (quoted, after) = braces(inside, labels)?;
        if let Some(quoted) = quoted
            && name.replace(quoted).is_some()
        {
            return Err(format!("expected one name, got a second one behind {bare}"));
        }
        rest = skip_blanks(after);
    }
    let name = name.ok_or("expected the name of a metric, got none")?;
    let (value, rest) = word(rest);
    Ok(SampleLine { name, value: number(value)?, rest: skip_blanks(rest) })
}

/// Reads an exemplar, behind its `#`.
pub(super) fn exemplar(rest: &str) -> Result<BodyExemplar<'_>, String> {
    let inside = skip_blanks(rest).strip_prefix('{');
    let inside = inside.ok_or("expected { behind the # of an exemplar")?;
    let mut labels = Vec::new();
    let (quoted, rest) = braces(inside, &mut labels)?;
    if quoted.is_some() {
        return Err("expected labels in an exemplar, got a name".into());
    }
    let (value, rest) = word(skip_blanks(rest));
    let (timestamp, rest) = word(skip_blanks(rest));
    expect_end(rest)?;
    let timestamp = (!timestamp.is_empty()).then(|| finite(timestamp)).transpose()?;
    Ok(BodyExemplar { labels, value: finite(value)?, timestamp })
}

/// The name of a metric at the beginning of `rest`, in quotes or not, and what follows.
pub(super) fn metric_name(rest: &str) -> Result<(Cow<'_, str>, &str), String> {
    if let Some(quoted) = rest.strip_prefix('"') {
        let (name, rest) = quoted_text(quoted)?;
        check_quoted(&name)?;
        return Ok((name, skip_blanks(rest)));
    }
    let (name, rest) = word(rest);
    match is_metric_name(name) {
        true => Ok((name.into(), skip_blanks(rest))),
        false => Err(format!("expected the name of a metric, got {}", shown(name))),
    }
}

/// The word at the beginning of `rest`, which may be empty, and what follows.
pub(super) fn word(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(BLANKS).unwrap_or(rest.len()))
}

pub(super) fn skip_blanks(rest: &str) -> &str {
    rest.trim_start_matches(BLANKS)
}

pub(super) fn expect_end(rest: &str) -> Result<(), String> {
    match skip_blanks(rest) {
        "" => Ok(()),
        more => Err(format!("expected the end of the line, got {}", shown(more))),
    }
}

/// NaN and infinite ones included.
pub(super) fn number(word: &str) -> Result<f64, String> {
    word.parse().map_err(|_| format!("expected a number, got {}", shown(word)))
}

fn finite(word: &str) -> Result<f64, String> {
    let finite = number(word).ok().filter(|number| number.is_finite());
    finite.ok_or_else(|| format!("expected a finite number, got {}", shown(word)))
}

/// A help text: line feeds and backslashes are escaped in it, and in OpenMetrics
/// quotes; another backslash is what it is.
pub(super) fn help(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        read.push_str(&rest[..at]);
        let mut after = rest[at + 1..].chars();
        match after.next() {
            Some('n') => read.push('\n'),
            Some('\\') => read.push('\\'),
            Some('"') => read.push('"'),
            Some(other) => read.extend(['\\', other]),
            None => read.push('\\'),
        }
        rest = after.as_str();
    }
    read.push_str(rest);
    read.into()
}

/// Reads what stands in braces, behind the first: labels, and maybe before them the
/// metric's name in quotes.
fn braces<'a>(
    mut rest: &'a str,
    labels: &mut LabelPairs<'a>,
) -> Result<(Option<Cow<'a, str>>, &'a str), String> {
    let mut metric = None;
    loop {
        rest = skip_blanks(rest);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((metric, after));
        }
        let is_quoted = rest.starts_with('"');
        let (name, after) = label_name(rest)?;
        rest = skip_blanks(after);
        if let Some(after) = rest.strip_prefix('=') {
            let quoted = skip_blanks(after).strip_prefix('"');
            let quoted =
                quoted.ok_or_else(|| format!("expected a quote behind {}=", shown(&name)))?;
            let (value, after) = quoted_text(quoted)?;
            labels.push((name, value));
            rest = after;
        } else if is_quoted && metric.is_none() && labels.is_empty() {
            metric = Some(name);
        } else {
            return Err(format!("expected = behind the label {}", shown(&name)));
        }
        rest = skip_blanks(rest);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err(format!("expected , or }} behind a label, got {}", shown(rest))),
        }
    }
}

fn label_name(rest: &str) -> Result<(Cow<'_, str>, &str), String> {
    if let Some(quoted) = rest.strip_prefix('"') {
        let (name, rest) = quoted_text(quoted)?;
        check_quoted(&name)?;
        return Ok((name, rest));
    }
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = rest.find(|letter| !is_letter(letter)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    match is_label_name(name) {
        true => Ok((name.into(), after)),
        false => Err(format!("expected the name of a label, got {}", shown(rest))),
    }
}

fn check_quoted(name: &str) -> Result<(), String> {
    match name.is_empty() || name.starts_with("__") {
        true => Err(format!("expected a name that does not begin with __, got {}", shown(name))),
        false => Ok(()),
    }
}

/// A text up to its closing quote, and what follows that.
fn quoted_text(rest: &str) -> Result<(Cow<'_, str>, &str), String> {
    let end = |rest: &str| rest.find(['"', '\\']).ok_or("expected a closing quote, got none");
    let mut at = end(rest)?;
    if rest[at..].starts_with('"') {
        return Ok((rest[..at].into(), &rest[at + 1..]));
    }
    let (mut read, mut rest) = (String::new(), rest);
    loop {
        read.push_str(&rest[..at]);
        if let Some(after) = rest[at..].strip_prefix('"') {
            return Ok((read.into(), after));
        }
        let mut after = rest[at + 1..].chars();
        read.push(match after.next() {
            Some('n') => '\n',
            Some(escaped @ ('\\' | '"')) => escaped,
            Some(other) => {
                let got = shown(&other.to_string());
                return Err(format!("expected \\\\, \\\" or \\n, got a backslash before {got}"));
            }
            None => return Err("expected a closing quote, got none".into()),
        });
        rest = after.as_str();
        at = end(rest)?;
    }
}
