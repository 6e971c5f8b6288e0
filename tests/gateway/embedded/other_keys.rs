//! Pushes to another key than the queue's are never silent.

use psg_testkit::process::free_port;
use psg_testkit::redis::QUEUE;
use psg_testkit::{Finished, GatewayBuilder};

const SAMPLE: &str = r#"{"name":"a_total","value":1}"#;

/// What the doctor says with the settings of `builder`.
fn examined(builder: GatewayBuilder) -> Finished {
    builder.arguments(&["doctor"]).finish()
}

#[test]
fn pushes_to_another_key_of_the_embedded_queue_are_told_of() {
    let (queue, http) = (free_port(), free_port());
    let builder = || {
        GatewayBuilder::connecting("embedded")
            .set("Embedded__ListenAddress", format!("127.0.0.1:{queue}"))
            .on_port(http)
    };
    let gateway = builder().start();
    let of = examined(builder());
    assert_eq!(of.code(), 0, "{}", of.output());
    let client = redis::Client::open(format!("redis://127.0.0.1:{queue}")).expect("an address");
    let mut client = client.get_connection().expect("it answers");
    let laravel = format!("laravel_database_{QUEUE}");
    for _ in 0..3 {
        let refused = redis::cmd("LPUSH").arg(&laravel).arg(SAMPLE).exec(&mut client);
        assert!(refused.is_err(), "but a client may not look");
    }
    redis::cmd("SELECT").arg(3).exec(&mut client).expect("there are 16");
    assert!(redis::cmd("LPUSH").arg(QUEUE).arg(SAMPLE).exec(&mut client).is_err());
    let of = examined(builder());
    assert_eq!(of.code(), 1, "{}", of.output());
    assert!(of.output().contains(&format!("pushes to {laravel} in database 0 (3)")));
    let advice = format!(
        "set Redis.MetricQueueKey={laravel}, or push by a connection without the prefix \
         laravel_database_"
    );
    assert!(of.output().contains(&advice), "{}", of.output());
    assert!(of.output().contains("set Redis.MetricQueueDatabase=3, or have producers SELECT 0"));
    let log = gateway.log().into_iter().filter(|line| line.contains("a push to another key"));
    let log: Vec<String> = log.collect();
    assert_eq!(log.len(), 2, "once for each key and database: {log:?}");
    assert!(log[0].contains(&laravel) && log[0].contains("127.0.0.1:"), "{log:?}");
    assert!(log[0].contains(QUEUE) && log[0].contains("the prefix laravel_database_"), "{log:?}");
    let status = gateway.must_get("/api/v1/status", &[]).text();
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["queue"]["other_keys"][1]["pushes"], 3, "{status}");
}
