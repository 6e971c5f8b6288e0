//! What is shown of a run: a line every few seconds, and the summary at the end.

use std::time::Duration;

#[derive(Debug, Clone, Copy)]
pub struct Glance {
    pub elapsed: Duration,
    /// Samples that Redis confirmed.
    pub pushed: u64,
    /// Elements in the queue; `None` where Redis doesn't say.
    pub queue: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunProgress {
    /// On stderr.
    Shown,
    /// Nowhere, and its messages in the log: for a process that has a view of its
    /// own.
    Quiet,
}

impl RunProgress {
    /// How long to wait between two looks at a run.
    pub const PERIOD: Duration = Duration::from_secs(5);

    /// Shows how it stands, and the rate since the look before.
    pub fn show(self, glance: Glance, before: Option<Glance>) {
        let (then, pushed_then) = before.map(|it| (it.elapsed, it.pushed)).unwrap_or_default();
        let rate = per_second(glance.pushed - pushed_then, glance.elapsed - then);
        match self {
            RunProgress::Shown => eprintln!("{}", describe(glance, rate)),
            RunProgress::Quiet => {}
        }
    }

    /// Shows a message of its own.
    pub fn say(self, message: &str) {
        match self {
            RunProgress::Shown => eprintln!("{message}"),
            RunProgress::Quiet => tracing::info!("load: {message}"),
        }
    }
}

/// The last line of a run.
pub fn summarize(glance: Glance, pushed_again: u64) -> String {
    let mut summary = format!(
        "pushed {} samples in {:.3} s: {:.0}/s; queue length at the end: {}",
        glance.pushed,
        glance.elapsed.as_secs_f64(),
        per_second(glance.pushed, glance.elapsed),
        queue(glance),
    );
    if pushed_again > 0 {
        summary += &format!(
            "; {pushed_again} of them were pushed again after a failure and may be there twice"
        );
    }
    summary
}

fn describe(glance: Glance, rate: f64) -> String {
    format!("{} samples, {rate:.0}/s, queue length {}", glance.pushed, queue(glance))
}

fn queue(glance: Glance) -> String {
    glance.queue.map_or_else(|| "unknown".to_owned(), |length| length.to_string())
}

fn per_second(samples: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { samples as f64 / time.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_what_came_of_the_run() {
        let mut glance =
            Glance { elapsed: Duration::from_millis(2500), pushed: 5000, queue: Some(7) };
        assert_eq!(
            summarize(glance, 0),
            "pushed 5000 samples in 2.500 s: 2000/s; queue length at the end: 7"
        );
        glance.queue = None;
        assert_eq!(
            summarize(glance, 20),
            "pushed 5000 samples in 2.500 s: 2000/s; queue length at the end: unknown; 20 of them \
             were pushed again after a failure and may be there twice"
        );
    }
}
