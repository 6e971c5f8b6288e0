//! The checked stage: text becomes settings, and every problem is named.

mod embedded;
mod http;
mod redis;
mod statsd;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use psg_actors::cluster_key::key_beside;
use psg_actors::dead_letters::ACCOUNT;
use psg_actors::settings::{
    DeadLetterSettings, GatewaySettings, OnceTuning, PartitionSettings, PipelineSettings,
    QueueSettings, ScrapeSettings, ShardSettings, StateFileSettings,
};
use psg_engine::catalog::CatalogSettings;
use psg_engine::intake::IntakeSettings;
use psg_engine::labels::DropLabels;
use psg_engine::limits::{PayloadLimits, SeriesLimits};
use psg_engine::metric::default_buckets::DefaultBuckets;
use psg_engine::metric::histogram::BucketLayout;
use psg_engine::metric::native::{NativeLimits, NativeSettings, Schema};
use psg_engine::metric::summary::SummarySettings;
use psg_engine::name::NameRules;
use psg_engine::name::pattern::NamePattern;
use psg_engine::partition::Partitions;
use psg_engine::printable::printable;
use psg_engine::store::{ExpirySettings, StoreSettings, TombstoneSettings};
use tracing::level_filters::LevelFilter;

use super::connection::embedded::EmbeddedLogin;
use super::connection::{self, ConnectionString, RedisConnection};
use super::error::{self, Problem};
use super::raw::{GivenValue, Origin, SettingSources};
use super::settings::*;
use super::value_kind::{self, ValueKind};
use super::{Config, ConfigOutcome, EffectiveSetting, LogFormat, LogSettings, listen, memory};

const MOST_DEFAULT_SHARDS: usize = 4;

const EXACTLY_ONCE: &str = "exactly-once";

/// Longest value that is shown, in characters.
const LONGEST_SHOWN: usize = 2000;

/// A third of a container's memory is for the labels of series: while they are
/// scraped they may take it twice.
const SHARE_OF_SERIES: usize = 3;

pub fn check(mut sources: SettingSources) -> ConfigOutcome {
    let problems = std::mem::take(&mut sources.problems);
    let warnings = std::mem::take(&mut sources.warnings);
    let mut checker = Checker { sources: &sources, problems, warnings };
    let config = checker.config();
    let Checker { problems, warnings, .. } = checker;
    let entries =
        SETTINGS.iter().map(|setting| entry(setting, sources.given(setting), &config)).collect();
    let config = if problems.is_empty() { Ok(config) } else { Err(problems) };
    ConfigOutcome { config, warnings, entries }
}

struct Checker<'a> {
    sources: &'a SettingSources,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl<'a> Checker<'a> {
    /// All settings. Where something is wrong a default stands in, so that
    /// the rest is checked too; the problems say that it may not be used.
    fn config(&mut self) -> Config {
        let (connection, embedded) = match self.place() {
            ConnectionString::Redis(connection) => (*connection, None),
            ConnectionString::Embedded(embedded) => (default_connection(), Some(embedded)),
        };
        let pipeline = self.pipeline(connection, embedded);
        if pipeline.queue.once.is_some() && pipeline.state_file.is_some() {
            let name = &self.sources.given(&METRICS_STATE_FILE).name;
            let message = "expected none, since exactly-once delivery keeps the totals in Redis";
            self.problems.push(Problem::new(name, message.to_owned()));
        }
        let http = self.http(&pipeline.intake);
        Config { gateway: GatewaySettings { pipeline, http }, log: self.log() }
    }

    fn pipeline(
        &mut self,
        connection: RedisConnection,
        embedded: Option<EmbeddedLogin>,
    ) -> PipelineSettings {
        let (queue, embedded) =
            (self.queue(connection, embedded.is_some()), self.embedded(embedded));
        let native = self.native();
        let (catalog, intake) = (self.catalog(native.clone()), self.intake(native));
        let (store, shards) = (self.store(), self.shards());
        let max_exemplars = if intake.exemplars { store.max_exemplars } else { 0 };
        PipelineSettings {
            queue,
            embedded,
            catalog,
            intake,
            store: StoreSettings { max_exemplars: max_exemplars.div_ceil(shards.count), ..store },
            shards,
            scrape: self.scrape(),
            state_file: self.state_file(),
            expose_payloads: self.flag(&HTTP_EXPOSE_PAYLOADS),
            statsd: self.statsd(),
        }
    }

    fn queue(&mut self, connection: RedisConnection, is_embedded: bool) -> QueueSettings {
        let redis = self.redis(connection, is_embedded);
        let key = self.text(&REDIS_METRIC_QUEUE_KEY);
        let dead_letters = self.dead_letters(&key);
        let (workers, once) = (self.count(&REDIS_METRIC_QUEUE_WORKERS), self.once());
        let partitions = self.partitions(once.is_some(), is_embedded);
        QueueSettings {
            redis,
            dead_letters,
            key,
            // Everything has to happen in the queue's order.
            workers: if once.is_some() { 1 } else { workers },
            once,
            partitions,
            pop_count: self.optional_count(&REDIS_METRIC_QUEUE_POP_COUNT),
            max_bytes_in_flight: self.count(&REDIS_MAX_BYTES_IN_FLIGHT),
        }
    }

    fn dead_letters(&mut self, queue: &str) -> DeadLetterSettings {
        let key = self.text(&REDIS_DEAD_LETTER_KEY);
        if let Some(problem) = bad_dead_letter_key(&key, queue) {
            let name = &self.sources.given(&REDIS_DEAD_LETTER_KEY).name;
            self.problems.push(Problem::new(name, problem));
        }
        DeadLetterSettings {
            key,
            max_length: self.count(&REDIS_DEAD_LETTER_MAX_LENGTH),
            max_bytes: self.count(&REDIS_DEAD_LETTER_MAX_BYTES),
        }
    }

    /// How exactly-once delivery is tuned, where it is asked for.
    fn once(&mut self) -> Option<OnceTuning> {
        let tuning = OnceTuning {
            checkpoint_interval: self.seconds(&REDIS_CHECKPOINT_INTERVAL_SECONDS),
            lease: self.seconds(&REDIS_LEASE_SECONDS),
        };
        let is_asked_for = self.choice(&REDIS_DELIVERY) == EXACTLY_ONCE;
        is_asked_for.then_some(tuning)
    }

    /// How the queue is partitioned, where it is. Two gateways must not take from one
    /// queue but by exactly-once delivery.
    fn partitions(&mut self, is_once: bool, is_embedded: bool) -> Option<PartitionSettings> {
        let count: usize = self.count(&REDIS_METRIC_QUEUE_PARTITIONS);
        let flush_interval = Duration::from_millis(self.count(&REDIS_PARTITION_FLUSH_MS));
        if count == 1 {
            return None;
        }
        let message = match (is_embedded, is_once) {
            (true, _) => "expected 1 with the embedded queue, whose samples one gateway has",
            (false, false) => "expected 1, or Redis.Delivery=exactly-once",
            (false, true) => {
                return Partitions::new(count)
                    .map(|count| PartitionSettings { count, flush_interval });
            }
        };
        let name = self.sources.given(&REDIS_METRIC_QUEUE_PARTITIONS).name;
        self.problems.push(Problem::new(name, message));
        None
    }

    fn seconds(&mut self, setting: &'static Setting) -> Duration {
        Duration::from_secs(self.count(setting))
    }

    fn intake(&mut self, native: NativeSettings) -> IntakeSettings {
        let payload = self.payload();
        IntakeSettings {
            native,
            default_buckets: self.default_buckets(payload.max_buckets),
            payload,
            drop_labels: self.read(&METRICS_DROP_LABELS, |kind, text| {
                kind.label_names(text).map(DropLabels::new).ok_or_else(|| unlike(kind, text))
            }),
            append_units: self.flag(&METRICS_APPEND_UNITS),
            exemplars: self.flag(&METRICS_EXEMPLARS),
            names: self.name_rules(),
            cache_series: self.count(&METRICS_READER_CACHE_SERIES),
            sort_labels: self.flag(&METRICS_SORT_INCOMING_LABELS),
            overflow: self.choice(&METRICS_ON_SERIES_LIMIT) == "overflow",
        }
    }

    fn name_rules(&mut self) -> NameRules {
        let word = self.choice(&METRICS_NAMES);
        NameRules::ALL.into_iter().find(|rules| rules.as_str() == word).unwrap_or_default()
    }

    /// The layouts of histograms that bring none, each with `most` buckets at most.
    fn default_buckets(&mut self, most: usize) -> DefaultBuckets {
        let layout = |bounds: &[f64]| {
            let expected = format!("at most {most} buckets, as {} says", METRICS_MAX_BUCKETS.name);
            let is_within = bounds.len() <= most;
            let refused = || error::expected(&expected, &bounds.len().to_string());
            is_within.then(|| BucketLayout::new(bounds)).ok_or_else(refused)
        };
        DefaultBuckets {
            by_name: self.read(&METRICS_HISTOGRAM_BUCKETS, |kind, text| {
                let all = kind.buckets_by_name(text).ok_or_else(|| unlike(kind, text))?;
                let of_one = |(pattern, bounds): &(&str, Vec<f64>)| {
                    Ok((NamePattern::new(pattern), layout(bounds)?))
                };
                all.iter().map(of_one).collect()
            }),
            for_others: self.read(&METRICS_DEFAULT_BUCKETS, |kind, text| {
                let bounds = kind.buckets(text).ok_or_else(|| unlike(kind, text))?;
                (!bounds.is_empty()).then(|| layout(&bounds)).transpose()
            }),
        }
    }

    fn store(&mut self) -> StoreSettings {
        StoreSettings {
            expiry: self.expiry(),
            tombstones: TombstoneSettings {
                ttl_ms: 1000 * self.count::<u64>(&METRICS_TOMBSTONE_TTL_SECONDS),
                max: self.count(&METRICS_MAX_TOMBSTONES),
            },
            empty_instance: self.flag(&METRICS_EMPTY_INSTANCE),
            created_timestamps: self.flag(&METRICS_CREATED_TIMESTAMPS),
            max_exemplars: self.count(&METRICS_MAX_EXEMPLARS),
        }
    }

    fn scrape(&mut self) -> ScrapeSettings {
        ScrapeSettings {
            exact_first_increment: self.choice(&METRICS_FIRST_INCREMENT) == "exact",
            disable_meta_metrics: self.flag(&METRICS_DISABLE_META_METRICS),
            max_unsent_bytes: self.count(&HTTP_MAX_UNSENT_BYTES),
            linger: self.seconds(&HTTP_SHUTDOWN_LINGER_SECONDS),
        }
    }

    fn catalog(&mut self, native: NativeSettings) -> CatalogSettings {
        CatalogSettings {
            limits: SeriesLimits {
                max_series: self.count(&METRICS_MAX_SERIES),
                max_series_per_metric: self.count(&METRICS_MAX_SERIES_PER_METRIC),
                max_series_bytes: self.max_series_bytes(),
            },
            summary: SummarySettings {
                max_age_ms: self.count::<u64>(&METRICS_SUMMARY_MAX_AGE_SECONDS) * 1000,
                age_buckets: self.count(&METRICS_SUMMARY_AGE_BUCKETS),
                estimator: self.read(&METRICS_SUMMARY_ESTIMATOR, |kind, text| {
                    kind.choice(text)
                        .and_then(value_kind::estimator)
                        .ok_or_else(|| unlike(kind, text))
                }),
            },
            native,
            allow_reserved_names: self.flag(&METRICS_ALLOW_RESERVED_NAMES),
        }
    }

    /// Which histograms are native, for those who read samples and for the catalog.
    fn native(&mut self) -> NativeSettings {
        NativeSettings {
            mode: self.read(&METRICS_NATIVE_HISTOGRAMS, |kind, text| {
                kind.choice(text)
                    .and_then(value_kind::native_mode)
                    .ok_or_else(|| unlike(kind, text))
            }),
            names: self.read(&METRICS_NATIVE_HISTOGRAM_NAMES, |kind, text| {
                let names = kind.name_patterns(text).ok_or_else(|| unlike(kind, text))?;
                Ok(names.into_iter().map(NamePattern::new).collect())
            }),
            schema: Schema::for_factor(self.read(&METRICS_NATIVE_HISTOGRAM_FACTOR, decimal)),
            limits: NativeLimits {
                max_buckets: self.count(&METRICS_NATIVE_HISTOGRAM_MAX_BUCKETS),
                min_reset_ms: 1000 * self.count::<u64>(&METRICS_NATIVE_HISTOGRAM_MIN_RESET_SECONDS),
                max_zero_threshold: self
                    .read(&METRICS_NATIVE_HISTOGRAM_MAX_ZERO_THRESHOLD, decimal),
            },
        }
    }

    fn max_series_bytes(&mut self) -> usize {
        match self.optional_count(&METRICS_MAX_SERIES_BYTES) {
            Some(0) => usize::MAX,
            Some(bytes) => bytes,
            None => memory::limit().map_or(usize::MAX, |bytes| bytes / SHARE_OF_SERIES),
        }
    }

    fn state_file(&mut self) -> Option<StateFileSettings> {
        let interval = self.seconds(&METRICS_STATE_FILE_INTERVAL_SECONDS);
        let path = Some(self.text(&METRICS_STATE_FILE)).filter(|path| !path.is_empty())?;
        Some(StateFileSettings { path: path.into(), interval })
    }

    fn expiry(&mut self) -> ExpirySettings {
        let series: u64 = self.count(&METRICS_SERIES_TTL_SECONDS);
        let gauge: u64 = self.count(&METRICS_GAUGE_TTL_SECONDS);
        ExpirySettings::new(series * 1000, gauge * 1000)
    }

    fn payload(&mut self) -> PayloadLimits {
        PayloadLimits {
            max_payload_bytes: self.count(&METRICS_MAX_PAYLOAD_BYTES),
            max_labels: self.count(&METRICS_MAX_LABELS),
            max_label_value_bytes: self.count(&METRICS_MAX_LABEL_VALUE_BYTES),
            max_name_bytes: self.count(&METRICS_MAX_NAME_BYTES),
            max_help_bytes: self.count(&METRICS_MAX_HELP_BYTES),
            max_buckets: self.count(&METRICS_MAX_BUCKETS),
            max_quantiles: self.count(&METRICS_MAX_QUANTILES),
            max_values: self.count(&METRICS_MAX_VALUES),
        }
    }

    fn shards(&mut self) -> ShardSettings {
        let cpus = || available_parallelism().map_or(1, usize::from).min(MOST_DEFAULT_SHARDS);
        ShardSettings {
            count: self.optional_count(&SHARDS_COUNT).unwrap_or_else(cpus),
            inbox_capacity: self.count(&SHARDS_INBOX_CAPACITY),
        }
    }

    fn log(&mut self) -> LogSettings {
        LogSettings {
            format: self.optional(&LOG_FORMAT, |kind, text| match kind.choice(text) {
                Some("json") => Ok(LogFormat::Json),
                Some("text") => Ok(LogFormat::Text),
                Some(_) | None => Err(unlike(kind, text)),
            }),
            level: self.read(&LOG_LEVEL, level),
        }
    }

    /// One of the words of a choice, as the table has it.
    fn choice(&mut self, setting: &'static Setting) -> &'static str {
        self.read(setting, |kind, text| kind.choice(text).ok_or_else(|| unlike(kind, text)))
    }

    /// Warns of a setting that is set and has no effect.
    fn warn_if_set(&mut self, setting: &Setting, why: &str) {
        let given = self.sources.given(setting);
        let is_blank = given.text.is_none_or(|text| text.trim().is_empty());
        if given.origin != Origin::Default && !is_blank {
            self.warnings.push(format!("{} has no effect{why}", given.name));
        }
    }

    fn wants_exactly_once(&self) -> bool {
        let delivery = self.sources.given(&REDIS_DELIVERY).text.unwrap_or_default();
        delivery.trim().eq_ignore_ascii_case(EXACTLY_ONCE)
    }

    fn text(&mut self, setting: &'static Setting) -> String {
        self.read(setting, |kind, text| {
            if kind.accepts(text) { Ok(text.to_owned()) } else { Err(unlike(kind, text)) }
        })
    }

    fn path(&mut self, setting: &'static Setting) -> Option<PathBuf> {
        let text = self.text(setting);
        let path = Path::new(text.trim());
        (!path.as_os_str().is_empty()).then(|| path.to_owned())
    }

    fn flag(&mut self, setting: &'static Setting) -> bool {
        self.read(setting, |kind, text| kind.flag(text).ok_or_else(|| unlike(kind, text)))
    }

    fn count<N: TryFrom<i64>>(&mut self, setting: &'static Setting) -> N {
        self.read(setting, whole)
    }

    fn optional_count(&mut self, setting: &'static Setting) -> Option<usize> {
        self.optional(setting, whole)
    }

    /// The value in force of a setting that always has one.
    fn read<T>(&mut self, setting: &'static Setting, parse: impl Parse<T>) -> T {
        let value = self.optional(setting, &parse);
        value.unwrap_or_else(|| {
            let default = setting.default.value().expect("the setting has a default value");
            parse(setting.kind, default).expect("the table's defaults are values of their kind")
        })
    }

    /// The value in force; `None` where there is none or it is a problem.
    fn optional<T>(&mut self, setting: &'static Setting, parse: impl Parse<T>) -> Option<T> {
        let given = self.sources.given(setting);
        match parse(given.kind, given.text?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problems.push(Problem::new(given.name, message));
                None
            }
        }
    }
}

fn default_connection() -> RedisConnection {
    let default = REDIS_CONNECTION_STRING.default.value().expect("it has a default");
    connection::parse(default).expect("the default can be parsed")
}

/// Makes a value of a kind's text, or says what was expected and what came.
trait Parse<T>: Fn(ValueKind, &str) -> Result<T, String> {}

impl<T, F: Fn(ValueKind, &str) -> Result<T, String>> Parse<T> for F {}

fn whole<N: TryFrom<i64>>(kind: ValueKind, text: &str) -> Result<N, String> {
    let number = kind.whole(text).and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| unlike(kind, text))
}

fn decimal(kind: ValueKind, text: &str) -> Result<f64, String> {
    kind.decimal(text).ok_or_else(|| unlike(kind, text))
}

fn level(kind: ValueKind, text: &str) -> Result<LevelFilter, String> {
    kind.level(text).ok_or_else(|| unlike(kind, text))
}

fn listen_addresses(kind: ValueKind, text: &str) -> Result<Vec<SocketAddr>, String> {
    let ValueKind::Listen(form) = kind else { unreachable!("the kind of a listen address") };
    listen::parse(form, text)
}

/// What is wrong with a key for dead letters, if anything.
fn bad_dead_letter_key(key: &str, queue: &str) -> Option<String> {
    if key.is_empty() {
        return None;
    }
    let expected = if key == queue || key_beside(key, ACCOUNT) == queue {
        "another key than the queue's".to_owned()
    } else if key.starts_with(&key_beside(queue, "")) {
        format!("a key outside the gateway's own, which begin with {}", key_beside(queue, ""))
    } else {
        return None;
    };
    Some(error::expected(&expected, key))
}

fn unlike(kind: ValueKind, text: &str) -> String {
    error::expected(&kind.expected(), text)
}

fn entry(setting: &Setting, given: GivenValue<'_>, config: &Config) -> EffectiveSetting {
    EffectiveSetting {
        name: setting.name,
        value: in_force(setting, &given, config).unwrap_or_else(|| shown(setting, &given)),
        origin: given.origin,
        set_as: given.name,
    }
}

/// The values that do not follow from their own setting alone.
fn in_force(setting: &Setting, given: &GivenValue<'_>, config: &Config) -> Option<String> {
    if setting.name == REDIS_METRIC_QUEUE_DATABASE.name {
        let number = config.gateway.pipeline.queue.redis.database;
        let is_left = given.text.is_some_and(|text| text.trim() == "-1");
        let by = if is_left { " (-1: as the connection string says)" } else { "" };
        return Some(format!("{number}{by}"));
    }
    if setting.name == METRICS_MAX_SERIES_BYTES.name {
        let limits = config.gateway.pipeline.catalog.limits;
        return Some(limits.bounded_bytes().unwrap_or(0).to_string());
    }
    (setting.name == SHARDS_COUNT.name).then(|| config.gateway.pipeline.shards.count.to_string())
}

/// A value for the eye; a connection string masked, or not at all where it
/// can't be parsed.
fn shown(setting: &Setting, given: &GivenValue<'_>) -> String {
    let Some(text) = given.text else { return setting.default.plain() };
    if given.kind == ValueKind::Connection {
        let connection = connection::parse_string(text);
        return connection.map_or_else(|_| "(not shown)".to_owned(), |found| found.to_string());
    }
    if let ValueKind::Listen(form) = given.kind
        && let Ok(addresses) = listen::parse(form, text)
    {
        let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        return addresses.join(" ");
    }
    printable(text, LONGEST_SHOWN)
}
