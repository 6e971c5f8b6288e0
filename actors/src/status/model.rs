//! The model of the status: what `/api/v1/status` answers, field by field, and
//! what every view of it is made from. A field that a view does not find is
//! empty, so that views and gateways of different versions get along.

#![expect(missing_docs, reason = "names that say all are those of the JSON")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The path that it is served under.
pub const PATH: &str = "/api/v1/status";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub version: String,
    /// The source revision that it was built from.
    pub revision: String,
    /// When it started, in seconds since 1970.
    pub started_at: f64,
    pub uptime_seconds: f64,
    /// Why it is not ready; `null` where it is.
    pub unready: Option<String>,
    /// Why the file that says who may use HTTP is not in force as it stands;
    /// `null` where it is, or there is none.
    pub http_config_problem: Option<String>,
    pub process: ProcessStatus,
    pub samples: Samples,
    pub queue: QueueStatus,
    /// The doors that are open, by which samples come in other than by the queue.
    pub doors: Vec<DoorStatus>,
    /// Refused samples by reason, the most frequent first; those with none are
    /// left out.
    pub rejects: Vec<Rejects>,
    pub series: SeriesStatus,
    pub shards: Vec<ShardStatus>,
    /// The metrics with the most series, most first.
    pub top_metrics: Vec<TopMetric>,
    pub scrapes: Scrapes,
    /// Where the queue has partitions, which this gateway has and how it delivers; `null`
    /// where it has none.
    pub partitions: Option<PartitionsStatus>,
    /// Checkpoints of the totals; `null` where none are kept.
    pub checkpoints: Option<CheckpointStatus>,
    pub history: StatusHistory,
    /// Every setting in force, secrets masked.
    pub settings: Vec<SettingInfo>,
    /// What else the gateway answers.
    pub endpoints: Vec<EndpointInfo>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessStatus {
    /// CPUs in use over the last ten seconds: 1 is one of them all the time.
    pub cpus: f64,
    pub resident_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Samples {
    pub processed: u64,
    pub rejected: u64,
    pub last_10_seconds: Rates,
    pub last_minute: Rates,
}

/// Samples per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// In: what was taken, and what the backlog grew by. Where other gateways
    /// take from the same queue, their share is not in it.
    pub received: f64,
    pub processed: f64,
    pub rejected: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueStatus {
    /// What kind of queue it is.
    pub source: String,
    pub address: String,
    pub key: String,
    pub up: bool,
    /// Why not, in a few words; `null` where it can be, or nothing is known yet.
    pub trouble: Option<String>,
    /// Elements that wait; `null` where the gateway may not ask.
    pub pending: Option<u64>,
    /// Gateways that take from it, this one included; `null` where that is not
    /// known.
    pub consumers: Option<u64>,
    /// How far the graphs are behind while it is drained, by the timestamps in
    /// samples; `null` where these have none.
    pub lag_seconds: Option<f64>,
    /// Connections opened again after one was lost.
    pub reconnects: u64,
    /// Errors by kind; those that never came are left out.
    pub errors: BTreeMap<String, u64>,
    /// Other keys that producers pushed to, which the embedded queue refused;
    /// the last one first.
    pub other_keys: Vec<OtherKeyStatus>,
}

/// A key that is not the queue's and that producers pushed to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherKeyStatus {
    /// The key, with what can't be shown as escapes.
    pub key: String,
    pub database: i64,
    /// Pushes that were refused, since the start.
    pub pushes: u64,
    /// How long ago the last one was.
    pub last_seconds_ago: f64,
    pub advice: String,
}

/// What came by a door since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DoorStatus {
    pub door: String,
    /// Or packets.
    pub requests: u64,
    /// Samples that are on the queue.
    pub samples: u64,
    /// Requests of which nothing was taken, by reason; reasons with none are left out.
    pub refused_requests: BTreeMap<String, u64>,
    /// Samples that were left out of others, by reason; reasons with none are left out.
    pub left_out_samples: BTreeMap<String, u64>,
    /// Packets that the kernel has dropped.
    pub lost_packets: u64,
}

/// A queue in partitions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionsStatus {
    pub count: usize,
    /// The one that this gateway takes from; `null` while it stands by for one.
    pub intake: Option<usize>,
    /// The one whose home it is; `null` while it stands by for one.
    pub home: Option<usize>,
    /// Samples that it has taken to be delivered.
    pub forwarded: u64,
    /// Each home, by the number of its partition.
    pub homes: Vec<HomeStatus>,
}

/// What this gateway delivers to one home.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HomeStatus {
    /// Samples.
    pub delivered: u64,
    /// Requests that failed; each was made again.
    pub failures: u64,
    /// Bytes that wait for it.
    pub undelivered_bytes: u64,
    /// How long the oldest of these have waited.
    pub undelivered_seconds: f64,
    /// Whether deliveries may begin.
    pub entered: bool,
}

/// Samples refused for one reason.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rejects {
    pub reason: String,
    pub meaning: String,
    /// Since the start.
    pub total: u64,
    pub last_minute: u64,
}

/// The series that are shown; a histogram or a summary is one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeriesStatus {
    pub total: u64,
    pub limit: u64,
    /// Bytes of their labels and metrics.
    pub bytes: u64,
    /// How many these may be; 0 where they are not bounded.
    pub bytes_limit: u64,
    pub by_type: BTreeMap<String, u64>,
    pub metrics: u64,
    /// Series that have left for being idle, since the start.
    pub expired: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShardStatus {
    pub series: u64,
    /// These by metric type.
    pub by_type: BTreeMap<String, u64>,
    /// Messages that wait in its inbox.
    pub inbox: u64,
    /// The part of the last ten seconds that it spent on applying samples: 1
    /// is all of it.
    pub busy: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopMetric {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub series: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scrapes {
    /// Since the start.
    pub total: u64,
    /// How long ago the last one was, to the second; `null` where there was
    /// none.
    pub last_seconds_ago: Option<f64>,
    /// How long it took inside the gateway.
    pub last_seconds: f64,
    /// How long those of the history took on average.
    pub mean_seconds: f64,
    /// How much text it was, uncompressed.
    pub last_bytes: u64,
}

/// Checkpoints: how totals outlive the process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckpointStatus {
    /// How long ago the last one was safe; `null` where none has been yet.
    pub last_seconds_ago: Option<f64>,
    /// Those that could not be kept, since the start.
    pub failures: u64,
}

/// The last minutes, a point a second; the last point of each list is the
/// newest, and all lists are equally long.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusHistory {
    /// Samples per second that came in, as in [`Rates::received`].
    pub received: Vec<f64>,
    pub processed: Vec<f64>,
    pub rejected: Vec<f64>,
    /// Elements that waited; `null` where that was not known.
    pub pending: Vec<Option<u64>>,
    pub series: Vec<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SettingInfo {
    /// `Section.Key`.
    pub name: String,
    pub value: String,
    /// Where it comes from: `environment`, `file` or `default`.
    pub origin: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointInfo {
    pub path: String,
    pub meaning: String,
}
