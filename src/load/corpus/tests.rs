//! What the corpus promises, seen through a JSON parser that is not ours.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::*;

fn corpus(seed: u64, mix: &str) -> Corpus {
    Corpus::new(seed, mix.parse().unwrap())
}

fn payloads(mut corpus: Corpus, count: usize) -> Vec<(Ingredient, Vec<u8>)> {
    let mut payload = || {
        let mut out = Vec::new();
        let ingredient = corpus.next(&mut out);
        (ingredient, out)
    };
    (0..count).map(|_| payload()).collect()
}

fn parse(payload: &[u8]) -> Value {
    serde_json::from_slice(payload)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(payload)))
}

fn series(sample: &Value) -> String {
    // serde_json keeps the members of an object sorted.
    format!("{}{}", sample["name"], sample["labels"])
}

fn count_series(corpus: Corpus, count: usize) -> usize {
    let all = payloads(corpus, count);
    all.iter().map(|(_, payload)| series(&parse(payload))).collect::<HashSet<_>>().len()
}

const EVERYTHING: &str = "counter=1,gauge=1,histogram=1,summary=1,shuffled=1,add=1,max=1,min=1,anyscript=1,duration=1,exemplar=1,values=1,whole=1,native=1,wholenative=1,distinct=1,newlabel=1,bad=1";

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let run = |seed| payloads(corpus(seed, EVERYTHING), 30_000);
    assert!(run(7) == run(7));
    assert!(run(7) != run(8));
}

#[test]
fn every_good_payload_is_a_sample_of_its_type() {
    for (ingredient, payload) in payloads(corpus(1, EVERYTHING), 20_000) {
        let kind = match ingredient {
            Ingredient::Plain(kind) => Some(kind.as_str()),
            Ingredient::AnyScript | Ingredient::Distinct | Ingredient::NewLabel => Some("counter"),
            Ingredient::Operation(_) => Some("gauge"),
            Ingredient::Duration(_) => Some("histogram"),
            Ingredient::Shuffled => None,
            Ingredient::Bad => continue,
        };
        let sample = parse(&payload);
        let written = sample["type"].as_str().unwrap();
        assert!(kind.is_none_or(|kind| kind == written), "{sample}");
        let is_good = |value: &Value| (0.0..=100.0).contains(&value.as_f64().unwrap());
        match ingredient {
            Ingredient::Operation(GaugeOp::Add) => {
                assert!((-50.0..=50.0).contains(&sample["value"].as_f64().unwrap()), "{sample}");
            }
            Ingredient::Duration(Form::Values) => {
                let values = sample["values"].as_array().unwrap();
                assert!(values.len() == 20 && values.iter().all(is_good), "{sample}");
            }
            Ingredient::Duration(Form::Whole) => {
                let counts = sample["counts"].as_array().unwrap().iter();
                let counts: Vec<u64> = counts.map(|count| count.as_u64().unwrap()).collect();
                assert_eq!(counts.len(), sample["buckets"].as_array().unwrap().len() + 1);
                assert_eq!(counts.iter().sum::<u64>(), 20, "{sample}");
                assert!((0.0..=2000.0).contains(&sample["sum"].as_f64().unwrap()), "{sample}");
            }
            Ingredient::Duration(Form::WholeNative) => {
                let native = &sample["native"];
                let counts = native["positive"]["counts"].as_array().unwrap().iter();
                let counts: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
                assert_eq!(counts + native["zero_count"].as_u64().unwrap(), 20, "{sample}");
                assert!((0.0..=2000.0).contains(&sample["sum"].as_f64().unwrap()), "{sample}");
            }
            Ingredient::Plain(_)
            | Ingredient::Shuffled
            | Ingredient::Operation(GaugeOp::Set | GaugeOp::Max | GaugeOp::Min)
            | Ingredient::AnyScript
            | Ingredient::Duration(Form::Single | Form::WithExemplar | Form::Native)
            | Ingredient::Distinct
            | Ingredient::NewLabel
            | Ingredient::Bad => assert!(is_good(&sample["value"]), "{sample}"),
        }
        assert!(sample["help"].is_string() && sample["name"].is_string(), "{sample}");
        assert!(sample["labels"].as_object().unwrap().values().all(Value::is_string), "{sample}");
        let is_native = ingredient == Ingredient::Duration(Form::Native);
        let is_whole = ingredient == Ingredient::Duration(Form::WholeNative);
        let has_buckets = written == "histogram" && !is_native && !is_whole;
        assert_eq!(sample["buckets"].is_array(), has_buckets, "{sample}");
        assert_eq!(sample["factor"] == 1.1, is_native, "{sample}");
        assert_eq!(sample["quantiles"].is_array(), written == "summary", "{sample}");
        assert_eq!(sample["epsilons"].is_array(), written == "summary", "{sample}");
    }
}

#[test]
fn plain_payloads_are_written_compactly_in_declared_order() {
    let (_, payload) = payloads(corpus(1, "summary=1"), 1).remove(0);
    let text = String::from_utf8(payload).unwrap();
    let sample = parse(text.as_bytes());
    let labels = &sample["labels"];
    let expected = format!(
        "{{\"type\":{},\"name\":{},\"help\":{},\"value\":{},\"labels\":{{\"instance\":{},\
         \"job\":\"job-1\",\"region\":{}}},\"quantiles\":[0.5,0.9,0.99],\
         \"epsilons\":[0.05,0.01,0.001]}}",
        sample["type"],
        sample["name"],
        sample["help"],
        sample["value"],
        labels["instance"],
        labels["region"],
    );
    assert_eq!(text, expected);
}

#[test]
fn the_reference_mix_has_the_size_and_the_series_of_the_reference() {
    let all = payloads(corpus(3, REFERENCE_MIX), 200_000);
    let bytes: usize = all.iter().map(|(_, payload)| payload.len()).sum();
    let average = bytes / all.len();
    assert!((200..=212).contains(&average), "{average} bytes on average");
    let mut seen: [HashSet<String>; 5] = Default::default();
    for (_, payload) in &all {
        let sample = parse(payload);
        let labels = &sample["labels"];
        let parts = [&sample["name"], &labels["instance"], &labels["job"], &labels["region"]];
        seen[0].insert(series(&sample));
        for (seen, part) in seen[1..].iter_mut().zip(parts) {
            seen.insert(part.to_string());
        }
    }
    assert_eq!(seen.map(|seen| seen.len()), [4 * 99 * 9 * 4, 4 * 99, 9, 1, 4]);
}

#[test]
fn a_bound_on_series_is_reached_and_kept() {
    let check = |mix: &str, bound: u64, samples: usize| {
        let mix: Mix = mix.parse().unwrap();
        let corpus = Corpus::new(5, mix.with_series(bound).unwrap());
        assert_eq!(count_series(corpus, samples), bound as usize);
    };
    check("counter=1", 1, 100);
    check(REFERENCE_MIX, 10, 1000);
    check("shuffled=1,gauge=1", 401, 15_000);
    check("gauge=1,add=1,max=1,min=1", 100, 2_000);
    check("duration=1,exemplar=1,values=1,whole=1", 400, 10_000);
    // Beyond the reference's own series, jobs are added.
    check("counter=1", 4000, 50_000);
    check("distinct=1", 20_000, 20_000);
    check("distinct=1", 999, 5_000);
}

#[test]
fn with_churn_series_give_way_to_others_one_by_one() {
    let mix: Mix = "counter=1".parse().unwrap();
    let corpus = Corpus::new(5, mix.with_series(50).unwrap()).with_churn(2_000);
    let mut generations: BTreeMap<String, u64> = BTreeMap::new();
    let mut born = Vec::new();
    for (number, (_, payload)) in payloads(corpus, 20_000).into_iter().enumerate() {
        let mut sample = parse(&payload);
        let generation = sample["labels"].as_object_mut().unwrap().remove("generation").unwrap();
        let generation: u64 = generation.as_str().unwrap().parse().unwrap();
        let before = generations.insert(series(&sample), generation).unwrap_or(1);
        assert!((before..=before + 2).contains(&generation), "{before}, then {generation}");
        born.extend((generation > before).then_some(number));
    }
    assert_eq!(generations.len(), 50);
    assert!(born.len() > 50 * 8, "{} new series", born.len());
    let most = born.windows(40).map(|some| some[39] - some[0]).min().unwrap();
    assert!(most > 500, "40 new series within {most} samples");
}

#[test]
fn distinct_series_come_once_in_each_pass() {
    let mix: Mix = "distinct=1".parse().unwrap();
    let all = payloads(Corpus::new(5, mix.with_series(3000).unwrap()), 4 * 3000);
    for pass in all.chunks(3000) {
        let seen: HashSet<String> = pass.iter().map(|(_, text)| series(&parse(text))).collect();
        assert_eq!(seen.len(), 3000);
    }
    let names: HashSet<String> =
        all.iter().map(|(_, text)| parse(text)["name"].to_string()).collect();
    assert_eq!(names.len(), 20);
}

#[test]
fn each_new_label_is_new() {
    assert_eq!(count_series(corpus(2, "newlabel=1"), 50_000), 50_000);
}

/// The payload without its value: a call site writes a series so again and again.
fn spelling(payload: &[u8]) -> String {
    let text = String::from_utf8(payload.to_vec()).unwrap();
    let number = text.find("\"value\":").unwrap() + "\"value\":".len();
    let end = number + text[number..].find([',', '}', '\n']).unwrap();
    format!("{}{}", &text[..number], &text[end..])
}

#[test]
fn each_metric_is_written_by_eight_programs_in_a_spelling_each() {
    let mix: Mix = "shuffled=1".parse().unwrap();
    let all = payloads(Corpus::new(2, mix.with_series(40).unwrap()), 5_000);
    let mut spellings: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for (_, payload) in &all {
        assert!(!payload.windows(2).any(|two| two == b" :"), "a space before a colon");
        let series = series(&parse(payload));
        spellings.entry(series).or_default().insert(spelling(payload));
    }
    let of_each = |count: usize| spellings.values().filter(|them| them.len() == count).count();
    assert_eq!(spellings.values().filter(|them| them.len() > 8).count(), 0);
    // Two programs may have drawn the same.
    assert!(of_each(8) > spellings.len() / 2, "{} of {}", of_each(8), spellings.len());
}

#[test]
fn a_tenth_of_the_payloads_is_bad_in_four_ways() {
    let all = payloads(corpus(4, "counter=9,gauge=9,histogram=9,summary=9,bad=4"), 100_000);
    let mut types = BTreeMap::new();
    let (mut broken, mut negative, mut names, mut conflicts) = (0, 0, 0, 0);
    for (ingredient, payload) in &all {
        match (ingredient, serde_json::from_slice::<Value>(payload)) {
            (Ingredient::Bad, Err(_)) => broken += 1,
            (Ingredient::Bad, Ok(sample)) => {
                let name = sample["name"].as_str().unwrap();
                let first_type = types.get(name);
                if sample["value"].as_f64().unwrap() < 0.0 {
                    negative += 1;
                } else if BAD_NAMES.contains(&name) {
                    names += 1;
                } else {
                    assert_ne!(first_type.expect("a good sample came first"), &sample["type"]);
                    conflicts += 1;
                }
            }
            (_, sample) => {
                let sample = sample.unwrap();
                types
                    .entry(sample["name"].as_str().unwrap().to_owned())
                    .or_insert(sample["type"].clone());
            }
        }
    }
    let bad = broken + negative + names + conflicts;
    assert!((9_500..10_500).contains(&bad), "{bad} of {}", all.len());
    for (fault, count) in
        [("broken", broken), ("negative", negative), ("name", names), ("conflict", conflicts)]
    {
        assert!(count > 1500, "{count} of fault {fault}");
    }
}

#[test]
fn bad_payloads_alone_claim_no_name() {
    for (_, payload) in payloads(corpus(4, "bad=1"), 50_000) {
        if let Ok(sample) = serde_json::from_slice::<Value>(&payload) {
            let negative = sample["value"].as_f64().unwrap() < 0.0;
            assert!(negative || BAD_NAMES.contains(&sample["name"].as_str().unwrap()), "{sample}");
        }
    }
}

#[test]
fn good_samples_say_when_they_were_made_where_that_is_asked_for() {
    let mut stamped = corpus(5, EVERYTHING).with_timestamps(|| 1_796_028_466);
    let mut plain = corpus(5, EVERYTHING);
    let good = (0..2_000).filter(|_| {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        let ingredient = stamped.next(&mut with);
        assert_eq!(plain.next(&mut without), ingredient);
        if ingredient == Ingredient::Bad {
            return false;
        }
        assert_eq!(parse(&with)["timestamp"], 1_796_028_466);
        assert_eq!(parse(&without).get("timestamp"), None);
        true
    });
    assert!(good.count() > 1_000);
}
