//! What a round measured, and the medians of several as a Markdown table.

use std::time::Duration;

/// One round: the discard client, then the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Samples per second of the discard client.
    pub discard: f64,
    /// Samples per second of the gateway.
    pub gateway: f64,
    /// CPU of the gateway's process for each sample.
    pub cpu_per_sample: Duration,
    /// Its resident bytes before the first sample.
    pub rss_before: u64,
    /// And when it had taken all.
    pub rss_after: u64,
    /// How long the scrape took that confirmed it.
    pub scrape: Duration,
    /// Bytes of that scrape.
    pub exposition: u64,
    /// Samples that it refused.
    pub dropped: u64,
}

impl Round {
    /// How near the gateway came to the discard client.
    pub fn ratio(&self) -> f64 {
        self.gateway / self.discard
    }
}

/// The head of the table.
pub fn head() -> String {
    "| corpus | discard M/s | gateway M/s | ratio (min–max) | CPU µs/sample | RSS MB, idle → full \
     | scrape ms | exposition MB | dropped |\n\
     | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        .to_owned()
}

/// The medians of `rounds` as one line of the table.
pub fn line(corpus: &str, rounds: &[Round]) -> String {
    let median = |pick: &dyn Fn(&Round) -> f64| median(rounds.iter().map(pick).collect());
    let ratios = rounds.iter().map(Round::ratio);
    format!(
        "| {corpus} | {:.2} | {:.2} | {:.2} ({:.2}–{:.2}) | {:.3} | {:.0} → {:.0} | {:.1} | {:.1} \
         | {:.0} |",
        median(&|round| round.discard / 1e6),
        median(&|round| round.gateway / 1e6),
        median(&Round::ratio),
        ratios.clone().fold(f64::INFINITY, f64::min),
        ratios.fold(0.0, f64::max),
        median(&|round| round.cpu_per_sample.as_secs_f64() * 1e6),
        median(&|round| round.rss_before as f64 / 1e6),
        median(&|round| round.rss_after as f64 / 1e6),
        median(&|round| round.scrape.as_secs_f64() * 1e3),
        median(&|round| round.exposition as f64 / 1e6),
        median(&|round| round.dropped as f64),
    )
}

/// The rate of `rounds` beside that of `first`, which were drained by turns.
pub fn beside(first: &[Round], rounds: &[Round]) -> String {
    let rates = || first.iter().zip(rounds).map(|(first, round)| round.gateway / first.gateway);
    let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    format!("{:.2} ({least:.2}–{most:.2}) of the first", median(rates().collect()))
}

/// The middle value, or the mean of the middle two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
