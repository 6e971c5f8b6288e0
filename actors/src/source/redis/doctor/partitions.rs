//! Partitions: whether each may be taken from and delivered to, who has them, what waits
//! there, and whether Redis has as many as the settings say.

use redis::{RedisError, cmd};

use super::super::once::{Duty, FIELDS, Keys, OF_OWNER, Owner, Part, Stored};
use super::diagnosis::Diagnosis;
use super::visit::{Visit, unanswered};
use super::{rights, server, unreachable};
use crate::cluster_key::{home_key, partition_key};
use crate::settings::{Endpoint, QueueSettings};

const TOPIC: &str = "partitions";

/// What is found of all partitions together.
#[derive(Debug, Default)]
struct Found {
    /// What is wrong with records; the same words of several are told once.
    damage: Vec<Diagnosis>,
    /// Partitions whose intake, and whose home, nobody has.
    unowned: [Vec<String>; 2],
}

/// An intake or a home.
#[derive(Debug)]
struct PartSeen {
    length: u64,
    owner: Owner,
}

/// Looks at each partition, on the node that has it. `seen` is the node that was looked
/// at already.
pub async fn look(settings: &QueueSettings, seen: Endpoint) -> Vec<Diagnosis> {
    let Some(partitions) = settings.partitions.map(|partitions| partitions.count) else {
        return Vec::new();
    };
    let (mut findings, mut found, mut nodes) = (Vec::new(), Found::default(), vec![seen]);
    for partition in 0..partitions.get() {
        let intake =
            QueueSettings { key: partition_key(&settings.key, partition), ..settings.clone() };
        let mut visit = match Visit::open(&intake).await {
            Ok(visit) => visit,
            Err(cause) => {
                findings.push(unreachable(&cause));
                continue;
            }
        };
        if !nodes.contains(&visit.link.endpoint) {
            nodes.push(visit.link.endpoint.clone());
            findings.extend(server::look(&mut visit).await);
        }
        let home = QueueSettings { key: home_key(&settings.key, partition), ..settings.clone() };
        let mut at_home = Visit { settings: &home, link: visit.link.clone() };
        findings.extend(rights::look_at_partition(&mut visit, &mut at_home).await);
        let part = |duty| Part { duty, partition, partitions };
        let both = (
            part_seen(&mut visit, part(Duty::Router)).await,
            part_seen(&mut at_home, part(Duty::Home)).await,
        );
        match both {
            (Ok(intake), Ok(home)) => {
                findings.push(found.note(partition, [(&visit, intake), (&at_home, home)]));
            }
            (Err(cause), _) | (_, Err(cause)) => findings.push(unanswered(TOPIC, "HMGET", &cause)),
        }
    }
    findings.extend(found.judged());
    findings
}

async fn part_seen(visit: &mut Visit<'_>, part: Part) -> Result<PartSeen, RedisError> {
    let keys = Keys::beside(&visit.settings.key);
    let length = visit.ask(&cmd("LLEN").arg(&keys.queue).take()).await?;
    let ask = cmd("HMGET").arg(&keys.owner).arg(&FIELDS[..OF_OWNER]).take();
    let fields: Vec<Option<Vec<u8>>> = visit.ask(&ask).await?;
    let mut owner = Owner::of(&Stored::of(fields), part);
    let ask = cmd("TIME");
    let (seconds, micros): (u64, u64) = visit.ask(&ask).await?;
    let now = seconds * 1000 + micros / 1000;
    let is_over = |deadline: &str| deadline.parse::<u64>().is_ok_and(|deadline| deadline < now);
    if let Owner::Holder { epoch, deadline, .. } = &owner
        && is_over(deadline)
    {
        // Nobody has taken over.
        owner = Owner::Released { epoch: *epoch };
    }
    Ok(PartSeen { length, owner })
}

impl Found {
    /// A line for one partition.
    fn note(&mut self, partition: usize, parts: [(&Visit<'_>, PartSeen); 2]) -> Diagnosis {
        let mut said = Vec::new();
        for ((visit, seen), unowned) in parts.into_iter().zip(&mut self.unowned) {
            let key = &visit.settings.key;
            let has = match seen.owner {
                Owner::Holder { token, .. } => format!("which {} has", process_of(&token)),
                Owner::Nobody | Owner::Released { .. } => {
                    unowned.push(partition.to_string());
                    "which nobody has".to_owned()
                }
                Owner::Elsewhere(other) => {
                    let advice = format!("prom-stream-gateway repartition --to {}", other.told);
                    self.damage.push(Diagnosis::fail(TOPIC, format!("{key}: {other}"), advice));
                    "of another number of partitions".to_owned()
                }
                Owner::Damaged(damage) => {
                    let advice =
                        "restore it from a copy of Redis' data: no gateway goes on from it";
                    let text = format!("{}: {damage}", Keys::beside(key).owner);
                    self.damage.push(Diagnosis::fail(TOPIC, text, advice));
                    "whose record can't be read".to_owned()
                }
            };
            said.push(format!("{} in {key}, {has}", count_waiting(seen.length)));
        }
        Diagnosis::ok(TOPIC, format!("{partition}: {}", said.join("; ")))
    }

    /// What it comes to. Where Redis has another number of partitions, one line says so.
    fn judged(mut self) -> Vec<Diagnosis> {
        self.damage.dedup_by(|one, other| one.advice == other.advice);
        let names = ["intake", "home"].into_iter().zip(&self.unowned);
        let missing: Vec<String> = names
            .filter(|(_, partitions)| !partitions.is_empty())
            .map(|(name, partitions)| format!("the {name} of {}", partitions.join(", ")))
            .collect();
        if !missing.is_empty() {
            self.damage.push(Diagnosis::warn(
                TOPIC,
                format!("nobody has {}", missing.join(" and ")),
                "run as many gateways as there are partitions, and one that stands by",
            ));
        }
        self.damage
    }
}

fn count_waiting(length: u64) -> String {
    match length {
        1 => "1 element waits".to_owned(),
        _ => format!("{length} elements wait"),
    }
}

/// Whose token it is, where it says that.
fn process_of(token: &str) -> String {
    let process = token.split('.').nth(2).filter(|process| process.parse::<u32>().is_ok());
    process.map_or_else(|| "a gateway".to_owned(), |process| format!("process {process}"))
}
