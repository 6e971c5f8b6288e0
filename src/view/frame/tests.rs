//! Frames as text: what is on them at several sizes, and what never is.

use proptest::prelude::*;
use psg_actors::status::model::{
    DoorStatus, PartitionsStatus, ProcessStatus, QueueStatus, Rates, Rejects, Samples, Scrapes,
    SeriesStatus, ShardStatus, Status, StatusHistory, TopMetric,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

fn status() -> Status {
    let rates = Rates { received: 1250.0, processed: 1240.0, rejected: 2.5 };
    let metric =
        |name: &str, series| TopMetric { name: name.into(), kind: "counter".into(), series };
    let shard = |series, busy| ShardStatus { series, busy, inbox: 1, ..ShardStatus::default() };
    let reject = |reason: &str, total, last_minute| Rejects {
        reason: reason.into(),
        total,
        last_minute,
        ..Rejects::default()
    };
    Status {
        version: "1.2.3".into(),
        uptime_seconds: 75.0,
        process: ProcessStatus { cpus: 0.07, resident_bytes: 30 << 20 },
        samples: Samples {
            processed: 99_000,
            rejected: 150,
            last_10_seconds: rates,
            last_minute: rates,
        },
        queue: QueueStatus {
            up: true,
            pending: Some(4321),
            lag_seconds: Some(2.34),
            ..QueueStatus::default()
        },
        rejects: vec![reject("invalid_json", 140, 12), reject("bad_buckets", 10, 0)],
        series: SeriesStatus {
            total: 14_256,
            limit: 1_000_000,
            bytes: 0,
            bytes_limit: 0,
            by_type: [("counter".into(), 14_000), ("gauge".into(), 256)].into(),
            metrics: 396,
            ..SeriesStatus::default()
        },
        shards: vec![shard(7000, 0.01), shard(7256, 0.5)],
        top_metrics: vec![metric("http_requests_total", 9000), metric("jobs_total", 36)],
        scrapes: Scrapes {
            total: 3,
            last_seconds_ago: Some(2.0),
            last_seconds: 0.0042,
            last_bytes: 5 << 20,
            ..Scrapes::default()
        },
        history: StatusHistory {
            received: vec![0.0, 1000.0, 1500.0],
            processed: vec![0.0, 1000.0, 1500.0],
            rejected: vec![0.0; 3],
            pending: vec![None, Some(0), Some(4321)],
            series: vec![0, 1, 2],
        },
        ..Status::default()
    }
}

fn model() -> ViewModel {
    ViewModel {
        name: "demo".into(),
        url: "http://127.0.0.1:9091".into(),
        hints: vec!["metrics  http://127.0.0.1:9091/metrics".into(), "push     redis-cli".into()],
        status: Some(status()),
        trouble: None,
        excerpt: Some(vec!["mails_total{queue=\"welcome\"} 1".into(), "jobs_total 7".into()]),
    }
}

/// The frame as lines, without the blanks at their ends.
fn drawn(model: &ViewModel, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is in memory");
    terminal.draw(|frame| draw(frame, model)).expect("it is in memory");
    let buffer = terminal.backend().buffer();
    let cells: Vec<&str> = buffer.content().iter().map(|cell| cell.symbol()).collect();
    let lines = cells.chunks(width.into()).map(|line| line.concat().trim_end().to_owned());
    lines.collect::<Vec<String>>().join("\n")
}

#[track_caller]
fn assert_shows(frame: &str, all: &[&str]) {
    for part in all {
        assert!(frame.contains(part), "{part} is not on\n{frame}");
    }
}

#[test]
fn a_large_terminal_shows_everything() {
    let frame = drawn(&model(), 110, 40);
    assert_shows(
        &frame,
        &[
            " prom-stream-gateway demo  1.2.3  up 1 min 15 s  ready",
            " in 1,250/s ",
            " out 1,240/s  rejected 2.5/s ",
            " backlog 4,321  2.3 s behind ",
            " series 14,256 of 1,000,000 at most ",
            "counter 14,000  gauge 256",
            "shard 0  ████████ 7,000   1.0 % busy  inbox 1",
            "shard 1  ████████ 7,256    50 % busy  inbox 1",
            " rejected 150 ",
            "invalid_json            140 +12 in 1 min",
            "bad_buckets              10 +0 in 1 min",
            " most series of 396 metrics ",
            "http_requests_total",
            "  9,000│",
            " of /metrics, new metrics first ",
            "mails_total{queue=\"welcome\"} 1",
            " metrics  http://127.0.0.1:9091/metrics",
            " q quits   scrape 4.2 ms of 5.0 MiB   CPU 7.0 %   memory 30.0 MiB",
        ],
    );
}

#[test]
fn a_queue_in_partitions_shows_which_it_has() {
    let mut model = model();
    let partitions = PartitionsStatus { count: 3, intake: Some(2), ..PartitionsStatus::default() };
    model.status = Some(Status { partitions: Some(partitions), ..status() });
    assert_shows(&drawn(&model, 110, 40), &["q quits   intake 2, home none of 3, 0 B undelivered"]);
}

#[test]
fn doors_that_are_used_are_shown() {
    let mut model = model();
    let otlp = DoorStatus {
        door: "otlp".into(),
        requests: 3,
        samples: 1234,
        refused_requests: [("busy".into(), 1)].into(),
        ..DoorStatus::default()
    };
    model.status = Some(Status { doors: vec![otlp], ..status() });
    let shown = ["q quits   by doors: otlp 1,234 (1 refused)   scrape"];
    assert_shows(&drawn(&model, 110, 40), &shown);
    assert_shows(&drawn(&model, 80, 24), &shown);
}

#[test]
fn a_usual_terminal_shows_what_matters() {
    let frame = drawn(&model(), 80, 24);
    assert_shows(
        &frame,
        &[
            "in 1,250/s",
            "out 1,240/s",
            "backlog 4,321",
            "series 14,256",
            "shard 1",
            "rejected 150",
            "invalid_json",
            "http_requests_total",
            "http://127.0.0.1:9091/metrics",
            "redis-cli",
            "q quits",
            "mails_total",
        ],
    );
}

#[test]
fn charts_have_the_newest_at_the_right() {
    let frame = drawn(&model(), 110, 40);
    let lowest = frame.lines().nth(1 + 4).expect("the last line of the charts");
    let inner: Vec<&str> = lowest.split('│').filter(|part| !part.is_empty()).collect();
    assert_eq!(inner.len(), 3, "{lowest}");
    assert!(inner[0].ends_with(" ██") && inner[2].ends_with("  █"), "{lowest}");
}

#[test]
fn without_rejects_that_is_said() {
    let mut model = model();
    model.status = Some(Status { rejects: vec![], samples: Samples::default(), ..status() });
    let frame = drawn(&model, 110, 40);
    assert_shows(&frame, &[" rejected 0 ", "│none"]);
    assert!(!frame.contains("rejected 2.5/s"), "{frame}");
}

#[test]
fn what_is_wrong_is_said() {
    let mut model = model();
    model.trouble = Some("connection refused".into());
    assert_shows(&drawn(&model, 110, 40), &["connection refused", "series 14,256"]);
    model.trouble = None;
    model.status = Some(Status { unready: Some("no redis".into()), ..status() });
    assert_shows(&drawn(&model, 110, 40), &["no redis"]);
    model.status = None;
    model.trouble = Some("connection refused".into());
    let expected = ["waiting for http://127.0.0.1:9091: connection refused", "q quits"];
    assert_shows(&drawn(&model, 110, 40), &expected);
}

#[test]
fn an_unknown_backlog_is_not_zero() {
    let mut model = model();
    model.status = Some(Status { queue: QueueStatus::default(), ..status() });
    assert_shows(&drawn(&model, 110, 40), &["backlog unknown"]);
}

#[test]
fn what_producers_and_gateways_send_can_not_paint() {
    let hostile = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}";
    let mut model = model();
    model.trouble = Some(hostile.into());
    model.excerpt = Some(vec![hostile.into()]);
    let mut status = status();
    status.version = hostile.into();
    status.top_metrics[0].name = hostile.into();
    status.top_metrics[0].kind = hostile.into();
    status.rejects[0].reason = hostile.into();
    status.series.by_type = [(hostile.to_owned(), 1)].into();
    model.status = Some(status);
    let frame = drawn(&model, 110, 40);
    assert!(!frame.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{frame:?}");
    assert_shows(&frame, &["x\\u{1b}[2J"]);
}

/// What is to be copied is there as a whole, however narrow the terminal is.
#[test]
fn a_hint_loses_nothing_on_a_narrow_terminal() {
    let payload = r#"'{"name":"hello_total","value":1}'"#;
    let push =
        format!("push     redis-cli -p 6380 LPUSH prom-stream-gateway:metric-queue {payload}");
    let model =
        ViewModel { hints: vec!["metrics  http://127.0.0.1:9091/metrics".into(), push], ..model() };
    for width in [40, 60, 80, 200] {
        assert_shows(&drawn(&model, width, 30), &["prom-stream-gateway:metric-queue", payload]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_and_any_figures_can_be_drawn(
        width in 1u16..250,
        height in 1u16..90,
        points in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1e18f64], 0..320),
        shards in prop::collection::vec(any::<u32>(), 0..60),
        series in any::<u64>(),
    ) {
        let mut model = model();
        let mut status = status();
        status.history.received = points.clone();
        status.history.pending = points.iter().map(|point| Some(*point as u64)).collect();
        status.series.total = series;
        let shard = |series: u32| ShardStatus { series: series.into(), ..ShardStatus::default() };
        status.shards = shards.into_iter().map(shard).collect();
        model.status = Some(status);
        drawn(&model, width, height);
    }
}
