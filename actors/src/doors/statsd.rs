//! StatsD: lines in packets by UDP or a Unix socket, and over connections by TCP, as
//! StatsD and DogStatsD have them. On a thread of its own, which reads and never waits
//! for the queue:
//!
//! ```text
//! sockets ─► lines ─► collector ─► queue
//! ```

mod collector;
mod kernel_drops;
pub mod lines;
mod sockets;

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use self::collector::Collector;
use self::lines::LineOptions;
use self::sockets::StatsdSocket;
use super::Doors;
use crate::self_metrics::doors::Door;
use crate::settings::StatsdSettings;
use crate::stop::StopSignal;

/// How long the last push may take when the gateway ends.
const LAST_PUSH: Duration = Duration::from_secs(1);

/// Listens, and takes what comes until the stop signal.
///
/// # Errors
/// An address can't be listened on, or the thread can't be started.
pub fn start(
    settings: &StatsdSettings,
    max_values: usize,
    doors: Arc<Doors>,
    stop: StopSignal,
) -> io::Result<()> {
    let options = LineOptions { buckets: settings.buckets.clone(), max_values };
    let sockets: io::Result<Vec<StatsdSocket>> =
        settings.listen.iter().map(StatsdSocket::bind).collect();
    let sockets = sockets?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    doors.metrics().open(Door::Statsd);
    // What came before the stop signal is pushed after it.
    let held_open = doors.hold_open();
    thread::Builder::new().name("statsd".into()).spawn(move || {
        let local = LocalSet::new();
        local.block_on(&runtime, run(sockets, options, doors, stop));
        drop(held_open);
    })?;
    Ok(())
}

async fn run(
    sockets: Vec<StatsdSocket>,
    options: LineOptions,
    doors: Arc<Doors>,
    mut stop: StopSignal,
) {
    let collector = Rc::new(Collector::new(doors, options));
    let mut readers = JoinSet::new();
    let mut inodes = Vec::new();
    for socket in sockets {
        inodes.extend(socket.udp_inode());
        readers.spawn_local(socket.read(Rc::clone(&collector)));
    }
    let pushing = collector.push();
    let mut pushing = pin!(pushing);
    tokio::select! {
        () = stop.stopped() => {}
        () = &mut pushing => {}
        () = collector.send_off_in_time() => {}
        () = kernel_drops::watch(inodes, collector.lost_packets()) => {}
        Some(_) = readers.join_next() => {}
    }
    readers.shutdown().await;
    collector.close();
    if timeout(LAST_PUSH, pushing).await.is_err() {
        tracing::warn!("what came last by StatsD is not on the queue");
    }
}
