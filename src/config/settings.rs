//! The one table of settings. Validation, `--help`, `check-config` and
//! docs/tune.md all come from it; a setting's doc comment is its help text.

use psg_engine::metric::summary::SummarySettings;
use psg_engine::name::NameRules;

use super::listen::ListenSyntax;
use super::value_kind::{NATIVE_MODES, ValueKind, estimator_name};

/// One setting that an operator can make.
#[derive(Debug)]
pub struct Setting {
    /// `Section.Key`, as the documentation writes it.
    pub name: &'static str,
    /// What holds where it is not set.
    pub default: DefaultValue,
    pub kind: ValueKind,
    /// What it is for, in a sentence or two.
    pub help: &'static str,
}

/// What holds where a setting is not set.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// This value, written as an operator would write it.
    Value(&'static str),
    /// The value that another crate names as its default.
    From(fn() -> &'static str),
    /// Found out while configuring or later; the text says how.
    Computed(&'static str),
}

/// A variable of the reference system that is honoured where one of our
/// settings is not set.
#[derive(Debug)]
pub struct Fallback {
    /// Its name, with `.` for the nesting.
    pub name: &'static str,
    /// The setting that it stands in for.
    pub stands_in_for: &'static Setting,
    pub kind: ValueKind,
    /// What is honoured.
    pub help: &'static str,
}

impl Setting {
    /// `Section__Key`, the form for the environment.
    pub fn environment_name(&self) -> String {
        environment_name(self.name)
    }

    pub fn section(&self) -> &'static str {
        self.name.split('.').next().expect("a split has a first part")
    }
}

impl DefaultValue {
    /// The default for the eye: a value, or how it is found out; may be empty.
    pub fn shown(self) -> &'static str {
        match self {
            DefaultValue::Value(text) | DefaultValue::Computed(text) => text,
            DefaultValue::From(value) => value(),
        }
    }

    /// The same where nothing reads Markdown.
    pub fn plain(self) -> String {
        self.shown().replace('`', "")
    }

    /// The default where it is a value that can be parsed.
    pub fn value(self) -> Option<&'static str> {
        match self {
            DefaultValue::Value(text) => Some(text),
            DefaultValue::From(value) => Some(value()),
            DefaultValue::Computed(_) => None,
        }
    }
}

/// The form of a `Section.Key` name for the environment.
pub fn environment_name(name: &str) -> String {
    name.replace('.', "__")
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+
       $ident:ident = $name:literal, $default:expr, $kind:expr;)+) => {
        $(
            $(#[doc = $help])+
            pub static $ident: Setting = Setting {
                name: $name,
                default: $default,
                kind: $kind,
                help: concat!($($help),+).trim_ascii(),
            };
        )+

        /// Every setting, in the order of the documentation.
        pub static SETTINGS: &[&Setting] = &[$(&$ident,)+];
    };
}

use DefaultValue::{Computed, From, Value};

const fn whole(least: i64, most: i64) -> ValueKind {
    ValueKind::Whole { least, most }
}

const fn size(least: i64, most: i64) -> ValueKind {
    ValueKind::Size { least, most }
}

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;
const SECONDS_OF_A_YEAR: i64 = 31_536_000;

settings! {
    /// Where Redis is: StackExchange.Redis syntax, or a `redis://`, `rediss://` or `unix://` URL. With `embedded`, or `embedded,user=U,password=P`, there is no Redis: the gateway itself takes LPUSH.
    REDIS_CONNECTION_STRING = "Redis.ConnectionString", Value("localhost:6379"), ValueKind::Connection;
    /// PEM file of the certificate authorities to trust for TLS; empty trusts the system's, or those of `SSL_CERT_FILE`.
    REDIS_TLS_CA_FILE = "Redis.TlsCaFile", Value(""), ValueKind::CaFile;
    /// PEM file of a certificate, its chain behind it, for a Redis that asks for one by TLS; empty shows none.
    REDIS_TLS_CERTIFICATE_FILE = "Redis.TlsCertificateFile", Value(""), ValueKind::Text;
    /// PEM file of that certificate's key.
    REDIS_TLS_KEY_FILE = "Redis.TlsKeyFile", Value(""), ValueKind::Text;
    /// TLS only: whether a server that a Sentinel, a replica or a cluster names may show a certificate of the system's authorities for its own name. `false`: it has to fit a name in `Redis.ConnectionString`, or be of an authority in `Redis.TlsCaFile`.
    REDIS_TRUST_REDIRECTS = "Redis.TrustRedirects", Value("false"), ValueKind::Flag;
    /// File that holds the password, read for each login; instead of one in the connection string.
    REDIS_PASSWORD_FILE = "Redis.PasswordFile", Value(""), ValueKind::Text;
    /// Readers that take samples from the queue at the same time.
    REDIS_METRIC_QUEUE_WORKERS = "Redis.MetricQueueWorkers", Value("2"), whole(1, 64);
    /// Database of the queue; -1 takes the one that the connection string names. Not set: the one of a URL, else 0.
    REDIS_METRIC_QUEUE_DATABASE = "Redis.MetricQueueDatabase", Value("0"), whole(-1, i32::MAX as i64);
    /// Key of the Redis list that producers push to.
    REDIS_METRIC_QUEUE_KEY = "Redis.MetricQueueKey", Value("prom-stream-gateway:metric-queue"), ValueKind::Key;
    /// Samples per RPOP. Not set: 25 at first, raised up to 1000 while there is a backlog. Set: exactly that.
    REDIS_METRIC_QUEUE_POP_COUNT = "Redis.MetricQueuePopCount", Computed("25, rising"), whole(1, 100_000);
    /// Most bytes that the pops in flight of one worker may bring, estimated from the largest recent element.
    REDIS_MAX_BYTES_IN_FLIGHT = "Redis.MaxBytesInFlight", Value("2 MiB"), size(1024, GIB);
    /// `at-most-once`, or `exactly-once`: each element counts once, whatever is killed.
    REDIS_DELIVERY = "Redis.Delivery", Value("at-most-once"), ValueKind::Choice(&["at-most-once", "exactly-once"]);
    /// Exactly-once only: seconds between two checkpoints.
    REDIS_CHECKPOINT_INTERVAL_SECONDS = "Redis.CheckpointIntervalSeconds", Value("5"), whole(1, 3600);
    /// Exactly-once only: seconds without a sign of life from the owner, after which a standby takes over the queue.
    REDIS_LEASE_SECONDS = "Redis.LeaseSeconds", Value("10"), whole(1, 3600);
    /// Exactly-once only: partitions of the queue, each on a key of its own (`<key>`, `<key>:1` and so on) and taken by a gateway of its own; run as many gateways, and standbys. docs/scale.md says when.
    REDIS_METRIC_QUEUE_PARTITIONS = "Redis.MetricQueuePartitions", Value("1"), whole(1, 64);
    /// With partitions: milliseconds for which a gateway adds up what it takes before it sends it on to those that show it.
    REDIS_PARTITION_FLUSH_MS = "Redis.PartitionFlushMs", Value("1000"), whole(50, 60_000);
    /// Key of the Redis list that keeps rejected payloads, the newest first; empty keeps none.
    REDIS_DEAD_LETTER_KEY = "Redis.DeadLetterKey", Value(""), ValueKind::Text;
    /// Most rejected payloads to keep; the newest stay.
    REDIS_DEAD_LETTER_MAX_LENGTH = "Redis.DeadLetterMaxLength", Value("10000"), whole(1, 1_000_000_000);
    /// Most bytes of rejected payloads to keep; the newest stay.
    REDIS_DEAD_LETTER_MAX_BYTES = "Redis.DeadLetterMaxBytes", Value("64 MiB"), size(1024, 1024 * GIB);

    /// Whether labels are printed sorted by name. Label order never matters for identity; `false` keeps the order first seen.
    METRICS_SORT_INCOMING_LABELS = "Metrics.SortIncomingLabels", Value("true"), ValueKind::Flag;
    /// Whether to leave out the gateway's own metrics, except `prom_stream_gateway_info`.
    METRICS_DISABLE_META_METRICS = "Metrics.DisableMetaMetrics", Value("false"), ValueKind::Flag;
    /// Length of the sliding window that the quantiles of a summary cover.
    METRICS_SUMMARY_MAX_AGE_SECONDS = "Metrics.SummaryMaxAgeSeconds", Value("600"), whole(1, SECONDS_OF_A_YEAR);
    /// Age buckets that the window is cut into: it slides in steps of its length divided by this.
    METRICS_SUMMARY_AGE_BUCKETS = "Metrics.SummaryAgeBuckets", Value("5"), whole(1, 1000);
    /// How quantiles are estimated: `ckms-targeted` is bounded in memory, `ckms-biased` is the `quantiles` crate's.
    METRICS_SUMMARY_ESTIMATOR = "Metrics.SummaryEstimator", From(default_estimator), ValueKind::Choice(&["ckms-biased", "ckms-targeted"]);
    /// Seconds after which an idle series leaves `/metrics`; 0 is never.
    METRICS_SERIES_TTL_SECONDS = "Metrics.SeriesTtlSeconds", Value("0"), whole(0, SECONDS_OF_A_YEAR);
    /// The same for gauges; 0 uses `Metrics.SeriesTtlSeconds`.
    METRICS_GAUGE_TTL_SECONDS = "Metrics.GaugeTtlSeconds", Value("0"), whole(0, SECONDS_OF_A_YEAR);
    /// Seconds within which a counter, a histogram or a gauge that is added to, which expired and returns, continues from its old total.
    METRICS_TOMBSTONE_TTL_SECONDS = "Metrics.TombstoneTtlSeconds", Value("86400"), whole(0, SECONDS_OF_A_YEAR);
    /// Most totals of expired series to keep; the oldest are dropped first.
    METRICS_MAX_TOMBSTONES = "Metrics.MaxTombstones", Value("1000000"), whole(0, 1_000_000_000);
    /// Series that each reader caches, so that it need not ask their shard again.
    METRICS_READER_CACHE_SERIES = "Metrics.ReaderCacheSeries", Value("100000"), whole(1, 100_000_000);
    /// File that keeps the totals over a restart; empty: totals are not kept.
    METRICS_STATE_FILE = "Metrics.StateFile", Value(""), ValueKind::Text;
    /// Seconds between two writes of the state file: the most that a kill loses. Each write is the whole file.
    METRICS_STATE_FILE_INTERVAL_SECONDS = "Metrics.StateFileIntervalSeconds", Value("60"), whole(1, 3600);
    /// Most live series in the process; a histogram or a summary counts as one.
    METRICS_MAX_SERIES = "Metrics.MaxSeries", Value("1000000"), whole(1, 1_000_000_000);
    /// Most live series of one metric name.
    METRICS_MAX_SERIES_PER_METRIC = "Metrics.MaxSeriesPerMetric", Value("100000"), whole(1, 1_000_000_000);
    /// Bytes that live series may take by their labels, the counts of histograms, and name, help and layout of each metric; 0 is no bound.
    METRICS_MAX_SERIES_BYTES = "Metrics.MaxSeriesBytes", Computed("a third of the container's memory limit, where it has one"), size(0, 1024 * GIB);
    /// What to do with a sample whose new series would exceed a limit: `drop` it, or `overflow` into one series per name.
    METRICS_ON_SERIES_LIMIT = "Metrics.OnSeriesLimit", Value("drop"), ValueKind::Choice(&["drop", "overflow"]);
    /// Whether producers may use the names of what Prometheus says itself of targets and alerts: `up`, `scrape_*`, `ALERTS`, `ALERTS_FOR_STATE`.
    METRICS_ALLOW_RESERVED_NAMES = "Metrics.AllowReservedNames", Value("false"), ValueKind::Flag;
    /// Which names metrics and labels may have: `utf8`, those of any script, or `legacy`, those that every Prometheus reads; a scraper that does not ask for others is shown `_` for each other character.
    METRICS_NAMES = "Metrics.Names", From(default_names), ValueKind::Choice(&["utf8", "legacy"]);
    /// Label names, comma-separated, to remove from every sample: series that differ in nothing else become one.
    METRICS_DROP_LABELS = "Metrics.DropLabels", Value(""), ValueKind::LabelNames;
    /// Upper bounds, comma-separated, of histograms whose samples come without buckets; empty: those are rejected.
    METRICS_DEFAULT_BUCKETS = "Metrics.DefaultBuckets", Value(""), ValueKind::Buckets;
    /// The same by name, before `Metrics.DefaultBuckets`: `*_seconds:0.01,0.1,1;*_bytes:1024,65536`. `*` stands for any text; the first pattern that fits holds.
    METRICS_HISTOGRAM_BUCKETS = "Metrics.HistogramBuckets", Value(""), ValueKind::BucketsByName;
    /// Whether a `unit` that a metric name does not end in is appended to the name (before a counter's `_total`); else such samples are rejected.
    METRICS_APPEND_UNITS = "Metrics.AppendUnits", Value("false"), ValueKind::Flag;
    /// Whether exemplars are taken from samples and shown in OpenMetrics; else they are dropped, and counted.
    METRICS_EXEMPLARS = "Metrics.Exemplars", Value("false"), ValueKind::Flag;
    /// Most exemplars to keep, spread over the shards; the oldest make room.
    METRICS_MAX_EXEMPLARS = "Metrics.MaxExemplars", Value("100000"), whole(1, 100_000_000);
    /// What histograms are that Prometheus can take as native ones: `off`, classic but for samples that ask for it by their `factor` or bring `native` counts; `both`, native and, where they have buckets, classic too; `only`, native, whatever buckets their samples bring. Metrics that are there stay what they are.
    METRICS_NATIVE_HISTOGRAMS = "Metrics.NativeHistograms", Value("off"), ValueKind::Choice(&NATIVE_MODES);
    /// Patterns of names, comma-separated, of the histograms that `Metrics.NativeHistograms` is for, such as `*_seconds,api_*`; empty: all.
    METRICS_NATIVE_HISTOGRAM_NAMES = "Metrics.NativeHistogramNames", Value(""), ValueKind::NamePatterns;
    /// How much wider each bucket of a native histogram may be than the one before it, where the sample does not say it: with 1.1 quantiles are off by 10% at most.
    METRICS_NATIVE_HISTOGRAM_FACTOR = "Metrics.NativeHistogramFactor", Value("1.1"), ValueKind::Factor;
    /// Most buckets of one native histogram that have counts. With more it begins anew, or else becomes coarser around zero, or else everywhere.
    METRICS_NATIVE_HISTOGRAM_MAX_BUCKETS = "Metrics.NativeHistogramMaxBuckets", Value("160"), whole(1, 10_000);
    /// Seconds after which a native histogram with too many buckets may begin anew, at 0; one that has become coarser before that does so then. 0 is never.
    METRICS_NATIVE_HISTOGRAM_MIN_RESET_SECONDS = "Metrics.NativeHistogramMinResetSeconds", Value("0"), whole(0, SECONDS_OF_A_YEAR);
    /// Up to which magnitude the values of a native histogram with too many buckets may count as zero; 0: none but those that are as good as zero.
    METRICS_NATIVE_HISTOGRAM_MAX_ZERO_THRESHOLD = "Metrics.NativeHistogramMaxZeroThreshold", Value("0"), ValueKind::Magnitude;
    /// Whether series without an `instance` label show `instance=""`, so that under `honor_labels` Prometheus does not put the gateway's address there.
    METRICS_EMPTY_INSTANCE = "Metrics.EmptyInstance", Value("false"), ValueKind::Flag;
    /// Whether OpenMetrics has a `_created` line for each counter, histogram and summary: when its total began.
    METRICS_CREATED_TIMESTAMPS = "Metrics.CreatedTimestamps", Value("false"), ValueKind::Flag;
    /// `plain`, or `exact`: a counter or histogram that a scraper has not seen is shown to it once at its start, 0 or its old total, so that `increase` counts its first samples.
    METRICS_FIRST_INCREMENT = "Metrics.FirstIncrement", Value("plain"), ValueKind::Choice(&["plain", "exact"]);
    /// Most labels of one sample.
    METRICS_MAX_LABELS = "Metrics.MaxLabels", Value("64"), whole(1, 10_000);
    /// Most bytes of one label value.
    METRICS_MAX_LABEL_VALUE_BYTES = "Metrics.MaxLabelValueBytes", Value("2048"), size(1, MIB);
    /// Most bytes of a metric name or of a label name.
    METRICS_MAX_NAME_BYTES = "Metrics.MaxNameBytes", Value("512"), size(1, 65_535);
    /// Most bytes of a help text.
    METRICS_MAX_HELP_BYTES = "Metrics.MaxHelpBytes", Value("4096"), size(1, MIB);
    /// Most buckets of one histogram.
    METRICS_MAX_BUCKETS = "Metrics.MaxBuckets", Value("256"), whole(1, 10_000);
    /// Most quantiles of one summary.
    METRICS_MAX_QUANTILES = "Metrics.MaxQuantiles", Value("32"), whole(1, 1000);
    /// Most values in the `values` of one sample.
    METRICS_MAX_VALUES = "Metrics.MaxValues", Value("4096"), whole(1, 1_000_000);
    /// Most bytes of one queue element.
    METRICS_MAX_PAYLOAD_BYTES = "Metrics.MaxPayloadBytes", Value("1048576"), size(1, GIB / 2);

    /// Shards that the series are spread over, a thread each.
    SHARDS_COUNT = "Shards.Count", Computed("CPUs available, at most 4"), whole(1, 256);
    /// Batches that a shard's inbox holds; while it is full, the readers wait and the backlog stays in Redis.
    SHARDS_INBOX_CAPACITY = "Shards.InboxCapacity", Value("128"), whole(1, 1_000_000);

    /// `address:port` to listen on, the address an IP address, `localhost`, or nothing for all of IPv6 and IPv4.
    HTTP_LISTEN_ADDRESS = "Http.ListenAddress", Value(":9091"), ValueKind::Listen(ListenSyntax::Address);
    /// Most seconds to wait after SIGTERM until each known scraper has fetched the last totals; 0 does not wait.
    HTTP_SHUTDOWN_LINGER_SECONDS = "Http.ShutdownLingerSeconds", Value("0"), whole(0, 3600);
    /// Whether `DELETE /api/v1/metrics/{name}` is allowed.
    HTTP_ENABLE_ADMIN = "Http.EnableAdmin", Value("false"), ValueKind::Flag;
    /// Whether `/api/v1/rejects` shows payloads, which may contain private data.
    HTTP_EXPOSE_PAYLOADS = "Http.ExposePayloads", Value("false"), ValueKind::Flag;
    /// File with TLS, client certificates and passwords for the HTTP side, in the web-config format of Prometheus' exporters; empty is plain HTTP for everyone.
    HTTP_CONFIG_FILE = "Http.ConfigFile", Value(""), ValueKind::Text;
    /// Whether `/-/healthy` and `/-/ready` are answered without password and client certificate.
    HTTP_EXEMPT_HEALTH_ENDPOINTS = "Http.ExemptHealthEndpoints", Value("false"), ValueKind::Flag;
    /// Most HTTP connections at a time, each a file descriptor; for more, those that keep the gateway waiting have to go.
    HTTP_MAX_CONNECTIONS = "Http.MaxConnections", Value("1024"), whole(2, 1_000_000);
    /// Bytes of `/metrics` that clients may have asked for and not taken yet, over all of them; two whole pages always may. Beyond it, those that take least are cut, and who asks is answered with 503.
    HTTP_MAX_UNSENT_BYTES = "Http.MaxUnsentBytes", Value("64 MiB"), size(MIB, 1024 * GIB);
    /// Names, comma-separated, by which browsers may reach the status page and the API, beside addresses, `localhost` and names without a dot; `*.example.com` is all below one, `*` all names.
    HTTP_ALLOWED_HOSTS = "Http.AllowedHosts", Value(""), ValueKind::HostNames;

    /// Whether samples may be pushed by HTTP, as to a Pushgateway or by OTLP. Beyond this machine that needs a password or client certificates in `Http.ConfigFile`, or `Push.AllowUnauthenticated`.
    PUSH_ENABLED = "Push.Enabled", Value("false"), ValueKind::Flag;
    /// Whether whoever reaches `Http.ListenAddress` may push.
    PUSH_ALLOW_UNAUTHENTICATED = "Push.AllowUnauthenticated", Value("false"), ValueKind::Flag;
    /// Most bytes of the body of a push, compressed and decompressed.
    PUSH_MAX_BODY_BYTES = "Push.MaxBodyBytes", Value("4 MiB"), size(1024, GIB / 16);
    /// Most bytes that all pushes by HTTP may take at once, for their bodies and what is made of these; a push that finds none is answered with 503. At least ten times `Push.MaxBodyBytes`, so that the largest one fits.
    PUSH_MAX_MEMORY_BYTES = "Push.MaxMemoryBytes", Value("64 MiB"), size(1024 * 1024, 1024 * GIB);

    /// Names of metrics and labels that come by OTLP: `underscores`, those that every Prometheus reads, or `utf8`, as they are; either way with unit and type at the end of a metric's.
    OTLP_NAMES = "Otlp.Names", Value("underscores"), ValueKind::Choice(&["underscores", "utf8"]);
    /// Attributes of OTLP resources, comma-separated, that become labels of all their series: `service.name` becomes `job`, `service.instance.id` `instance`. The others are dropped, since they make series of their own for each process.
    OTLP_RESOURCE_ATTRIBUTES = "Otlp.ResourceAttributes", Value("service.name"), ValueKind::LabelNames;

    /// Where StatsD is listened for, comma-separated: `udp://127.0.0.1:8125`, `tcp://127.0.0.1:8125`, `unix:///path` of a socket for packets; empty: nowhere.
    STATSD_LISTEN_ADDRESS = "Statsd.ListenAddress", Value(""), ValueKind::StatsdAddresses;
    /// Whether StatsD may be listened for on addresses that other machines reach: it knows no passwords.
    STATSD_ALLOW_UNAUTHENTICATED = "Statsd.AllowUnauthenticated", Value("false"), ValueKind::Flag;
    /// Upper bounds, comma-separated, of the histograms that StatsD's `ms`, `h` and `d` become; `ms` is in seconds there. Empty: as the settings for histograms without buckets say.
    STATSD_BUCKETS = "Statsd.Buckets", Value("0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10"), ValueKind::Buckets;

    /// Where the gateway itself takes LPUSH, with the connection string `embedded`: `address:port`, or `unix:/path`.
    EMBEDDED_LISTEN_ADDRESS = "Embedded.ListenAddress", Value("127.0.0.1:6379"), ValueKind::ListenOrSocket;
    /// Most bytes that the embedded queue holds. While it is full, pushes wait.
    EMBEDDED_MAX_QUEUE_BYTES = "Embedded.MaxQueueBytes", Value("64 MiB"), size(1024, 1024 * GIB);
    /// Most bytes that all clients of the embedded queue may make it hold beside what is queued: incomplete requests, unread replies, transactions, subscriptions. Beyond that, the client that holds most is cut off.
    EMBEDDED_MAX_CLIENT_BYTES = "Embedded.MaxClientBytes", Value("32 MiB"), size(1024 * 1024, 1024 * GIB);
    /// Milliseconds that a push waits for room in the embedded queue; then it gets an error, and nothing of it is queued.
    EMBEDDED_PUSH_TIMEOUT_MS = "Embedded.PushTimeoutMs", Value("1000"), whole(0, 3_600_000);
    /// Whether the embedded queue may be open to other machines without a password.
    EMBEDDED_ALLOW_UNAUTHENTICATED = "Embedded.AllowUnauthenticated", Value("false"), ValueKind::Flag;
    /// Most producers connected to the embedded queue at a time, each a file descriptor; further ones are turned away.
    EMBEDDED_MAX_CONNECTIONS = "Embedded.MaxConnections", Value("16384"), whole(1, 1_000_000);
    /// Seconds of silence after which the embedded queue disconnects a producer; 0 is never.
    EMBEDDED_IDLE_TIMEOUT_SECONDS = "Embedded.IdleTimeoutSeconds", Value("0"), whole(0, SECONDS_OF_A_YEAR);
    /// PEM file of the embedded queue's certificate and its chain; empty is no TLS.
    EMBEDDED_TLS_CERTIFICATE_FILE = "Embedded.TlsCertificateFile", Value(""), ValueKind::Text;
    /// PEM file of its private key.
    EMBEDDED_TLS_KEY_FILE = "Embedded.TlsKeyFile", Value(""), ValueKind::Text;

    /// How log records are written, to standard output: `json`, one object a line, or `text`.
    LOG_FORMAT = "Log.Format", Computed("`text` on a terminal, else `json`"), ValueKind::Choice(&["json", "text"]);
    /// The least severe records to log.
    LOG_LEVEL = "Log.Level", Value("info"), ValueKind::Choice(&["trace", "debug", "info", "warn", "error", "off"]);
}

/// Every fallback; of two for one setting the first that is set holds.
pub static FALLBACKS: &[Fallback] = &[
    Fallback {
        name: "ASPNETCORE_URLS",
        stands_in_for: &HTTP_LISTEN_ADDRESS,
        kind: ValueKind::Listen(ListenSyntax::Urls),
        help: "URLs to listen on, separated by `;`, such as `http://+:8080`.",
    },
    Fallback {
        name: "ASPNETCORE_HTTP_PORTS",
        stands_in_for: &HTTP_LISTEN_ADDRESS,
        kind: ValueKind::Listen(ListenSyntax::Ports),
        help: "Ports to listen on, separated by `;`, such as `8080`.",
    },
    Fallback {
        name: "Logging.LogLevel.Default",
        stands_in_for: &LOG_LEVEL,
        kind: ValueKind::DotnetLevel,
        help: "The level by its .NET name, such as `Information`.",
    },
];

fn default_names() -> &'static str {
    NameRules::default().as_str()
}

fn default_estimator() -> &'static str {
    estimator_name(SummarySettings::default().estimator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for setting in SETTINGS {
            if let Some(default) = setting.default.value() {
                assert!(setting.kind.accepts(default), "{}: {default:?}", setting.name);
            }
        }
    }

    #[test]
    fn names_are_a_section_and_a_key_and_differ_in_any_letter_case() {
        let mut names: Vec<String> = SETTINGS.iter().map(|s| s.name.to_lowercase()).collect();
        assert!(names.iter().all(|name| name.split('.').count() == 2));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len());
    }

    #[test]
    fn settings_of_one_section_stand_together() {
        let mut sections: Vec<&str> = SETTINGS.iter().map(|setting| setting.section()).collect();
        sections.dedup();
        assert_eq!(
            sections,
            ["Redis", "Metrics", "Shards", "Http", "Push", "Otlp", "Statsd", "Embedded", "Log"]
        );
    }

    #[test]
    fn help_is_one_line_and_ends_as_a_sentence() {
        for setting in SETTINGS {
            assert!(
                setting.help.ends_with('.') && !setting.help.contains('\n'),
                "{}",
                setting.name
            );
            assert!(
                !setting.help.contains('|'),
                "{}: breaks the table of docs/tune.md",
                setting.name
            );
        }
    }
}
