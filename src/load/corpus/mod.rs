//! The corpus: an endless stream of payloads, the same for the same seed. The
//! load tool pushes it; the drain bench includes this module by its path.

mod json;
mod mix;
mod payload;
#[cfg(test)]
mod tests;

use json::{JsonStyle, JsonValue};
pub use mix::{Form, Ingredient, Mix};
use payload::{CorpusPayload, Said};
use psg_engine::metric::{GaugeOp, Kind};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The mix of the reference's performance tool: the four types, each as often.
pub const REFERENCE_MIX: &str = "counter=1,gauge=1,histogram=1,summary=1";

/// How many series are remembered for bad payloads to give another type.
const REMEMBERED: usize = 64;

/// How many observations come in one sample of many.
const OBSERVATIONS: usize = 20;

/// How many payloads lie between these series and the first bad payload that
/// uses one: enough that a gateway with several readers has seen the good one
/// first, so that the number of rejections is known.
const PAYLOADS_BEFORE_CONFLICTS: u64 = 20_000;

/// Multipliers that permute the distinct series, another one for each pass.
/// They are primes above every allowed number of series.
const STRIDES: [u64; 3] = [2_147_483_647, 999_999_937, 1_000_000_007];

/// Odd, so that multiplying by it permutes the 64-bit numbers.
const REQUEST_STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

const BAD_NAMES: [&str; 5] = ["", "9_lives", "test metric", "test-metric-total", "métrique"];

/// A seeded generator of payloads.
#[derive(Debug)]
pub struct Corpus {
    mix: Mix,
    rng: ChaCha8Rng,
    total_weight: u64,
    made: u64,
    made_distinct: u64,
    next_request: u64,
    remembered: Vec<(Kind, u64)>,
    conflicts_from: u64,
    churn: Option<u64>,
    clock: Option<fn() -> i64>,
}

/// What can be wrong with a bad payload.
#[derive(Debug, Clone, Copy)]
enum Fault {
    BrokenJson,
    NegativeCounter,
    BadName,
    TypeConflict,
}

impl Corpus {
    /// The corpus of `mix` that `seed` stands for.
    pub fn new(seed: u64, mix: Mix) -> Self {
        let total_weight = mix.weights().iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let next_request = rng.random();
        Corpus {
            mix,
            rng,
            total_weight,
            made: 0,
            made_distinct: 0,
            next_request,
            remembered: Vec::new(),
            conflicts_from: u64::MAX,
            churn: None,
            clock: None,
        }
    }

    /// The same, but each good sample says when it was made, in seconds since 1970.
    pub fn with_timestamps(self, clock: fn() -> i64) -> Self {
        Corpus { clock: Some(clock), ..self }
    }

    /// The same, but each series gives way to a new one again and again, once
    /// in so many samples of the corpus, and not all at a time: as in a fleet
    /// whose members come and go.
    pub fn with_churn(self, samples: u64) -> Self {
        Corpus { churn: Some(samples), ..self }
    }

    /// Appends the next payload to `out` and tells what it is.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Ingredient {
        let ingredient = self.pick();
        let now = self.clock.map(|clock| clock());
        match ingredient {
            Ingredient::Plain(kind) => self.reference(kind).at(now).write(JsonStyle::COMPACT, out),
            Ingredient::Shuffled => {
                let kind = Kind::ALL[self.index_below(Kind::ALL.len())];
                let program = self.index_below(JsonStyle::PROGRAMS);
                self.reference(kind).at(now).write_as(program, out);
            }
            Ingredient::Operation(op) => {
                self.operation(op).at(now).write(JsonStyle::COMPACT, out);
            }
            Ingredient::AnyScript => self.any_script().at(now).write(JsonStyle::COMPACT, out),
            Ingredient::Duration(form) => {
                self.duration(form).at(now).write(JsonStyle::COMPACT, out);
            }
            Ingredient::Distinct => self.distinct().at(now).write(JsonStyle::COMPACT, out),
            Ingredient::NewLabel => self.new_label().at(now).write(JsonStyle::COMPACT, out),
            Ingredient::Bad => self.write_bad(out),
        }
        self.made += 1;
        ingredient
    }

    fn pick(&mut self) -> Ingredient {
        let mut ticket = self.below(self.total_weight);
        for (ingredient, weight) in self.mix.weights() {
            match ticket.checked_sub((*weight).into()) {
                Some(rest) => ticket = rest,
                None => return *ingredient,
            }
        }
        unreachable!("the ticket is below the sum of the weights")
    }

    fn reference(&mut self, kind: Kind) -> CorpusPayload {
        let index = self.below(self.mix.series(kind));
        if self.remembered.len() < REMEMBERED {
            self.remembered.push((kind, index));
            self.conflicts_from = self.made + PAYLOADS_BEFORE_CONFLICTS;
        }
        let payload = CorpusPayload::reference(kind, index, self.value());
        self.of_a_generation(payload, index)
    }

    /// Of what is added, as much is taken away in the long run.
    fn operation(&mut self, op: GaugeOp) -> CorpusPayload {
        let payload = self.reference(Kind::Gauge);
        let value = match op {
            GaugeOp::Add => self.value() - 50_000,
            GaugeOp::Set | GaugeOp::Max | GaugeOp::Min => self.value(),
        };
        CorpusPayload { said: Said::Operation(op, value), ..payload }
    }

    fn any_script(&mut self) -> CorpusPayload {
        let index = self.below(self.mix.series(Kind::Counter));
        let payload = CorpusPayload::any_script(index, self.value());
        self.of_a_generation(payload, index)
    }

    fn duration(&mut self, form: Form) -> CorpusPayload {
        let index = self.below(self.mix.duration_series());
        let said = match form {
            Form::Single => Said::Duration(self.value(), None),
            Form::WithExemplar => Said::Duration(self.value(), Some(self.next_request())),
            Form::Values => Said::Durations(self.values()),
            Form::Whole => Said::Counts(self.values()),
            Form::Native => Said::Native(self.value()),
            Form::WholeNative => Said::WholeNative(self.values()),
        };
        self.of_a_generation(CorpusPayload::duration(index, said), index)
    }

    fn distinct(&mut self) -> CorpusPayload {
        let series = self.mix.distinct_series();
        let (pass, step) = (self.made_distinct / series, self.made_distinct % series);
        self.made_distinct += 1;
        let stride = STRIDES[(pass % STRIDES.len() as u64) as usize];
        let index = step * (stride % series) % series;
        let payload = CorpusPayload::distinct(index, self.value());
        self.of_a_generation(payload, index)
    }

    fn of_a_generation(&self, mut payload: CorpusPayload, index: u64) -> CorpusPayload {
        if let Some(churn) = self.churn {
            let ahead = index.wrapping_mul(REQUEST_STRIDE) % churn;
            let generation = self.made.saturating_add(ahead) / churn;
            payload.labels.push(("generation", JsonValue::Numbered("", generation + 1, "")));
        }
        payload
    }

    fn new_label(&mut self) -> CorpusPayload {
        let request = self.next_request();
        let index = self.below(u64::MAX);
        CorpusPayload::new_label(index, request, self.value())
    }

    /// A number that no other call returns.
    fn next_request(&mut self) -> u64 {
        self.next_request = self.next_request.wrapping_add(REQUEST_STRIDE);
        self.next_request
    }

    fn write_bad(&mut self, out: &mut Vec<u8>) {
        match self.pick_fault() {
            Fault::BrokenJson => {
                let start = out.len();
                self.bad_counter(1).write(JsonStyle::COMPACT, out);
                let length = (out.len() - start) as u64;
                let kept = 1 + self.below(length - 1);
                out.truncate(start + kept as usize);
            }
            Fault::NegativeCounter => self.bad_counter(-1).write(JsonStyle::COMPACT, out),
            Fault::BadName => {
                let name = BAD_NAMES[self.index_below(BAD_NAMES.len())];
                let payload = CorpusPayload { name: JsonValue::Text(name), ..self.bad_counter(1) };
                payload.write(JsonStyle::COMPACT, out);
            }
            Fault::TypeConflict => {
                let remembered = self.index_below(self.remembered.len());
                let (kind, index) = self.remembered[remembered];
                let rival = if kind == Kind::Counter { Kind::Gauge } else { Kind::Counter };
                let payload = CorpusPayload::reference(kind, index, self.value());
                CorpusPayload { kind: rival, ..payload }.write(JsonStyle::COMPACT, out);
            }
        }
    }

    fn pick_fault(&mut self) -> Fault {
        let with_conflicts = self.made >= self.conflicts_from;
        match self.below(if with_conflicts { 4 } else { 3 }) {
            0 => Fault::BrokenJson,
            1 => Fault::NegativeCounter,
            2 => Fault::BadName,
            _ => Fault::TypeConflict,
        }
    }

    /// A counter of the reference's mix with a value of the given sign, not 0.
    fn bad_counter(&mut self, sign: i64) -> CorpusPayload {
        let index = self.below(mix::REFERENCE_SERIES);
        CorpusPayload::reference(Kind::Counter, index, sign * (1 + self.value()))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.random_range(0..bound)
    }

    fn index_below(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    fn values(&mut self) -> Vec<i64> {
        (0..OBSERVATIONS).map(|_| self.value()).collect()
    }

    /// From 0 to 100, in thousandths.
    fn value(&mut self) -> i64 {
        self.rng.random_range(0..=100_000)
    }
}
