//! The gateway under measurement: a binary, its self-metrics, and
//! what the kernel tells of its process.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use procfs::process::{Process, Stat};
use tempfile::TempDir;
use ureq::Agent;

use super::Failure;
use super::child::{ChildGuard, free_port};

const PROCESSED: &str = "prom_stream_gateway_processed_metrics_total{";
const DROPPED: &str = "prom_stream_gateway_dropped_metrics_total{";

/// A gateway with default settings but for its addresses and what is given.
pub struct Gateway {
    child: ChildGuard,
    process: Process,
    agent: Agent,
    url: String,
    _directory: TempDir,
}

/// What one scrape shows.
#[derive(Debug, Clone, Copy)]
pub struct Scrape {
    /// Samples that the gateway says it processed.
    pub processed: u64,
    /// Samples that it says it dropped.
    pub dropped: u64,
    /// From asking to the last byte.
    pub time: Duration,
    /// Of the exposition.
    pub bytes: u64,
}

/// What the process has used so far.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// In user and kernel mode, over all threads.
    pub cpu: Duration,
    /// Resident bytes now.
    pub rss: u64,
}

/// An exposition format to ask for.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    Text,
    OpenMetrics,
    Protobuf,
}

impl Gateway {
    /// Starts `binary` for the Redis on `redis_port` and waits until it is ready.
    pub fn start(
        binary: &Path,
        redis_port: u16,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        Self::start_on(binary, &format!("127.0.0.1:{redis_port}"), settings)
    }

    /// Starts `binary` as its own queue; it, and the port that producers
    /// connect to.
    pub fn start_embedded(
        binary: &Path,
        settings: &[(&str, &str)],
    ) -> Result<(Self, u16), Failure> {
        let port = free_port()?;
        let address = format!("127.0.0.1:{port}");
        let settings = [settings, &[("Embedded__ListenAddress", &*address)]].concat();
        Ok((Self::start_on(binary, "embedded", &settings)?, port))
    }

    fn start_on(
        binary: &Path,
        connection_string: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(binary);
        command.current_dir(directory.path()).env_clear().envs(settings.iter().copied());
        command.env("Redis__ConnectionString", connection_string);
        command.env("Http__ListenAddress", &address);
        let log = directory.path().join("gateway.log");
        let mut child = ChildGuard::start("the gateway", &mut command, log)?;
        let process = Process::new(i32::try_from(child.id())?)?;
        let agent = agent();
        let url = format!("http://{address}");
        child.wait_until("ready", Duration::from_secs(15), || {
            agent.get(format!("{url}/-/ready")).call().is_ok()
        })?;
        Ok(Gateway { child, process, agent, url, _directory: directory })
    }

    /// Reads `/metrics` as plain text and adds up its counters of samples.
    pub fn scrape(&self) -> Result<Scrape, Failure> {
        let asked = Instant::now();
        let response = self.agent.get(format!("{}/metrics", self.url)).call()?;
        let body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut reader = BufReader::with_capacity(1 << 20, body);
        let mut scrape = Scrape { processed: 0, dropped: 0, time: Duration::ZERO, bytes: 0 };
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            scrape.bytes += line.len() as u64;
            scrape.processed += counted(&line, PROCESSED)?;
            scrape.dropped += counted(&line, DROPPED)?;
            line.clear();
        }
        scrape.time = asked.elapsed();
        Ok(scrape)
    }

    /// Samples that it says it has processed and dropped, by its status, which
    /// costs it next to nothing, whatever it holds.
    pub fn taken(&self) -> Result<u64, Failure> {
        let mut response = self.agent.get(format!("{}/api/v1/status", self.url)).call()?;
        let status: serde_json::Value = serde_json::from_reader(response.body_mut().as_reader())?;
        let count = |name: &str| status["samples"][name].as_u64().unwrap_or(0);
        Ok(count("processed") + count("rejected"))
    }

    /// How many checkpoints it has written, without a look at the other series.
    pub fn checkpoints(&self) -> Result<u64, Failure> {
        const NAME: &str = "prom_stream_gateway_checkpoint_duration_seconds";
        let response = self.agent.get(format!("{}/metrics?name[]={NAME}", self.url)).call()?;
        let text = response.into_body().read_to_string()?;
        let count = text.lines().find_map(|line| line.strip_prefix(&format!("{NAME}_count ")));
        Ok(count.ok_or("expected a count of checkpoints")?.parse()?)
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// What it has used up to now.
    pub fn usage(&self) -> Result<Usage, Failure> {
        let stat = self.process.stat()?;
        Ok(Usage { cpu: cpu(&stat), rss: stat.rss * procfs::page_size() })
    }

    /// Fetches `/metrics`; how long that took, and the length of the body.
    pub fn fetch(&self, format: Format) -> Result<(Duration, u64), Failure> {
        let accept = match format {
            Format::Text => "text/plain",
            Format::OpenMetrics => "application/openmetrics-text",
            Format::Protobuf => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited"
            }
        };
        let asked = Instant::now();
        let request = self.agent.get(format!("{}/metrics", self.url)).header("Accept", accept);
        let mut body = request.call()?.into_body().into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; 1 << 20];
        let mut length = 0;
        loop {
            match body.read(&mut buffer)? {
                0 => return Ok((asked.elapsed(), length)),
                read => length += read as u64,
            }
        }
    }

    /// The port of its HTTP side.
    pub fn port(&self) -> Result<u16, Failure> {
        Ok(self.url.rsplit(':').next().unwrap_or_default().parse()?)
    }

    /// Descriptors that it has open.
    pub fn descriptors(&self) -> Result<usize, Failure> {
        Ok(self.process.fd_count()?)
    }

    /// Series that the gateway says it shows.
    pub fn shown_series(&self) -> Result<u64, Failure> {
        self.sums_of(["prom_stream_gateway_series{"]).map(|[series]| series)
    }

    /// The value of the sample whose line begins with `name`; 0 where none does.
    pub fn value_of(&self, name: &str) -> Result<u64, Failure> {
        self.sums_of([name]).map(|[value]| value)
    }

    /// The mean of a histogram's observations; 0 where there are none.
    pub fn mean_of(&self, name: &str) -> Result<f64, Failure> {
        let text = self.agent.get(format!("{}/metrics", self.url)).call()?.into_body();
        let text = text.into_with_config().limit(u64::MAX).read_to_string()?;
        let value = |suffix: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}{suffix} ")));
            line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0)
        };
        Ok(if value("_count") > 0.0 { value("_sum") / value("_count") } else { 0.0 })
    }

    /// The least bound of a histogram that all of its observations keep to.
    pub fn all_within(&self, name: &str) -> Result<f64, Failure> {
        let text = self.agent.get(format!("{}/metrics", self.url)).call()?.into_body();
        let text = text.into_with_config().limit(u64::MAX).read_to_string()?;
        let buckets: Vec<(f64, u64)> = text
            .lines()
            .filter_map(|line| {
                let line = line.strip_prefix(&format!("{name}_bucket{{le=\""))?;
                let (bound, count) = line.split_once("\"} ")?;
                Some((bound.parse().ok()?, count.parse().ok()?))
            })
            .collect();
        let all = buckets.last().map_or(0, |(_, count)| *count);
        let bound = buckets.iter().find(|(_, count)| *count == all);
        Ok(bound.map_or(f64::INFINITY, |(bound, _)| *bound))
    }

    /// Stops it as an operator does, and waits for its end.
    pub fn stop(mut self) -> Result<(), Failure> {
        self.child.signal("TERM")?;
        self.child.wait()
    }

    /// How often a reader waited more than 50 ms for a shard.
    pub fn long_inbox_waits(&self) -> Result<u64, Failure> {
        let [all, short] = self.sums_of([
            "prom_stream_gateway_inbox_wait_seconds_count",
            "prom_stream_gateway_inbox_wait_seconds_bucket{le=\"0.05\"}",
        ])?;
        Ok(all - short)
    }

    /// Kills it, as SIGKILL does; what follows on its state can start then.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.child.signal("KILL")?;
        self.child.wait()
    }

    /// Starts the peak of resident memory anew.
    pub fn forget_peak(&self) -> Result<(), Failure> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    /// The peak of resident memory, in bytes.
    pub fn peak(&self) -> Result<u64, Failure> {
        let peak = self.process.status()?.vmhwm.ok_or("expected VmHWM in the process' status")?;
        Ok(peak * 1024)
    }

    /// What the samples of each name add up to, in one scrape.
    fn sums_of<const N: usize>(&self, names: [&str; N]) -> Result<[u64; N], Failure> {
        let response = self.agent.get(format!("{}/metrics", self.url)).call()?;
        let body = response.into_body().into_with_config().limit(u64::MAX).reader();
        let mut reader = BufReader::with_capacity(1 << 20, body);
        let mut line = Vec::new();
        let mut sums = [0; N];
        while reader.read_until(b'\n', &mut line)? > 0 {
            for (sum, name) in sums.iter_mut().zip(names) {
                *sum += counted(&line, name)?;
            }
            line.clear();
        }
        Ok(sums)
    }

    /// Fails where it has ended.
    pub fn check(&mut self) -> Result<(), Failure> {
        self.child.check()
    }

    /// A failure of this gateway, with the end of its log.
    pub fn failure(&self, what: &str) -> Failure {
        self.child.failure(what)
    }
}

/// Processor time that all threads of a process have used up to now, in nanoseconds,
/// where [`cpu_of`] counts in ticks. A thread that has ended is not in it.
pub fn exact_cpu_of(process_id: u32) -> Result<Duration, Failure> {
    let mut spent = 0;
    for task in Process::new(i32::try_from(process_id)?)?.tasks()? {
        spent += task?.schedstat()?.sum_exec_runtime;
    }
    Ok(Duration::from_nanos(spent))
}

/// Processor time that another process has used up to now.
pub fn cpu_of(process_id: u32) -> Result<Duration, Failure> {
    Ok(cpu(&Process::new(i32::try_from(process_id)?)?.stat()?))
}

/// In user and kernel mode, over all threads.
fn cpu(stat: &Stat) -> Duration {
    let ticks = (stat.utime + stat.stime) as f64;
    Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64)
}

/// Does not ask for compression: its price is not what is measured. Connects
/// anew each time: the gateway may close one that is kept at that very moment.
fn agent() -> Agent {
    Agent::config_builder()
        .max_idle_connections(0)
        .accept_encoding("identity")
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// The value of a line that begins with `name`, else 0.
fn counted(line: &[u8], name: &str) -> Result<u64, Failure> {
    if !line.starts_with(name.as_bytes()) {
        return Ok(0);
    }
    let line = str::from_utf8(line)?.trim_end();
    let value = line.rsplit(' ').next().unwrap_or_default();
    Ok(value.parse::<f64>().map_err(|_| format!("expected a count at the end of {line}"))? as u64)
}
