//! Scrapers that ask for a part: each is shown what is new of that part, and has
//! not seen what it did not ask for.

use super::{LINGER_SECONDS, SOON, scrape_as, scrape_filtered_as, wait_for_log};
use psg_testkit::{Exposition, Rig, wait_for};

const PARTS: [&str; 2] = ["?shard=0&of=2", "?shard=1&of=2"];
const SERIES: usize = 40;

fn rig(settings: &[(&str, &str)]) -> Rig {
    Rig::with(&[&[("Metrics__FirstIncrement", "exact")], settings].concat())
}

/// One sample of each series, of two metrics.
fn samples() -> Vec<String> {
    let sample = |i: usize| {
        let name = ["a_total", "b_total"][i % 2];
        format!(r#"{{"name":"{name}","value":3,"labels":{{"i":"{i}"}}}}"#)
    };
    (0..SERIES).map(sample).collect()
}

/// How many series it shows, all of which have to have that value.
fn count(seen: &Exposition, value: f64) -> usize {
    let samples: Vec<_> = seen.samples("a_total").chain(seen.samples("b_total")).collect();
    assert!(samples.iter().all(|sample| sample.number() == value), "not {value}: {samples:?}");
    samples.len()
}

#[test]
fn each_part_is_shown_once_at_0_to_its_own_scraper() {
    let mut rig = rig(&[]);
    // One server: the same address and User-Agent. Its second part is empty.
    assert_eq!(rig.gateway.must_get(&format!("/metrics{}", PARTS[1]), &[]).text(), "");
    let scrape = |rig: &Rig, query: &str| scrape_filtered_as(&rig.gateway, "one", query);
    let queries = [PARTS[0], PARTS[1], "", "?name[]=a_total"];
    for query in queries {
        scrape(&rig, query);
    }
    rig.send(&samples());
    for value in [0.0, 3.0, 3.0] {
        let [first, second, whole, named] = queries.map(|query| count(&scrape(&rig, query), value));
        assert_eq!((first + second, whole, named), (SERIES, SERIES, SERIES / 2), "at {value}");
        assert!(first > 0 && second > 0, "{first} and {second}");
    }
}

/// However often somebody asks for one metric, that says nothing of the others.
#[test]
fn who_asked_for_one_metric_has_not_seen_the_others() {
    let mut rig = rig(&[]);
    let others = ["?name[]=a_total", "?name[]=none", PARTS[0], "?shard=0&of=3"];
    scrape_as(&rig.gateway, "one");
    rig.send(&samples());
    for query in others {
        for _ in 0..3 {
            scrape_filtered_as(&rig.gateway, "one", query);
        }
    }
    assert_eq!(count(&scrape_as(&rig.gateway, "one"), 0.0), SERIES);
    assert_eq!(count(&scrape_as(&rig.gateway, "one"), 3.0), SERIES);
}

/// Two lists of names that differ at their ends only are two scrapers.
#[test]
fn long_queries_are_told_apart_by_their_ends() {
    let mut rig = rig(&[]);
    let many: String = (0..50).map(|i| format!("name[]=other_metric_{i}&")).collect();
    let queries = ["a_total", "b_total"].map(|name| format!("?{many}name[]={name}"));
    for query in &queries {
        scrape_filtered_as(&rig.gateway, "one", query);
    }
    rig.send(&samples());
    for value in [0.0, 3.0] {
        for query in &queries {
            let seen = scrape_filtered_as(&rig.gateway, "one", query);
            assert_eq!(count(&seen, value), SERIES / 2, "{query} at {value}");
        }
    }
}

/// At the end each part has to be fetched.
#[test]
fn the_end_waits_for_each_part() {
    let mut rig = rig(&[("Http__ShutdownLingerSeconds", LINGER_SECONDS)]);
    let scrape = |rig: &Rig, query: &str| scrape_filtered_as(&rig.gateway, "one", query);
    for query in [PARTS, PARTS].concat() {
        scrape(&rig, query);
    }
    // Who asks how far it is would be one more to wait for.
    rig.push(&samples());
    wait_for("the samples to be taken", || match rig.redis.pending() {
        0 => Ok(()),
        left => Err(format!("{left}")),
    });
    rig.gateway.signal("TERM");
    wait_for_log(&rig.gateway, "waiting for scrapers to fetch the last totals");
    assert!(count(&scrape(&rig, PARTS[1]), 0.0) > 0);
    assert!(count(&scrape(&rig, PARTS[1]), 3.0) > 0);
    scrape(&rig, PARTS[0]);
    assert_eq!(rig.gateway.ended(), None, "of the first part the starts alone were fetched");
    assert!(count(&scrape(&rig, PARTS[0]), 3.0) > 0);
    let status = rig.gateway.wait_at_most(SOON);
    assert_eq!(status.code(), Some(0), "{}", rig.gateway.log().join("\n"));
}
