//! Exactly-once delivery and the server: how it is reached, what it must be,
//! and what the gateway has to be allowed there.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use super::{
    ONE, OWNER, STATE, WORK, await_checkpoint, await_total, owner_at, owner_of, persistent,
};
use psg_testkit::{GatewayBuilder, RedisOptions, RedisServer, wait_for};

/// The address of a proxy to `redis`, which sees what goes by on each way.
fn proxy(redis: &RedisServer, to: fn(&mut [u8]), back: fn(&mut [u8])) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let server = redis.address();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&server).expect("redis is up");
            let (answers, asker) = (server.try_clone(), client.try_clone());
            let (answers, asker) = (answers.expect("a socket"), asker.expect("a socket"));
            std::thread::spawn(move || pass_on(client, server, to));
            std::thread::spawn(move || pass_on(answers, asker, back));
        }
    });
    address
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, change: fn(&mut [u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        change(&mut buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// The version stands at the beginning of what INFO says, so in its first packet.
fn say_6(answer: &mut [u8]) {
    const VERSION: &[u8] = b"redis_version:";
    let at = answer.windows(VERSION.len()).position(|words| words == VERSION);
    if let Some(digit) = at.and_then(|at| answer.get_mut(at + VERSION.len())) {
        *digit = b'6';
    }
}

#[test]
fn a_redis_before_7_is_refused_before_anything_is_touched() {
    let redis = persistent();
    redis.push(&[ONE]);
    let refused = owner_at(&proxy(&redis, |_| {}, say_6)).finish();
    assert_eq!(refused.code(), 78, "{}", refused.output());
    assert!(refused.output().contains("needs Redis 7.0 or Valkey, got 6."), "{}", refused.output());
    assert_eq!(redis.run::<u32>(&["EXISTS", OWNER, STATE, &format!("{WORK}1")]), 0);
    assert_eq!(redis.pending(), 1);
    // That it is for the version alone: without the proxy it is taken.
    await_total(&owner_of(&redis).start(), 1.0);
}

/// Holds up whoever writes dead letters.
#[expect(clippy::disallowed_methods, reason = "a network that is late")]
fn letters_are_late(request: &mut [u8]) {
    // The other is of what a shard refuses.
    const LETTERS: [&[u8]; 2] = [b"no JSON", br#""type":"counter""#];
    let has = |letter: &[u8]| request.windows(letter.len()).any(|words| words == letter);
    if LETTERS.iter().any(|letter| has(letter)) {
        std::thread::sleep(Duration::from_millis(1500));
    }
}

/// Behind it they would be written never: the element is gone then.
#[test]
fn a_checkpoint_waits_for_the_dead_letters_that_it_covers() {
    let big = r#"{"name":"big","value":1.7e308}"#;
    for refused in [&["no JSON"][..], &[big, big]] {
        let redis = persistent();
        let address = proxy(&redis, letters_are_late, |_| {});
        let gateway = owner_at(&address).set("Redis__DeadLetterKey", "dead").start();
        redis.push(&[refused, &[ONE]].concat());
        await_total(&gateway, 1.0);
        await_checkpoint(&redis);
        assert_eq!(redis.run::<u32>(&["LLEN", "dead"]), 1, "{refused:?}");
    }
}

/// Two nodes; the first one has all slots.
fn cluster() -> [RedisServer; 2] {
    let node = || RedisServer::with(RedisOptions { cluster: true, ..Default::default() });
    let nodes = [node(), node()];
    nodes[0].own_all_slots_beside(&nodes[1]);
    nodes
}

/// All keys are in one slot: a cluster refuses a script with others. The
/// gateway is given the node that has not got them.
#[test]
fn in_a_cluster_the_owner_of_the_slot_is_found_and_all_keys_are_in_it() {
    let [redis, other] = cluster();
    for queue in ["plain", "app:{tenant}:queue"] {
        let builder = || owner_at(&other.address()).set("Redis__MetricQueueKey", queue);
        for total in [100.0, 200.0] {
            redis.push_to(0, queue, &[ONE; 100]);
            let mut gateway = builder().start();
            await_total(&gateway, total);
            gateway.signal("TERM");
            assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
            let lists: Vec<String> = redis.run(&["KEYS", "*:work:*"]);
            assert!(lists.is_empty(), "covered by the last checkpoint: {lists:?}");
        }
    }
}

#[test]
fn in_a_cluster_a_key_that_no_other_can_share_a_slot_with_is_refused() {
    let [redis, _other] = cluster();
    let refused = owner_of(&redis).set("Redis__MetricQueueKey", "a{}b").finish();
    assert_eq!(refused.code(), 78, "{}", refused.output());
    assert!(refused.output().contains("braces that are no hash tag"), "{}", refused.output());
}

#[test]
fn over_tls_nothing_is_different() {
    let redis = RedisServer::with(RedisOptions {
        tls_names: &["localhost"],
        persistent: true,
        ..Default::default()
    });
    let connection = format!("localhost:{},ssl=true", redis.tls_port());
    let authority = redis.certificates().authority.clone();
    let builder = || owner_at(&connection).set("Redis__TlsCaFile", &authority);
    let mut gateway = builder().start();
    redis.push(&[ONE; 1000]);
    await_total(&gateway, 1000.0);
    await_checkpoint(&redis);
    redis.push(&[ONE; 500]);
    await_total(&gateway, 1500.0);
    gateway.kill();
    redis.push(&[ONE; 50]);
    await_total(&builder().start(), 1550.0);
}

/// Else two would serve: nobody can tell whether another one has taken over.
#[test]
fn while_redis_is_silent_totals_are_shown_no_longer_than_a_lease() {
    let redis = persistent();
    let gateway = owner_of(&redis).start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    redis.pause();
    wait_for("the lease to end", || {
        let reply = gateway.get("/metrics", &[])?;
        let is_over = reply.status == 503 && reply.text().contains("lease");
        if is_over { Ok(()) } else { Err(format!("{}", reply.status)) }
    });
    assert_eq!(gateway.must_get("/-/ready", &[]).status, 503);
    redis.resume();
    redis.push(&[ONE]);
    await_total(&gateway, 11.0);
}

/// The words of the command on a page that grants what is needed.
fn rights_in_the_page() -> Vec<String> {
    let command = psg_testkit::pages::only("rights", "exactly-once").text;
    let command = command.replace("\\\n", " ").replace('\'', "");
    command.split_whitespace().skip(1).map(str::to_owned).collect()
}

/// A Redis with a user that has these rights, and a gateway for it.
fn with_rights() -> (RedisServer, GatewayBuilder) {
    let redis = persistent();
    let words = rights_in_the_page();
    redis.run::<()>(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let builder = owner_at(&format!("{},user=gateway,password=secret", redis.address()));
    (redis, builder)
}

#[test]
fn the_rights_in_the_page_are_enough() {
    let (redis, builder) = with_rights();
    let mut gateway = builder.start();
    redis.push(&[ONE; 10]);
    await_total(&gateway, 10.0);
    await_checkpoint(&redis);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0));
    let gateway = owner_at(&format!("{},user=gateway,password=secret", redis.address())).start();
    redis.push(&[ONE]);
    await_total(&gateway, 11.0);
    let log = gateway.log().join("\n");
    assert!(!log.contains("NOPERM"), "{log}");
}

/// Commands without which it works, if not as well: a wait that becomes a look
/// now and then, a role that INFO tells too, a name in lists; and those with
/// which the gateways on a queue are counted.
const DISPENSABLE: [&str; 8] =
    ["blmove", "role", "client|setname", "zadd", "expire", "zremrangebyscore", "zcard", "zrem"];

/// Nobody stands by for an owner that there is not.
#[test]
fn a_queue_that_can_t_be_taken_over_is_told_as_that_all_the_time() {
    let (redis, builder) = with_rights();
    redis.run::<()>(&["ACL", "SETUSER", "gateway", "-hset"]);
    let gateway = builder.start_unready();
    wait_for("it to be tried six times", || {
        let ready = gateway.must_get("/-/ready", &[]);
        assert_eq!(ready.status, 503);
        assert!(!ready.text().contains("standby"), "{}", ready.text());
        let stats: String = redis.run(&["INFO", "commandstats"]);
        let eval = stats.lines().find(|line| line.starts_with("cmdstat_eval:")).unwrap_or_default();
        let failed = eval.rsplit("failed_calls=").next().and_then(|count| count.parse().ok());
        if failed.is_some_and(|failed: u32| failed >= 6) { Ok(()) } else { Err(stats) }
    });
    let log = gateway.log().join("\n");
    assert_eq!(log.matches("redis denies what is needed").count(), 1, "{log}");
    redis.run::<()>(&["ACL", "SETUSER", "gateway", "+hset"]);
    redis.push(&[ONE]);
    await_total(&gateway, 1.0);
}

/// Whichever right is missing: it is told, nothing is counted wrongly, and once
/// it is granted the gateway goes on by itself.
#[test]
fn each_right_that_is_missing_is_told_and_nothing_is_lost() {
    let words = rights_in_the_page();
    let commands = words.iter().filter_map(|word| word.strip_prefix('+'));
    let needed: Vec<&str> = commands.filter(|command| !DISPENSABLE.contains(command)).collect();
    assert!(needed.len() > 10, "{words:?}");
    // Most of the time they wait.
    std::thread::scope(|scope| {
        for command in needed {
            scope.spawn(move || check_without(command));
        }
    });
}

fn check_without(command: &str) {
    let (redis, builder) = with_rights();
    redis.run::<()>(&["ACL", "SETUSER", "gateway", &format!("-{command}")]);
    // A list so long that the first checkpoint comes in the midst of it.
    let mut pushed = if command == "ltrim" { 500_000 } else { 10 };
    redis.push(&vec![ONE; pushed]);
    let mut gateway = builder.start_unready();
    wait_for(&format!("the gateway to miss {command}"), || {
        let log = gateway.log().join("\n");
        if log.contains("redis denies what is needed") {
            return Ok(());
        }
        // Fields are replaced by a later checkpoint.
        redis.push(&[ONE]);
        pushed += 1;
        Err(log)
    });
    redis.run::<()>(&["ACL", "SETUSER", "gateway", &format!("+{command}")]);
    await_total(&gateway, pushed as f64);
    await_checkpoint(&redis);
    gateway.signal("TERM");
    assert_eq!(gateway.wait_at_most(Duration::from_secs(10)).code(), Some(0), "{command}");
}
