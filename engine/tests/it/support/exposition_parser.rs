//! A strict reader of the exposition formats, written from their specifications
//! and independent of the writer: families with their samples, unescaped.

/// Which specification to read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Text,
    OpenMetrics,
}

/// Everything under one HELP and TYPE.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedFamily {
    pub name: String,
    pub help: String,
    pub type_word: String,
    /// Empty where there is none.
    pub unit: String,
    pub samples: Vec<ParsedSample>,
}

/// One line: labels in the order in which they stand, the value also as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedSample {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub value: f64,
    pub value_text: String,
    pub exemplar: Option<ParsedExemplar>,
}

/// What stands behind a value.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedExemplar {
    pub labels: Vec<(String, String)>,
    pub value: f64,
    pub timestamp: f64,
}

/// The families of a body, in order, or what is wrong with it and where.
pub fn parse(body: &str, dialect: Dialect) -> Result<Vec<ParsedFamily>, String> {
    let mut families: Vec<ParsedFamily> = Vec::new();
    let mut lines = complete_lines(body, dialect)?.into_iter();
    let mut pending = lines.next();
    while let Some(line) = pending {
        let at = |problem: String| format!("{problem} in {line:?}");
        pending = if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| at("no help".into()))?;
            let type_line = lines.next().ok_or_else(|| at("no TYPE after HELP".into()))?;
            let type_word = type_line
                .strip_prefix("# TYPE ")
                .and_then(|rest| rest.strip_prefix(name))
                .and_then(|rest| rest.strip_prefix(' '))
                .ok_or_else(|| at(format!("no TYPE of the same name, but {type_line:?},")))?;
            if families.iter().any(|family| family.name == name) {
                return Err(at("a second HELP".into()));
            }
            families.push(ParsedFamily {
                name: metric_name(name).map_err(at)?,
                help: unescape(help, dialect == Dialect::OpenMetrics).map_err(at)?,
                type_word: type_word.into(),
                unit: String::new(),
                samples: Vec::new(),
            });
            lines.next()
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let family = families.last_mut().ok_or_else(|| at("no HELP yet".into()))?;
            let unit = rest.strip_prefix(&*family.name).and_then(|rest| rest.strip_prefix(' '));
            let unit = unit.ok_or_else(|| at("a UNIT of another name".into()))?;
            let is_first = family.unit.is_empty() && family.samples.is_empty();
            let ends_so = !unit.is_empty() && family.name.ends_with(&format!("_{unit}"));
            if !is_first || !ends_so || dialect == Dialect::Text {
                return Err(at("a UNIT where there is none".into()));
            }
            family.unit = unit.into();
            lines.next()
        } else {
            let sample = sample(line, dialect).map_err(at)?;
            let family = families.last_mut().ok_or_else(|| at("no HELP yet".into()))?;
            if !may_hold(family, &sample.name, dialect) {
                return Err(at(format!("not a sample of {} {}", family.type_word, family.name)));
            }
            if sample.exemplar.as_ref().is_some_and(|it| !may_have(family, &sample, it)) {
                return Err(at("an exemplar where there is none".into()));
            }
            let same = |other: &ParsedSample| identity(other) == identity(&sample);
            if family.samples.iter().any(same) {
                return Err(at("a series twice".into()));
            }
            family.samples.push(sample);
            lines.next()
        };
    }
    if let Some(family) = families.iter().find(|family| family.samples.is_empty()) {
        return Err(format!("no sample of {}", family.name));
    }
    if dialect == Dialect::OpenMetrics {
        families.iter().try_for_each(no_negatives)?;
    }
    Ok(families)
}

/// OpenMetrics 1.0: counts, sums and quantiles are not negative, and a histogram
/// with a negative threshold has no sum; one without a sum has no count.
fn no_negatives(family: &ParsedFamily) -> Result<(), String> {
    let has = |ending: &str, of: &ParsedSample| {
        family.samples.iter().any(|it| it.name.ends_with(ending) && it.labels == of.labels)
    };
    for sample in &family.samples {
        let ending = sample.name.strip_prefix(&family.name).unwrap_or_default();
        let is_negative = sample.value < 0.0;
        let le = sample.labels.iter().find(|(name, _)| name == "le");
        let fault = match (family.type_word.as_str(), ending) {
            ("counter" | "summary", "_total" | "" | "_sum") => is_negative,
            ("histogram", "_sum") => is_negative || !has("_count", sample),
            ("histogram", "_count") => !has("_sum", sample),
            ("histogram", "_bucket") if le.is_some_and(|(_, bound)| bound.starts_with('-')) => {
                let mut bare = sample.clone();
                bare.labels.retain(|(name, _)| name != "le");
                has("_sum", &bare)
            }
            _ => false,
        };
        if fault {
            return Err(format!("a negative number, or a sum beside one: {sample:?}"));
        }
    }
    Ok(())
}

/// Name and sorted labels.
pub fn identity(sample: &ParsedSample) -> (String, Vec<(String, String)>) {
    let mut labels = sample.labels.clone();
    labels.sort();
    (sample.name.clone(), labels)
}

fn complete_lines(body: &str, dialect: Dialect) -> Result<Vec<&str>, String> {
    let body = match dialect {
        Dialect::Text => body,
        Dialect::OpenMetrics => body.strip_suffix("# EOF\n").ok_or("no EOF at the end")?,
    };
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let complete = body.strip_suffix('\n').ok_or("no newline at the end")?;
    Ok(complete.split('\n').collect())
}

fn may_hold(family: &ParsedFamily, sample: &str, dialect: Dialect) -> bool {
    let endings: &[&str] = match (dialect, family.type_word.as_str()) {
        (Dialect::Text, "counter" | "gauge") | (Dialect::OpenMetrics, "gauge" | "unknown") => &[""],
        (Dialect::OpenMetrics, "counter") => &["_total", "_created"],
        (Dialect::Text, "histogram") => &["_sum", "_count", "_bucket"],
        (Dialect::OpenMetrics, "histogram") => &["_sum", "_count", "_bucket", "_created"],
        (Dialect::Text, "summary") => &["", "_sum", "_count"],
        (Dialect::OpenMetrics, "summary") => &["", "_sum", "_count", "_created"],
        (_, _) => &[],
    };
    sample.strip_prefix(&family.name).is_some_and(|ending| endings.contains(&ending))
}

fn sample(line: &str, dialect: Dialect) -> Result<ParsedSample, String> {
    let name_end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(name_end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value_text = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let (value_text, exemplar) = match value_text.split_once(" # {") {
        Some((value_text, rest)) => (value_text, Some(exemplar(rest, dialect)?)),
        None => (value_text, None),
    };
    Ok(ParsedSample {
        name: metric_name(name)?,
        labels,
        value: number(value_text, dialect)?,
        value_text: value_text.into(),
        exemplar,
    })
}

/// What follows the opening brace of an exemplar.
fn exemplar(text: &str, dialect: Dialect) -> Result<ParsedExemplar, String> {
    let (labels, rest) = match text.strip_prefix('}') {
        Some(rest) => (Vec::new(), rest),
        None => labels(text)?,
    };
    let rest = rest.strip_prefix(' ').ok_or("no space before the value of an exemplar")?;
    let (value, timestamp) = rest.split_once(' ').ok_or("no timestamp of an exemplar")?;
    let (value, timestamp) = (number(value, dialect)?, number(timestamp, dialect)?);
    Ok(ParsedExemplar { labels, value, timestamp })
}

/// Whether a sample may have that exemplar.
fn may_have(family: &ParsedFamily, sample: &ParsedSample, exemplar: &ParsedExemplar) -> bool {
    let is_in_bucket = |(name, bound): &(String, String)| {
        let bound = bound.parse().unwrap_or(f64::INFINITY);
        name == "le" && exemplar.value <= bound
    };
    let characters =
        exemplar.labels.iter().flat_map(|(name, value)| name.chars().chain(value.chars()));
    let has_place = match family.type_word.as_str() {
        "counter" => sample.name.ends_with("_total"),
        "histogram" => sample.name.ends_with("_bucket") && sample.labels.iter().any(is_in_bucket),
        _ => false,
    };
    has_place && characters.count() <= 128
}

type Labels = Vec<(String, String)>;

/// The labels up to the closing brace, and what follows it.
fn labels(text: &str) -> Result<(Labels, &str), String> {
    let mut labels: Labels = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without value")?;
        let end = closing_quote(after).ok_or("a label value without end")?;
        let name = label_name(name)?;
        if labels.iter().any(|(other, _)| *other == name) {
            return Err(format!("label {name} twice"));
        }
        labels.push((name, unescape(&after[..end], true)?));
        rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok((labels, rest.strip_prefix('}').ok_or("no closing brace")?)),
        }
    }
}

/// Where the first quote stands that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (position, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(position),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str, quotes: bool) -> Result<String, String> {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if quotes => '"',
                other => return Err(format!("an escape of {other:?}")),
            },
            '"' if quotes => return Err("a bare quote".into()),
            other => other,
        });
    }
    Ok(out)
}

fn number(text: &str, dialect: Dialect) -> Result<f64, String> {
    match text {
        "NaN" => return Ok(f64::NAN),
        "+Inf" => return Ok(f64::INFINITY),
        "-Inf" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    let allowed = |byte: u8| byte.is_ascii_digit() || b"+-.e".contains(&byte);
    if !text.bytes().all(allowed) {
        return Err(format!("{text:?} is no {dialect:?} number"));
    }
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn metric_name(name: &str) -> Result<String, String> {
    let first = |byte: u8| byte.is_ascii_alphabetic() || b"_:".contains(&byte);
    word(name, first, |byte| first(byte) || byte.is_ascii_digit())
}

fn label_name(name: &str) -> Result<String, String> {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    word(name, first, |byte| first(byte) || byte.is_ascii_digit())
}

fn word(
    name: &str,
    first: impl Fn(u8) -> bool,
    more: impl Fn(u8) -> bool,
) -> Result<String, String> {
    let valid = name.bytes().next().is_some_and(first) && name.bytes().all(more);
    if valid { Ok(name.into()) } else { Err(format!("{name:?} is no name")) }
}
