//! What is counted of doors: of each one what came, what it put onto the queue, and
//! what it refused itself. What is refused behind the queue counts where that happens.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The doors, by what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Door {
    /// Prometheus' exposition formats, pushed by HTTP.
    Pushgateway,
    /// OpenTelemetry's protocol by HTTP.
    Otlp,
    /// StatsD's lines by UDP, TCP or a Unix socket.
    Statsd,
}

impl Door {
    /// Every door; `door as usize` indexes it.
    pub const ALL: [Door; 3] = [Door::Pushgateway, Door::Otlp, Door::Statsd];

    /// The value of the `door` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Door::Pushgateway => "pushgateway",
            Door::Otlp => "otlp",
            Door::Statsd => "statsd",
        }
    }
}

/// Why nothing of a request was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RequestReason {
    /// The door is closed, by the settings.
    Closed,
    /// Its method, path or parameters ask for what the door does not do.
    Unsupported,
    /// It is not what it is said to be.
    Malformed,
    /// It is larger than the gateway lets requests be, or would become so.
    TooLarge,
    /// It is written or compressed in a way that is not known.
    Encoding,
    /// It did not come in time.
    TooSlow,
    /// Requests that are under way take all memory that they may.
    Busy,
    /// The queue has no room.
    QueueFull,
    /// The queue's Redis is away, or refuses.
    QueueAway,
    /// It did not answer: the samples may be on the queue all the same.
    QueueSilent,
}

impl RequestReason {
    /// Every reason; `reason as usize` indexes it.
    pub const ALL: [RequestReason; 10] = [
        RequestReason::Closed,
        RequestReason::Unsupported,
        RequestReason::Malformed,
        RequestReason::TooLarge,
        RequestReason::Encoding,
        RequestReason::TooSlow,
        RequestReason::Busy,
        RequestReason::QueueFull,
        RequestReason::QueueAway,
        RequestReason::QueueSilent,
    ];

    /// The value of the `reason` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            RequestReason::Closed => "closed",
            RequestReason::Unsupported => "unsupported",
            RequestReason::Malformed => "malformed",
            RequestReason::TooLarge => "too_large",
            RequestReason::Encoding => "encoding",
            RequestReason::TooSlow => "too_slow",
            RequestReason::Busy => "busy",
            RequestReason::QueueFull => "queue_full",
            RequestReason::QueueAway => "queue_away",
            RequestReason::QueueSilent => "queue_silent",
        }
    }
}

/// Why a door left a sample out of a request of which it took the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SampleReason {
    /// It can't be read.
    Malformed,
    /// NaN or infinite, which the payload format has no word for.
    NotFinite,
    /// Larger than `Metrics.MaxPayloadBytes`.
    TooLong,
    /// Of a kind that can't be added up: quantiles, sets, events.
    Unmergeable,
    /// A total since the start of its process, where only what was added can be taken.
    Cumulative,
    /// It waited for a queue that did not take it.
    QueueAway,
}

impl SampleReason {
    /// Every reason; `reason as usize` indexes it.
    pub const ALL: [SampleReason; 6] = [
        SampleReason::Malformed,
        SampleReason::NotFinite,
        SampleReason::TooLong,
        SampleReason::Unmergeable,
        SampleReason::Cumulative,
        SampleReason::QueueAway,
    ];

    /// The value of the `reason` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            SampleReason::Malformed => "malformed",
            SampleReason::NotFinite => "not_finite",
            SampleReason::TooLong => "too_long",
            SampleReason::Unmergeable => "unmergeable",
            SampleReason::Cumulative => "cumulative",
            SampleReason::QueueAway => "queue_away",
        }
    }
}

/// Samples that were left out, indexed by `reason as usize`.
pub type LeftOut = [u64; SampleReason::ALL.len()];

/// What is counted of all doors of a pipeline.
#[derive(Debug, Default)]
pub struct DoorMetrics {
    doors: [DoorCounts; Door::ALL.len()],
    /// Packets that the kernel has dropped, before anybody could read them.
    pub lost_packets: AtomicU64,
}

/// What is counted of one door.
#[derive(Debug, Default)]
pub struct DoorCounts {
    is_open: AtomicBool,
    /// Requests that came, or datagrams, or reads of a stream.
    pub requests: AtomicU64,
    /// Samples that are on the queue.
    pub samples: AtomicU64,
    /// Of the requests those of which nothing was taken, indexed by `reason as usize`.
    pub refused: [AtomicU64; RequestReason::ALL.len()],
    /// Samples that were left out, indexed by `reason as usize`.
    pub left_out: [AtomicU64; SampleReason::ALL.len()],
}

impl DoorMetrics {
    /// The counters of a door.
    pub fn of(&self, door: Door) -> &DoorCounts {
        &self.doors[door as usize]
    }

    /// Notes that a door is open: it is shown from now on.
    pub fn open(&self, door: Door) {
        self.of(door).is_open.store(true, Ordering::Relaxed);
    }

    /// The doors that are open.
    pub fn all_open(&self) -> impl Iterator<Item = (Door, &DoorCounts)> {
        let all = Door::ALL.into_iter().map(|door| (door, self.of(door)));
        all.filter(|(_, counts)| counts.is_open.load(Ordering::Relaxed))
    }
}

impl DoorCounts {
    /// Counts a request of which nothing was taken.
    pub fn refuse(&self, reason: RequestReason) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts samples that were left out.
    pub fn leave_out(&self, samples: &LeftOut) {
        for (count, more) in self.left_out.iter().zip(samples) {
            count.fetch_add(*more, Ordering::Relaxed);
        }
    }
}
