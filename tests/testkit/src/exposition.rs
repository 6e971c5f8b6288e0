//! The tests' own reading of the two exposition formats: text 0.0.4 and
//! OpenMetrics 1.0.0, written from their specifications. It refuses what
//! Prometheus would refuse or misread: a second HELP or TYPE, a family in two
//! blocks, a sample outside its family or given twice, a malformed line.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Which of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Text,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

/// One sample line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name at the line's beginning, suffix and all.
    pub name: String,
    /// Unescaped, in the order printed.
    pub labels: Vec<(String, String)>,
    /// The value as printed.
    pub value: String,
    /// The line with its labels sorted as printed: what must agree wherever
    /// the order of labels is free.
    pub canonical: String,
    /// What stands behind the value.
    pub exemplar: Option<Exemplar>,
}

/// An exemplar.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Unescaped, in the order printed.
    pub labels: Vec<(String, String)>,
    /// As printed.
    pub value: String,
    /// As printed.
    pub timestamp: String,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value as a number.
    pub fn number(&self) -> f64 {
        self.value.parse().expect("the parser has checked it")
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        self.labels.len() == labels.len()
            && labels.iter().all(|(name, value)| self.label(name) == Some(value))
    }
}

/// One family: a HELP, a TYPE and the samples under them.
#[derive(Debug, Clone)]
pub struct Family {
    /// The name in HELP and TYPE.
    pub name: String,
    /// Still escaped.
    pub help: String,
    /// The word of the TYPE line.
    pub kind: String,
    /// The word of the UNIT line, if there is one.
    pub unit: Option<String>,
    /// In the order printed.
    pub samples: Vec<Sample>,
}

impl Family {
    /// HELP, TYPE, UNIT and the samples' canonical lines: equal for two expositions
    /// that differ only in what is free.
    pub fn lines(&self) -> BTreeSet<String> {
        let header = [
            format!("# HELP {} {}", self.name, self.help),
            format!("# TYPE {} {}", self.name, self.kind),
        ];
        let unit = self.unit.iter().map(|unit| format!("# UNIT {} {unit}", self.name));
        header
            .into_iter()
            .chain(unit)
            .chain(self.samples.iter().map(|s| s.canonical.clone()))
            .collect()
    }
}

/// A whole exposition.
#[derive(Debug, Clone)]
pub struct Exposition {
    /// In the order printed.
    pub families: Vec<Family>,
}

/// The prefix of the gateway's own metrics.
pub const OWN: &str = "prom_stream_gateway_";

impl Exposition {
    /// Reads an exposition, or says what is wrong with it.
    pub fn parse(text: &str, format: Format) -> Result<Self, String> {
        let body = match format {
            Format::Text => text,
            Format::OpenMetrics => {
                text.strip_suffix("# EOF\n").ok_or("it does not end with `# EOF`")?
            }
        };
        if !body.is_empty() && !body.ends_with('\n') {
            return Err("its last line does not end".into());
        }
        let mut families: Vec<Family> = Vec::new();
        let mut lines = body.split_terminator('\n');
        let mut next = lines.next();
        while let Some(line) = next {
            let (name, help) = header(line, "HELP")?;
            let type_line = lines.next().ok_or_else(|| format!("HELP of {name} ends it"))?;
            let (type_name, kind) = header(type_line, "TYPE")?;
            if type_name != name {
                return Err(format!("TYPE of {type_name} follows HELP of {name}"));
            }
            check_kind(kind, format)?;
            check_help(help, format)?;
            next = lines.next();
            let unit_line = next.filter(|line| line.starts_with("# UNIT "));
            let unit = unit_line.map(|line| unit(line, name, format)).transpose()?;
            if unit.is_some() {
                next = lines.next();
            }
            let (name, help, kind) = (name.into(), help.into(), kind.into());
            let mut family = Family { name, help, kind, unit, samples: vec![] };
            while let Some(line) = next.filter(|line| !line.starts_with('#')) {
                let sample = sample(line).map_err(|error| format!("{error} in `{line}`"))?;
                check_membership(&family, &sample, format)?;
                if let Some(exemplar) = &sample.exemplar {
                    check_exemplar(&family, &sample, exemplar, format)?;
                }
                family.samples.push(sample);
                next = lines.next();
            }
            families.push(family);
        }
        let exposition = Self { families };
        exposition.check_uniqueness()?;
        Ok(exposition)
    }

    /// The family of that name.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// Every sample of that name.
    pub fn samples<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.families.iter().flat_map(|family| &family.samples).filter(move |s| s.name == name)
    }

    /// The value of the sample with exactly these labels, in any order.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.samples(name).find(|sample| sample.has(labels)).map(Sample::number)
    }

    /// The sum over all samples of that name.
    pub fn sum(&self, name: &str) -> f64 {
        self.samples(name).map(Sample::number).fold(0.0, |sum, value| sum + value)
    }

    /// How many samples of that reason were rejected.
    pub fn rejected(&self, reason: &str) -> u64 {
        let name = format!("{OWN}rejected_samples_total");
        self.samples(&name)
            .filter(|sample| sample.label("reason") == Some(reason))
            .map(|sample| sample.number() as u64)
            .sum()
    }

    /// Samples processed and samples rejected, over all workers.
    pub fn totals(&self) -> (u64, u64) {
        let sum = |name: &str| self.sum(&format!("{OWN}{name}")) as u64;
        (sum("processed_metrics_total"), sum("dropped_metrics_total"))
    }

    /// What producers made: every family that is not the gateway's own.
    pub fn produced(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.families
            .iter()
            .filter(|family| !family.name.starts_with(OWN))
            .map(|family| (family.name.clone(), family.lines()))
            .collect()
    }

    fn check_uniqueness(&self) -> Result<(), String> {
        let mut families = HashSet::new();
        let mut owners: HashMap<&str, &str> = HashMap::new();
        let mut identities = HashSet::new();
        for family in &self.families {
            if !families.insert(family.name.as_str()) {
                return Err(format!("{} has two blocks", family.name));
            }
            for sample in &family.samples {
                let owner = owners.entry(&sample.name).or_insert(&family.name);
                if *owner != family.name {
                    return Err(format!("{} is in {owner} and in {}", sample.name, family.name));
                }
                let mut labels = sample.labels.clone();
                labels.sort();
                if !identities.insert((&sample.name, labels)) {
                    return Err(format!("{} stands twice", sample.canonical));
                }
            }
        }
        Ok(())
    }
}

fn header<'a>(line: &'a str, word: &str) -> Result<(&'a str, &'a str), String> {
    let wrong = || format!("expected # {word}, got `{line}`");
    let rest = line.strip_prefix("# ").and_then(|rest| rest.strip_prefix(word));
    let rest = rest.and_then(|rest| rest.strip_prefix(' ')).ok_or_else(wrong)?;
    let (name, text) = rest.split_once(' ').ok_or_else(wrong)?;
    if is_name(name, true) { Ok((name, text)) } else { Err(wrong()) }
}

fn check_kind(kind: &str, format: Format) -> Result<(), String> {
    let known = match kind {
        "counter" | "gauge" | "histogram" | "summary" => true,
        "unknown" | "info" | "stateset" => format == Format::OpenMetrics,
        "untyped" => format == Format::Text,
        _ => false,
    };
    if known { Ok(()) } else { Err(format!("TYPE {kind} is not of this format")) }
}

fn check_help(help: &str, format: Format) -> Result<(), String> {
    let escapes: &[char] = match format {
        Format::Text => &['\\', 'n'],
        Format::OpenMetrics => &['\\', 'n', '"'],
    };
    unescape(help, escapes).map(|_| ())
}

/// The unit of a family of that name, which ends in it.
fn unit(line: &str, name: &str, format: Format) -> Result<String, String> {
    let (of, unit) = header(line, "UNIT")?;
    let ends_so = name.ends_with(&format!("_{unit}")) && is_unit(unit);
    if of != name || !ends_so || format == Format::Text {
        return Err(format!("`{line}` after the TYPE of {name}"));
    }
    Ok(unit.to_owned())
}

/// Exemplars are OpenMetrics' alone, on counters and on buckets that have their value.
fn check_exemplar(
    family: &Family,
    sample: &Sample,
    exemplar: &Exemplar,
    format: Format,
) -> Result<(), String> {
    let value: f64 = exemplar.value.parse().expect("the parser has checked it");
    let bound = sample.label("le").and_then(|bound| bound.parse::<f64>().ok());
    let has_place = match (family.kind.as_str(), bound) {
        ("counter", _) => sample.name.ends_with("_total"),
        ("histogram", Some(bound)) => value <= bound,
        _ => false,
    };
    let characters = |(name, value): &(String, String)| name.chars().chain(value.chars()).count();
    let length: usize = exemplar.labels.iter().map(characters).sum();
    if format == Format::Text || !has_place || length > 128 {
        return Err(format!("an exemplar behind `{}`: {exemplar:?}", sample.canonical));
    }
    Ok(())
}

fn check_membership(family: &Family, sample: &Sample, format: Format) -> Result<(), String> {
    let suffixes: &[&str] = match (family.kind.as_str(), format) {
        ("counter", Format::OpenMetrics) => &["_total", "_created"],
        ("histogram", Format::Text) => &["_bucket", "_sum", "_count"],
        ("histogram", Format::OpenMetrics) => &["_bucket", "_sum", "_count", "_created"],
        ("summary", Format::Text) => &["", "_sum", "_count"],
        ("summary", Format::OpenMetrics) => &["", "_sum", "_count", "_created"],
        _ => &[""],
    };
    let suffix = sample.name.strip_prefix(family.name.as_str());
    if !suffix.is_some_and(|suffix| suffixes.contains(&suffix)) {
        return Err(format!("{} stands in the block of {}", sample.name, family.name));
    }
    let special = match (family.kind.as_str(), suffix) {
        ("histogram", Some("_bucket")) => Some("le"),
        ("summary", Some("")) => Some("quantile"),
        _ => None,
    };
    match special {
        Some(label) if sample.label(label).is_none() => {
            Err(format!("{} has no {label}", sample.canonical))
        }
        _ => Ok(()),
    }
}

/// `name{label="value",…} value`, and maybe ` # {label="value",…} value timestamp`
fn sample(line: &str) -> Result<Sample, String> {
    let name_end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(name_end);
    if !is_name(name, true) {
        return Err("not a metric name".into());
    }
    let (printed, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let (value, exemplar) = match value.split_once(" # {") {
        Some((value, rest)) => (value, Some(exemplar(rest)?)),
        None => (value, None),
    };
    check_value(value)?;
    let labels = unescaped(&printed)?;
    let mut sorted = printed;
    sorted.sort();
    let braces =
        if sorted.is_empty() { String::new() } else { format!("{{{}}}", sorted.join(",")) };
    let canonical = format!("{name}{braces} {value}");
    Ok(Sample { name: name.into(), labels, value: value.into(), canonical, exemplar })
}

/// What follows the opening brace of an exemplar.
fn exemplar(text: &str) -> Result<Exemplar, String> {
    let (printed, rest) = labels(text)?;
    let rest = rest.strip_prefix(' ').ok_or("no space before the value of an exemplar")?;
    let (value, timestamp) = rest.split_once(' ').ok_or("no timestamp of an exemplar")?;
    check_value(value)?;
    check_value(timestamp)?;
    let labels = unescaped(&printed)?;
    Ok(Exemplar { labels, value: value.into(), timestamp: timestamp.into() })
}

/// Names and values of labels that are given as printed.
fn unescaped(printed: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut labels = Vec::new();
    for label in printed {
        let (name, quoted) = label.split_once('=').expect("the label was found by it");
        let value = &quoted[1..quoted.len() - 1];
        labels.push((name.to_owned(), unescape(value, &['\\', 'n', '"'])?));
    }
    let names: HashSet<&String> = labels.iter().map(|(name, _)| name).collect();
    if names.len() != labels.len() {
        return Err("a label stands twice".into());
    }
    Ok(labels)
}

/// The labels up to the closing brace, each as printed, and what follows it.
fn labels(mut rest: &str) -> Result<(Vec<String>, &str), String> {
    let mut found = Vec::new();
    if let Some(rest) = rest.strip_prefix('}') {
        return Ok((found, rest));
    }
    loop {
        let equals = rest.find("=\"").ok_or("a label without a value")?;
        if !is_name(&rest[..equals], false) {
            return Err("not a label name".into());
        }
        let quote = closing_quote(&rest[equals + 2..]).ok_or("a label value that does not end")?;
        let end = equals + 2 + quote + 1;
        found.push(rest[..end].to_owned());
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((found, after));
        }
        rest = rest.strip_prefix(',').ok_or("no comma between labels")?;
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn unescape(text: &str, escapes: &[char]) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next().filter(|escape| escapes.contains(escape)) {
            Some('n') => plain.push('\n'),
            Some(escape) => plain.push(escape),
            None => return Err(format!("a bad escape in `{text}`")),
        }
    }
    Ok(plain)
}

fn check_value(value: &str) -> Result<(), String> {
    let special = ["+Inf", "-Inf", "NaN"].contains(&value);
    let digits = value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e'));
    if special || (digits && value.parse::<f64>().is_ok()) {
        Ok(())
    } else {
        Err(format!("`{value}` is no value"))
    }
}

fn is_unit(unit: &str) -> bool {
    !unit.is_empty() && unit.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn is_name(name: &str, colons: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (colons && c == ':');
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}
