//! What the actors need to know: settings that are checked and complete.
//! `src/config` makes them out of file, environment and defaults.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use psg_engine::catalog::CatalogSettings;
use psg_engine::intake::IntakeSettings;
use psg_engine::partition::Partitions;
use psg_engine::printable::{LONG, printable};
use psg_engine::store::StoreSettings;

/// Everything that the running gateway is tuned by.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// From the queue to what is scraped.
    pub pipeline: PipelineSettings,
    /// The HTTP side.
    pub http: HttpSettings,
}

/// What one pipeline is tuned by: each part is handed as it is to what it is for.
#[derive(Debug, Clone)]
pub struct PipelineSettings {
    /// The queue and how it is read.
    pub queue: QueueSettings,
    /// Present where the gateway itself is the queue: then `queue.redis` says
    /// nothing but the database.
    pub embedded: Option<EmbeddedSettings>,
    /// What families are held to, and made with.
    pub catalog: CatalogSettings,
    /// How payloads are taken in.
    pub intake: IntakeSettings,
    /// How series are kept.
    pub store: StoreSettings,
    /// The shard actors.
    pub shards: ShardSettings,
    /// How scrapes are answered.
    pub scrape: ScrapeSettings,
    /// Where totals are kept, if they are.
    pub state_file: Option<StateFileSettings>,
    /// Whether refused payloads are shown.
    pub expose_payloads: bool,
    /// Present where StatsD is listened for.
    pub statsd: Option<StatsdSettings>,
}

/// The door for StatsD.
#[derive(Debug, Clone, PartialEq)]
pub struct StatsdSettings {
    /// Where to listen; at least one address.
    pub listen: Vec<StatsdAddress>,
    /// Upper bounds of the histograms of timings; none leaves them to the settings of
    /// all histograms.
    pub buckets: Vec<f64>,
}

/// Where to listen for StatsD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsdAddress {
    /// For packets.
    Udp(SocketAddr),
    /// For connections that bring lines.
    Tcp(SocketAddr),
    /// The path of a Unix socket for packets, which is made.
    Unix(PathBuf),
}

impl fmt::Display for StatsdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatsdAddress::Udp(address) => write!(f, "udp://{address}"),
            StatsdAddress::Tcp(address) => write!(f, "tcp://{address}"),
            StatsdAddress::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// The Redis list and how it is read.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// Where Redis is and how to log in.
    pub redis: RedisTarget,
    /// The list's key.
    pub key: String,
    /// Reader actors; at least 1.
    pub workers: usize,
    /// Elements per pop; `None` starts at 25 and rises under backlog.
    pub pop_count: Option<usize>,
    /// Present where delivery is exactly-once.
    pub once: Option<OnceTuning>,
    /// Present where the queue has several partitions; delivery is exactly-once then.
    pub partitions: Option<PartitionSettings>,
    /// Bound on count × pops in flight × the largest element of late, for each
    /// worker.
    pub max_bytes_in_flight: usize,
    /// Where refused payloads go.
    pub dead_letters: DeadLetterSettings,
}

impl QueueSettings {
    /// The delivery, as its setting names it.
    pub fn delivery(&self) -> &'static str {
        if self.once.is_some() { "exactly-once" } else { "at-most-once" }
    }
}

/// Where refused payloads go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterSettings {
    /// Key of a list beside the queue; empty keeps none.
    pub key: String,
    /// Letters that are kept, the newest.
    pub max_length: u64,
    /// Bytes of letters that are kept, the newest.
    pub max_bytes: u64,
}

/// How exactly-once delivery is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnceTuning {
    /// The time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// After that long without its owner, a standby takes the queue over.
    pub lease: Duration,
}

/// A queue in partitions, each taken by a gateway of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionSettings {
    /// How many; at least 2.
    pub count: Partitions,
    /// For how long samples are added up before they are sent on.
    pub flush_interval: Duration,
}

/// A Redis deployment and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTarget {
    /// Candidates, in the order given; Sentinels where `service_name` is set.
    pub endpoints: Vec<Endpoint>,
    /// ACL user; `None` is the default user.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// A file that holds the password, read for each login; then `password` is
    /// `None`.
    pub password_file: Option<PathBuf>,
    /// How to log in at Sentinels; `None` is as at the servers, where they ask.
    pub sentinel_login: Option<Login>,
    /// The database to SELECT.
    pub database: i64,
    /// Present when the connection is encrypted.
    pub tls: Option<TlsSettings>,
    /// For CLIENT SETNAME.
    pub client_name: String,
    /// How long to wait for a connection and its handshake.
    pub connect_timeout: Duration,
    /// TCP keep-alive interval; `None` leaves it off.
    pub keep_alive: Option<Duration>,
    /// The master's name when the endpoints are Sentinels.
    pub service_name: Option<String>,
    /// What is never sent, of what a server may do without.
    pub unsent: Unsent,
}

impl Default for RedisTarget {
    /// No endpoint, and nothing out of the usual.
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            username: None,
            password: None,
            password_file: None,
            sentinel_login: None,
            database: 0,
            tls: None,
            client_name: "prom-stream-gateway".into(),
            connect_timeout: Duration::from_secs(5),
            keep_alive: Some(Duration::from_secs(60)),
            service_name: None,
            unsent: Unsent::These(Vec::new()),
        }
    }
}

/// Commands that are never sent, of those that a server may do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// None of them is: a proxy hangs up at each.
    All,
    /// These, in capitals.
    These(Vec<String>),
}

impl Unsent {
    /// Whether that command may be sent.
    pub fn lets(&self, command: &str) -> bool {
        match self {
            Unsent::All => false,
            Unsent::These(commands) => !commands.iter().any(|one| one == command),
        }
    }
}

/// One address of a Redis server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Host name or IP address (without brackets), and port.
    Tcp(String, u16),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

/// For the eye: a Sentinel or a `MOVED` may have said the name.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(host, port) => {
                let host = printable(host, LONG);
                if host.contains(':') {
                    write!(f, "[{host}]:{port}")
                } else {
                    write!(f, "{host}:{port}")
                }
            }
            Endpoint::Unix(path) => {
                write!(f, "{}", printable(&path.display().to_string(), LONG))
            }
        }
    }
}

/// How the server's certificate is checked, and which one it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The name that the certificate must bear; `None` is the endpoint's host.
    pub server_name: Option<String>,
    /// A PEM file of the roots to trust; `None` trusts the system's.
    pub ca_file: Option<PathBuf>,
    /// Shown to a server that asks for one.
    pub identity: Option<CertificateFiles>,
    /// Whether a server that another one names may show a certificate for its
    /// own name alone, by any authority that is trusted.
    pub trust_redirects: bool,
}

/// The queue that the gateway itself is.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Where producers connect to.
    pub listen: ListenAddress,
    /// What they have to say first; `None` lets everyone in.
    pub login: Option<Login>,
    /// Bytes that the queue holds.
    pub max_queue_bytes: usize,
    /// Bytes of requests, replies and all else that clients make it hold beside
    /// the queue.
    pub max_client_bytes: usize,
    /// How long a push waits for room.
    pub push_timeout: Duration,
    /// Clients that may be connected at a time; at least 1.
    pub max_connections: usize,
    /// After so long without a word a client is cut; `None` is never.
    pub idle_timeout: Option<Duration>,
    /// Present where producers have to speak TLS.
    pub tls: Option<CertificateFiles>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// The path of a Unix socket, which is made.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => address.fmt(f),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// As whom to log in, or who may push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user; `None` is the default one, for whom the password alone is
    /// enough.
    pub user: Option<String>,
    /// The password.
    pub password: Secret,
}

/// The files of a certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain of certificates, its own first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for sending it where it belongs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How scrapes are answered.
#[derive(Debug, Clone, Copy)]
pub struct ScrapeSettings {
    /// Whether each scraper is shown a new series once at its start.
    pub exact_first_increment: bool,
    /// Whether the gateway's own metrics, but for `info`, are left out.
    pub disable_meta_metrics: bool,
    /// Bytes of `/metrics` that clients may have asked for and not taken; two
    /// expositions may always be.
    pub max_unsent_bytes: u64,
    /// How long known scrapers may take to fetch the last totals; zero waits for
    /// none.
    pub linger: Duration,
}

/// The state file.
#[derive(Debug, Clone)]
pub struct StateFileSettings {
    /// Where it is.
    pub path: PathBuf,
    /// The time between two writings.
    pub interval: Duration,
}

/// The shard actors.
#[derive(Debug, Clone, Copy)]
pub struct ShardSettings {
    /// How many; at least 1.
    pub count: usize,
    /// Messages that an inbox holds; at least 1.
    pub inbox_capacity: usize,
}

/// The HTTP side.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where to listen; at least one address.
    pub listen: Vec<SocketAddr>,
    /// Whether metrics may be removed.
    pub enable_admin: bool,
    /// Connections at a time; at least 1.
    pub max_connections: usize,
    /// Names that the gateway may be reached by, beside addresses.
    pub allowed_hosts: Vec<String>,
    /// Who may use it; `None` lets everyone.
    pub access: Option<AccessSettings>,
    /// Present where samples may be pushed by HTTP.
    pub push: Option<PushSettings>,
    /// How those of OpenTelemetry's SDKs are read.
    pub otlp: OtlpSettings,
}

/// Samples by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushSettings {
    /// Bytes of one body, before and after decompression.
    pub max_body_bytes: usize,
    /// Bytes that all requests may take at once.
    pub max_memory_bytes: usize,
    /// Whether a client has to be known, by its password or certificate.
    pub needs_login: bool,
}

/// How data points of OpenTelemetry become samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtlpSettings {
    /// How metrics and labels are named.
    pub names: OtlpNames,
    /// Attributes of resources that become labels.
    pub resource_attributes: Vec<String>,
    /// Whether exemplars are passed on.
    pub exemplars: bool,
}

/// How OpenTelemetry's names become Prometheus'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtlpNames {
    /// `_` for what not every Prometheus can read: `http_server_duration_seconds`.
    #[default]
    Underscores,
    /// As they are, but for the suffixes: `http.server.duration_seconds`.
    Utf8,
}

impl OtlpNames {
    /// Both, the default first.
    pub const ALL: [OtlpNames; 2] = [OtlpNames::Underscores, OtlpNames::Utf8];

    /// What a setting calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            OtlpNames::Underscores => "underscores",
            OtlpNames::Utf8 => "utf8",
        }
    }
}

/// Who may use the HTTP side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSettings {
    /// The file that says it.
    pub file: PathBuf,
    /// Whether probes are answered to everyone.
    pub probes_are_free: bool,
}
