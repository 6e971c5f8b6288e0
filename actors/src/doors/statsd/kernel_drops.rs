//! Packets that the kernel dropped, since they came faster than they were read: it
//! says for each UDP socket how many.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// The sockets of this process' network, by IPv4 and IPv6.
const TABLES: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];

/// Columns of these tables, counted from 0.
const INODE: usize = 9;
const DROPS: usize = 12;

const INTERVAL: Duration = Duration::from_secs(1);

/// Publishes how many packets these sockets have lost, each second. Never ends.
pub async fn watch(inodes: Vec<u64>, lost: &AtomicU64) {
    if inodes.is_empty() {
        std::future::pending::<()>().await;
    }
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A system may keep these tables to itself.
        let tables = TABLES.iter().filter_map(|path| fs::read_to_string(path).ok());
        let drops = tables.map(|table| drops_of(&table, &inodes)).sum();
        lost.store(drops, Ordering::Relaxed);
    }
}

fn drops_of(table: &str, inodes: &[u64]) -> u64 {
    let drops = table.lines().filter_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let inode = columns.nth(INODE)?.parse().ok()?;
        let drops: u64 = columns.nth(DROPS - INODE - 1)?.parse().ok()?;
        inodes.contains(&inode).then_some(drops)
    });
    drops.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_stand_in_the_last_column() {
        let table = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1234: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 55501 2 0000000000000000 17
 1235: 0100007F:1FBE 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 55502 2 0000000000000000 5
";
        assert_eq!(drops_of(table, &[55_501]), 17);
        assert_eq!(drops_of(table, &[55_501, 55_502, 1]), 22);
        assert_eq!(drops_of(table, &[]) + drops_of("", &[55_501]), 0);
    }
}
