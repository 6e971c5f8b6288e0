//! Sections of a segment: what few of its families and series have. They follow the
//! list of families, and what they hold refers to families and series by their
//! positions.

use std::borrow::Cow;

use super::StateError;
use crate::record::{self, ExemplarRecord, FamilyRecord, SectionRecord};

const UNITS: u8 = 0;
const EXEMPLARS: u8 = 1;

/// What the sections of a segment say.
#[derive(Debug, Default)]
pub struct Sections {
    /// The units of families that have one.
    units: Vec<(u32, String)>,
    /// The exemplars of series that have some.
    pub exemplars: StoredExemplars,
}

/// Exemplars of series, each after the position of its series, ascending.
#[derive(Debug, Default)]
pub struct StoredExemplars(Vec<u8>);

impl Sections {
    /// The sections to write, for these families; none where there is nothing in them.
    pub fn records(
        families: &[FamilyRecord<'_>],
        exemplars: StoredExemplars,
    ) -> Vec<SectionRecord<'static>> {
        let units = families.iter().enumerate().filter(|(_, family)| !family.unit.is_empty());
        let units: Vec<(u32, &str)> =
            units.map(|(position, family)| (position as u32, &*family.unit)).collect();
        let mut sections = Vec::new();
        if !units.is_empty() {
            sections.push(SectionRecord::new(UNITS, false, &units));
        }
        if !exemplars.0.is_empty() {
            let content = Cow::Owned(exemplars.0);
            sections.push(SectionRecord { number: EXEMPLARS, is_needed: false, content });
        }
        sections
    }

    /// Takes those of a segment off the front of `rest`.
    pub fn take(rest: &mut &[u8]) -> Result<Self, StateError> {
        let records: Vec<SectionRecord<'_>> = record::take(rest, WHAT)?;
        let mut sections = Self::default();
        for SectionRecord { number, is_needed, content } in records {
            match number {
                UNITS => {
                    let mut content = &*content;
                    sections.units = record::take(&mut content, WHAT)?;
                    record::expect_end(content)?;
                }
                EXEMPLARS => sections.exemplars = StoredExemplars(content.into_owned()),
                _ if is_needed => return Err(StateError::NewerRecord { what: WHAT }),
                // Of a newer gateway, which says that the others need not know it.
                _ => {}
            }
        }
        Ok(sections)
    }

    /// Gives families their units.
    pub fn name_units(&self, families: &mut [FamilyRecord<'static>]) -> Result<(), StateError> {
        for (position, unit) in &self.units {
            let family = families.get_mut(*position as usize);
            family.ok_or(StateError::malformed("a unit of no family"))?.unit = unit.clone().into();
        }
        Ok(())
    }
}

impl StoredExemplars {
    /// Appends those of the series at this position, which is greater than the last one.
    pub fn append(&mut self, position: u64, exemplars: &[ExemplarRecord<'_>]) {
        record::append(&mut self.0, &(position, exemplars));
    }

    pub fn reader(&self) -> ExemplarReader<'_> {
        ExemplarReader { rest: &self.0, next: None }
    }
}

/// Reads exemplars beside their series.
#[derive(Debug)]
pub struct ExemplarReader<'a> {
    rest: &'a [u8],
    /// Those that were read before their series.
    next: Option<(u64, Vec<ExemplarRecord<'a>>)>,
}

impl<'a> ExemplarReader<'a> {
    /// Those of the series at this position, which is greater than the last one.
    pub fn of(&mut self, position: u64) -> Result<Vec<ExemplarRecord<'a>>, StateError> {
        if self.next.is_none() && !self.rest.is_empty() {
            self.next = Some(record::take(&mut self.rest, "exemplars")?);
        }
        let found = self.next.take_if(|(next, _)| *next == position);
        Ok(found.map(|(_, exemplars)| exemplars).unwrap_or_default())
    }

    /// Refuses exemplars that are of none of the series.
    pub fn expect_end(&self) -> Result<(), StateError> {
        match (&self.next, self.rest) {
            (None, []) => Ok(()),
            (Some(_), _) | (None, _) => Err(StateError::malformed("exemplars of no series")),
        }
    }
}

/// What messages call them.
const WHAT: &str = "its list of sections";
