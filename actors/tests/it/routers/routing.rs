//! What is routed is delivered once, whatever fails meanwhile.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use psg_actors::source::redis::once::{Demand, LoadFailure, Memory};
use psg_engine::reject::Reason;
use redis::Commands;

use super::harness::{
    Held, Kept, P, PARTITION, Running, TOO_LARGE, delivered, home, name, names, on_its_thread,
    partitions,
};
use super::proxy::Proxy;
use crate::server::{PATIENCE, RedisServer};

/// The field of a lane at its home.
fn field(lane: u16) -> String {
    format!("{PARTITION}:{lane}")
}

fn sources(number: usize) -> String {
    format!("{}:sources", home(number))
}

/// Of which a summary has so many.
const OBSERVATION: f64 = 0.123_456_789_012_345_67;
const OBSERVATIONS: usize = 2000;

#[test]
fn each_element_goes_to_the_home_of_its_name_within_a_flush() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let running = Running::start(server.endpoint());
        running.load(&Held::new(5, 0, 1000), &Kept::default()).await.unwrap();
        assert!(running.ask(|memory| memory.may_claim()).await);
        running.route(0, names(0..1000)).await;
        let deadline = Instant::now() + PATIENCE;
        while delivered(&server, 0..1000) != [1; 1000] {
            assert!(Instant::now() < deadline, "a flush comes by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let figures = &running.figures;
        assert_eq!(figures.forwarded.load(Ordering::Relaxed), 1000);
        running.until("all is delivered", |memory| memory.may_end()).await;
        let of_homes = figures.homes.iter().map(|home| home.delivered.load(Ordering::Relaxed));
        assert_eq!(of_homes.sum::<u64>(), 1000);
        for home in &figures.homes {
            assert_eq!(home.undelivered_bytes.load(Ordering::Relaxed), 0);
            assert_eq!(home.undelivered_since.load(Ordering::Relaxed), 0);
            assert!(home.is_entered.load(Ordering::Relaxed));
        }
        running.end().await;
    });
}

/// The process is killed at each stage of a chunk; who takes over goes on from the last
/// checkpoint.
#[test]
fn after_a_kill_each_element_is_delivered_once() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let (mut kept, mut at) = (Kept::default(), 0);
        for round in 0..6_u64 {
            let running = Running::start(server.endpoint());
            let end = 100 + 100 * round;
            running.load(&Held::new(round + 1, at, end), &kept).await.unwrap();
            // What the checkpoint does not cover comes again.
            running.route(at, names(at..end)).await;
            if round % 3 != 0 {
                running.drain().await;
            }
            if round % 2 == 0 {
                running.checkpoint(&mut kept).await;
                at = end;
            }
            if round % 3 == 0 {
                running.drain().await;
            }
            running.kill();
        }
        let running = Running::start(server.endpoint());
        running.load(&Held::new(9, at, 600), &kept).await.unwrap();
        running.route(at, names(at..600)).await;
        running.drain().await;
        assert_eq!(delivered(&server, 0..600), [1; 600]);
        running.end().await;
    });
}

/// In a replay homes are ahead of what is routed again; a checkpoint says so.
#[test]
fn a_checkpoint_in_a_replay_can_be_loaded() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let mut kept = Kept::default();
        for (epoch, at, routed) in [(1, 0, 100), (2, 0, 50), (3, 50, 100)] {
            let running = Running::start(server.endpoint());
            running.load(&Held::new(epoch, at, 100), &kept).await.unwrap();
            running.route(at, names(at..routed)).await;
            running.drain().await;
            if epoch == 2 {
                running.checkpoint(&mut kept).await;
            }
            running.kill();
        }
        assert_eq!(delivered(&server, 0..100), [1; 100]);
    });
}

#[test]
fn what_homes_do_not_take_is_in_the_checkpoint() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let running = Running::start(server.endpoint());
        let mut kept = Kept::default();
        running.load(&Held::new(1, 0, 300), &kept).await.unwrap();
        let mut redis = server.connect();
        // No list: home 0 refuses.
        let _: () = redis.set(home(0), "no list").unwrap();
        running.route(0, names(0..100)).await;
        let deadline = Instant::now() + PATIENCE;
        let failures = || running.figures.homes[0].failures.load(Ordering::Relaxed);
        while failures() == 0 {
            assert!(Instant::now() < deadline, "home 0 takes something that is no list");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.route(100, names(100..200)).await;
        running.checkpoint(&mut kept).await;
        running.kill();
        let _: () = redis.del(home(0)).unwrap();
        let next = Running::start(server.endpoint());
        next.load(&Held::new(2, 200, 300), &kept).await.unwrap();
        next.drain().await;
        assert_eq!(delivered(&server, 0..200), [1; 200]);
        next.end().await;
    });
}

#[test]
fn a_checkpoint_says_what_was_delivered_since_the_last() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let running = Running::start(server.endpoint());
        let mut kept = Kept::default();
        running.load(&Held::new(1, 0, 300), &kept).await.unwrap();
        running.route(0, names(0..100)).await;
        running.checkpoint(&mut kept).await;
        running.drain().await;
        running.checkpoint(&mut kept).await;
        let unchanged = running.snapshot(false).await;
        assert!(unchanged.segments.is_empty(), "{:?}", unchanged.segments);
        assert!(running.snapshot(true).await.segments.is_empty(), "nothing is left");
        running.kill();
        let next = Running::start(server.endpoint());
        next.load(&Held::new(2, 100, 300), &kept).await.unwrap();
        next.drain().await;
        assert_eq!(delivered(&server, 0..100), [1; 100]);
        next.end().await;
    });
}

#[test]
fn lost_replies_double_nothing() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let proxy = Proxy::of(server.endpoint()).await;
        let running = Running::start(proxy.endpoint.clone());
        running.load(&Held::new(1, 0, 500), &Kept::default()).await.unwrap();
        for begin in (0..500).step_by(100) {
            running.route(begin, names(begin..begin + 100)).await;
            if begin == 200 {
                // The epoch is raised while something may be on its way.
                running.resume(&Held::new(2, 0, 500)).await;
            }
        }
        running.drain().await;
        assert!(proxy.lost.load(Ordering::Relaxed) > 0);
        assert_eq!(delivered(&server, 0..500), [1; 500]);
        running.end().await;
    });
}

#[test]
fn after_a_raised_epoch_nothing_is_claimed_before_homes_are_entered() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let running = Running::start(server.endpoint());
        running.load(&Held::new(1, 0, 500), &Kept::default()).await.unwrap();
        let held = Held::new(2, 0, 500);
        let claims = move |memory: &mut dyn Memory| {
            memory.resumed(held.ownership());
            memory.may_claim()
        };
        assert!(!running.ask(claims).await);
        running.until("all are entered again", |memory| memory.may_claim()).await;
        let mut redis = server.connect();
        for number in 0..P {
            let place: String = redis.hget(sources(number), field(0)).unwrap();
            assert_eq!(place, "2 me 0");
        }
        running.end().await;
    });
}

#[test]
fn a_home_that_has_seen_a_higher_epoch_asks_for_one_above_it() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let mut redis = server.connect();
        let _: () = redis.hset(sources(1), field(3), "7 other 0").unwrap();
        let running = Running::start(server.endpoint());
        let outcome = running.load(&Held::new(5, 0, 100), &Kept::default()).await;
        assert!(matches!(outcome, Err(LoadFailure::RaiseAbove(7))), "{outcome:?}");
        running.load(&Held::new(8, 0, 100), &Kept::default()).await.unwrap();
        let _: () = redis.hset(sources(1), field(3), "9 other 0").unwrap();
        running.resume(&Held::new(9, 0, 100)).await;
        running
            .until("another has it", |memory| memory.demand() == Some(Demand::RaiseAbove(9)))
            .await;
        running.end().await;
    });
}

#[test]
fn places_beyond_the_end_are_set_back_before_anything_is_claimed() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let mut redis = server.connect();
        let first = Running::start(server.endpoint());
        first.load(&Held::new(1, 0, 50), &Kept::default()).await.unwrap();
        first.route(0, names(0..50)).await;
        first.drain().await;
        first.kill();
        // The partition's node went back to before it was claimed.
        let running = Running::start(server.endpoint());
        let mut held = Held::new(2, 0, 20);
        let outcome = running.load(&held, &Kept::default()).await;
        assert!(matches!(outcome, Err(LoadFailure::NewLine(20))), "{outcome:?}");
        held.epoch = 3;
        (held.line.epoch, held.line.place) = (3, 20);
        running.load(&held, &Kept::default()).await.unwrap();
        assert!(running.figures.set_back.load(Ordering::Relaxed) > 0);
        let lane = partitions().lane_of(&name(0));
        let place: String = redis.hget(sources(lane.home()), field(lane.within_home())).unwrap();
        assert_eq!(place, "3 me 20");
        // What is new at the places behind it is delivered.
        running.route(0, names(0..20).chain(names(100..110))).await;
        running.drain().await;
        assert_eq!(delivered(&server, 0..20), [1; 20]);
        assert_eq!(delivered(&server, 100..110), [1; 10]);
        running.end().await;
    });
}

#[test]
fn a_home_that_went_back_is_sent_again_what_is_still_there() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let running = Running::start(server.endpoint());
        let mut kept = Kept::default();
        running.load(&Held::new(1, 0, 100), &kept).await.unwrap();
        running.route(0, names(0..50)).await;
        running.checkpoint(&mut kept).await;
        running.drain().await;
        let mut redis = server.connect();
        let _: () = redis::cmd("FLUSHALL").query(&mut redis).unwrap();
        for number in 0..P {
            for lane in 0..8 {
                let _: () = redis.hset(sources(number), field(lane), "1 me 0").unwrap();
            }
        }
        running.route(50, names(50..100)).await;
        running
            .until("it went back", |memory| matches!(memory.demand(), Some(Demand::Reload(_))))
            .await;
        running.load(&Held::new(2, 50, 100), &kept).await.unwrap();
        running.route(50, names(50..100)).await;
        running.drain().await;
        assert_eq!(delivered(&server, 0..100), [1; 100]);
        running.end().await;
    });
}

#[test]
fn a_home_without_an_answer_holds_up_the_load_until_the_stop() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        server.suspend();
        let running = Running::start(server.endpoint());
        let mut outcome = running.begin_to_load(&Held::new(1, 0, 100), &Kept::default()).await;
        let waiting = tokio::time::timeout(Duration::from_millis(200), &mut outcome).await;
        assert!(waiting.is_err(), "{waiting:?}");
        running.stop();
        let outcome = tokio::time::timeout(PATIENCE, outcome).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(LoadFailure::Stopped)), "{outcome:?}");
        running.end().await;
        server.resume();
    });
}

#[test]
fn what_is_no_sample_is_refused_here_and_takes_its_place() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let running = Running::start(server.endpoint());
        running.load(&Held::new(1, 0, 100), &Kept::default()).await.unwrap();
        let sample = |number| format!(r#"{{"name":"{}","value":1}}"#, name(number));
        let payloads = vec![sample(0), "no sample".to_owned(), TOO_LARGE.to_owned(), sample(3)];
        running.route_payloads(0, payloads).await;
        running.drain().await;
        assert_eq!(delivered(&server, 0..4), [1, 0, 0, 1]);
        let refused =
            |reason| running.metrics.workers[0].rejected[reason as usize].load(Ordering::Relaxed);
        assert_eq!(refused(Reason::InvalidJson), 1);
        assert_eq!(refused(Reason::PayloadTooLarge), 1);
        let lane = partitions().lane_of(&name(3));
        let place: String =
            server.connect().hget(sources(lane.home()), field(lane.within_home())).unwrap();
        assert_eq!(place, "1 me 4");
        running.end().await;
    });
}

/// A producer's flood for a home that is away: what is held has a bound, and the stop
/// too.
#[test]
fn what_waits_for_a_home_has_a_bound() {
    on_its_thread(async {
        let server = RedisServer::start(&[]);
        let running = Running::start(server.endpoint());
        let mut kept = Kept::default();
        running.load(&Held::new(1, 0, 1 << 40), &kept).await.unwrap();
        server.suspend();
        // The observations of a summary do not add up.
        let values = vec![OBSERVATION.to_string(); OBSERVATIONS].join(",");
        let payload = format!(r#"{{"name":"s","type":"summary","values":[{values}]}}"#);
        let mut place = 0;
        while running.ask(|memory| memory.may_read()).await {
            running.route_payloads(place, vec![payload.clone(); 16]).await;
            place += 16;
            assert!(place < 4000, "nothing says that it is full");
        }
        let homes = &running.figures.homes;
        let waiting = homes.iter().map(|home| home.undelivered_bytes.load(Ordering::Relaxed));
        let waiting: u64 = waiting.sum();
        // It is told though no answer has come since.
        assert!((4 << 20..10 << 20).contains(&waiting), "{waiting} bytes wait");
        // Its checkpoint waits for nobody, nor does its end.
        running.checkpoint(&mut kept).await;
        let begun = Instant::now();
        running.stop();
        running.until("it may end", |memory| memory.may_end()).await;
        assert!(begun.elapsed() < Duration::from_secs(8));
        running.end().await;
        // It has what it was sent while it hung.
        server.resume();
        let next = Running::start(server.endpoint());
        next.load(&Held::new(2, place, place), &kept).await.unwrap();
        next.drain().await;
        let queue: Vec<Vec<u8>> =
            server.connect().lrange(home(partitions().home_of("s")), 0, -1).unwrap();
        let bits = OBSERVATION.to_bits().to_le_bytes();
        let observations = |frame: &Vec<u8>| frame.windows(8).filter(|at| *at == bits).count();
        let delivered: usize = queue.iter().map(observations).sum();
        assert_eq!(delivered, place as usize * OBSERVATIONS);
        next.end().await;
    });
}
