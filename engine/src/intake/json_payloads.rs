//! Payloads in JSON: the decoder, and before it the templates, by which most
//! payloads are recognised and not decoded at all.

use std::ops::Range;

use memchr::memchr_iter;

use super::pending::{KEPT_ELEMENTS, place};
use super::resolver::SeriesLookup;
use super::template::{CachedRoute, Located, OpenFields, Repeats, TemplateCache};
use super::{Intake, push};
use crate::limits::PayloadLimits;
use crate::metric::{Observations, total_of};
use crate::reject::Reject;
use crate::timestamp::UnixTime;
use crate::updates::Details;
use crate::wire::json::skip_space;
use crate::wire::{
    JsonDecoder, JsonSample, Place, UnknownFields, accepted_timestamp, take_known_counts,
};

#[derive(Debug)]
pub struct JsonPayloads {
    decoder: JsonDecoder,
    pub(super) templates: TemplateCache,
    /// Samples of the batch that were decoded.
    pub(super) parsed: u64,
    /// Those of one array.
    elements: Vec<Element>,
    /// The counts of one sample.
    counts: Vec<u64>,
}

/// An element of an array, and where it stands.
#[derive(Debug)]
enum Element {
    /// Its template is known.
    Recognised(Place, Recognised),
    /// It is to be decoded.
    Other(Place, Option<Located>),
}

/// What a payload says whose template is known.
#[derive(Debug)]
struct Recognised {
    route: CachedRoute,
    value: f64,
    timestamp: Option<UnixTime>,
    details: Details,
}

impl JsonPayloads {
    /// Payloads within `limits` are read by `decoder`, or by a template of one of
    /// `capacity` series.
    pub fn new(decoder: JsonDecoder, limits: PayloadLimits, capacity: usize) -> Self {
        Self {
            decoder,
            templates: TemplateCache::new(capacity, limits),
            parsed: 0,
            elements: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// Where the element of an array ends that begins at `start`, by its grammar alone;
    /// `text` is the payload once it is known to be one.
    #[cold]
    fn end_of_element<'p>(
        &mut self,
        payload: &'p [u8],
        start: usize,
        text: &mut Option<&'p str>,
    ) -> Option<usize> {
        if text.is_none() {
            *text = Some(simdutf8::basic::from_utf8(payload).ok()?);
        }
        self.decoder.end_of_element((*text)?, start)
    }

    /// Finds all elements of an array in one go; why it is none, if so.
    #[cold]
    fn read_all(&mut self, payload: &[u8], out: &mut Vec<Element>) -> Result<(), Reject> {
        out.clear();
        let mut places = Vec::new();
        self.decoder.elements(payload, &mut places)?;
        let other = |range: Range<usize>| Element::Other(place(&range), None);
        out.extend(places.into_iter().map(other));
        Ok(())
    }

    /// Those of the samples that were decoded since the last call.
    pub fn take_unknown_fields(&mut self) -> UnknownFields {
        self.decoder.take_unknown_fields()
    }
}

impl Intake {
    /// Takes a payload whose template is known; false where it has to be read.
    #[inline]
    pub(super) fn take_recognised(
        &mut self,
        payload: &[u8],
        located: Option<&Located>,
        number: u32,
    ) -> bool {
        let Some(located) = located else { return false };
        let Some(route) = self.json.templates.recognise(payload, located) else { return false };
        if located.fields == OpenFields::VALUE {
            self.push_known(&route, located.value, route.details(), number);
            return true;
        }
        let Some(recognised) = self.with_open(route, located) else { return false };
        self.take_known(&recognised, number);
        true
    }

    /// What a payload says whose template is known. But for several observations, which
    /// are put into the arena, nothing comes of it yet.
    #[inline]
    fn recognise(&mut self, payload: &[u8], located: Option<&Located>) -> Option<Recognised> {
        let located = located?;
        let route = self.json.templates.recognise(payload, located)?;
        self.with_open(route, located)
    }

    #[inline]
    fn take_known(&mut self, recognised: &Recognised, number: u32) {
        let Recognised { route, value, details, timestamp } = *recognised;
        self.batch.newest = self.batch.newest.max(timestamp);
        self.push_known(&route, value, details, number);
    }

    #[inline]
    fn push_known(&mut self, route: &CachedRoute, value: f64, details: Details, number: u32) {
        self.resolver.series.touch(route.entry);
        if !route.fits {
            self.resolver.count_misfit(route.entry);
        }
        self.batch.push_value(route.entry, number, route.op, value, details);
    }

    /// What a payload of that template says by its open numbers; `None` where the decoder
    /// would refuse these.
    #[inline]
    fn with_open(&mut self, route: CachedRoute, located: &Located) -> Option<Recognised> {
        let details = route.details();
        let mut recognised = Recognised { route, value: located.value, details, timestamp: None };
        if located.fields != OpenFields::VALUE {
            self.add_open(&mut recognised, located)?;
        }
        Some(recognised)
    }

    #[inline(never)]
    fn add_open(&mut self, recognised: &mut Recognised, located: &Located) -> Option<()> {
        let Self { json: JsonPayloads { templates, counts, .. }, resolver, batch, .. } = self;
        let Recognised { route, details, timestamp, .. } = recognised;
        if let Some(number) = located.timestamp() {
            *timestamp = Some(accepted_timestamp(number, batch.taken_at)?);
            details.timestamp = timestamp.filter(|_| route.kind.is_momentary());
        }
        let observed = match located.fields.observed() {
            OpenFields::VALUES => {
                total_of(route.kind, templates.list()).ok()?;
                Observations::Values(templates.list())
            }
            OpenFields::COUNTS => {
                let buckets = resolver.buckets_of(route.entry)?;
                take_known_counts(counts, templates.list(), buckets).then_some(())?;
                Observations::Counts(counts)
            }
            _ => Observations::One,
        };
        details.observations = batch.arena.put(observed);
        Some(())
    }

    /// Takes a payload that is one sample, by decoding it.
    pub(super) fn take_decoded(
        &mut self,
        payload: &[u8],
        located: Option<Located>,
        number: u32,
    ) -> Result<(), Reject> {
        self.json.parsed += 1;
        let Self { json: JsonPayloads { decoder, templates, .. }, resolver, batch, .. } = self;
        let decoded = decoder.decode(payload, batch.taken_at);
        // By reference: it is large.
        let JsonSample { sample, places } = match &decoded {
            Ok(decoded) => decoded,
            Err(_) => return decoded.map(drop),
        };
        if places.timestamp.is_some() {
            templates.expect_timestamps();
        }
        let resolved = resolver.resolve(sample)?;
        push(resolver, batch, resolved, number, sample);
        if resolved.lookup == SeriesLookup::New {
            return Ok(());
        }
        // A template is worth more than a label set, so that is kept only for a
        // series whose payloads do not repeat.
        let repeats = match (located, CachedRoute::of(sample, resolved.entry, resolved.fits)) {
            (Some(located), Some(route)) => {
                templates.record_miss(&mut resolver.series, payload, &located, places, route)
            }
            (None, _) | (_, None) => Repeats::No,
        };
        if repeats == Repeats::No && resolved.lookup == SeriesLookup::ByLabels {
            resolver.keep_label_set(sample, resolved.entry);
        }
        Ok(())
    }

    /// Each sample of an array goes the way of any other; where it came from is
    /// noted, in case that admission refuses it.
    pub(super) fn take_array(
        &mut self,
        payload: &[u8],
        number: u32,
        mut refuse: impl FnMut(&[u8], Reject),
    ) {
        let mut elements = std::mem::take(&mut self.json.elements);
        let arena = self.batch.arena.mark();
        if let Err(reject) = self.read_elements(payload, &mut elements) {
            self.batch.arena.go_back(arena);
            refuse(payload, reject);
            elements.clear();
        }
        for element in elements.drain(..) {
            match element {
                Element::Recognised(place, recognised) => {
                    self.take_known(&recognised, number);
                    self.batch.note_place(place);
                }
                Element::Other(place, located) => {
                    let element = &payload[place.0 as usize..place.1 as usize];
                    match self.take_decoded(element, located, number) {
                        Ok(()) => self.batch.note_place(place),
                        Err(reject) => refuse(element, reject),
                    }
                }
            }
        }
        elements.shrink_to(KEPT_ELEMENTS);
        self.json.elements = elements;
    }

    /// Finds the elements of an array. All of it must be JSON, or none of them counts.
    ///
    /// Where an element ends is guessed, and known once it is recognised: it is an object
    /// then, and no more than the object that the payload has at this place. Only what is
    /// not recognised is read.
    fn read_elements(&mut self, payload: &[u8], out: &mut Vec<Element>) -> Result<(), Reject> {
        if payload.len() > self.settings.payload.max_payload_bytes {
            return self.json.read_all(payload, out);
        }
        let mut text = None;
        // Behind the opening bracket.
        let mut start = skip_space(payload, skip_space(payload, 0) + 1);
        loop {
            let Some((element, end)) = self.read_element(payload, start, &mut text) else {
                return self.json.read_all(payload, out);
            };
            out.push(element);
            let behind = skip_space(payload, end);
            start = skip_space(payload, behind + 1);
            match payload.get(behind) {
                Some(b',') => {}
                Some(b']') if start >= payload.len() => return Ok(()),
                Some(_) | None => return self.json.read_all(payload, out),
            }
        }
    }

    /// Finds the element that begins at `start`, and where it ends; `text` is the payload
    /// once it is known to be one.
    #[inline]
    fn read_element<'p>(
        &mut self,
        payload: &'p [u8],
        start: usize,
        text: &mut Option<&'p str>,
    ) -> Option<(Element, usize)> {
        let guessed = end_of_object(payload, start).unwrap_or(start);
        let located = self.json.templates.locate(&payload[start..guessed]);
        if let Some(recognised) = self.recognise(&payload[start..guessed], located.as_ref()) {
            return Some((Element::Recognised(place(&(start..guessed)), recognised), guessed));
        }
        let end = self.json.end_of_element(payload, start, text)?;
        Some((Element::Other(place(&(start..end)), located.filter(|_| end == guessed)), end))
    }
}

/// A sample ends with its eighth closing brace at the latest: those of its labels, of
/// an exemplar and its labels, of native buckets and their two sides, and its own. To
/// look further would take the longer the longer an array is, for each of its elements.
const MOST_BRACES: usize = 8;

/// Where the object ends that begins at `start`, if no text in it looks like its end.
#[inline]
fn end_of_object(payload: &[u8], start: usize) -> Option<usize> {
    let rest = payload.get(start..).filter(|rest| rest.starts_with(b"{"))?;
    let mut ends = memchr_iter(b'}', rest).take(MOST_BRACES).map(|brace| start + brace + 1);
    ends.find(|end| {
        let behind = skip_space(payload, *end);
        let after = skip_space(payload, behind + 1);
        match payload.get(behind) {
            Some(b',') => payload.get(after) == Some(&b'{'),
            Some(b']') => after >= payload.len(),
            Some(_) | None => false,
        }
    })
}
