//! Figures of the process, as the kernel has them.

use std::sync::OnceLock;

use procfs::process::Process;

/// One reading of `/proc/self`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessFigures {
    /// User and system time in seconds.
    pub cpu_seconds: f64,
    pub resident_bytes: f64,
    pub virtual_bytes: f64,
    /// Open file descriptors.
    pub open_fds: f64,
    /// How many may be open.
    pub max_fds: f64,
    pub threads: f64,
    /// When the process started, in Unix seconds.
    pub start_seconds: f64,
}

/// What is read often, and cheaply.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time in seconds.
    pub cpu_seconds: f64,
    pub resident_bytes: u64,
}

/// What the process takes at present; `None` where there is no `/proc`.
pub fn usage() -> Option<Usage> {
    let stat = Process::myself().ok()?.stat().ok()?;
    Some(Usage {
        cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
        resident_bytes: stat.rss * procfs::page_size(),
    })
}

/// The figures at present; `None` where there is no `/proc`.
pub fn read() -> Option<ProcessFigures> {
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let limits = process.limits().ok()?;
    let max_fds = match limits.max_open_files.soft_limit {
        procfs::process::LimitValue::Value(limit) => limit as f64,
        procfs::process::LimitValue::Unlimited => f64::INFINITY,
    };
    Some(ProcessFigures {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        resident_bytes: (stat.rss * procfs::page_size()) as f64,
        virtual_bytes: stat.vsize as f64,
        open_fds: process.fd_count().ok()? as f64,
        max_fds,
        threads: stat.num_threads as f64,
        start_seconds: boot_seconds()? + stat.starttime as f64 / ticks,
    })
}

fn boot_seconds() -> Option<f64> {
    static BOOT: OnceLock<Option<u64>> = OnceLock::new();
    BOOT.get_or_init(|| procfs::boot_time_secs().ok()).map(|seconds| seconds as f64)
}
