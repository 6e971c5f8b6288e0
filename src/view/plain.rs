//! The view where there is no terminal: a line for each poll.

use psg_actors::status::model::{PartitionsStatus, Status};

use super::number::{age, bytes, grouped, rate};
use super::view_model::{ViewModel, shown};

/// What comes before the first line: where everything is and how to use it.
pub fn opening(model: &ViewModel) -> String {
    model.hints.iter().map(|hint| format!("{hint}\n")).collect()
}

/// A line of how it stands.
pub fn line(model: &ViewModel) -> String {
    let figures = model.status.as_ref().map_or_else(|| "no answer yet".to_owned(), figures);
    match model.wrong() {
        Some(wrong) => format!("{figures}; {}", shown(wrong)),
        None => figures,
    }
}

fn figures(status: &Status) -> String {
    let rates = status.samples.last_10_seconds;
    let pending = status.queue.pending.map_or_else(|| "unknown".to_owned(), grouped);
    let parts = status.partitions.as_ref().map(|it| format!(", {}", partitions(it)));
    format!(
        "up {}: in {}/s, out {}/s, backlog {pending}, series {} of {} metrics, rejected {}, {}{}",
        age(status.uptime_seconds),
        rate(rates.received),
        rate(rates.processed + rates.rejected),
        grouped(status.series.total),
        grouped(status.series.metrics),
        rejected(status),
        bytes(status.process.resident_bytes),
        parts.unwrap_or_default(),
    )
}

/// `intake 1, home 2 of 3, 1.0 KiB undelivered`.
pub fn partitions(partitions: &PartitionsStatus) -> String {
    let of = |partition: Option<usize>| {
        partition.map_or_else(|| "none".to_owned(), |partition| partition.to_string())
    };
    let undelivered = partitions.homes.iter().map(|home| home.undelivered_bytes).sum();
    format!(
        "intake {}, home {} of {}, {} undelivered",
        of(partitions.intake),
        of(partitions.home),
        partitions.count,
        bytes(undelivered)
    )
}

/// `0`, or `12 (invalid_json 10, bad_buckets 2)`.
fn rejected(status: &Status) -> String {
    let total = grouped(status.samples.rejected);
    let reasons: Vec<String> = status
        .rejects
        .iter()
        .map(|rejects| format!("{} {}", shown(&rejects.reason), grouped(rejects.total)))
        .collect();
    if reasons.is_empty() { total } else { format!("{total} ({})", reasons.join(", ")) }
}

pub fn excerpt(lines: &[String]) -> String {
    let mut text = String::from("of /metrics:\n");
    for line in lines {
        text.push_str(&format!("  {}\n", shown(line)));
    }
    text
}

#[cfg(test)]
mod tests {
    use psg_actors::status::model::{
        HomeStatus, QueueStatus, Rates, Rejects, Samples, SeriesStatus,
    };

    use super::*;

    #[test]
    fn a_line_says_how_it_stands() {
        let mut model = ViewModel::default();
        assert_eq!(line(&model), "no answer yet");
        model.trouble = Some("refused\u{1b}[2J".into());
        assert_eq!(line(&model), "no answer yet; refused\\u{1b}[2J");
        let reject =
            |reason: &str, total| Rejects { reason: reason.into(), total, ..Rejects::default() };
        model.trouble = None;
        model.status = Some(Status {
            uptime_seconds: 75.2,
            samples: Samples {
                rejected: 12,
                last_10_seconds: Rates { received: 1000.2, processed: 998.0, rejected: 1.5 },
                ..Samples::default()
            },
            queue: QueueStatus { pending: Some(1234), ..QueueStatus::default() },
            series: SeriesStatus { total: 14_256, metrics: 396, ..SeriesStatus::default() },
            rejects: vec![reject("invalid_json", 10), reject("bad_buckets", 2)],
            ..Status::default()
        });
        assert_eq!(
            line(&model),
            "up 1 min 15 s: in 1,000/s, out 1,000/s, backlog 1,234, series 14,256 of 396 metrics, \
             rejected 12 (invalid_json 10, bad_buckets 2), 0 B"
        );
    }

    #[test]
    fn a_part_that_is_not_had_is_said() {
        let home = |undelivered_bytes| HomeStatus { undelivered_bytes, ..HomeStatus::default() };
        let seen = PartitionsStatus {
            count: 2,
            home: Some(1),
            homes: vec![home(1000), home(24)],
            ..PartitionsStatus::default()
        };
        assert_eq!(partitions(&seen), "intake none, home 1 of 2, 1.0 KiB undelivered");
    }
}
