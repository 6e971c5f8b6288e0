//! `doctor`: what it finds on real servers, and that it changes nothing.

use psg_testkit::redis::QUEUE;
use psg_testkit::{
    Finished, Gateway, GatewayBuilder, RedisOptions, RedisServer, Sentinel, wait_until,
};

const GOOD: &str = r#"{"name":"a_total","value":1}"#;

/// What the doctor says with the settings of `builder`.
fn examined(builder: GatewayBuilder) -> Finished {
    builder.arguments(&["doctor"]).finish()
}

/// One finding: its line, and the advice below it, `-> ` and all.
#[track_caller]
fn finding(of: &Finished, verdict: &str, topic: &str) -> (String, String) {
    let begins = |line: &str| {
        let rest = line.strip_prefix(verdict).unwrap_or_default().trim_start();
        rest.strip_prefix(topic).is_some_and(|rest| rest.starts_with("  "))
    };
    let at = of.lines.iter().position(|line| begins(line));
    let at = at.unwrap_or_else(|| panic!("no {verdict} of {topic}:\n{}", of.output()));
    let below = of.lines.get(at + 1).map(|line| line.trim().to_owned()).unwrap_or_default();
    (of.lines[at].clone(), below)
}

#[track_caller]
fn is_well(of: &Finished) {
    assert_eq!(of.code(), 0, "{}", of.output());
    let last = of.lines.last().map(String::as_str);
    assert_eq!(last, Some("all is well; nothing was changed"), "{}", of.output());
}

/// All that a server holds, and how long it is kept.
fn everything(redis: &RedisServer) -> Vec<(String, Vec<u8>, i64)> {
    let mut keys: Vec<String> = redis.run(&["KEYS", "*"]);
    keys.sort();
    let dump = |key: String| {
        let (value, expiry) = (redis.run(&["DUMP", &key]), redis.run(&["PTTL", &key]));
        (key, value, expiry)
    };
    keys.into_iter().map(dump).collect()
}

#[test]
fn where_all_is_well_it_says_so_and_changes_nothing() {
    let redis = RedisServer::start();
    redis.push(&[GOOD, GOOD]);
    redis.run::<()>(&["LPUSH", "dead", "letter"]);
    redis.run::<()>(&["HSET", "{dead}:size", "length", "1", "bytes", "6"]);
    let before = everything(&redis);
    let of = examined(GatewayBuilder::reading(&redis).set("Redis__DeadLetterKey", "dead"));
    is_well(&of);
    finding(&of, "ok", "eviction");
    finding(&of, "ok", "dead letters");
    let (queue, _) = finding(&of, "ok", "queue");
    assert!(queue.contains("2 elements wait"), "{queue}");
    finding(&of, "ok", "payload");
    let (redis_line, _) = finding(&of, "ok", "redis");
    assert!(redis_line.contains(&redis.address()), "{redis_line}");
    assert_eq!(everything(&redis), before);
}

#[test]
fn exactly_once_is_looked_at_in_its_own_way() {
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let builder = || GatewayBuilder::reading(&redis).set("Redis__Delivery", "exactly-once");
    let owner = builder().start();
    redis.push(&[GOOD]);
    owner.scrape_after(1);
    let before: String = redis.run(&["HGET", &format!("{{{QUEUE}}}:owner"), "epoch"]);
    let of = examined(builder());
    is_well(&of);
    let (kept, _) = finding(&of, "ok", "persistence");
    assert!(kept.contains("appendfsync always"), "{kept}");
    let (gateways, _) = finding(&of, "ok", "gateways");
    assert!(gateways.contains("(exactly-once)"), "{gateways}");
    assert_eq!(redis.run::<String>(&["HGET", &format!("{{{QUEUE}}}:owner"), "epoch"]), before);

    let forgetful = RedisServer::start();
    forgetful.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let of = examined(GatewayBuilder::reading(&forgetful).set("Redis__Delivery", "exactly-once"));
    assert_eq!(of.code(), 0, "{}", of.output());
    finding(&of, "warn", "persistence");
    let (server, _) = finding(&of, "warn", "server");
    assert!(server.contains("volatile-lru"), "{server}");
    forgetful.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let of = examined(GatewayBuilder::reading(&forgetful).set("Redis__Delivery", "exactly-once"));
    assert_eq!(of.code(), 1);
    let (server, _) = finding(&of, "fail", "server");
    assert!(server.contains("noeviction, got allkeys-lru"), "{server}");
}

fn of_partitions(connection: &str, partitions: usize) -> GatewayBuilder {
    GatewayBuilder::connecting(connection)
        .set("Redis__Delivery", "exactly-once")
        .set("Redis__MetricQueuePartitions", partitions.to_string())
}

#[test]
fn each_partition_is_looked_at() {
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let address = redis.address();
    redis.push_to(0, &format!("{QUEUE}:1"), &[GOOD, GOOD]);
    let of = examined(of_partitions(&address, 2));
    assert_eq!(of.code(), 0, "{}", of.output());
    finding(&of, "ok", "other lists");
    let waits = format!("1: 2 elements wait in {QUEUE}:1, which nobody has; 0 elements wait in ");
    assert!(of.output().contains(&waits), "{}", of.output());
    let (line, advice) = finding(&of, "warn", "partitions");
    assert!(line.ends_with("nobody has the intake of 0, 1 and the home of 0, 1"), "{line}");
    assert!(advice.contains("run as many gateways"), "{advice}");

    let owned = |gateways: &[&Gateway]| -> f64 {
        let seen = gateways.iter().filter_map(|gateway| gateway.try_scrape().ok());
        seen.map(|seen| seen.sum("prom_stream_gateway_partition_owned")).sum()
    };
    let first = of_partitions(&address, 2).start_unready();
    wait_until("an intake and a home", || owned(&[&first]) == 2.0);
    let of = examined(of_partitions(&address, 2));
    assert_eq!(of.code(), 0, "{}", of.output());
    assert_eq!(of.output().matches("which process ").count(), 2, "{}", of.output());
    finding(&of, "warn", "partitions");
    let second = of_partitions(&address, 2).start_unready();
    wait_until("all to be owned", || owned(&[&first, &second]) == 4.0);
    is_well(&examined(of_partitions(&address, 2)));

    let of = examined(of_partitions(&address, 3));
    assert_eq!(of.code(), 1, "{}", of.output());
    let (line, advice) = finding(&of, "fail", "partitions");
    assert!(line.contains("it is of a queue with 2 partitions"), "{line}");
    assert_eq!(advice, "-> prom-stream-gateway repartition --to 3");
    assert!(of.output().contains("\n1 problem found"), "told once: {}", of.output());
}

#[test]
fn rights_on_each_partition_and_home_are_tried() {
    let redis = RedisServer::with(RedisOptions { persistent: true, ..Default::default() });
    let all = "ACL SETUSER few on >pass ~* +@all -lpush";
    redis.run::<()>(&all.split(' ').collect::<Vec<_>>());
    let connection = format!("{},user=few,password=pass", redis.address());
    let of = examined(of_partitions(&connection, 2));
    assert_eq!(of.code(), 1, "{}", of.output());
    let (line, advice) = finding(&of, "fail", "rights");
    assert!(line.ends_with("without +lpush"), "{line}");
    assert!(advice.contains(&format!("'~{{{QUEUE}}}:home' '+lpush'")), "{advice}");
    let rights =
        format!("ACL SETUSER few resetkeys ~{QUEUE} ~{{{QUEUE}}}:* ~{{{QUEUE}:1}}:* +lpush");
    redis.run::<()>(&rights.split(' ').collect::<Vec<_>>());
    let of = examined(of_partitions(&connection, 2));
    assert_eq!(of.code(), 1, "{}", of.output());
    let text = of.output();
    assert!(text.contains("no right") || text.contains(&format!("'~{QUEUE}:1'")), "{text}");
}

#[test]
fn a_redis_that_is_away_must_be_mended() {
    let of = examined(GatewayBuilder::connecting("127.0.0.1:1"));
    assert_eq!(of.code(), 1);
    let (line, advice) = finding(&of, "fail", "redis");
    assert!(line.contains("127.0.0.1:1"), "{line}");
    assert!(advice.contains("Redis.ConnectionString"), "{advice}");
}

#[test]
fn a_wrong_password_must_be_mended_and_is_not_shown() {
    let redis = RedisServer::with(RedisOptions { password: Some("right"), ..Default::default() });
    let of = examined(GatewayBuilder::connecting(&format!("{},password=hunter2", redis.address())));
    assert_eq!(of.code(), 1);
    let (line, advice) = finding(&of, "fail", "redis");
    assert!(line.contains("WRONGPASS"), "{line}");
    assert!(advice.contains("user and password"), "{advice}");
    assert!(!of.output().contains("hunter2"), "{}", of.output());
    let right =
        examined(GatewayBuilder::connecting(&format!("{},password=right", redis.address())));
    is_well(&right);
    assert!(!right.output().contains("password=right"), "{}", right.output());
}

#[test]
fn missing_rights_are_named_with_the_command_that_gives_them() {
    let redis = RedisServer::start();
    let rights = format!("ACL SETUSER few on >pass ~{QUEUE} +llen +role +client|setname");
    redis.run::<()>(&rights.split(' ').collect::<Vec<_>>());
    let connection = format!("{},user=few,password=pass", redis.address());
    let builder = || GatewayBuilder::connecting(&connection);
    let of = examined(builder());
    assert_eq!(of.code(), 1, "{}", of.output());
    let (line, advice) = finding(&of, "fail", "rights");
    assert!(line.contains("+rpop"), "{line}");
    let (blmove, _) = finding(&of, "warn", "rights");
    assert!(blmove.contains("polls"), "{blmove}");
    finding(&of, "skip", "version");
    finding(&of, "skip", "gateways");

    // What it advises is enough.
    let command = advice.strip_prefix("-> redis-cli ").expect("a command").replace('\'', "");
    redis.run::<()>(&command.split(' ').collect::<Vec<_>>());
    let of = examined(builder());
    assert_eq!(of.code(), 0, "{}", of.output());

    let of = examined(builder().set("Redis__Delivery", "exactly-once"));
    assert_eq!(of.code(), 1);
    let (_, advice) = finding(&of, "fail", "rights");
    let command = advice.strip_prefix("-> redis-cli ").expect("a command").replace('\'', "");
    redis.run::<()>(&command.split(' ').collect::<Vec<_>>());
    let of = examined(builder().set("Redis__Delivery", "exactly-once"));
    assert_eq!(of.code(), 0, "{}", of.output());
    let gateway = builder().set("Redis__Delivery", "exactly-once").start();
    redis.push(&[GOOD]);
    gateway.scrape_after(1);
}

#[test]
fn rights_to_write_dead_letters_are_tried_too() {
    let redis = RedisServer::start();
    let rights = format!(
        "ACL SETUSER few on >pass ~{QUEUE} ~dead ~{{dead}}:size +rpop +llen +role +blmove \
         +client|setname +eval +lrange +hmget +hset"
    );
    redis.run::<()>(&rights.split_whitespace().collect::<Vec<_>>());
    let connection = format!("{},user=few,password=pass", redis.address());
    let of = examined(GatewayBuilder::connecting(&connection).set("Redis__DeadLetterKey", "dead"));
    let (line, advice) = finding(&of, "fail", "dead letters");
    assert!(line.ends_with("without +lpush"), "{line}");
    assert!(advice.contains("'~dead' '+lpush'"), "{advice}");
    assert_eq!(redis.run::<usize>(&["EXISTS", "dead"]), 0);
}

#[test]
fn a_policy_that_throws_the_queue_away_must_be_mended() {
    let redis = RedisServer::start();
    redis.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let of = examined(GatewayBuilder::reading(&redis));
    assert_eq!(of.code(), 0, "it has no effect: {}", of.output());
    finding(&of, "warn", "eviction");
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "100mb"]);
    let of = examined(GatewayBuilder::reading(&redis));
    assert_eq!(of.code(), 1);
    let (line, advice) = finding(&of, "fail", "eviction");
    assert!(line.contains("allkeys-lru"), "{line}");
    assert!(advice.contains("noeviction"), "{advice}");
}

#[test]
fn a_prefixed_list_is_found_with_the_setting_to_change() {
    let redis = RedisServer::start();
    let prefixed = format!("laravel_database_{QUEUE}");
    redis.push_to(0, &prefixed, &[GOOD, GOOD]);
    // More keys than one look takes.
    let script = "for i = 1, 5000 do redis.call('SET', 'key' .. i, '') end";
    redis.run::<()>(&["EVAL", script, "0"]);
    let of = examined(GatewayBuilder::reading(&redis));
    assert_eq!(of.code(), 1);
    let (line, advice) = finding(&of, "fail", "other lists");
    assert!(line.contains("2 elements") && line.contains(&prefixed), "{line}");
    assert!(advice.contains(&format!("Redis.MetricQueueKey={prefixed}")), "{advice}");
    let mended = GatewayBuilder::reading(&redis).set("Redis__MetricQueueKey", prefixed);
    is_well(&examined(mended));
}

#[test]
fn a_misspelt_key_is_found_with_the_setting_to_change() {
    for (name, why) in [
        ("prom-stream-gateway:metrics-queue", "nearly the same"),
        ("Prom-Stream-Gateway:metric-queue", "letter case"),
        ("prom_stream_gateway:metric_queue", "nearly the same"),
        ("metric-queue", "end alike"),
    ] {
        let redis = RedisServer::start();
        redis.push_to(0, name, &[GOOD]);
        // Nobody takes these for the queue.
        redis.push_to(0, "emails", &[r#"{"name":"jane","value":1,"to":"x@example.com"}"#]);
        redis.push_to(0, "app:metric-queues", &["no sample"]);
        redis.run::<()>(&["LPUSH", "not \u{fffd} text", "x"]);
        let of = examined(GatewayBuilder::reading(&redis));
        assert_eq!(of.code(), 1, "{name}: {}", of.output());
        let (line, advice) = finding(&of, "fail", "other lists");
        assert!(line.contains(&format!("1 element lies in the list {name},")), "{line}");
        assert!(line.contains(why), "{line}");
        assert!(advice.contains(&format!("Redis.MetricQueueKey={name}")), "{advice}");
        assert!(advice.contains(&format!("have producers push to {QUEUE}")), "{advice}");
        let last = of.lines.last().map(String::as_str);
        assert_eq!(last, Some("1 problem found; nothing was changed"), "{}", of.output());
    }
}

#[test]
fn samples_under_any_other_name_are_found() {
    let redis = RedisServer::start();
    let jobs: Vec<String> = (0..50).map(|job| format!("queues:job-{job}")).collect();
    for name in &jobs {
        redis.push_to(0, name, &[r#"{"uuid":"1","displayName":"App\\Jobs\\Mail","data":{}}"#]);
    }
    is_well(&examined(GatewayBuilder::reading(&redis)));
    redis.push_to(0, "telemetry", &[GOOD, GOOD]);
    redis.push_to(0, "arrays", &[format!("[{GOOD},{GOOD}]")]);
    let of = examined(GatewayBuilder::reading(&redis));
    assert_eq!(of.code(), 0, "a gateway may be away: {}", of.output());
    let (line, _) = finding(&of, "warn", "other lists");
    assert!(line.contains("what it holds is a sample, and no gateway takes from it"), "{line}");
    for found in [
        "2 elements lie in the list telemetry, which is not the queue",
        "1 element lies in the list arrays, which is not the queue",
        "-> set Redis.MetricQueueKey=telemetry, or have producers push to",
    ] {
        assert!(of.output().contains(found), "{found}: {}", of.output());
    }
    // Who may not look is not told of it.
    redis.run::<()>(&["ACL", "SETUSER", "few", "on", ">pass", "~*", "+@all", "-lindex"]);
    let few = GatewayBuilder::connecting(&format!("{},user=few,password=pass", redis.address()));
    let of = examined(few);
    finding(&of, "ok", "other lists");
}

#[test]
fn a_list_with_a_gateway_of_its_own_is_no_stray() {
    let redis = RedisServer::start();
    let other = format!("other:{QUEUE}");
    redis.push_to(0, &other, &[GOOD]);
    let time: Vec<i64> = redis.run(&["TIME"]);
    let now = (time[0] * 1000).to_string();
    redis.run::<()>(&["ZADD", &format!("{{{other}}}:consumers"), &now, "at-most-once h 1 0"]);
    is_well(&examined(GatewayBuilder::reading(&redis)));
}

#[test]
fn a_list_in_another_database_is_found() {
    let redis = RedisServer::start();
    redis.push_to(3, QUEUE, &[GOOD]);
    let of = examined(GatewayBuilder::reading(&redis));
    assert_eq!(of.code(), 1);
    let (line, advice) = finding(&of, "fail", "database");
    assert!(line.contains("database 3"), "{line}");
    assert!(advice.contains("Redis.MetricQueueDatabase=3"), "{advice}");
}

#[test]
fn a_second_gateway_is_seen() {
    let redis = RedisServer::start();
    let builder = || GatewayBuilder::reading(&redis);
    let first = builder().start();
    let one = examined(builder());
    is_well(&one);
    let second = builder().start();
    for gateway in [&first, &second] {
        gateway.scrape_until("both to be there", |seen| {
            seen.sum("prom_stream_gateway_redis_queue_consumers") == 2.0
        });
    }
    let (line, advice) = finding(&examined(builder()), "warn", "gateways");
    assert!(line.contains("2 are on the queue"), "{line}");
    assert!(advice.contains("stop all but one"), "{advice}");
    let of = examined(builder().set("Redis__Delivery", "exactly-once"));
    assert_eq!(of.code(), 1);
    finding(&of, "fail", "gateways");
}

#[test]
fn a_payload_that_would_be_refused_is_explained() {
    let redis = RedisServer::start();
    let check = |payload: &str, why: &str, what: &str| {
        redis.run::<()>(&["DEL", QUEUE]);
        redis.push(&[payload, GOOD]);
        let of = examined(GatewayBuilder::reading(&redis));
        assert_eq!(of.code(), 1, "{payload}");
        let (line, advice) = finding(&of, "fail", "payload");
        assert!(line.contains(why), "{line}");
        assert!(advice.contains(what), "{advice}");
    };
    check(r#"{"name":"a","value":-1}"#, "negative_counter", "fix the producer");
    check(r#"[{"name":"a"},7,8]"#, "and 1 more", "fix the producer");
    check(r#"s:12:"{\"name\":1}";"#, "invalid_json", "PHP's serialize");
    assert_eq!(redis.pending(), 2, "it stays where it is");
}

#[test]
fn a_key_that_holds_no_list_must_be_mended() {
    let redis = RedisServer::start();
    redis.run::<()>(&["SET", QUEUE, "x"]);
    let of = examined(GatewayBuilder::reading(&redis));
    assert_eq!(of.code(), 1);
    finding(&of, "fail", "queue");
}

#[test]
fn what_exactly_once_has_left_must_be_mended() {
    let redis = RedisServer::start();
    let owner = format!("{{{QUEUE}}}:owner");
    redis.run::<()>(&["HSET", &owner, "tip", "5-a", "base", "5:0"]);
    let of = examined(GatewayBuilder::reading(&redis));
    assert_eq!(of.code(), 1);
    assert!(of.output().contains("exactly-once"), "{}", of.output());
}

#[test]
fn the_embedded_queue_needs_no_redis() {
    let listen = format!("127.0.0.1:{}", psg_testkit::process::free_port());
    let builder = || GatewayBuilder::connecting("embedded").set("Embedded__ListenAddress", &listen);
    let of = examined(builder());
    assert_eq!(of.code(), 1);
    let (line, advice) = finding(&of, "fail", "queue");
    assert!(line.contains("nobody listens"), "{line}");
    assert!(advice.contains("start the gateway"), "{advice}");
    let _gateway = builder().start();
    is_well(&examined(builder()));
}

#[test]
fn json_and_bad_settings() {
    let redis = RedisServer::start();
    let of = GatewayBuilder::reading(&redis).arguments(&["doctor", "--json"]).finish();
    assert_eq!(of.code(), 0, "{}", of.output());
    let findings: serde_json::Value = serde_json::from_str(&of.output()).expect("JSON");
    let findings = findings.as_array().expect("an array");
    let of_rights = findings.iter().find(|finding| finding["topic"] == "rights");
    assert_eq!(of_rights.expect("a finding on rights")["verdict"], "ok", "{findings:?}");
    let of = examined(GatewayBuilder::reading(&redis).set("Shards__Count", "none"));
    assert_eq!(of.code(), 78);
    assert!(of.output().contains("Shards__Count"), "{}", of.output());
}

#[test]
fn a_sleeping_server_is_given_up() {
    let redis = RedisServer::start();
    redis.pause();
    let connection = format!("{},connectTimeout=300", redis.address());
    let of = examined(GatewayBuilder::connecting(&connection));
    assert_eq!(of.code(), 1);
    let (line, _) = finding(&of, "fail", "redis");
    assert!(line.contains("no answer within 300 ms"), "{line}");
    redis.resume();
    wait_until("it to be well again", || {
        examined(GatewayBuilder::connecting(&connection)).code() == 0
    });
}

#[test]
fn it_goes_the_gateways_own_way_to_redis() {
    let redis = RedisServer::with(RedisOptions {
        tls_names: &["redis.example"],
        unix_socket: true,
        ..Default::default()
    });
    let authority = redis.certificates().authority.clone().into_os_string();
    let tls = format!("127.0.0.1:{},ssl=true", redis.tls_port());
    let by_tls = |connection: &str| {
        examined(GatewayBuilder::connecting(connection).set("Redis__TlsCaFile", authority.clone()))
    };
    is_well(&by_tls(&format!("{tls},sslHost=redis.example")));
    let (_, advice) = finding(&by_tls(&tls), "fail", "redis");
    assert!(advice.contains("sslHost"), "{advice}");
    is_well(&examined(GatewayBuilder::connecting(&format!("!{}", redis.socket().display()))));
    let sentinel = Sentinel::watching(&redis);
    let by_name = format!("{},serviceName=mymaster", sentinel.address());
    let of = examined(GatewayBuilder::connecting(&by_name));
    is_well(&of);
    let (line, _) = finding(&of, "ok", "redis");
    assert!(line.contains(&redis.address()), "the server itself: {line}");
}

#[test]
fn in_a_cluster_it_looks_at_the_node_that_has_the_queue() {
    let node = || RedisServer::with(RedisOptions { cluster: true, ..Default::default() });
    let (redis, other) = (node(), node());
    redis.own_all_slots_beside(&other);
    redis.push(&[GOOD]);
    let of = examined(GatewayBuilder::reading(&other));
    is_well(&of);
    let (line, _) = finding(&of, "ok", "redis");
    assert!(line.contains(&redis.address()), "{line}");
    let (line, _) = finding(&of, "ok", "other lists");
    assert!(line.contains("on this node"), "{line}");
    let braces = GatewayBuilder::reading(&redis).set("Redis__MetricQueueKey", "a{}b");
    let of = examined(braces.set("Redis__Delivery", "exactly-once"));
    assert_eq!(of.code(), 1, "{}", of.output());
    let (line, _) = finding(&of, "fail", "server");
    assert!(line.contains("hash tag"), "{line}");
    let tagged = of_partitions(&redis.address(), 2).set("Redis__MetricQueueKey", "a{b}c");
    let of = examined(tagged);
    assert_eq!(of.code(), 1, "{}", of.output());
    let (line, _) = finding(&of, "fail", "server");
    assert!(line.contains("would lie on one node"), "{line}");
}
