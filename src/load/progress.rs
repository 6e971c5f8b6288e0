//! What is shown of a run: a bar on a terminal, plain lines elsewhere, and the
//! summary at the end.

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const BAR_PERIOD: Duration = Duration::from_millis(200);
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// Over how much of the past the rate is shown.
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// Where a run is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunGoal {
    /// After this many samples.
    Count(u64),
    /// After this time.
    Time(Duration),
    /// With Ctrl-C.
    Never,
}

/// One look at a run.
#[derive(Debug, Clone, Copy)]
pub struct Glance {
    /// Since the start.
    pub elapsed: Duration,
    /// Samples that Redis confirmed.
    pub pushed: u64,
    /// Elements in the queue; `None` where Redis doesn't say.
    pub queue: Option<u64>,
}

/// Shows a run on stderr.
#[derive(Debug)]
pub struct RunProgress {
    bar: ProgressBar,
    goal: RunGoal,
    /// Whether messages go to the log, and all else nowhere.
    is_quiet: bool,
}

impl RunProgress {
    /// A bar if stderr is a terminal, else lines.
    pub fn new(goal: RunGoal) -> Self {
        let bar = match goal {
            RunGoal::Count(count) => ProgressBar::new(count),
            RunGoal::Time(time) => ProgressBar::new(millis(time)),
            RunGoal::Never => ProgressBar::new_spinner(),
        };
        let template = match goal {
            RunGoal::Count(_) | RunGoal::Time(_) => {
                "{elapsed_precise} {wide_bar} {percent:>3}%  {msg}"
            }
            RunGoal::Never => "{elapsed_precise} {spinner}  {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        bar.set_style(style);
        RunProgress { bar, goal, is_quiet: false }
    }

    /// Shows nothing: for a process that has a view of its own.
    pub fn quiet() -> Self {
        RunProgress { bar: ProgressBar::hidden(), goal: RunGoal::Never, is_quiet: true }
    }

    /// How often it wants to look at the run.
    pub fn period(&self) -> Duration {
        if self.bar.is_hidden() { LINE_PERIOD } else { BAR_PERIOD }
    }

    /// Shows how it stands; `rate` is in samples per second.
    pub fn show(&self, glance: Glance, rate: f64) {
        if self.is_quiet {
            return;
        }
        let line = describe(glance, rate);
        if self.bar.is_hidden() {
            eprintln!("{line}");
            return;
        }
        match self.goal {
            RunGoal::Count(_) => self.bar.set_position(glance.pushed),
            RunGoal::Time(_) => self.bar.set_position(millis(glance.elapsed)),
            RunGoal::Never => self.bar.tick(),
        }
        self.bar.set_message(line);
    }

    /// Shows a message of its own.
    pub fn say(&self, message: &str) {
        if self.is_quiet {
            tracing::info!("load: {message}");
            return;
        }
        self.bar.suspend(|| eprintln!("{message}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The rate of the last two seconds, or since the last look if that is longer.
#[derive(Debug, Default)]
pub struct RecentRate(VecDeque<(Duration, u64)>);

impl RecentRate {
    /// Samples per second up to this look, which is remembered.
    pub fn at(&mut self, elapsed: Duration, pushed: u64) -> f64 {
        while self.0.get(1).is_some_and(|(then, _)| *then + RATE_WINDOW <= elapsed) {
            self.0.pop_front();
        }
        let (then, pushed_then) = self.0.front().copied().unwrap_or_default();
        self.0.push_back((elapsed, pushed));
        per_second(pushed - pushed_then, elapsed - then)
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_two_seconds() {
        let mut rate = RecentRate::default();
        let mut check = |millis: u64, pushed: u64, expected: f64| {
            assert_eq!(rate.at(Duration::from_millis(millis), pushed), expected, "at {millis} ms");
        };
        check(0, 0, 0.0);
        check(500, 500, 1000.0);
        check(1000, 1000, 1000.0);
        check(2000, 1000, 500.0);
        check(2500, 1000, 250.0);
        check(3000, 1000, 0.0);
        check(9000, 7000, 1000.0);
    }

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
