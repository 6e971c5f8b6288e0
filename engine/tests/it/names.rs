//! Names of any script: how they are printed under each escaping, and that nothing is
//! printed twice under any.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use psg_engine::exposition::{Format, PageFormat};
use psg_engine::name::NameRules;
use psg_engine::name::escaping::Escaping;
use psg_engine::reject::Reason;

use crate::state;
use crate::support::cases;
use crate::support::exposition_parser::{Dialect, parse};
use crate::support::pipeline::{Pipeline, PipelineSettings};

fn utf8() -> PipelineSettings {
    PipelineSettings { names: NameRules::Utf8, shards: 3, ..PipelineSettings::default() }
}

fn page(pipeline: &mut Pipeline, format: Format, escaping: Escaping) -> String {
    pipeline.exposition(PageFormat { format, escaping })
}

const COUNTER: &str = r#"{"name":"my.jobs_total","value":2,"labels":{"q":"m","réq.id":"\"1\"","a\"b":"x"},"help":"h"}"#;
const GAUGE: &str = r#"{"type":"gauge","name":"温度","value":21,"labels":{"a:b":"1"}}"#;
const PLAIN: &str = r#"{"type":"gauge","name":"plain_x","value":1,"labels":{"a_b":"1"}}"#;
const HISTOGRAM: &str = r#"{"type":"histogram","name":"s.x","value":1,"buckets":[1]}"#;

#[test]
fn quoted_names_stand_in_the_braces() {
    let mut pipeline = Pipeline::new(&utf8());
    assert_eq!(pipeline.batch(&[COUNTER, GAUGE, PLAIN, HISTOGRAM]), [None; 4]);
    let expected = r##"# HELP "my.jobs" h
# TYPE "my.jobs" counter
{"my.jobs_total","a\"b"="x","réq.id"="\"1\"",q="m"} 2.0
# HELP plain_x 
# TYPE plain_x gauge
plain_x{a_b="1"} 1.0
# HELP "s.x" 
# TYPE "s.x" histogram
{"s.x_sum"} 1.0
{"s.x_count"} 1
{"s.x_bucket",le="1.0"} 1
{"s.x_bucket",le="+Inf"} 1
# HELP "温度" 
# TYPE "温度" gauge
{"温度","a:b"="1"} 21.0
# EOF
"##;
    assert_eq!(page(&mut pipeline, Format::OpenMetrics, Escaping::AllowUtf8), expected);
    let text = page(&mut pipeline, Format::Text, Escaping::AllowUtf8);
    assert!(text.starts_with("# HELP \"my.jobs_total\" h\n# TYPE \"my.jobs_total\" counter\n"));
}

#[test]
fn each_scheme_escapes_names_and_labels() {
    let mut pipeline = Pipeline::new(&utf8());
    assert_eq!(pipeline.batch(&[COUNTER, GAUGE, PLAIN, HISTOGRAM]), [None; 4]);
    for (escaping, lines) in [
        (
            Escaping::Underscores,
            [
                "# TYPE my_jobs counter",
                r#"my_jobs_total{a_b="x",r_q_id="\"1\"",q="m"} 2.0"#,
                r#"__{a_b="1"} 21.0"#,
                r#"plain_x{a_b="1"} 1.0"#,
                r#"s_x_bucket{le="1.0"} 1"#,
            ],
        ),
        (
            Escaping::Dots,
            [
                "# TYPE my_dot_jobs_ counter",
                r#"my_dot_jobs__total{a__b="x",r__q_dot_id="\"1\"",q="m"} 2.0"#,
                r#"____{a__b="1"} 21.0"#,
                r#"plain__x{a__b="1"} 1.0"#,
                r#"s_dot_x_bucket{le="1.0"} 1"#,
            ],
        ),
        (
            Escaping::Values,
            [
                "# TYPE U__my_2e_jobs_ counter",
                r#"U__my_2e_jobs__total{U__a_22_b="x",U__r_e9_q_2e_id="\"1\"",q="m"} 2.0"#,
                r#"U___6e29__5ea6_{U__a_3a_b="1"} 21.0"#,
                r#"plain_x{a_b="1"} 1.0"#,
                r#"U__s_2e_x_bucket{le="1.0"} 1"#,
            ],
        ),
    ] {
        let found = page(&mut pipeline, Format::OpenMetrics, escaping);
        for line in lines {
            assert!(found.lines().any(|found| found == line), "{line} is not in {found}");
        }
    }
}

#[test]
fn legacy_names_are_printed_as_ever() {
    let mut pipeline = Pipeline::new(&PipelineSettings::default());
    let plain = r#"{"name":"a:b_total","value":1,"labels":{"x_y":"\"é\"","z":"1"}}"#;
    let histogram = r#"{"type":"histogram","name":"h","value":1,"buckets":[1]}"#;
    pipeline.batch(&[plain, histogram]);
    for format in Format::ALL {
        let expected = pipeline.exposition(format);
        for escaping in [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Values] {
            assert_eq!(page(&mut pipeline, format, escaping), expected);
        }
    }
    for refused in [
        r#"{"name":"a.b"}"#,
        r#"{"name":"c","labels":{"a.b":"1"}}"#,
        r#"{"name":"c","labels":{"é":"1"}}"#,
    ] {
        let reason = pipeline.batch(&[refused])[0];
        let is_label = refused.contains("labels");
        let expected = if is_label { Reason::InvalidLabelName } else { Reason::InvalidName };
        assert_eq!(reason, Some(expected), "{refused}");
    }
}

/// A parser refuses a page with a unit in which the name that it reads does not end.
#[test]
fn a_unit_is_told_where_the_printed_name_ends_in_it() {
    let mut pipeline = Pipeline::new(&utf8());
    let batch = [
        r#"{"type":"gauge","name":"a.b_seconds","unit":"seconds","value":1}"#,
        r#"{"type":"gauge","name":"a_b_c","unit":"b_c","value":1}"#,
        r#"{"name":"c.d_seconds_total","unit":"seconds","value":1}"#,
        r#"{"name":"x_seconds_total","unit":"seconds","value":1}"#,
    ];
    assert_eq!(pipeline.batch(&batch), [None; 4]);
    for (escaping, expected) in [
        (
            Escaping::AllowUtf8,
            &[
                "\"a.b_seconds\" seconds",
                "a_b_c b_c",
                "\"c.d_seconds\" seconds",
                "x_seconds seconds",
            ] as &[&str],
        ),
        (
            Escaping::Underscores,
            &["a_b_seconds seconds", "a_b_c b_c", "c_d_seconds seconds", "x_seconds seconds"],
        ),
        // Escaped, the names of counters end in `_` without their `__total`.
        (Escaping::Dots, &["a_dot_b__seconds seconds"]),
        (Escaping::Values, &["U__a_2e_b__seconds seconds", "a_b_c b_c", "x_seconds seconds"]),
    ] {
        let text = page(&mut pipeline, Format::OpenMetrics, escaping);
        let units: Vec<&str> = text.lines().filter_map(|it| it.strip_prefix("# UNIT ")).collect();
        assert_eq!(units, expected, "{escaping:?}");
        let read = page(&mut pipeline, Format::Protobuf, escaping);
        let units = read.lines().filter(|it| it.starts_with("unit ") && *it != "unit \"\"");
        assert_eq!(units.count(), expected.len(), "{escaping:?}");
    }
}

#[test]
fn the_stem_of_a_counter_is_told_from_names_that_look_escaped() {
    let counter = r#"{"name":"x.y_total","value":1}"#;
    for gauge in ["U__x_2e_y_", "U__x_2e_y__created", "x_y", "x.y"] {
        let gauge = format!(r#"{{"type":"gauge","name":"{gauge}","value":1}}"#);
        for batch in [[counter, &gauge], [&gauge, counter]] {
            let settings = PipelineSettings { created_timestamps: true, ..utf8() };
            let mut pipeline = Pipeline::new(&settings);
            assert_eq!(pipeline.batch(&batch), [None; 2], "{batch:?}");
            for escaping in Escaping::ALL {
                let page = page(&mut pipeline, Format::OpenMetrics, escaping);
                check_page(&page, Format::OpenMetrics, escaping).expect("a page");
            }
        }
    }
}

#[test]
fn of_names_that_would_be_printed_alike_the_second_is_refused() {
    let conflict = Some(Reason::SuffixConflict);
    let reserved = Some(Reason::ReservedName);
    for (first, second, expected) in [
        ("a.b", "a_b", conflict),
        ("a_b", "a.b", conflict),
        ("a-b", "a.b", conflict),
        ("温度", "湿度", conflict),
        ("U__a_2e_b", "a.b", conflict),
        ("a.b", "U__a_2e_b", conflict),
        ("a_dot_b", "a.b", None),
        ("x", "scrape.x", reserved),
        ("x", "prom.stream.gateway.x", reserved),
        ("x", "up", reserved),
    ] {
        let mut pipeline = Pipeline::new(&utf8());
        let sample = |name: &str| format!(r#"{{"type":"gauge","name":"{name}","value":1}}"#);
        assert_eq!(pipeline.batch(&[sample(first)]), [None], "{first}");
        assert_eq!(pipeline.batch(&[sample(second)]), [expected], "{second} after {first}");
        if expected == conflict {
            // The name is free again once the first has gone.
            pipeline.catalog.retire(first).expect("it is there");
            assert_eq!(pipeline.batch(&[sample(second)]), [None], "{second}");
        }
    }
    let mut pipeline = Pipeline::new(&utf8());
    let histogram = r#"{"type":"histogram","name":"s.x","value":1,"buckets":[1]}"#;
    let gauge = |name: &str| format!(r#"{{"type":"gauge","name":"{name}","value":1}}"#);
    let batch =
        [histogram.to_owned(), gauge("s_x_sum"), gauge("s.x.count"), gauge("U__s_2e_x_sum")];
    assert_eq!(pipeline.batch(&batch), [None, conflict, conflict, conflict]);
}

#[test]
fn of_label_sets_that_would_be_printed_alike_the_second_is_refused() {
    let sample = |labels: &str| format!(r#"{{"name":"n_total","value":1,"labels":{{{labels}}}}}"#);
    let conflict = Some(Reason::LabelConflict);
    for overflow in [false, true] {
        let mut pipeline = Pipeline::new(&PipelineSettings { overflow, ..utf8() });
        for (labels, expected) in [
            (r#""a.b":"1""#, None),
            (r#""a_b":"1""#, conflict),
            (r#""a-b":"1""#, conflict),
            (r#""a.b":"1""#, None),
            (r#""a-b":"2""#, None),
            (r#""c_d":"1","z":"2""#, None),
            (r#""z":"2","c.d":"1""#, conflict),
            (r#""c.d":"1","z":"3""#, None),
            (r#""c.d":"1","c_d":"2""#, conflict),
            (r#""c.d":"1","c_d":"""#, None),
        ] {
            assert_eq!(pipeline.batch(&[sample(labels)]), [expected], "{labels}");
        }
        assert_eq!(pipeline.folded, 0);
    }
    let mut pipeline = Pipeline::new(&utf8());
    for label in ["__x", "_name_", ".-name..", "U__a_2e_b", ""] {
        let refused = pipeline.batch(&[sample(&format!(r#""{label}":"1""#))]);
        assert_eq!(refused, [Some(Reason::InvalidLabelName)], "{label}");
    }
}

/// Whatever was taken once is kept, shown and expires, though no more of it is taken.
#[test]
fn a_state_with_names_of_any_script_is_read_where_these_are_refused() {
    let mut first = state::pipeline(&utf8());
    assert_eq!(first.batch(&[COUNTER, GAUGE, PLAIN, HISTOGRAM]), [None; 4]);
    let stored = state::snapshot(&mut first, 1, true);
    for names in NameRules::ALL {
        let settings = PipelineSettings { names, ..utf8() };
        let mut second = state::restored(&settings, &stored, state::instants(&first).run_time);
        for format in Format::ALL {
            for escaping in Escaping::ALL {
                let page = PageFormat { format, escaping };
                assert_eq!(second.lines(page), first.lines(page), "{names:?} {page:?}");
            }
        }
        let refused = second.batch(&[COUNTER, PLAIN, r#"{"name":"n","labels":{"a.b":"1"}}"#]);
        match names {
            NameRules::Utf8 => assert_eq!(refused, [None; 3]),
            NameRules::Legacy => {
                let (name, label) = (Reason::InvalidName, Reason::InvalidLabelName);
                assert_eq!(refused, [Some(name), None, Some(label)]);
            }
        }
    }
}

/// Names that often look alike where they are escaped.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "(a|b)(|[._:é-]|_dot_|_2e_|__)(|c|_sum|_total|_created|.total)",
        1 => "U__(a_2e_b|a|_)",
        1 => "[ab.é_]{1,4}",
    ]
}

fn sample() -> impl Strategy<Value = String> {
    let labels = vec((name(), "[12]"), 0..3);
    (name(), labels, 0..4usize, 1..3u32).prop_map(|(name, labels, kind, value)| {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
        let labels = labels.join(",");
        format!(
            r#"{{"type":{kind},"name":"{name}","value":{value},"labels":{{{labels}}},"buckets":[1]}}"#
        )
    })
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn nothing_is_printed_twice(batches in vec(vec(sample(), 1..12), 1..6), sorted: bool) {
        let settings = PipelineSettings {
            sort_labels: sorted,
            created_timestamps: true,
            ..utf8()
        };
        let mut pipeline = Pipeline::new(&settings);
        for batch in batches {
            pipeline.batch(&batch);
        }
        for format in Format::ALL {
            for escaping in Escaping::ALL {
                let page = page(&mut pipeline, format, escaping);
                check_page(&page, format, escaping)?;
            }
        }
    }
}

fn check_page(page: &str, format: Format, escaping: Escaping) -> Result<(), TestCaseError> {
    let (mut series, mut headings) = (BTreeSet::new(), BTreeSet::new());
    for line in page.lines().filter(|line| *line != "# EOF") {
        let (what, seen) = match line.strip_prefix("# TYPE ") {
            Some(heading) => (heading.rsplit_once(' '), &mut headings),
            // The second is of what is read of protobuf.
            None if line.starts_with('#') || line.starts_with("unit ") => continue,
            None => (line.rsplit_once(' '), &mut series),
        };
        let (what, _) = what.expect("two words");
        // The order of labels makes no other series.
        let mut labels: Vec<&str> = what.split(['{', ',', '}']).collect();
        labels.sort_unstable();
        prop_assert!(
            seen.insert(labels.join(",")),
            "{} twice under {:?}: {}",
            what,
            escaping,
            page
        );
    }
    if escaping != Escaping::AllowUtf8 {
        let dialect = match format {
            Format::Text => Dialect::Text,
            Format::OpenMetrics => Dialect::OpenMetrics,
            // Its reader has looked at it.
            Format::Protobuf => return Ok(()),
        };
        parse(page, dialect).map_err(|problem| {
            TestCaseError::fail(format!("{problem} under {escaping:?} of\n{page}"))
        })?;
    }
    Ok(())
}
