//! Payloads in JSON: the decoder, and before it the templates, by which most
//! payloads are recognised and not decoded at all.

use std::ops::Range;

use super::pending::KEPT_ELEMENTS;
use super::resolver::SeriesLookup;
use super::template::{CachedRoute, Located, Repeats, TemplateCache};
use super::{Intake, push};
use crate::reject::Reject;
use crate::wire::{JsonDecoder, JsonSample, UnknownFields};

#[derive(Debug)]
pub struct JsonPayloads {
    decoder: JsonDecoder,
    pub(super) templates: TemplateCache,
    /// Samples of the batch that were decoded.
    pub(super) parsed: u64,
    /// The places of one array's elements.
    elements: Vec<Range<usize>>,
}

impl JsonPayloads {
    /// Payloads are read by `decoder`, or by a template of one of `capacity`
    /// series.
    pub fn new(decoder: JsonDecoder, capacity: usize) -> Self {
        Self { decoder, templates: TemplateCache::new(capacity), parsed: 0, elements: Vec::new() }
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
        self.resolver.series.touch(route.entry);
        if !route.fits {
            self.resolver.count_misfit(route.entry);
        }
        self.batch.push_value(route.entry, number, route.op, located.value, route.details());
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
        let JsonSample { sample, value_at } = match &decoded {
            Ok(decoded) => decoded,
            Err(_) => return decoded.map(drop),
        };
        let resolved = resolver.resolve(sample)?;
        push(resolver, batch, resolved, number, sample);
        if resolved.lookup == SeriesLookup::New {
            return Ok(());
        }
        // A template is worth more than a label set, so that is kept only for a
        // series whose payloads do not repeat.
        let located = located.filter(|located| located.is_at(*value_at));
        let repeats = match (located, CachedRoute::of(sample, resolved.entry, resolved.fits)) {
            (Some(located), Some(route)) => {
                templates.record_miss(&mut resolver.series, payload, &located, route)
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
    #[cold]
    pub(super) fn take_array(
        &mut self,
        payload: &[u8],
        number: u32,
        mut refuse: impl FnMut(&[u8], Reject),
    ) {
        let mut elements = std::mem::take(&mut self.json.elements);
        if let Err(reject) = self.json.decoder.elements(payload, &mut elements) {
            refuse(payload, reject);
        }
        for place in elements.drain(..) {
            let element = &payload[place.clone()];
            match self.take_element(element, number) {
                Ok(()) => self.batch.note_place(place),
                Err(reject) => refuse(element, reject),
            }
        }
        elements.shrink_to(KEPT_ELEMENTS);
        self.json.elements = elements;
    }

    fn take_element(&mut self, element: &[u8], number: u32) -> Result<(), Reject> {
        let located = self.json.templates.locate(element);
        if self.take_recognised(element, located.as_ref(), number) {
            return Ok(());
        }
        self.take_decoded(element, located, number)
    }
}
