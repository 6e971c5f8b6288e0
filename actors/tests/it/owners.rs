//! Owners of a queue that is split into partitions: a memory of a few words stands for
//! what they keep safe.

mod harness;

use std::collections::BTreeSet;

use psg_actors::cluster_key::home_key;
use psg_actors::fatal::FatalError;
use psg_actors::serving_gate::Permit;
use psg_actors::source::redis::once::{Demand, Duty, LoadFailure};

use crate::server::RedisServer;
use harness::{Owner, Redis, run, until};

const P: usize = 3;

fn router(redis: &Redis) -> Owner {
    Owner::of(redis, Duty::Router, P)
}

/// The router of partition 0, which takes all that is there.
async fn router_of_0(redis: &Redis) -> Owner {
    redis.hold_all_but(P, 0);
    let owner = router(redis);
    owner.until_owned().await;
    owner
}

#[test]
fn a_router_knows_the_place_and_the_claim_of_all_that_it_reads_and_again_after_a_kill() {
    run(async {
        let redis = Redis::start();
        let before = redis.micros();
        let owner = router_of_0(&redis).await;
        redis.push("q", &["a", "b", "c"]);
        owner.until_taken(3).await;
        redis.push("q", &["d", "e"]);
        owner.until_taken(5).await;
        let taken = owner.taken();
        let places: Vec<u64> = taken.iter().map(|element| element.place.unwrap()).collect();
        assert_eq!(places, [0, 1, 2, 3, 4]);
        let times: Vec<i64> =
            taken.iter().map(|element| element.claimed_at.unwrap().micros()).collect();
        assert!(before <= times[0] && times[0] == times[2] && times[2] < times[3], "{times:?}");
        assert!(times[4] <= redis.micros());
        // Nothing is safe yet: the next owner reads the same, as of the same time.
        drop(owner);
        let heir = router(&redis);
        heir.until_taken(5).await;
        assert_eq!(heir.taken(), taken);
    });
}

#[test]
fn a_checkpoint_moves_the_place_and_forgets_the_claims_that_it_covers() {
    run(async {
        let redis = Redis::start();
        let owner = router_of_0(&redis).await;
        redis.push("q", &["a", "b", "c"]);
        owner.until_taken(3).await;
        owner.checkpoint().await;
        let record = redis.record("q");
        assert_eq!((&*record["at"], &*record["line"], &*record["layout"]), ("3", "0:0", "1:3"));
        assert_eq!(record["format"], "2", "gateways that know no partitions leave it alone");
        assert!(!record.keys().any(|field| field.starts_with("time:")), "{record:?}");
        owner.stop().await;
        let heir = router(&redis);
        heir.until_owned().await;
        assert_eq!(heir.memory.borrow().elements, ["a", "b", "c"]);
        let known = heir.memory.borrow().known.last().cloned().unwrap();
        assert_eq!((known.partition, known.at, known.end), (0, 3, 3));
        redis.push("q", &["d"]);
        heir.until_taken(1).await;
        assert_eq!(heir.taken()[0].place, Some(3));
    });
}

#[test]
fn homes_have_neither_places_nor_times() {
    run(async {
        let redis = Redis::start();
        let owner = Owner::of(&redis, Duty::Home, 1 + P);
        owner.until_owned().await;
        let at = owner.partition().unwrap();
        let home = home_key("q", at);
        redis.push(&home, &["frame"]);
        owner.until_elements(1).await;
        owner.checkpoint().await;
        let record = redis.record(&home);
        assert_eq!((&*record["format"], &*record["layout"]), ("1", "1:4"));
        let odd =
            |field: &&String| field.starts_with("time:") || *field == "at" || *field == "line";
        assert_eq!(record.keys().find(odd), None);
    });
}

#[test]
fn each_process_takes_another_partition_and_stands_by_where_none_is_free() {
    run(async {
        let redis = Redis::start();
        let mut owners: Vec<Owner> = (0..P).map(|_| router(&redis)).collect();
        let mut partitions = BTreeSet::new();
        for owner in &owners {
            owner.until_owned().await;
            partitions.insert(owner.partition().unwrap());
        }
        assert_eq!(partitions, BTreeSet::from([0, 1, 2]));
        let standby = router(&redis);
        until("it stands by", || standby.gate.permit() == Ok(Permit::OwnMetrics)).await;
        assert_eq!(standby.partition(), None);
        let leaving = owners.pop().unwrap();
        let left = leaving.partition();
        tokio::join!(leaving.stop(), standby.until_owned());
        assert_eq!(standby.partition(), left);
        assert!(owners.iter().all(|owner| owner.fatal().is_none()));
    });
}

#[test]
fn another_number_of_partitions_ends_the_start_with_what_to_run() {
    run(async {
        for (stored, duty, told) in [
            (Duty::Router, Duty::Router, 2),
            (Duty::Router, Duty::Whole, 1),
            (Duty::Whole, Duty::Router, 3),
            // Of the homes there is no record yet: that of the queue itself says it.
            (Duty::Whole, Duty::Home, 3),
        ] {
            let redis = Redis::start();
            let count = if stored == Duty::Whole { 1 } else { P };
            if count > 1 {
                redis.hold_all_but(P, 0);
            }
            let owner = Owner::of(&redis, stored, count);
            owner.until_owned().await;
            owner.stop().await;
            let before = redis.record("q");
            let other = Owner::of(&redis, duty, told);
            until("it ends", || other.fatal().is_some()).await;
            let Some(FatalError::BadConfiguration(told_why)) = other.fatal() else {
                panic!("{:?}", other.fatal())
            };
            assert!(told_why.contains(&format!("repartition --to {told}`")), "{told_why}");
            assert_eq!(redis.record("q"), before);
        }
    });
}

#[test]
fn a_load_can_ask_for_a_higher_epoch_and_for_a_line() {
    run(async {
        let redis = Redis::start();
        redis.hold_all_but(P, 0);
        let owner = router(&redis);
        let failures = [LoadFailure::RaiseAbove(100), LoadFailure::NewLine(0)];
        owner.memory.borrow_mut().failures.extend(failures);
        owner.until_owned().await;
        let known = owner.memory.borrow().known.clone();
        assert_eq!(known.len(), 3);
        assert!(known[0].epoch <= 100 && known[1].epoch > 100 && known[2].epoch > known[1].epoch);
        for known in &known[1..] {
            assert_eq!((known.line.epoch, known.line.place), (known.epoch, 0), "with a line");
        }
        assert_eq!(redis.record("q")["line"], known[2].line.to_string());
        redis.push("q", &["a"]);
        owner.until_taken(1).await;
        // Redis goes back behind the line: it is written again as it was.
        redis.set("q", "line", "0:0");
        redis.cut_all();
        until("it loads again", || owner.memory.borrow().known.len() > 3).await;
        owner.until_taken(2).await;
        assert_eq!(redis.record("q")["line"], known[2].line.to_string());
        assert_eq!(owner.memory.borrow().elements, ["a"], "read again, once");
    });
}

#[test]
fn a_memory_may_ask_to_be_loaded_again() {
    run(async {
        let redis = Redis::start();
        let owner = router_of_0(&redis).await;
        redis.push("q", &["a", "b"]);
        owner.until_taken(2).await;
        for demand in [Demand::Reload("a home went back".to_owned()), Demand::RaiseAbove(500)] {
            let loads = owner.memory.borrow().known.len();
            owner.memory.borrow_mut().demand = Some(demand);
            owner.changes.notify_one();
            until("it loads again", || owner.memory.borrow().known.len() > loads).await;
            owner.until_elements(2).await;
        }
        let memory = owner.memory.borrow();
        let last = memory.known.last().unwrap();
        assert!(last.epoch > 500);
        assert_eq!((last.line.epoch, last.line.place), (last.epoch, 2), "where the claims end");
    });
}

#[test]
fn claims_pages_and_the_last_checkpoint_wait_for_the_memory() {
    run(async {
        let redis = Redis::start();
        let owner = router_of_0(&redis).await;
        owner.memory.borrow_mut().may_claim = false;
        redis.idle().await;
        redis.push("q", &["a", "b"]);
        redis.idle().await;
        assert_eq!(redis.length("q"), 2, "it is not claimed");
        owner.memory.borrow_mut().may_claim = true;
        owner.memory.borrow_mut().may_read = false;
        owner.changes.notify_one();
        until("it is claimed", || redis.length("q") == 0).await;
        redis.idle().await;
        assert_eq!(owner.taken().len(), 0, "it is not read");
        owner.memory.borrow_mut().may_read = true;
        owner.changes.notify_one();
        owner.until_taken(2).await;
        assert!(!owner.memory.borrow().was_asked_to_end, "it would send on all that comes");
        owner.memory.borrow_mut().may_end = false;
        owner.stopper.stop();
        redis.idle().await;
        assert_eq!(redis.record("q")["at"], "0", "nothing is saved yet");
        owner.memory.borrow_mut().may_end = true;
        owner.changes.notify_one();
        owner.stop().await;
        let record = redis.record("q");
        assert_eq!((&*record["at"], &*record["token"]), ("2", ""));
    });
}

#[test]
fn a_load_that_is_stopped_gives_the_queue_back() {
    run(async {
        let redis = Redis::start();
        redis.hold_all_but(P, 0);
        let owner = router(&redis);
        owner.memory.borrow_mut().failures.push_back(LoadFailure::Stopped);
        until("it ends", || owner.has_ended()).await;
        assert_eq!(redis.record("q")["token"], "");
    });
}

#[test]
fn a_router_s_record_that_was_deleted_is_put_back_with_its_places_and_times() {
    run(async {
        let redis = Redis::start();
        let owner = router_of_0(&redis).await;
        redis.push("q", &["a", "b", "c"]);
        owner.until_taken(3).await;
        owner.checkpoint().await;
        owner.memory.borrow_mut().may_read = false;
        redis.push("q", &["d"]);
        until("it is claimed", || redis.length("q") == 0).await;
        redis.idle().await;
        let before = redis.record("q");
        assert!(before.contains_key("time:2"), "{before:?}");
        redis.delete("{q}:owner");
        redis.cut_all();
        until("it is put back", || redis.record("q").contains_key("version")).await;
        redis.idle().await;
        let after = redis.record("q");
        for (field, value) in &before {
            if field != "epoch" && field != "deadline" {
                assert_eq!(after.get(field), Some(value), "{field}");
            }
        }
        let known = owner.memory.borrow().known.last().cloned().unwrap();
        assert_eq!((known.at, known.end, known.is_new), (3, 4, false));
    });
}

#[test]
fn what_redis_has_lost_is_written_from_memory_at_the_place_where_it_is() {
    run(async {
        let redis = Redis::start();
        let owner = router_of_0(&redis).await;
        redis.push("q", &["a", "b", "c"]);
        owner.until_taken(3).await;
        owner.checkpoint().await;
        redis.push("q", &["d"]);
        owner.until_taken(4).await;
        owner.memory.borrow_mut().may_read = false;
        redis.push("q", &["e", "f"]);
        until("it is claimed", || redis.length("q") == 0).await;
        redis.idle().await;
        let time = redis.record("q")["time:3"].clone();
        // The list that is not read is all that is left.
        for key in ["{q}:owner", "{q}:state", "{q}:work:2"] {
            redis.delete(key);
        }
        redis.cut_all();
        let is_new =
            |owner: &Owner| owner.memory.borrow().known.last().is_some_and(|own| own.is_new);
        until("it is written", || is_new(&owner)).await;
        let known = owner.memory.borrow().known.last().cloned().unwrap();
        assert_eq!((known.at, known.end), (4, 6));
        assert_eq!(owner.memory.borrow().elements, ["a", "b", "c", "d"], "the memory is kept");
        owner.memory.borrow_mut().may_read = true;
        owner.changes.notify_one();
        owner.until_taken(6).await;
        let last = owner.taken().pop().unwrap();
        assert_eq!((last.place.unwrap(), last.claimed_at.unwrap().micros().to_string()), (5, time));
        owner.checkpoint().await;
        assert_eq!(redis.record("q")["at"], "6");
    });
}

/// A Redis that is gone for good is none of the others' concern: see the partitions of a
/// cluster in tests/faults. Here it hangs, and so does every candidate.
#[test]
fn who_chooses_obeys_the_stop_signal_while_nothing_answers() {
    run(async {
        let server = RedisServer::start(&[]);
        server.suspend();
        until("it hangs", || server.is_suspended()).await;
        let owner = Owner::at(server.endpoint(), Duty::Router, P);
        owner.stopper.stop();
        until("it ends", || owner.has_ended()).await;
    });
}
