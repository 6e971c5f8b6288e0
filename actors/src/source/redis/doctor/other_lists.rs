//! Other lists: those that producers fill and nobody takes from, since their name is
//! nearly the queue's, or since they lie in another database.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use psg_engine::printable::{LONG, printable};
use redis::{RedisError, cmd};

use super::super::info::ServerInfo;
use super::super::once::Keys;
use super::super::presence;
use super::diagnosis::Diagnosis;
use super::server;
use super::visit::{Visit, unanswered};
use crate::likeness::{Likeness, advice, likeness};

/// Keys that one SCAN looks at: Redis does nothing else meanwhile.
const KEYS_AT_ONCE: usize = 1000;
/// How long the search may take in all.
const PATIENCE: Duration = Duration::from_secs(3);
/// Lists that are reported.
const REPORTED: usize = 5;
/// Databases that are looked into.
const DATABASES: usize = 16;

/// Looks for both. `refusals_of` says why an element would be refused.
pub async fn look(
    visit: &mut Visit<'_>,
    refusals_of: &impl Fn(&[u8]) -> Vec<String>,
) -> Vec<Diagnosis> {
    // Most users may not ask, and need not.
    let info = server::info(visit).await.ok();
    let is_part = info.as_ref().is_some_and(ServerInfo::is_cluster);
    let mut findings = match alike(visit, is_part, refusals_of).await {
        Ok(findings) => findings,
        Err(cause) => vec![unanswered("other lists", "SCAN", &cause)],
    };
    let databases = info.map(|info| info.databases().collect()).unwrap_or_default();
    findings.extend(elsewhere(visit, databases).await.unwrap_or_default());
    findings
}

/// Lists whose names are nearly the queue's.
async fn alike(
    visit: &mut Visit<'_>,
    is_part: bool,
    refusals_of: &impl Fn(&[u8]) -> Vec<String>,
) -> Result<Vec<Diagnosis>, RedisError> {
    let settings = visit.settings;
    let claimed = Keys::beside(&settings.key).work;
    let until = Instant::now() + PATIENCE;
    let mut findings = Vec::new();
    // SCAN may give a key twice.
    let mut seen = BTreeSet::from([settings.dead_letters.key.clone().into_bytes()]);
    let mut cursor: u64 = 0;
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(KEYS_AT_ONCE).arg("TYPE").arg("list");
        let (next, keys): (u64, Vec<Vec<u8>>) = visit.ask(&scan).await?;
        for key in keys {
            let name = String::from_utf8_lossy(&key);
            let like = likeness(&name, &settings.key).filter(|_| !name.starts_with(&claimed));
            if let Some(like) = like
                && findings.len() < REPORTED
                && !seen.contains(&key)
            {
                findings.extend(stray(visit, &key, like, refusals_of).await);
                seen.insert(key);
            }
        }
        cursor = next;
        if cursor == 0 || Instant::now() >= until {
            break;
        }
    }
    if findings.is_empty() {
        let looked = match (cursor, is_part) {
            (0, false) => "no other list has a name like the queue's",
            (0, true) => "no other list on this node of the cluster has a name like the queue's",
            _ => {
                "no other list was found with a name like the queue's; Redis has too many keys to \
                 look at all"
            }
        };
        findings.push(Diagnosis::ok("other lists", looked));
    }
    Ok(findings)
}

/// A list with another name, unless it has gateways of its own, or holds
/// something else.
async fn stray(
    visit: &mut Visit<'_>,
    key: &[u8],
    like: Likeness,
    refusals_of: &impl Fn(&[u8]) -> Vec<String>,
) -> Option<Diagnosis> {
    let length: u64 = visit.ask(&cmd("LLEN").arg(key).take()).await.ok()?;
    let name = String::from_utf8_lossy(key);
    let gateways = presence::on_queue(&mut visit.link.connection, &name).await.unwrap_or_default();
    if length == 0 || !gateways.is_empty() {
        return None;
    }
    if like == Likeness::SameEnd {
        let ask = cmd("LINDEX").arg(key).arg(-1).take();
        let element: Option<Vec<u8>> = visit.ask(&ask).await.ok()?;
        element.filter(|element| refusals_of(element).is_empty())?;
    }
    Some(stray_list(&name, &visit.settings.key, like, length))
}

fn stray_list(name: &str, queue: &str, like: Likeness, length: u64) -> Diagnosis {
    let text = format!(
        "{} in the list {}, which is not the queue {queue}: {}",
        count_lying(length),
        printable(name, LONG),
        like.why(),
    );
    Diagnosis::fail("other lists", text, advice(name, queue, Some(like)))
}

/// Lists of the queue's name in other databases.
async fn elsewhere(
    visit: &mut Visit<'_>,
    databases: Vec<i64>,
) -> Result<Vec<Diagnosis>, RedisError> {
    let own = visit.settings.redis.database;
    let mut findings = Vec::new();
    for database in databases.into_iter().filter(|other| *other != own).take(DATABASES) {
        let found = length_in(visit, database).await;
        visit.ask::<()>(&cmd("SELECT").arg(own).take()).await?;
        if let Ok(length @ 1..) = found {
            let key = &visit.settings.key;
            findings.push(Diagnosis::fail(
                "database",
                format!(
                    "{} in {key} of database {database}, the gateway takes from database {own}",
                    count_lying(length)
                ),
                format!("set Redis.MetricQueueDatabase={database}, or have producers SELECT {own}"),
            ));
        }
    }
    Ok(findings)
}

async fn length_in(visit: &mut Visit<'_>, database: i64) -> Result<u64, RedisError> {
    visit.ask::<()>(&cmd("SELECT").arg(database).take()).await?;
    visit.ask(&cmd("LLEN").arg(&visit.settings.key).take()).await
}

fn count_lying(length: u64) -> String {
    match length {
        1 => "1 element lies".to_owned(),
        _ => format!("{length} elements lie"),
    }
}
