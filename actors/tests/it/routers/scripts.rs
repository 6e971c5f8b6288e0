//! The scripts at a home, on a real Redis.

use psg_actors::settings::RedisTarget;
use psg_actors::source::redis::homes::{
    DeliverAnswer, DeliverRequest, EnterAnswer, EnterRequest, EnteredLane, Home, LaneBounds,
};
use psg_actors::source::redis::once::Line;
use psg_engine::partition::{Chunk, LANES_PER_HOME, Lane};
use redis::Commands;

use crate::server::RedisServer;

const QUEUE: &str = "{q}:home";
const SOURCES: &str = "{q}:home:sources";

fn home(server: &RedisServer) -> Home {
    let target = RedisTarget { endpoints: vec![server.endpoint()], ..RedisTarget::default() };
    Home::new(target, QUEUE.to_owned())
}

/// To enter two lanes.
fn enter(epoch: u64, token: &str, bounds: [(u64, Option<u64>); 2]) -> EnterRequest {
    let lanes = bounds.map(|(least, known)| LaneBounds { least, known }).to_vec();
    let line = Line { epoch: 7, place: 13 };
    EnterRequest { partition: 0, epoch, token: token.to_owned(), line, lanes }
}

fn deliver(epoch: u64, token: &str, from: u64, to: u64, frames: &[&[u8]]) -> DeliverRequest {
    let frames = frames.iter().map(|frame| frame.to_vec()).collect();
    DeliverRequest {
        partition: 0,
        lane: Lane::from_number(LANES_PER_HOME).unwrap(),
        epoch,
        token: token.to_owned(),
        from,
        to,
        chunk: Chunk { frames, samples: 1 }.into(),
    }
}

fn entered(lanes: [(Option<u64>, u64); 2]) -> EnterAnswer {
    EnterAnswer::Entered(lanes.map(|(was, is)| EnteredLane { was, is }).to_vec())
}

fn other(seen: &str) -> DeliverAnswer {
    DeliverAnswer::Other(seen.to_owned())
}

#[tokio::test]
async fn enter_fences_and_puts_places_right() {
    let server = RedisServer::start(&[]);
    let (mut home, mut redis) = (home(&server), server.connect());
    let first = enter(5, "a", [(10, None), (10, None)]);
    assert_eq!(home.enter(&first).await.unwrap(), entered([(None, 10), (None, 10)]));
    let again = home.enter(&first).await.unwrap();
    assert_eq!(again, entered([(Some(10), 10), (Some(10), 10)]), "after a lost reply");
    for (epoch, token) in [(5, "b"), (4, "a")] {
        let refused = enter(epoch, token, [(0, None), (0, None)]);
        assert_eq!(home.enter(&refused).await.unwrap(), EnterAnswer::Newer(5));
    }
    let _: () = redis.hset(SOURCES, "0:0", "5 a 14").unwrap();
    let raised = home.enter(&enter(6, "b", [(12, None), (12, None)])).await.unwrap();
    assert_eq!(raised, entered([(Some(14), 13), (Some(10), 12)]), "the line, and the least");
    let _: () = redis.hset(SOURCES, "0:0", "7 b 14").unwrap();
    let kept = home.enter(&enter(7, "b", [(12, None), (12, None)])).await.unwrap();
    assert_eq!(kept, entered([(Some(14), 14), (Some(12), 12)]), "of the line's epoch");
    let _: () = redis.hdel(SOURCES, "0:0").unwrap();
    let told = home.enter(&enter(7, "b", [(12, Some(15)), (12, Some(12))])).await.unwrap();
    assert_eq!(told, entered([(None, 15), (Some(12), 12)]), "what was deleted is told");
}

#[tokio::test]
async fn large_places_are_exact_and_others_words_are_refused() {
    let server = RedisServer::start(&[]);
    let (mut home, mut redis) = (home(&server), server.connect());
    let large = (1 << 52) - 1;
    let answer = home.enter(&enter(5, "a", [(large, None), (0, Some(large))])).await.unwrap();
    assert_eq!(answer, entered([(None, large), (None, large)]));
    for words in ["", "5 a", "x a 10", "5 a ten", "5 a 10 11"] {
        let _: () = redis.hset(SOURCES, "0:1", words).unwrap();
        let cause = home.enter(&enter(9, "a", [(0, None), (0, None)])).await.unwrap_err();
        assert!(cause.message.contains("holds no place under 0:1"), "{}", cause.message);
    }
}

#[tokio::test]
async fn deliver_pushes_and_moves_once() {
    let server = RedisServer::start(&[]);
    let (mut home, mut redis) = (home(&server), server.connect());
    home.enter(&enter(5, "a", [(10, None), (10, None)])).await.unwrap();
    let request = deliver(5, "a", 10, 14, &[b"x", b"y"]);
    assert_eq!(home.deliver(&request).await.unwrap(), DeliverAnswer::Done);
    assert_eq!(home.deliver(&request).await.unwrap(), other("5 a 14"), "the same again");
    assert_eq!(request.then(), "5 a 14");
    let zombie = deliver(4, "z", 14, 20, &[b"z"]);
    assert_eq!(home.deliver(&zombie).await.unwrap(), other("5 a 14"));
    // Producers' order: the oldest is the last.
    let queue: Vec<String> = redis.lrange(QUEUE, 0, -1).unwrap();
    assert_eq!(queue, ["y", "x"]);
    let _: () = redis.del(SOURCES).unwrap();
    let late = deliver(5, "a", 14, 15, &[b"late"]);
    assert_eq!(home.deliver(&late).await.unwrap(), other(""));
}

#[tokio::test]
async fn what_is_refused_moves_nothing() {
    let server = RedisServer::start(&[]);
    let (mut home, mut redis) = (home(&server), server.connect());
    home.enter(&enter(5, "a", [(10, None), (10, None)])).await.unwrap();
    let _: () = redis.set(QUEUE, "no list").unwrap();
    let request = deliver(5, "a", 10, 14, &[b"x"]);
    let cause = home.deliver(&request).await.unwrap_err();
    assert!(cause.message.contains("WRONGTYPE"), "{}", cause.message);
    let _: () = redis.del(QUEUE).unwrap();
    let _: () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1mb"]).query(&mut redis).unwrap();
    let cause = home.deliver(&request).await.unwrap_err();
    assert!(cause.message.contains("OOM"), "{}", cause.message);
    let place: String = redis.hget(SOURCES, "0:0").unwrap();
    assert_eq!(place, "5 a 10");
    // A full home can be entered, and takes the chunk once it has room.
    home.enter(&enter(7, "b", [(10, None), (10, None)])).await.unwrap();
    let _: () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "0"]).query(&mut redis).unwrap();
    let many: Vec<&[u8]> = vec![b"f"; 20_000];
    let done = home.deliver(&deliver(7, "b", 10, 14, &many)).await.unwrap();
    assert_eq!(done, DeliverAnswer::Done);
    let length: u64 = redis.llen(QUEUE).unwrap();
    assert_eq!(length, 20_000);
}
