//! Prometheus in every combination of its settings that change what it asks for,
//! before a gateway of either delivery: what it has stored is what was pushed, over a
//! restart, and over expiry and return.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::{PATIENT_INTERVAL, key};
use psg_testkit::process::free_port;
use psg_testkit::prometheus::{Edition, Point, Prometheus, Track, seconds_now};
use psg_testkit::totals::{self, Totals, difference};
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, wait_for};
use table::Combination;

/// How often a Prometheus with so many jobs scrapes in each of them. Those are some
/// hundred scrapes, of gateways that are not optimised.
fn interval(jobs: usize) -> &'static str {
    if jobs > 1 { "5s" } else { PATIENT_INTERVAL }
}

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(20);

/// The feature flag by which a Prometheus 3 makes a sample of each start time.
const COUNTS_STARTS: &str = "--enable-feature=created-timestamp-zero-ingestion";

/// That by which a Prometheus 2 asks for protobuf.
const NATIVE_2: &str = "--enable-feature=native-histograms";

const SETTINGS: [(&str, &str); 3] = [
    ("Metrics__CreatedTimestamps", "true"),
    ("Metrics__NativeHistograms", "both"),
    ("Metrics__NativeHistogramFactor", "1.1"),
];

const EXACTLY_ONCE: [(&str, &str); 3] = [
    ("Redis__Delivery", "exactly-once"),
    ("Redis__LeaseSeconds", "1"),
    ("Redis__CheckpointIntervalSeconds", "1"),
];

/// What is pushed first. Each push makes less of a series that begins anew than there
/// was, so that Prometheus sees it do so.
const FIRST: [&str; 9] = [
    r#"{"name":"c_total","value":2,"labels":{"a":"é"}}"#,
    r#"{"name":"http.requests_total","value":3,"labels":{"status.code":"200"}}"#,
    r#"{"type":"gauge","name":"g","value":-2.5}"#,
    r#"{"type":"histogram","name":"h","value":2,"buckets":[1,5,20]}"#,
    r#"{"type":"histogram","name":"h","value":2,"buckets":[1,5,20]}"#,
    r#"{"type":"histogram","name":"h","value":7,"buckets":[1,5,20]}"#,
    r#"{"type":"summary","name":"s","value":3,"quantiles":[0.5],"epsilons":[0.05]}"#,
    r#"{"type":"summary","name":"s","value":4,"quantiles":[0.5],"epsilons":[0.05]}"#,
    r#"{"type":"summary","name":"s","value":5,"quantiles":[0.5],"epsilons":[0.05]}"#,
];

/// What is pushed then, and all but the last again: of what returns, a summary alone
/// begins anew.
const SECOND: [&str; 6] = [
    r#"{"name":"c_total","value":1,"labels":{"a":"é"}}"#,
    r#"{"name":"http.requests_total","value":1,"labels":{"status.code":"200"}}"#,
    r#"{"type":"gauge","name":"g","value":-2.5}"#,
    r#"{"type":"histogram","name":"h","value":2,"buckets":[1,5,20]}"#,
    r#"{"type":"summary","name":"s","value":3,"quantiles":[0.5],"epsilons":[0.05]}"#,
    r#"{"type":"summary","name":"s","value":4,"quantiles":[0.5],"epsilons":[0.05]}"#,
];

/// The fields of a sample that has these values, all above 0, counted by native buckets:
/// 16 for each power of two.
fn whole_native(values: &[f64]) -> String {
    let mut buckets = BTreeMap::<i32, u64>::new();
    for value in values {
        *buckets.entry((value.log2() * 16.0).ceil() as i32).or_default() += 1;
    }
    let (indexes, counts): (Vec<_>, Vec<_>) = buckets.into_iter().unzip();
    let positive = format!(r#"{{"indexes":{indexes:?},"counts":{counts:?}}}"#);
    let sum: f64 = values.iter().sum();
    format!(r#""native":{{"schema":4,"positive":{positive}}},"sum":{sum:?}"#)
}

/// What each push observes besides, by a histogram `n` without buckets.
fn observations() -> Vec<f64> {
    (0..200).map(|step| 10_f64.powf(f64::from(step) / 50.0 - 2.0)).collect()
}

#[test]
fn each_stores_what_was_pushed() {
    Edition::each(|edition| {
        let mut gateways = [Restarted::start(&EXACTLY_ONCE), Restarted::start(&[])];
        let ports = gateways.each_ref().map(|gateway| gateway.port);
        let observers = Observer::all(edition, &ports);
        let check = |gateways: &[Restarted]| {
            let now = seconds_now();
            observers.iter().for_each(|observer| observer.check(gateways, now));
        };
        gateways.iter_mut().for_each(|gateway| gateway.push(&FIRST));
        check(&gateways);
        observers.iter().for_each(Observer::check_first_increase);

        // That without a checkpoint begins anew, and has a state file from then on.
        gateways[1].keep_state();
        gateways.iter_mut().for_each(|gateway| gateway.restart(&[]));
        gateways.iter_mut().for_each(|gateway| gateway.push(&SECOND));
        check(&gateways);

        // What is shown no more comes back with the total that it had.
        gateways.iter_mut().for_each(|one| one.restart(&[("Metrics__SeriesTtlSeconds", "1")]));
        gateways.iter().for_each(Restarted::wait_until_all_left);
        gateways.iter_mut().for_each(|gateway| gateway.restart(&[]));
        gateways.iter_mut().for_each(|gateway| gateway.push(&SECOND[..SECOND.len() - 1]));
        check(&gateways);
    });
}

/// A gateway that is restarted on the same port.
struct Restarted {
    gateway: Gateway,
    redis: RedisServer,
    port: u16,
    settings: Vec<(&'static str, String)>,
    /// Where its state file is, if it has one.
    folder: tempfile::TempDir,
    /// Whether its totals outlive the process that runs.
    is_kept: bool,
    /// What the sums must be.
    pushed: Totals,
    /// What it shows of that: all, or what this process has taken.
    shown: Totals,
    /// Samples that this process has taken.
    taken: u64,
}

impl Restarted {
    fn start(delivery: &[(&'static str, &'static str)]) -> Self {
        let (redis, port) = (RedisServer::start(), free_port());
        let settings = SETTINGS.iter().chain(delivery);
        let settings: Vec<_> = settings.map(|(name, value)| (*name, (*value).to_owned())).collect();
        let gateway = launch(&redis, port, &settings);
        Self {
            gateway,
            redis,
            port,
            settings,
            folder: tempfile::tempdir().expect("a temporary folder"),
            is_kept: delivery == EXACTLY_ONCE,
            pushed: Totals::new(),
            taken: 0,
            shown: Totals::new(),
        }
    }

    fn push(&mut self, payloads: &[&str]) {
        self.redis.push(payloads);
        let values = observations();
        let (single, counted) = values.split_at(values.len() / 2);
        let native = [format!(r#""values":{single:?}"#), whole_native(counted)];
        let native = native.map(|said| format!(r#"{{"type":"histogram","name":"n",{said}}}"#));
        self.redis.push(&native);
        self.taken += (payloads.len() + native.len()) as u64;
        for totals in [&mut self.pushed, &mut self.shown] {
            payloads.iter().for_each(|payload| totals::add(totals, payload, 1.0));
        }
        *self.shown.entry("n_count{}".to_owned()).or_default() += values.len() as f64;
        *self.shown.entry("n_sum{}".to_owned()).or_default() += values.iter().sum::<f64>();
        let seen = self.gateway.scrape_after(self.taken);
        assert_eq!(seen.totals().1, 0, "none is rejected");
    }

    fn restart(&mut self, more: &[(&'static str, &'static str)]) {
        self.gateway.signal("TERM");
        let status = self.gateway.wait_at_most(STOP);
        assert_eq!(status.code(), Some(0), "{}", self.gateway.log().join("\n"));
        let mut settings = self.settings.clone();
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.gateway = launch(&self.redis, self.port, &settings);
        self.taken = 0;
        if !self.is_kept {
            self.shown.clear();
        }
        self.is_kept = true;
    }

    /// From the next start on.
    fn keep_state(&mut self) {
        let file = self.folder.path().join("state").display().to_string();
        self.settings.push(("Metrics__StateFile", file));
    }

    fn wait_until_all_left(&self) {
        wait_for("the series to leave", || {
            let left = self.gateway.scrape().produced();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }
}

fn launch(redis: &RedisServer, port: u16, settings: &[(&str, String)]) -> Gateway {
    let builder = GatewayBuilder::reading(redis).on_port(port);
    let one_worker = builder.set("Redis__MetricQueueWorkers", "1");
    settings.iter().fold(one_worker, |builder, (name, value)| builder.set(name, value)).start()
}

/// A Prometheus that scrapes each gateway once for each combination.
struct Observer {
    prometheus: Prometheus,
    combinations: Vec<Combination>,
    /// Whether it makes a sample of the time at which a total began.
    counts_starts: bool,
}

impl Observer {
    /// All that there are of that edition.
    fn all(edition: &Edition, ports: &[u16]) -> Vec<Self> {
        let start = |combinations: Vec<Combination>, flag: Option<&str>| {
            let jobs = combinations
                .iter()
                .map(|combination| combination.job(ports, interval(combinations.len())));
            let configuration = json!({"scrape_configs": jobs.collect::<Vec<_>>()});
            let flags: Vec<&str> = flag.into_iter().collect();
            let prometheus = Prometheus::with_arguments(edition, &configuration, &flags);
            Self { prometheus, combinations, counts_starts: flag == Some(COUNTS_STARTS) }
        };
        if edition.major() >= 3 {
            let flags = [None, Some(COUNTS_STARTS)];
            flags.map(|flag| start(Combination::all(flag.is_some()), flag)).into()
        } else {
            let flags = [None, Some(NATIVE_2)];
            let one = |flag: Option<&str>| vec![Combination::of_prometheus_2(flag.is_some())];
            flags.map(|flag| start(one(flag), flag)).into()
        }
    }

    /// Whether it knows of a combination's totals when they began.
    fn knows_starts(&self, combination: &Combination) -> bool {
        self.counts_starts && combination.protocol.tells_starts
    }

    /// Waits until it has scraped all that there was then, and compares what it has
    /// stored since it began with what was pushed.
    fn check(&self, gateways: &[Restarted], then: f64) {
        self.prometheus.wait_for_scrape_after(then);
        for gateway in gateways {
            let others = "up|scrape_.*|prom_.*|.*_created|h|n|n_.*";
            let instance = format!("127.0.0.1:{}", gateway.port);
            let selector = format!(r#"{{instance="{instance}",__name__!~"{others}"}}[30m]"#);
            let mut stored: BTreeMap<String, Vec<Track>> = BTreeMap::new();
            for track in self.prometheus.samples(&selector) {
                stored.entry(track.labels["job"].clone()).or_default().push(track);
            }
            for combination in &self.combinations {
                let tracks = stored.remove(&combination.to_string()).unwrap_or_default();
                self.check_tracks(combination, &tracks, &gateway.pushed);
            }
        }
        self.check_native(gateways);
        assert_eq!(self.prometheus.log(), [""; 0], "it finds nothing to warn of");
    }

    /// Native histograms count and sum up what was observed, and their quantiles are
    /// within the factor of the exact ones.
    fn check_native(&self, gateways: &[Restarted]) {
        let mut expected = BTreeMap::new();
        let mut observed = observations();
        observed.sort_by(f64::total_cmp);
        let rank = |quantile: f64| (quantile * observed.len() as f64).ceil() as usize - 1;
        let quantiles = [0.5, 0.9, 0.99].map(|quantile| (quantile, observed[rank(quantile)]));
        let totals = ["h", "n"].into_iter().flat_map(|name| {
            [("count", format!("{name}_count{{}}")), ("sum", format!("{name}_sum{{}}"))]
                .map(|(of, key)| (format!("histogram_{of}({name})"), key))
        });
        for (promql, key) in totals {
            for gateway in gateways {
                expected.insert((promql.clone(), gateway.port), (gateway.shown[&key], 1e-9));
            }
        }
        for (quantile, exact) in quantiles {
            let promql = format!("histogram_quantile({quantile}, n)");
            for gateway in gateways {
                expected.insert((promql.clone(), gateway.port), (exact, 0.1));
            }
        }
        let taking = self.combinations.iter().filter(|combination| combination.takes_native());
        let taking: BTreeSet<String> = taking.map(Combination::to_string).collect();
        for ((promql, port), (exact, factor)) in expected {
            let points = self.prometheus.query(&promql);
            let of_gateway =
                |point: &&Point| point.labels["instance"].ends_with(&format!(":{port}"));
            let mut seen = BTreeSet::new();
            for point in points.iter().filter(of_gateway) {
                let ratio = point.value / exact;
                assert!(ratio.max(1.0 / ratio) <= 1.0 + factor, "{promql} {exact}: {point:?}");
                seen.insert(point.labels["job"].clone());
            }
            assert_eq!(seen, taking, "{promql}");
        }
    }

    fn check_tracks(&self, combination: &Combination, tracks: &[Track], pushed: &Totals) {
        let (gauges, rising): (Vec<&Track>, Vec<&Track>) =
            tracks.iter().partition(|track| ["g", "s"].contains(&&*track.labels["__name__"]));
        let sum = if self.knows_starts(combination) { Track::increase } else { Track::total };
        let sums: Totals = rising.iter().map(|track| (key(&track.labels), sum(track))).collect();
        let expected = combination.stored(pushed);
        assert_eq!(difference(&expected, &sums), None, "{combination}: {sums:?}");
        let last = |name: &str| {
            let track = gauges.iter().find(|track| track.labels["__name__"] == name);
            track.and_then(|track| track.samples.last()).map(|sample| sample.1)
        };
        assert_eq!(last("g"), Some(-2.5), "{combination}");
        assert!(last("s").is_some(), "{combination}: a quantile");
    }

    /// Of a series whose first sample is all that there is, `increase` tells where
    /// Prometheus knows when it began.
    fn check_first_increase(&self) {
        let told = |promql: &str| -> BTreeSet<String> {
            let points = self.prometheus.query(promql).into_iter();
            points.map(|point| point.labels["job"].clone()).collect()
        };
        let knowing = self.combinations.iter().filter(|combination| self.knows_starts(combination));
        let native = knowing.clone().filter(|combination| combination.takes_native());
        assert_eq!(
            told(r#"sum by (job) (increase({__name__=~"c_+total"}[30m])) > 0"#),
            knowing.map(Combination::to_string).collect()
        );
        assert_eq!(
            told("sum by (job) (histogram_count(increase(n[30m]))) > 0"),
            native.map(Combination::to_string).collect()
        );
    }
}
