//! Handles, admission and the catalog with several readers and shards at
//! once, each on a thread of its own, asking and giving back as fast as they
//! can: the limits hold at every moment, every accepted sample counts once,
//! and what was refused leaves nothing behind.

use std::sync::Barrier;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use psg_engine::catalog::{Catalog, CatalogSettings};
use psg_engine::exposition::Format;
use psg_engine::intake::{Intake, IntakeSettings};
use psg_engine::limits::SeriesLimits;
use psg_engine::merge::merge;
use psg_engine::reject::Reason;
use psg_engine::series::{Handle, ReaderIndex, SeriesKey};
use psg_engine::sharding::{ShardCount, ShardIndex};
use psg_engine::store::{ExposeJob, Store};
use psg_engine::timestamp::Moment;
use psg_engine::updates::Updates;

use crate::support::exposition_parser::{Dialect, ParsedSample, parse};

const READERS: usize = 4;
const SHARDS: usize = 3;
const PAGES: u64 = 300;
const LIMITS: SeriesLimits =
    SeriesLimits { max_series: 40, max_series_per_metric: 12, max_series_bytes: usize::MAX };

type Answers = (ShardIndex, Vec<Result<Handle, Reason>>);

enum Message {
    Define(ReaderIndex, Vec<SeriesKey>, Sender<Answers>),
    Apply(Updates),
}

/// What the readers counted together.
#[derive(Default)]
struct Account {
    accepted: u64,
    refused: u64,
}

fn shard(index: ShardIndex, inbox: Receiver<Message>, catalog: Catalog) -> Store {
    let mut store = Store::default();
    for message in inbox {
        match message {
            Message::Define(reader, keys, reply) => {
                let define = |key| store.define(key, reader, Moment(0));
                reply.send((index, keys.into_iter().map(define).collect())).unwrap();
            }
            Message::Apply(updates) => store.apply(&updates, Moment(0)),
        }
        assert!(catalog.live_series() <= LIMITS.max_series);
    }
    store
}

fn reader(
    reader: ReaderIndex,
    seed: u64,
    catalog: Catalog,
    shards: Vec<Sender<Message>>,
) -> Account {
    let mut random = seed;
    let mut intake = Intake::new(
        IntakeSettings { cache_series: 5, ..IntakeSettings::default() },
        catalog,
        ShardCount::new(SHARDS),
        reader,
    );
    let (reply, answers) = channel();
    let mut account = Account::default();
    for _ in 0..PAGES {
        for _ in 0..20 {
            intake.route(payload(&mut random).as_bytes(), |_, _| account.refused += 1);
        }
        let mut asked = Vec::new();
        for request in intake.define_requests() {
            let (keys, kept) = request.ask();
            shards[kept.shard.get()].send(Message::Define(reader, keys, reply.clone())).unwrap();
            asked.push(kept);
        }
        while !asked.is_empty() {
            let (shard, answer) = answers.recv().unwrap();
            let position = asked.iter().position(|kept| kept.shard == shard).unwrap();
            intake.answer(asked.swap_remove(position), answer);
        }
        let outcome = intake.finish();
        account.refused += outcome.refused.len() as u64;
        for (shard, updates) in shards.iter().zip(outcome.updates) {
            account.accepted += updates.samples();
            shard.send(Message::Apply(updates)).unwrap();
        }
    }
    account
}

/// Counters and histograms that fight over the same names, with more label sets
/// than there are places.
fn payload(random: &mut u64) -> String {
    let mut draw = |below: u64| {
        *random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % below
    };
    let kind = if draw(10) == 0 { "histogram" } else { "counter" };
    format!(
        r#"{{"type":"{kind}","name":"n{}","value":1,"labels":{{"l":"{}"}},"buckets":[5]}}"#,
        draw(6),
        draw(20)
    )
}

#[test]
fn readers_and_shards_at_once() {
    for round in 0..5 {
        println!("seed {round}");
        let catalog =
            Catalog::new(CatalogSettings { limits: LIMITS, ..CatalogSettings::default() });
        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..SHARDS).map(|_| channel()).unzip();
        let start = Barrier::new(READERS);
        let (account, stores) = thread::scope(|scope| {
            let stores: Vec<_> = (0u16..)
                .zip(inboxes)
                .map(|(index, inbox)| {
                    let catalog = catalog.clone();
                    scope.spawn(move || shard(ShardIndex(index), inbox, catalog))
                })
                .collect();
            let readers: Vec<_> = (0..READERS as u64)
                .map(|number| {
                    let (catalog, senders, start) = (catalog.clone(), senders.clone(), &start);
                    scope.spawn(move || {
                        start.wait();
                        reader(ReaderIndex(number as u8), round * 100 + number, catalog, senders)
                    })
                })
                .collect();
            drop(senders);
            let accounts = readers.into_iter().map(|reader| reader.join().unwrap());
            let account = accounts.fold(Account::default(), |sum, one| Account {
                accepted: sum.accepted + one.accepted,
                refused: sum.refused + one.refused,
            });
            let stores: Vec<Store> =
                stores.into_iter().map(|store| store.join().unwrap()).collect();
            (account, stores)
        });
        assert_eq!(account.accepted + account.refused, READERS as u64 * PAGES * 20);
        assert!(account.refused > 0 && account.accepted > 0);
        check_end(&catalog, stores, account.accepted);
    }
}

fn check_end(catalog: &Catalog, mut stores: Vec<Store>, accepted: u64) {
    let defined: usize = stores.iter().map(Store::defined).sum();
    assert_eq!(catalog.live_series(), defined);
    let sources = stores.iter_mut().map(|store| {
        let mut job = ExposeJob::new(Format::Text, catalog);
        while !store.expose_some(&mut job, 7, Moment(0)) {}
        job.finish()
    });
    let exposition = merge(Format::Text, sources.collect(), catalog);
    let body = String::from_utf8(exposition.pieces.concat()).unwrap();
    let families = parse(&body, Dialect::Text).unwrap();
    assert_eq!(families.len(), catalog.families());
    let counts = |sample: &&ParsedSample| sample.name.len() == 2 || sample.name.ends_with("_count");
    let samples = families.iter().flat_map(|family| &family.samples).filter(counts);
    assert_eq!(samples.map(|sample| sample.value).sum::<f64>(), accepted as f64);
    drop(stores);
    assert_eq!((catalog.families(), catalog.live_series()), (0, 0), "everything is given back");
}
