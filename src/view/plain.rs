//! The view where there is no terminal: a line for each poll.

use psg_actors::status::model::{DoorStatus, PartitionsStatus, Status};

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
    let doors = doors(&status.doors).map(|it| format!(", {it}"));
    format!(
        "up {}: in {}/s, out {}/s, backlog {pending}, series {} of {} metrics, rejected {}, {}{}{}",
        age(status.uptime_seconds),
        rate(rates.received),
        rate(rates.processed + rates.rejected),
        grouped(status.series.total),
        grouped(status.series.metrics),
        rejected(status),
        bytes(status.process.resident_bytes),
        parts.unwrap_or_default(),
        doors.unwrap_or_default(),
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

/// `by doors: otlp 1,234, statsd 12 (2 refused, 1 lost)`: what came by each door that is
/// used, in samples, and what did not; `None` where none is.
pub fn doors(doors: &[DoorStatus]) -> Option<String> {
    let used: Vec<String> = doors.iter().filter(|door| door.requests > 0).map(door).collect();
    (!used.is_empty()).then(|| format!("by doors: {}", used.join(", ")))
}

fn door(door: &DoorStatus) -> String {
    let not_taken = [
        ("refused", door.refused_requests.values().sum()),
        ("left out", door.left_out_samples.values().sum()),
        ("lost", door.lost_packets),
    ];
    let not_taken = not_taken.iter().filter(|(_, count): &&(&str, u64)| *count > 0);
    let not_taken: Vec<String> =
        not_taken.map(|(what, count)| format!("{} {what}", grouped(*count))).collect();
    let taken = format!("{} {}", shown(&door.door), grouped(door.samples));
    if not_taken.is_empty() { taken } else { format!("{taken} ({})", not_taken.join(", ")) }
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
    fn doors_that_are_used_are_told() {
        let door = |name: &str, requests, samples| DoorStatus {
            door: name.into(),
            requests,
            samples,
            ..DoorStatus::default()
        };
        let unused = door("pushgateway", 0, 0);
        assert_eq!(doors(&[]), None);
        assert_eq!(doors(std::slice::from_ref(&unused)), None);
        let otlp = DoorStatus {
            refused_requests: [("busy".into(), 2), ("closed".into(), 1)].into(),
            left_out_samples: [("cumulative".into(), 1000)].into(),
            ..door("otlp", 9, 1234)
        };
        let statsd = DoorStatus { lost_packets: 5, ..door("statsd", 7, 7) };
        let told = "by doors: otlp 1,234 (3 refused, 1,000 left out), statsd 7 (5 lost)";
        let status = Status { doors: vec![unused, otlp, statsd], ..Status::default() };
        assert_eq!(doors(&status.doors).as_deref(), Some(told));
        assert!(figures(&status).ends_with(told), "{}", figures(&status));
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
