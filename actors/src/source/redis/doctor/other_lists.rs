//! Other lists: those that producers fill and nobody takes from, since their name is
//! nearly the queue's or another altogether, or since they lie in another database.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use psg_engine::printable::{LONG, printable};
use redis::{RedisError, cmd};

use super::super::info::ServerInfo;
use super::super::once::Keys;
use super::super::presence;
use super::ElementVerdict;
use super::diagnosis::Diagnosis;
use super::server;
use super::visit::{Visit, unanswered};
use crate::cluster_key::{home_key, partition_key};
use crate::likeness::{Likeness, advice, likeness};
use crate::settings::QueueSettings;

/// Keys that one SCAN looks at: Redis does nothing else meanwhile.
const KEYS_AT_ONCE: usize = 1000;
/// How long the search may take in all.
const PATIENCE: Duration = Duration::from_secs(3);
/// Lists that are reported.
const REPORTED: usize = 5;
/// Lists of names that are not like the queue's, of which an element is looked at.
const LOOKED_INTO: usize = 200;
/// Databases that are looked into.
const DATABASES: usize = 16;

/// Looks for all of them. `judge` says what the gateway would do with an element.
pub async fn look(
    visit: &mut Visit<'_>,
    judge: &impl Fn(&[u8]) -> ElementVerdict,
) -> Vec<Diagnosis> {
    // Most users may not ask, and need not.
    let info = server::info(visit).await.ok();
    let is_part = info.as_ref().is_some_and(ServerInfo::is_cluster);
    let mut findings = match in_the_same_database(visit, is_part, judge).await {
        Ok(findings) => findings,
        Err(cause) => vec![unanswered("other lists", "SCAN", &cause)],
    };
    let databases = info.map(|info| info.databases().collect()).unwrap_or_default();
    findings.extend(elsewhere(visit, databases).await.unwrap_or_default());
    findings
}

/// Lists whose names are nearly the queue's, and those that hold samples.
async fn in_the_same_database(
    visit: &mut Visit<'_>,
    is_part: bool,
    judge: &impl Fn(&[u8]) -> ElementVerdict,
) -> Result<Vec<Diagnosis>, RedisError> {
    let settings = visit.settings;
    let own = OwnLists::of(settings);
    let until = Instant::now() + PATIENCE;
    let (mut findings, mut looked_into) = (Vec::new(), 0);
    // SCAN may give a key twice.
    let mut seen = BTreeSet::new();
    let mut cursor: u64 = 0;
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(KEYS_AT_ONCE).arg("TYPE").arg("list");
        let (next, keys): (u64, Vec<Vec<u8>>) = visit.ask(&scan).await?;
        for key in keys {
            let name = String::from_utf8_lossy(&key);
            let like = likeness(&name, &settings.key).unwrap_or(Likeness::HoldsSamples);
            let is_wanted = like != Likeness::HoldsSamples || looked_into < LOOKED_INTO;
            let is_new = !own.contains(&name) && !seen.contains(&key);
            if is_wanted && is_new && findings.len() < REPORTED {
                looked_into += usize::from(like == Likeness::HoldsSamples);
                findings.extend(stray(visit, &key, like, judge).await);
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
            (0, false) if looked_into < LOOKED_INTO => {
                "no other list has a name like the queue's, or holds samples"
            }
            (0, false) => "no other list has a name like the queue's; there are many lists",
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

/// The lists that gateways with these settings use.
struct OwnLists {
    names: BTreeSet<String>,
    /// What the names of claimed lists begin with.
    claimed: Vec<String>,
}

impl OwnLists {
    fn of(settings: &QueueSettings) -> Self {
        let key = &settings.key;
        let partitions = settings.partitions.map_or(1, |partitions| partitions.count.get());
        let mut queues: Vec<String> = (0..partitions).map(|at| partition_key(key, at)).collect();
        if settings.partitions.is_some() {
            queues.extend((0..partitions).map(|partition| home_key(key, partition)));
        }
        let claimed = queues.iter().map(|queue| Keys::beside(queue).work).collect();
        let names = queues.into_iter().chain([settings.dead_letters.key.clone()]).collect();
        Self { names, claimed }
    }

    fn contains(&self, name: &str) -> bool {
        self.names.contains(name) || self.claimed.iter().any(|work| name.starts_with(work))
    }
}

/// A list with another name, unless it has gateways of its own, or holds
/// something else.
async fn stray(
    visit: &mut Visit<'_>,
    key: &[u8],
    like: Likeness,
    judge: &impl Fn(&[u8]) -> ElementVerdict,
) -> Option<Diagnosis> {
    if let Likeness::SameEnd | Likeness::HoldsSamples = like {
        let ask = cmd("LINDEX").arg(key).arg(-1).take();
        let element: Option<Vec<u8>> = visit.ask(&ask).await.ok()?;
        let verdict = judge(&element?);
        let is_sample = match like == Likeness::HoldsSamples {
            true => verdict.is_plainly_sample,
            false => verdict.refusals.is_empty(),
        };
        is_sample.then_some(())?;
    }
    let length: u64 = visit.ask(&cmd("LLEN").arg(key).take()).await.ok()?;
    let name = String::from_utf8_lossy(key);
    let gateways = presence::on_queue(&mut visit.link.connection, &name).await.unwrap_or_default();
    if length == 0 || !gateways.is_empty() {
        return None;
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
    let advice = advice(name, queue, Some(like));
    match like {
        // It may be the queue of a gateway that is away.
        Likeness::HoldsSamples => Diagnosis::warn("other lists", text, advice),
        Likeness::Prefixed | Likeness::OtherCase | Likeness::Misspelt | Likeness::SameEnd => {
            Diagnosis::fail("other lists", text, advice)
        }
    }
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
