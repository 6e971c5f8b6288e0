//! The two text formats: lines become families, and families samples.
//!
//! Text 0.0.4 may have the lines of a family in any order but its TYPE, which is before
//! its samples. In OpenMetrics a family is one block, counters have a suffix, and
//! `# EOF` is the end; where it is missing, as in what Go's client pushes, HTTP has told
//! that nothing else is.

use std::borrow::Cow;
use std::collections::HashMap;

use psg_engine::metric::{GaugeOp, Kind};

use super::body::{BodyRefused, Fault, LabelPairs, MAX_SERIES, Place, shown};
use super::composite::{Composites, Part};
use super::line::{self, SampleLine};
use super::samples::{BodyExemplar, FamilyTexts, SampleWriter};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Text,
    OpenMetrics,
}

/// Reads a whole body.
pub(super) fn read<'a>(
    body: &'a [u8],
    dialect: Dialect,
    writer: &mut SampleWriter<'a>,
) -> Result<(), BodyRefused> {
    let line_of = |position: usize| {
        let before = body[..position].iter().filter(|byte| **byte == b'\n');
        Place::Line(before.count() + 1)
    };
    let text = str::from_utf8(body).map_err(|error| {
        Fault::from("expected UTF-8, got other bytes").at(line_of(error.valid_up_to()))
    })?;
    if !text.is_empty() && !text.ends_with('\n') {
        let fault = Fault::from("expected a line feed at the end of the last line, got none");
        return Err(fault.at(line_of(body.len())));
    }
    let mut reader = TextReader::new(dialect, writer);
    for line in text.split_terminator('\n') {
        reader.line += 1;
        let place = Place::Line(reader.line);
        reader.read_line(line).map_err(|fault| fault.at(place))?;
    }
    reader.finish()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FamilyKind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    /// Nobody says, or `untyped`, or `unknown`.
    Unknown,
    Info,
    StateSet,
}

/// What a line is to its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Value,
    Quantile,
    Bucket,
    Sum,
    Count,
    /// When a total began, which is of no use to a sum of many.
    Created,
}

#[derive(Debug)]
struct Family<'a> {
    name: Cow<'a, str>,
    kind: Option<FamilyKind>,
    texts: FamilyTexts<'a>,
    has_help: bool,
    has_samples: bool,
    composites: Composites<'a>,
}

struct TextReader<'a, 'w> {
    dialect: Dialect,
    writer: &'w mut SampleWriter<'a>,
    families: Vec<Family<'a>>,
    by_name: HashMap<Cow<'a, str>, usize>,
    /// The family of the line before.
    current: Option<usize>,
    /// The number of the line that is read.
    line: usize,
    has_ended: bool,
    labels: LabelPairs<'a>,
}

impl FamilyKind {
    fn from_word(word: &str, dialect: Dialect) -> Result<Self, String> {
        let is_openmetrics = dialect == Dialect::OpenMetrics;
        match word.to_ascii_lowercase().as_str() {
            "counter" => Ok(FamilyKind::Counter),
            "gauge" => Ok(FamilyKind::Gauge),
            "histogram" => Ok(FamilyKind::Histogram),
            "summary" => Ok(FamilyKind::Summary),
            "untyped" | "unknown" => Ok(FamilyKind::Unknown),
            "info" if is_openmetrics => Ok(FamilyKind::Info),
            "stateset" if is_openmetrics => Ok(FamilyKind::StateSet),
            "gaugehistogram" => {
                Err("expected no gaugehistogram: its buckets can't be added".into())
            }
            _ => Err(format!("expected a type of metrics, got {}", shown(word))),
        }
    }

    /// What a line is whose name is the family's with that suffix.
    fn role(self, suffix: &str, dialect: Dialect) -> Option<Role> {
        use FamilyKind::{Counter, Gauge, Histogram, Info, StateSet, Summary, Unknown};
        match (self, suffix, dialect) {
            (Gauge | Unknown | StateSet, "", _)
            | (Counter, "", Dialect::Text)
            | (Counter, "_total", Dialect::OpenMetrics)
            | (Info, "_info", _) => Some(Role::Value),
            (Summary, "", _) => Some(Role::Quantile),
            (Histogram, "_bucket", _) => Some(Role::Bucket),
            (Histogram | Summary, "_sum", _) => Some(Role::Sum),
            (Histogram | Summary, "_count", _) => Some(Role::Count),
            (Histogram | Summary, "_created", _) | (Counter, "_created", Dialect::OpenMetrics) => {
                Some(Role::Created)
            }
            _ => None,
        }
    }

    /// The names of its lines, for a sentence.
    fn expected(self, name: &str) -> String {
        match self {
            FamilyKind::Counter => format!("{name}_total"),
            FamilyKind::Info => format!("{name}_info"),
            FamilyKind::Histogram => format!("{name}_bucket, {name}_sum or {name}_count"),
            FamilyKind::Gauge
            | FamilyKind::Summary
            | FamilyKind::Unknown
            | FamilyKind::StateSet => name.to_owned(),
        }
    }
}

impl<'a, 'w> TextReader<'a, 'w> {
    fn new(dialect: Dialect, writer: &'w mut SampleWriter<'a>) -> Self {
        Self {
            dialect,
            writer,
            families: Vec::new(),
            by_name: HashMap::new(),
            current: None,
            line: 0,
            has_ended: false,
            labels: Vec::new(),
        }
    }

    fn read_line(&mut self, line: &'a str) -> Result<(), Fault> {
        let line = line::skip_blanks(line);
        if line.is_empty() {
            return Ok(());
        }
        if self.has_ended {
            return Err("expected nothing behind # EOF".into());
        }
        match line.strip_prefix('#') {
            Some(comment) => self.comment(comment),
            None => self.sample(line),
        }
    }

    fn comment(&mut self, comment: &'a str) -> Result<(), Fault> {
        let (word, rest) = line::word(line::skip_blanks(comment));
        let rest = line::skip_blanks(rest);
        let is_openmetrics = self.dialect == Dialect::OpenMetrics;
        match word {
            "HELP" => {
                let (family, text) = self.declared(rest)?;
                if family.has_help {
                    return Err(format!("expected one HELP of {}", family.name).into());
                }
                family.has_help = true;
                family.texts.help = Some(line::help(text));
            }
            "TYPE" => {
                let dialect = self.dialect;
                let (family, word) = self.declared(rest)?;
                if family.kind.is_some() || family.has_samples {
                    let expected = "expected one TYPE, before all samples, of";
                    return Err(format!("{expected} {}", family.name).into());
                }
                family.kind = Some(FamilyKind::from_word(word.trim_ascii_end(), dialect)?);
            }
            "UNIT" if is_openmetrics => self.unit(rest)?,
            "EOF" if is_openmetrics && rest.is_empty() => self.has_ended = true,
            _ => {}
        }
        Ok(())
    }

    fn unit(&mut self, rest: &'a str) -> Result<(), Fault> {
        let (family, unit) = self.declared(rest)?;
        let unit = unit.trim_ascii_end();
        let is_in_name = family.name.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_'));
        if !unit.is_empty() && !is_in_name {
            let expected = format!("expected a name that ends in its unit _{}", shown(unit));
            return Err(format!("{expected}, got {}", family.name).into());
        }
        if family.texts.unit.is_some() {
            return Err(format!("expected one UNIT of {}", family.name).into());
        }
        family.texts.unit = (!unit.is_empty()).then_some(unit.into());
        Ok(())
    }

    /// The family that a line of HELP, TYPE or UNIT is about, and what it says.
    fn declared(&mut self, rest: &'a str) -> Result<(&mut Family<'a>, &'a str), Fault> {
        let (name, rest) = line::metric_name(rest)?;
        let index = match self.by_name.get(&name) {
            Some(index) => *index,
            None => self.begin(name)?,
        };
        self.enter(index)?;
        let family = &mut self.families[index];
        if self.dialect == Dialect::OpenMetrics && family.has_samples {
            let expected = "expected all that is said of it before the samples of";
            return Err(format!("{expected} {}", family.name).into());
        }
        Ok((family, rest))
    }

    fn begin(&mut self, name: Cow<'a, str>) -> Result<usize, Fault> {
        if self.families.len() == MAX_SERIES {
            return Err(Fault::too_many());
        }
        let index = self.families.len();
        self.by_name.insert(name.clone(), index);
        self.families.push(Family {
            name,
            kind: None,
            texts: FamilyTexts::default(),
            has_help: false,
            has_samples: false,
            composites: Composites::default(),
        });
        if self.dialect == Dialect::OpenMetrics {
            self.current = Some(index);
        }
        Ok(index)
    }

    /// In OpenMetrics a family that was left does not come back.
    fn enter(&self, index: usize) -> Result<(), Fault> {
        if self.dialect == Dialect::OpenMetrics && self.current != Some(index) {
            let name = &self.families[index].name;
            return Err(format!("expected all lines of {name} in one block").into());
        }
        Ok(())
    }

    fn sample(&mut self, text: &'a str) -> Result<(), Fault> {
        let mut labels = std::mem::take(&mut self.labels);
        let SampleLine { name, value, rest } = line::sample(text, &mut labels)?;
        let (index, role) = self.place_of(name.clone())?;
        self.families[index].has_samples = true;
        let exemplar = self.behind_the_value(rest, role, index)?;
        match role {
            Role::Created => {}
            Role::Value => self.value(index, &name, &mut labels, value, exemplar)?,
            Role::Quantile => {
                take_bound(&mut labels, "quantile")?;
                self.writer.leave_quantiles_out(1);
            }
            Role::Bucket => {
                let bound = take_bound(&mut labels, "le")?;
                self.part(index, &mut labels, Part::Bucket(bound, value, exemplar))?;
            }
            Role::Sum => self.part(index, &mut labels, Part::Sum(value))?,
            Role::Count => self.part(index, &mut labels, Part::Count(value))?,
        }
        self.labels = labels;
        Ok(())
    }

    /// The exemplar of a line, where it has one that is wanted.
    fn behind_the_value(
        &self,
        rest: &'a str,
        role: Role,
        index: usize,
    ) -> Result<Option<BodyExemplar<'a>>, Fault> {
        if rest.is_empty() {
            return Ok(None);
        }
        if let (Some(text), Dialect::OpenMetrics) = (rest.strip_prefix('#'), self.dialect) {
            let is_counter = self.families[index].kind == Some(FamilyKind::Counter);
            if !(role == Role::Bucket || role == Role::Value && is_counter) {
                return Err("expected an exemplar on counters and on buckets alone".into());
            }
            let exemplar = line::exemplar(text)?;
            return Ok(Some(exemplar).filter(|_| self.writer.keeps_exemplars()));
        }
        match line::number(line::word(rest).0) {
            Ok(_) => Err("pushed metrics must not have timestamps".into()),
            Err(_) => Err(format!("expected the end of the line, got {}", shown(rest)).into()),
        }
    }

    /// The family of a sample, and what the sample is to it.
    fn place_of(&mut self, name: Cow<'a, str>) -> Result<(usize, Role), Fault> {
        // As it is first: a metric may be called `x_count`.
        const SUFFIXES: [&str; 7] =
            ["", "_bucket", "_sum", "_count", "_total", "_created", "_info"];
        if let Some(index) = self.created_in_text(&name) {
            return Ok((index, Role::Created));
        }
        for suffix in SUFFIXES {
            let index = name.strip_suffix(suffix).and_then(|stem| self.by_name.get(stem));
            let Some(index) = index.copied() else { continue };
            let kind = self.families[index].kind.unwrap_or(FamilyKind::Unknown);
            if let Some(role) = kind.role(suffix, self.dialect) {
                self.enter(index)?;
                return Ok((index, role));
            }
            if suffix.is_empty() {
                return Err(format!("expected {}, got {name}", kind.expected(&name)).into());
            }
        }
        Ok((self.begin(name)?, Role::Value))
    }

    /// In text Python's client has created times as gauges; the metric that such a one
    /// is of, where that is there.
    fn created_in_text(&self, name: &str) -> Option<usize> {
        let stem = name.strip_suffix("_created").filter(|_| self.dialect == Dialect::Text)?;
        let is = |index: &usize, kinds: &[FamilyKind]| {
            self.families[*index].kind.is_some_and(|kind| kinds.contains(&kind))
        };
        let composite = self.by_name.get(stem);
        let composite =
            composite.filter(|at| is(at, &[FamilyKind::Histogram, FamilyKind::Summary]));
        let counter = || self.by_name.get(format!("{stem}_total").as_str());
        composite.or_else(|| counter().filter(|at| is(at, &[FamilyKind::Counter]))).copied()
    }

    fn value(
        &mut self,
        index: usize,
        name: &str,
        labels: &mut LabelPairs<'a>,
        value: f64,
        exemplar: Option<BodyExemplar<'a>>,
    ) -> Result<(), Fault> {
        self.writer.group(labels)?;
        self.writer.note(name, labels)?;
        let Family { kind, texts, .. } = &mut self.families[index];
        let series = (name, labels.as_slice());
        match kind.unwrap_or(FamilyKind::Unknown) {
            FamilyKind::Counter => self.writer.counter(texts, series, value, exemplar.as_ref()),
            // They say what is so, and not how much of it there is.
            FamilyKind::Info | FamilyKind::StateSet => {
                self.writer.gauge(texts, series, value, Some(GaugeOp::Set))
            }
            FamilyKind::Gauge
            | FamilyKind::Unknown
            | FamilyKind::Histogram
            | FamilyKind::Summary => self.writer.gauge(texts, series, value, None),
        }
    }

    fn part(
        &mut self,
        index: usize,
        labels: &mut LabelPairs<'a>,
        part: Part<'a>,
    ) -> Result<(), Fault> {
        self.writer.group(labels)?;
        let hash = self.writer.hash_of(labels);
        let Family { name, composites, .. } = &mut self.families[index];
        if !composites.has(hash) {
            self.writer.note(name, labels)?;
        }
        composites.add((hash, labels), self.line, part)
    }

    /// Writes what stood in several lines.
    fn finish(self) -> Result<(), BodyRefused> {
        let Self { writer, families, .. } = self;
        for Family { name, kind, mut texts, composites, .. } in families {
            let kind = match kind {
                Some(FamilyKind::Summary) => Kind::Summary,
                _ => Kind::Histogram,
            };
            let written = composites.write(kind, &name, &mut texts, writer);
            written.map_err(|(line, fault)| fault.at(Place::Line(line)))?;
        }
        Ok(())
    }
}

/// Takes the label out that says which bucket or quantile a line is of.
fn take_bound(labels: &mut LabelPairs<'_>, name: &str) -> Result<f64, Fault> {
    let at = labels.iter().position(|(label, _)| label == name);
    let at = at.ok_or_else(|| format!("expected a label {name}, got none"))?;
    let (_, bound) = labels.swap_remove(at);
    Ok(line::number(&bound).map_err(|detail| format!("{name}: {detail}"))?)
}
