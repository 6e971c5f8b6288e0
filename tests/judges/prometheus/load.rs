//! A gateway that is scraped under load: what PromQL says in the end is what was
//! pushed, and no scrape has failed on the way.

use super::{FORMATS, check_extrapolation, rising, scraping_in_both_formats};
use psg_testkit::producers::Producers;
use psg_testkit::producers::seed;
use psg_testkit::prometheus::{Edition, Prometheus, Track};
use psg_testkit::totals::{Totals, difference};
use psg_testkit::{GatewayBuilder, RedisServer, wait_for};

/// Scrapes by each job while producers push.
const SCRAPES: f64 = 5.0;

/// The bounds of the producers' histograms.
const BOUNDS: [&str; 3] = ["1", "5", "20"];

#[test]
fn what_promql_says_is_what_was_pushed() {
    Edition::each(|edition| {
        let redis = RedisServer::start();
        let gateway = GatewayBuilder::reading(&redis).start();
        let prometheus = scraping_in_both_formats(edition, gateway.port());
        let producers = Producers::start(seed(), redis.port(), 2);
        wait_for("scrapes under load", || {
            let scrapes = prometheus.value("min(count_over_time(up[10m]))").unwrap_or(0.0);
            if scrapes >= SCRAPES { Ok(()) } else { Err(format!("{scrapes}")) }
        });
        producers.pause();
        let elements = producers.elements();
        let (pushed, _) = producers.finish();
        gateway.scrape_after(elements);
        prometheus.wait_for_scrape();

        assert_eq!(prometheus.value("min(min_over_time(up[10m]))"), Some(1.0), "no scrape failed");
        for job in FORMATS {
            let last = |track: &Track| track.samples.last().expect("a track has samples").1;
            assert_eq!(difference(&pushed, &rising(&prometheus, job, last)), None, "{job}");
            let taken =
                format!(r#"sum(prom_stream_gateway_processed_metrics_total{{job="{job}"}})"#);
            assert_eq!(prometheus.value(&taken), Some(elements as f64));
            // Quarters add up to the same in any order.
            let sum = format!(r#"sum(c_total{{job="{job}"}})"#);
            assert_eq!(prometheus.value(&sum), Some(sum_of(&pushed, "c_total{")));
            check_quantiles(&prometheus, job, &pushed);
            check_extrapolation(&prometheus, &format!(r#"c_total{{job="{job}"}}"#));
        }
    });
}

fn sum_of(totals: &Totals, beginning: &str) -> f64 {
    let these = totals.iter().filter(|(key, _)| key.starts_with(beginning));
    these.map(|(_, value)| value).sum()
}

/// `histogram_quantile` over all series, beside what was pushed below each bound.
fn check_quantiles(prometheus: &Prometheus, job: &str, pushed: &Totals) {
    let below = |bound: &str| {
        let ending = format!("le={bound}}}");
        let of_bound = pushed.iter().filter(|(key, _)| key.ends_with(&ending));
        of_bound.map(|(_, count)| count).sum::<f64>()
    };
    let counts = BOUNDS.map(below);
    let all = below("+Inf");
    assert!(counts[0] > 0.0 && all > counts[2], "each bucket has something: {counts:?} {all}");
    for quantile in [0.01, 0.1, 0.5, 0.9] {
        let promql =
            format!(r#"histogram_quantile({quantile}, sum by (le) (h_bucket{{job="{job}"}}))"#);
        let found = prometheus.value(&promql).expect("there is a histogram");
        let expected = interpolated(quantile * all, &counts);
        assert!((found - expected).abs() < 1e-9, "{promql}: {found}, expected {expected}");
    }
}

/// Where the observation of that rank lies, as PromQL estimates it: on a line
/// between the bounds of its bucket.
fn interpolated(rank: f64, counts: &[f64; 3]) -> f64 {
    let bounds = BOUNDS.map(|bound| bound.parse::<f64>().expect("a number"));
    let Some(bucket) = counts.iter().position(|count| *count >= rank) else { return bounds[2] };
    let (from, before) = match bucket {
        0 => (0.0, 0.0),
        _ => (bounds[bucket - 1], counts[bucket - 1]),
    };
    from + (bounds[bucket] - from) * (rank - before) / (counts[bucket] - before)
}
