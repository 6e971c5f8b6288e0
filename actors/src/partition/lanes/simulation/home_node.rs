//! A home as the lanes see it: the scripts `enter` and `deliver`, on a map.

use std::collections::HashMap;

use super::*;

/// What a home's node holds.
#[derive(Debug, Clone, Default)]
pub struct HomeNode {
    sources: HashMap<Lane, (u64, String, Place)>,
    pub queue: Vec<u64>,
}

impl HomeNode {
    /// As `enter.lua`.
    pub fn enter(&mut self, lanes: &[Lane], request: &EnterRequest) -> EnterAnswer {
        let EnterRequest { epoch, token, line, .. } = request;
        for lane in lanes {
            if let Some((seen, by, _)) = self.sources.get(lane)
                && (seen > epoch || (seen == epoch && by != token))
            {
                return EnterAnswer::Newer(*seen);
            }
        }
        let enter = |(lane, bounds): (&Lane, &LaneBounds)| {
            let seen = self.sources.get(lane).cloned();
            let mut place = match &seen {
                Some((_, _, place)) => *place,
                None => bounds.known.unwrap_or(bounds.least),
            };
            if seen.as_ref().is_some_and(|(epoch, ..)| *epoch < line.epoch) {
                place = place.min(line.place);
            }
            let is = place.max(bounds.least);
            self.sources.insert(*lane, (*epoch, token.clone(), is));
            EnteredLane { was: seen.map(|(_, _, place)| place), is }
        };
        EnterAnswer::Entered(lanes.iter().zip(&request.lanes).map(enter).collect())
    }

    /// Whether a place was written before that epoch.
    pub fn has_places_before(&self, before: u64) -> bool {
        self.sources.values().any(|(epoch, ..)| *epoch < before)
    }

    /// As `deliver.lua`.
    pub fn deliver(&mut self, request: &DeliverRequest) -> DeliverAnswer {
        let DeliverRequest { lane, epoch, token, from, to, chunk, .. } = request;
        match self.sources.get(lane) {
            Some((e, t, place)) if (e, t, place) == (epoch, token, from) => {}
            Some((e, t, place)) => return DeliverAnswer::Other(format!("{e} {t} {place}")),
            None => return DeliverAnswer::Other(String::new()),
        }
        self.queue.extend(samples_of(chunk));
        self.sources.insert(*lane, (*epoch, token.clone(), *to));
        DeliverAnswer::Done
    }
}

pub fn samples_of(chunk: &Chunk) -> Vec<u64> {
    let sample = |frame: &Vec<u8>| u64::from_le_bytes(frame[..].try_into().unwrap());
    chunk.frames.iter().map(sample).collect()
}

pub fn chunk_of(samples: &[u64]) -> Chunk {
    let frames = samples.iter().map(|sample| sample.to_le_bytes().to_vec()).collect();
    Chunk { frames, samples: samples.len() as u64 }
}
