//! Payloads in JSON: the decoder, and before it the templates, by which most
//! payloads are recognised and not decoded at all.

use std::ops::Range;

use memchr::memchr_iter;

use super::pending::KEPT_ELEMENTS;
use super::resolver::SeriesLookup;
use super::template::{CachedRoute, Located, OpenFields, Repeats, TemplateCache};
use super::{Intake, push};
use crate::limits::PayloadLimits;
use crate::metric::{Observations, total_of};
use crate::reject::Reject;
use crate::updates::Details;
use crate::wire::json::skip_space;
use crate::wire::{JsonDecoder, JsonSample, UnknownFields, accepted_timestamp, take_known_counts};

#[derive(Debug)]
pub struct JsonPayloads {
    decoder: JsonDecoder,
    pub(super) templates: TemplateCache,
    /// Samples of the batch that were decoded.
    pub(super) parsed: u64,
    /// The places of one array's elements.
    elements: Vec<Range<usize>>,
    /// The counts of one sample.
    counts: Vec<u64>,
}

/// What comes behind an element of an array.
enum Next {
    /// Another one, which begins here.
    Element(usize),
    End,
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
        let mut details = route.details();
        if located.fields != OpenFields::VALUE && !self.add_open(&mut details, located, &route) {
            return false;
        }
        self.resolver.series.touch(route.entry);
        if !route.fits {
            self.batch.misfits.push(route.entry);
        }
        self.batch.push_value(route.entry, number, route.op, located.value, details);
        true
    }

    /// Adds what a recognised payload says by other open numbers than its value; false
    /// where the decoder would refuse these.
    #[inline(never)]
    fn add_open(&mut self, details: &mut Details, located: &Located, route: &CachedRoute) -> bool {
        let Self { json: JsonPayloads { templates, counts, .. }, resolver, batch, .. } = self;
        let timestamp = match located.timestamp() {
            Some(number) => match accepted_timestamp(number, batch.taken_at) {
                None => return false,
                accepted => accepted,
            },
            None => None,
        };
        let observed = match located.fields.observed() {
            OpenFields::VALUES => {
                if total_of(route.kind, templates.list()).is_err() {
                    return false;
                }
                Observations::Values(templates.list())
            }
            OpenFields::COUNTS => {
                let Some(buckets) = resolver.buckets_of(route.entry) else { return false };
                if !take_known_counts(counts, templates.list(), buckets) {
                    return false;
                }
                Observations::Counts(counts)
            }
            _ => Observations::One,
        };
        batch.newest = batch.newest.max(timestamp);
        details.timestamp = timestamp.filter(|_| route.kind.is_momentary());
        details.observations = batch.arena.put(observed);
        true
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
        let mark = self.batch.mark();
        let (taken, next) = self.take_recognised_elements(payload, number);
        if let Some(Next::End) = next {
            return;
        }
        // What comes may be no JSON, and then none of its samples counts.
        let mut elements = std::mem::take(&mut self.json.elements);
        match self.json.decoder.elements(payload, &mut elements) {
            Ok(()) => self.take_elements(payload, elements.drain(taken..), number, refuse),
            Err(reject) => {
                self.batch.go_back(mark);
                refuse(payload, reject);
            }
        }
        elements.clear();
        elements.shrink_to(KEPT_ELEMENTS);
        self.json.elements = elements;
    }

    /// Takes the elements that an array begins with up to the first that is not
    /// recognised: how many these are, and what comes behind the last of them.
    ///
    /// Where an element ends is guessed, and known once it is recognised: it is an object
    /// then, and no more than the object that the payload has at this place.
    fn take_recognised_elements(&mut self, payload: &[u8], number: u32) -> (usize, Option<Next>) {
        if payload.len() > self.settings.payload.max_payload_bytes {
            return (0, None);
        }
        // Behind the opening bracket.
        let first = skip_space(payload, skip_space(payload, 0) + 1);
        let (mut taken, mut next) = (0, Some(Next::Element(first)));
        while let Some(Next::Element(start)) = next {
            let Some((end, behind)) = end_of_object(payload, start) else { return (taken, None) };
            let element = &payload[start..end];
            let located = self.json.templates.locate(element);
            if !self.take_recognised(element, located.as_ref(), number) {
                return (taken, None);
            }
            self.batch.note_place(start..end);
            taken += 1;
            next = Some(behind);
        }
        (taken, next)
    }

    #[cold]
    fn take_elements(
        &mut self,
        payload: &[u8],
        places: impl Iterator<Item = Range<usize>>,
        number: u32,
        mut refuse: impl FnMut(&[u8], Reject),
    ) {
        for place in places {
            let element = &payload[place.clone()];
            match self.take_element(element, number) {
                Ok(()) => self.batch.note_place(place),
                Err(reject) => refuse(element, reject),
            }
        }
    }

    fn take_element(&mut self, element: &[u8], number: u32) -> Result<(), Reject> {
        let located = self.json.templates.locate(element);
        if self.take_recognised(element, located.as_ref(), number) {
            return Ok(());
        }
        self.take_decoded(element, located, number)
    }
}

/// Where the object ends that begins at `start`, if no text in it looks like its end,
/// and what comes behind it.
#[inline]
fn end_of_object(payload: &[u8], start: usize) -> Option<(usize, Next)> {
    memchr_iter(b'}', payload.get(start..)?).find_map(|brace| {
        let end = start + brace + 1;
        let behind = skip_space(payload, end);
        let after = skip_space(payload, behind + 1);
        match payload.get(behind)? {
            b',' if payload.get(after) == Some(&b'{') => Some((end, Next::Element(after))),
            b']' if after >= payload.len() => Some((end, Next::End)),
            _ => None,
        }
    })
}
