//! Filters: families by name, and parts of all series that make up the whole.

use std::collections::BTreeSet;

use psg_testkit::{Exposition, Format, Rig};

/// Series of every type, in several families.
fn payloads() -> Vec<String> {
    let kinds = ["counter", "gauge", "histogram", "summary"];
    (0..400)
        .map(|i| {
            let kind = kinds[i % 4];
            format!(
                r#"{{"type":"{kind}","name":"made_{kind}_{}","value":1,"buckets":[1],"quantiles":[0.5],"epsilons":[0.1],"labels":{{"i":"{i}"}}}}"#,
                i % 8
            )
        })
        .collect()
}

/// The lines of series of producers, each of which has to be there once.
fn lines(rig: &Rig, query: &str, accept: &[(&str, &str)]) -> BTreeSet<String> {
    let reply = rig.gateway.must_get(&format!("/metrics{query}"), accept);
    let text = reply.text();
    assert_eq!(reply.status, 200, "{query}: {text}");
    let format = if accept.is_empty() { Format::Text } else { Format::OpenMetrics };
    Exposition::parse(&text, format).unwrap_or_else(|error| panic!("{query}: {error}\n{text}"));
    let samples: Vec<_> = text.lines().filter(|line| line.starts_with("made_")).collect();
    let distinct: BTreeSet<String> = samples.iter().map(|line| line.to_string()).collect();
    assert_eq!(distinct.len(), samples.len(), "{query}: a line comes twice");
    distinct
}

#[test]
fn parts_make_up_the_whole_whatever_the_shards() {
    let mut of_other_shards = None;
    for shards in ["1", "3"] {
        let mut rig = Rig::with(&[("Shards__Count", shards)]);
        rig.send(&payloads());
        for accept in [&[][..], &[psg_testkit::gateway::ACCEPT_OPENMETRICS]] {
            let whole = lines(&rig, "", accept);
            for of in [1, 2, 3, 7, 64] {
                let parts: Vec<_> = (0..of)
                    .map(|part| lines(&rig, &format!("?shard={part}&of={of}"), accept))
                    .collect();
                let together: BTreeSet<String> = parts.iter().flatten().cloned().collect();
                assert_eq!(together, whole, "{of} parts");
                assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), whole.len(), "{of}");
                if of == 3 {
                    let smallest = parts.iter().map(BTreeSet::len).min();
                    assert!(smallest > Some(whole.len() / 6), "{smallest:?} of {}", whole.len());
                }
            }
        }
        let part = lines(&rig, "?shard=1&of=3", &[]);
        if let Some(other) = of_other_shards.replace(part.clone()) {
            assert_eq!(part, other, "the parts depend on the shards");
        }
    }
}

#[test]
fn own_metrics_are_in_the_first_part() {
    let rig = Rig::start();
    let own = |query: &str| {
        let text = rig.gateway.must_get(&format!("/metrics{query}"), &[]).text();
        text.lines().filter(|line| line.starts_with("prom_stream_gateway_")).count()
    };
    assert!(own("?shard=0&of=2") > 20);
    assert_eq!(own("?shard=1&of=2"), 0);
    assert_eq!(own("?name[]=prom_stream_gateway_redis_up"), 1);
}

#[test]
fn families_by_any_name_that_they_print() {
    let mut rig = Rig::start();
    rig.send(&[
        r#"{"name":"hits_total","value":1}"#,
        r#"{"type":"gauge","name":"hits","value":2}"#,
        r#"{"type":"histogram","name":"size","value":1,"buckets":[1]}"#,
    ]);
    let names = |query: &str| {
        let text = rig.gateway.must_get(&format!("/metrics?{query}"), &[]).text();
        let found = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let found: Vec<String> =
            found.map(|rest| rest.split(' ').next().unwrap_or_default().to_owned()).collect();
        found.join(" ")
    };
    assert_eq!(names("name[]=size"), "size");
    assert_eq!(names("name%5B%5D=size_bucket"), "size");
    assert_eq!(names("name[]=size_sum&name[]=hits_total"), "hits_total size");
    assert_eq!(names("name[]=hits"), "hits hits_total");
    assert_eq!(names("name[]=siz"), "");
    let empty = rig.gateway.must_get("/metrics?name[]=none", &[]);
    assert_eq!((empty.status, empty.text().as_str()), (200, ""));
}

#[test]
fn what_can_not_be_meant_in_a_query_is_refused() {
    let rig = Rig::start();
    for query in ["name=a", "shard=1", "shard=2&of=2", "name[]=", "shard=x&of=1"] {
        let reply = rig.gateway.must_get(&format!("/metrics?{query}"), &[]);
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.text().contains("expected"), "{query}: {}", reply.text());
    }
}
