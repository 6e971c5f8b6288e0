//! Fields: each row of the table of fields in docs/produce.md, put to a gateway:
//! what is accepted and shows, also at its limits, what is refused and why, and that
//! all of it is there after a restart. A row without a case here fails.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use psg_testkit::gateway::ACCEPT_OPENMETRICS;
use psg_testkit::pages::pages;
use psg_testkit::{Gateway, GatewayBuilder, RedisServer, wait_for};

/// What a row promises, under some settings; a row may have several cases. In payloads `{now+9}` stands for a time in Unix seconds; of
/// the lines that show, those that begin with `OM ` are of OpenMetrics.
struct FieldCase {
    /// The fields of the row.
    fields: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// Payloads that are taken, one after the other, and a line that each makes.
    accepted: &'static [(&'static str, &'static str)],
    /// Payloads that are not, and the reason.
    refused: &'static [(&'static str, &'static str)],
    /// Payloads that go on from what is kept over a restart.
    restarted: &'static [(&'static str, &'static str)],
    /// What lines begin with that leave by themselves after the restart.
    leaving: &'static [&'static str],
}

const CASES: &[FieldCase] = &[
    FieldCase {
        fields: "type",
        settings: &[],
        accepted: &[
            (r#"{"name":"none","value":2}"#, "# TYPE none counter"),
            (r#"{"name":"c","type":"Counter","value":2}"#, "# TYPE c counter"),
            (r#"{"name":"g","type":"GAUGE","value":2}"#, "# TYPE g gauge"),
            (r#"{"name":"s","type":"summary","value":2}"#, "# TYPE s summary"),
            (r#"{"name":"h","type":"histogram","buckets":[1]}"#, "# TYPE h histogram"),
            (r#"{"name":"c0","type":0}"#, "# TYPE c0 counter"),
            (r#"{"name":"g1","type":1}"#, "# TYPE g1 gauge"),
            (r#"{"name":"s2","type":"2"}"#, "# TYPE s2 summary"),
            (r#"{"name":"h3","type":3,"buckets":[1]}"#, "# TYPE h3 histogram"),
        ],
        refused: &[
            (r#"{"name":"x","type":null}"#, "unknown_type"),
            (r#"{"name":"x","type":4}"#, "unknown_type"),
            (r#"{"name":"x","type":"meter"}"#, "unknown_type"),
            (r#"{"name":"g","type":"counter"}"#, "type_conflict"),
        ],
        restarted: &[(r#"{"name":"none","value":1}"#, "none 3")],
        leaving: &[],
    },
    FieldCase {
        fields: "name",
        settings: &[("Metrics__MaxNameBytes", "8"), ("Metrics__Names", "legacy")],
        accepted: &[
            (r#"{"name":"a:_Z9","value":2}"#, "a:_Z9 2"),
            (r#"{"name":"eight_8_","value":2}"#, "eight_8_ 2"),
        ],
        refused: &[
            (r#"{"value":2}"#, "missing_name"),
            (r#"{"name":null}"#, "missing_name"),
            (r#"{"name":" "}"#, "missing_name"),
            (r#"{"name":1}"#, "invalid_field"),
            (r#"{"name":"9a"}"#, "invalid_name"),
            (r#"{"name":"a-b"}"#, "invalid_name"),
            (r#"{"name":"nine_9_9_"}"#, "name_too_long"),
        ],
        restarted: &[(r#"{"name":"eight_8_","value":1}"#, "eight_8_ 3")],
        leaving: &[],
    },
    FieldCase {
        fields: "name",
        settings: &[("Metrics__MaxNameBytes", "8")],
        accepted: &[
            (r#"{"name":"a.b","value":2}"#, "a_b 2"),
            (r#"{"name":"ölölö","value":2}"#, "_l_l_ 2"),
            (r#"{"name":"a","value":2,"labels":{"ö.ä":"1"}}"#, r#"a{___="1"} 2"#),
        ],
        refused: &[
            (r#"{"name":" "}"#, "missing_name"),
            (r#"{"name":"ölölö."}"#, "name_too_long"),
            (r#"{"name":"a_b"}"#, "suffix_conflict"),
            (r#"{"name":"scrape.x"}"#, "reserved_name"),
            (r#"{"name":"a","labels":{"ö/ä":"1"}}"#, "label_conflict"),
            (r#"{"name":"a","labels":{"__ö":"1"}}"#, "invalid_label_name"),
        ],
        restarted: &[
            (r#"{"name":"a.b","value":1}"#, "a_b 3"),
            (r#"{"name":"a","value":1,"labels":{"ö.ä":"1"}}"#, r#"a{___="1"} 3"#),
        ],
        leaving: &[],
    },
    FieldCase {
        fields: "value",
        settings: &[],
        accepted: &[
            (r#"{"name":"c","value":1.5}"#, "c 1.5"),
            (r#"{"name":"absent"}"#, "absent 0"),
            (r#"{"name":"g","type":"gauge","value":-2e3}"#, "g -2000"),
            (
                r#"{"name":"most","type":"gauge","value":1.7976931348623157e308}"#,
                "most 1.7976931348623157e+308",
            ),
            (
                r#"{"name":"h","type":"histogram","value":-1,"buckets":[0]}"#,
                r#"h_bucket{le="0"} 1"#,
            ),
            (r#"{"name":"s","type":"summary","value":-1}"#, "s_sum -1"),
        ],
        refused: &[
            (r#"{"name":"c","value":null}"#, "invalid_field"),
            (r#"{"name":"c","value":"1"}"#, "invalid_field"),
            (r#"{"name":"c","value":-1}"#, "negative_counter"),
            (r#"{"name":"g","type":"gauge","value":1e309}"#, "non_finite"),
        ],
        restarted: &[
            (r#"{"name":"c","value":0.25}"#, "c 1.75"),
            (r#"{"name":"h","type":"histogram","value":1,"buckets":[0]}"#, "h_count 2"),
            (r#"{"name":"s","type":"summary","value":1}"#, "s_count 2"),
        ],
        leaving: &[],
    },
    FieldCase {
        fields: "op",
        settings: &[],
        accepted: &[
            (r#"{"type":"gauge","name":"added","op":"add","value":2}"#, "added 2"),
            (r#"{"type":"gauge","name":"added","op":"add","value":-0.5}"#, "added 1.5"),
            (r#"{"type":"gauge","name":"added","op":"set","value":5}"#, "added 5"),
            (r#"{"type":"gauge","name":"added","op":"add","value":1}"#, "added 6"),
            (r#"{"type":"gauge","name":"most","op":"max","value":-2}"#, "most -2"),
            (r#"{"type":"gauge","name":"most","op":"max","value":3}"#, "most 3"),
            (r#"{"type":"gauge","name":"most","op":"max","value":1}"#, "most 3"),
            (r#"{"type":"gauge","name":"least","op":"min","value":3}"#, "least 3"),
            (r#"{"type":"gauge","name":"least","op":"min","value":-1}"#, "least -1"),
            (r#"{"type":"gauge","name":"absent","op":null,"value":1}"#, "absent 1"),
            (r#"{"name":"c","op":"add","value":1}"#, "c 1"),
        ],
        refused: &[
            (r#"{"type":"gauge","name":"added","op":"sub","value":1}"#, "invalid_field"),
            (r#"{"type":"gauge","name":"added","op":1,"value":1}"#, "invalid_field"),
            (r#"{"name":"c","op":"set","value":1}"#, "invalid_field"),
            (r#"{"type":"summary","name":"s","op":"add","value":1}"#, "invalid_field"),
            (
                r#"{"type":"histogram","name":"h","op":"add","value":1,"buckets":[1]}"#,
                "invalid_field",
            ),
        ],
        restarted: &[
            (r#"{"type":"gauge","name":"added","op":"add","value":-2}"#, "added 4"),
            (r#"{"type":"gauge","name":"most","op":"max","value":2}"#, "most 3"),
            (r#"{"type":"gauge","name":"least","op":"min","value":-4}"#, "least -4"),
        ],
        leaving: &[],
    },
    FieldCase {
        fields: "values",
        settings: &[("Metrics__MaxValues", "4")],
        accepted: &[
            (
                r#"{"type":"histogram","name":"h","values":[1,2,3,4],"buckets":[2]}"#,
                r#"h_bucket{le="2"} 2"#,
            ),
            (r#"{"type":"summary","name":"s","values":[-1,2]}"#, "s_sum 1"),
            (r#"{"type":"counter","name":"c","values":[1,2.5]}"#, "c 3.5"),
        ],
        refused: &[
            (
                r#"{"type":"histogram","name":"h","values":[1,2,3,4,5],"buckets":[2]}"#,
                "too_many_values",
            ),
            (r#"{"type":"histogram","name":"h","values":[],"buckets":[2]}"#, "invalid_field"),
            (r#"{"type":"histogram","name":"h","values":[1,"2"],"buckets":[2]}"#, "invalid_field"),
            (r#"{"type":"histogram","name":"h","values":[1e999],"buckets":[2]}"#, "non_finite"),
            (
                r#"{"type":"histogram","name":"h","value":1,"values":[1],"buckets":[2]}"#,
                "invalid_field",
            ),
            (r#"{"type":"counter","name":"c","values":[1,-1]}"#, "negative_counter"),
            (r#"{"type":"gauge","name":"g","values":[1]}"#, "invalid_field"),
        ],
        restarted: &[
            (r#"{"type":"histogram","name":"h","values":[1,9],"buckets":[2]}"#, "h_count 6"),
            (r#"{"type":"summary","name":"s","values":[2,2]}"#, "s_count 4"),
        ],
        leaving: &[],
    },
    FieldCase {
        fields: "counts, sum",
        settings: &[],
        accepted: &[
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[2,0,3],"sum":50}"#,
                r#"h_bucket{le="+Inf"} 5"#,
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1,1],"sum":-2.5}"#,
                "h_sum 47.5",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,3,5],"counts":[1,1,1,0],"sum":6}"#,
                r#"h_bucket{le="5"} 7"#,
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[0,0,0],"sum":0}"#,
                "h_count 10",
            ),
        ],
        refused: &[
            (
                r#"{"type":"histogram","name":"h","buckets":[1,6],"counts":[1,1,1],"sum":9}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1],"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1],"counts":[1,1,1],"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1,-1,1],"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1,0.5,1],"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1,1,1],"sum":1e999}"#,
                "non_finite",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1,1,1]}"#,
                "invalid_field",
            ),
            (r#"{"type":"counter","name":"c","counts":[1],"sum":1}"#, "invalid_field"),
        ],
        restarted: &[
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"counts":[1,0,0],"sum":0.5}"#,
                "h_count 11",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1,5],"value":1}"#,
                r#"h_bucket{le="1"} 6"#,
            ),
        ],
        leaving: &[],
    },
    FieldCase {
        fields: "labels",
        settings: &[
            ("Metrics__MaxLabels", "2"),
            ("Metrics__MaxLabelValueBytes", "5"),
            ("Metrics__Names", "legacy"),
        ],
        accepted: &[
            (
                r#"{"name":"c","value":1,"labels":{"_a":"five5","b":200}}"#,
                r#"c{_a="five5",b="200"} 1"#,
            ),
            (
                r#"{"name":"c","value":1,"labels":{"b":"200","_a":"five5"}}"#,
                r#"c{_a="five5",b="200"} 2"#,
            ),
            (r#"{"name":"c","value":1,"labels":{"a":true,"b":""}}"#, r#"c{a="true"} 1"#),
            (r#"{"name":"none","value":1,"labels":[]}"#, "none 1"),
            (r#"{"name":"none","value":1,"labels":null}"#, "none 2"),
        ],
        refused: &[
            (r#"{"name":"c","labels":"a"}"#, "invalid_field"),
            (r#"{"name":"c","labels":{"a":[]}}"#, "invalid_label_value"),
            (r#"{"name":"c","labels":{"__a":"b"}}"#, "invalid_label_name"),
            (r#"{"name":"c","labels":{"a:b":"b"}}"#, "invalid_label_name"),
            (r#"{"name":"c","labels":{"a":"sixsix"}}"#, "label_too_long"),
            (r#"{"name":"c","labels":{"a":"1","b":"2","c":"3"}}"#, "too_many_labels"),
            (
                r#"{"type":"histogram","name":"h","buckets":[1],"labels":{"le":"1"}}"#,
                "invalid_label_name",
            ),
            (r#"{"type":"summary","name":"s","labels":{"quantile":"1"}}"#, "invalid_label_name"),
        ],
        restarted: &[(
            r#"{"name":"c","value":1,"labels":{"b":200,"_a":"five5"}}"#,
            r#"c{_a="five5",b="200"} 3"#,
        )],
        leaving: &[],
    },
    FieldCase {
        fields: "help",
        settings: &[("Metrics__MaxHelpBytes", "6")],
        accepted: &[
            (r#"{"name":"c","help":"sixsix"}"#, "# HELP c sixsix"),
            (r#"{"name":"d","help":null}"#, "# TYPE d counter"),
            (r#"{"name":"d","help":"later"}"#, "# HELP d later"),
            (r#"{"name":"d","help":"last"}"#, "# HELP d later"),
        ],
        refused: &[
            (r#"{"name":"c","help":1}"#, "invalid_field"),
            (r#"{"name":"c","help":"sevenxx"}"#, "help_too_long"),
        ],
        restarted: &[(r#"{"name":"c","help":"other"}"#, "# HELP c sixsix")],
        leaving: &[],
    },
    FieldCase {
        fields: "unit",
        settings: &[("Metrics__MaxNameBytes", "20")],
        accepted: &[
            (r#"{"name":"c_bytes_total","unit":"bytes"}"#, "OM # UNIT c_bytes bytes"),
            (r#"{"type":"gauge","name":"g_s","unit":"s"}"#, "OM # UNIT g_s s"),
            (r#"{"name":"d_bytes","unit":null}"#, "OM # TYPE d_bytes unknown"),
            (r#"{"name":"d_bytes","unit":"bytes"}"#, "OM # UNIT d_bytes bytes"),
        ],
        refused: &[
            (r#"{"name":"c_total","unit":"bytes"}"#, "invalid_unit"),
            (r#"{"type":"gauge","name":"bytes","unit":"bytes"}"#, "invalid_unit"),
            (r#"{"type":"gauge","name":"g_s_total","unit":"s"}"#, "invalid_unit"),
            (r#"{"name":"c_bytes_total","unit":"b/s"}"#, "invalid_unit"),
            (r#"{"name":"c_bytes_total","unit":1}"#, "invalid_field"),
        ],
        restarted: &[(r#"{"name":"c_bytes_total"}"#, "OM # UNIT c_bytes bytes")],
        leaving: &[],
    },
    FieldCase {
        fields: "unit",
        settings: &[("Metrics__AppendUnits", "true"), ("Metrics__MaxNameBytes", "13")],
        accepted: &[
            (r#"{"name":"c_total","value":2,"unit":"bytes"}"#, "c_bytes_total 2"),
            (r#"{"type":"gauge","name":"g_bytes","value":2,"unit":"bytes"}"#, "g_bytes 2"),
        ],
        refused: &[(r#"{"name":"cc_total","unit":"bytes"}"#, "name_too_long")],
        restarted: &[(r#"{"name":"c_total","value":1,"unit":"bytes"}"#, "c_bytes_total 3")],
        leaving: &[],
    },
    FieldCase {
        fields: "buckets",
        settings: &[("Metrics__MaxBuckets", "3")],
        accepted: &[
            (
                r#"{"type":"histogram","name":"h","value":2,"buckets":[-1,0,2.5]}"#,
                r#"h_bucket{le="2.5"} 1"#,
            ),
            (
                r#"{"type":"histogram","name":"i","value":2,"buckets":[1,1e999]}"#,
                r#"i_bucket{le="1"} 0"#,
            ),
            (r#"{"type":"histogram","name":"i","value":2,"buckets":[2]}"#, r#"i_bucket{le="1"} 0"#),
        ],
        refused: &[
            (r#"{"type":"histogram","name":"h","value":2}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"h","value":2,"buckets":[]}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"h","value":2,"buckets":[2,1]}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"h","value":2,"buckets":[1,2,3,4]}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"h","value":2,"buckets":["1"]}"#, "invalid_field"),
        ],
        restarted: &[(
            r#"{"type":"histogram","name":"h","value":0,"buckets":[7]}"#,
            r#"h_bucket{le="0"} 1"#,
        )],
        leaving: &[],
    },
    FieldCase {
        fields: "quantiles, epsilons",
        settings: &[("Metrics__MaxQuantiles", "2")],
        accepted: &[
            (
                r#"{"type":"summary","name":"s","value":2,"quantiles":[0,1],"epsilons":[0,1]}"#,
                r#"s{quantile="1"} 2"#,
            ),
            (r#"{"type":"summary","name":"t","value":2}"#, "t_count 1"),
        ],
        refused: &[
            (r#"{"type":"summary","name":"s","quantiles":[0.5]}"#, "bad_quantiles"),
            (
                r#"{"type":"summary","name":"s","quantiles":[1.1],"epsilons":[0.1]}"#,
                "bad_quantiles",
            ),
            (r#"{"type":"summary","name":"s","quantiles":[0.5],"epsilons":[-1]}"#, "bad_quantiles"),
            (
                r#"{"type":"summary","name":"s","quantiles":[0,0.5,1],"epsilons":[0,0,0]}"#,
                "bad_quantiles",
            ),
            (r#"{"type":"summary","name":"s","quantiles":0.5,"epsilons":[0]}"#, "invalid_field"),
        ],
        restarted: &[(
            r#"{"type":"summary","name":"s","value":3,"quantiles":[0,1],"epsilons":[0,1]}"#,
            r#"s{quantile="0"} 2"#,
        )],
        leaving: &[],
    },
    FieldCase {
        fields: "timestamp",
        settings: &[],
        accepted: &[
            (r#"{"type":"gauge","name":"g","value":1,"timestamp":1700000000}"#, "g 1"),
            (r#"{"type":"gauge","name":"g","value":2,"timestamp":1699999999.5}"#, "g 1"),
            (r#"{"type":"gauge","name":"g","value":3,"timestamp":1700000001000}"#, "g 3"),
            (r#"{"type":"gauge","name":"g","value":4,"timestamp":null}"#, "g 4"),
            (r#"{"type":"gauge","name":"g","value":5,"timestamp":{now+590}}"#, "g 5"),
            (r#"{"type":"gauge","name":"g","value":6}"#, "g 5"),
            (r#"{"name":"c","value":1,"timestamp":1}"#, "c 1"),
            (r#"{"type":"gauge","name":"text","value":1,"timestamp":"1700000000"}"#, "text 1"),
            (r#"{"type":"gauge","name":"text","value":2,"timestamp":" 1699999999 "}"#, "text 1"),
        ],
        refused: &[
            (r#"{"type":"gauge","name":"g","timestamp":{now+700}}"#, "bad_timestamp"),
            (r#"{"type":"gauge","name":"g","timestamp":"soon"}"#, "bad_timestamp"),
            (r#"{"type":"gauge","name":"g","timestamp":true}"#, "bad_timestamp"),
        ],
        restarted: &[
            (r#"{"type":"gauge","name":"g","value":7}"#, "g 5"),
            (r#"{"type":"gauge","name":"g","value":8,"timestamp":{now+595}}"#, "g 8"),
        ],
        leaving: &[],
    },
    FieldCase {
        fields: "ttl",
        settings: &[("Metrics__SeriesTtlSeconds", "2")],
        accepted: &[
            (r#"{"name":"short","value":1,"ttl":4.5}"#, "short 1"),
            (r#"{"name":"usual","value":1}"#, "usual 1"),
            (r#"{"name":"long","value":1,"ttl":3600}"#, "long 1"),
            (r#"{"name":"ever","value":1,"ttl":0}"#, "ever 1"),
            (r#"{"name":"text","value":1,"ttl":"3600"}"#, "text 1"),
        ],
        refused: &[
            (r#"{"name":"ever","ttl":-1}"#, "bad_ttl"),
            (r#"{"name":"ever","ttl":"soon"}"#, "bad_ttl"),
            (r#"{"name":"ever","ttl":[1]}"#, "bad_ttl"),
        ],
        restarted: &[(r#"{"name":"ever","value":1}"#, "ever 2")],
        leaving: &["short ", "usual "],
    },
    FieldCase {
        fields: "exemplar",
        settings: &[("Metrics__Exemplars", "true")],
        accepted: &[
            (
                r#"{"name":"c_total","value":2,"exemplar":{"labels":{"trace_id":"a"},"timestamp":1.5}}"#,
                r##"OM c_total 2.0 # {trace_id="a"} 2.0 1.5"##,
            ),
            (
                r#"{"name":"c_total","value":1,"exemplar":{"labels":{"trace_id":"b"},"value":-7,"timestamp":2}}"#,
                r##"OM c_total 3.0 # {trace_id="b"} -7.0 2.0"##,
            ),
            (
                r#"{"name":"c_total","value":1,"exemplar":{"timestamp":1,"value":8}}"#,
                r##"OM c_total 4.0 # {trace_id="b"} -7.0 2.0"##,
            ),
            (
                r#"{"name":"c_total","value":1,"exemplar":{"labels":{"a-b":"c"},"timestamp":3}}"#,
                r##"OM c_total 5.0 # {trace_id="b"} -7.0 2.0"##,
            ),
            (
                r#"{"type":"histogram","name":"h","value":2,"buckets":[1,3],"timestamp":9,"exemplar":{"labels":{"a":1}}}"#,
                r##"OM h_bucket{le="3.0"} 1 # {a="1"} 2.0 9.0"##,
            ),
            (
                r#"{"type":"histogram","name":"h","values":[0.5,4],"buckets":[1,3],"exemplar":{"value":4,"timestamp":5}}"#,
                r##"OM h_bucket{le="+Inf"} 3 # {} 4.0 5.0"##,
            ),
            (r#"{"type":"gauge","name":"g","value":2,"exemplar":{}}"#, "OM g 2.0"),
            (r#"{"name":"none_total","value":2,"exemplar":null}"#, "OM none_total 2.0"),
        ],
        refused: &[
            (r#"{"name":"c_total","exemplar":"a"}"#, "invalid_field"),
            (r#"{"name":"c_total","exemplar":[]}"#, "invalid_field"),
        ],
        restarted: &[
            (
                r#"{"name":"c_total","value":1,"exemplar":{"timestamp":1}}"#,
                r##"OM c_total 6.0 # {trace_id="b"} -7.0 2.0"##,
            ),
            (
                r#"{"name":"c_total","value":1,"exemplar":{"timestamp":2}}"#,
                "OM c_total 7.0 # {} 1.0 2.0",
            ),
        ],
        leaving: &[],
    },
];

/// One Redis, one state file, and gateways one after the other.
struct Restarts {
    redis: RedisServer,
    folder: tempfile::TempDir,
    pushed: u64,
}

impl Restarts {
    fn start(&self, case: &FieldCase) -> Gateway {
        let builder = GatewayBuilder::reading(&self.redis)
            .set("Redis__MetricQueueWorkers", "1")
            .set("Metrics__StateFile", self.folder.path().join("state"));
        let with =
            |builder: GatewayBuilder, (name, value): &(&str, &str)| builder.set(name, *value);
        case.settings.iter().fold(builder, with).start()
    }

    /// Sends a payload to a gateway that has got so many before.
    fn send(&mut self, gateway: &Gateway, payload: &str) {
        self.redis.push(&[filled(payload)]);
        self.pushed += 1;
        gateway.scrape_after(self.pushed);
    }

    fn check(&mut self, gateway: &Gateway, payload: &str, line: &str) {
        self.send(gateway, payload);
        let shown = lines(gateway);
        assert!(shown.iter().any(|one| one == line), "{payload}: {line} is not in {shown:#?}");
        let refused = gateway.scrape().totals().1;
        assert_eq!(refused, 0, "{payload} is refused");
    }
}

/// The lines of producers' metrics, of OpenMetrics behind `OM `, sorted.
fn lines(gateway: &Gateway) -> Vec<String> {
    let own = |line: &&str| !line.contains("prom_stream_gateway_");
    let text = gateway.must_get("/metrics", &[]).text();
    let openmetrics = gateway.must_get("/metrics", &[ACCEPT_OPENMETRICS]).text();
    let text = text.lines().filter(own).map(str::to_owned);
    let openmetrics = openmetrics.lines().filter(own).map(|line| format!("OM {line}"));
    let mut lines: Vec<String> = text.chain(openmetrics).collect();
    lines.sort();
    lines
}

/// A payload with the times that it asks for.
fn filled(payload: &str) -> String {
    let Some((before, rest)) = payload.split_once("{now+") else { return payload.to_owned() };
    let (seconds, after) = rest.split_once('}').expect("a closing brace");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let ahead: u64 = seconds.parse().expect("whole seconds");
    format!("{before}{}{after}", now.as_secs() + ahead)
}

/// What the table of fields has in the first cell of each row, without backticks.
fn rows() -> Vec<String> {
    let page = pages().into_iter().find(|page| page.name == "docs/produce.md").expect("a page");
    let table = page.text.lines().skip_while(|line| !line.starts_with("| Field |"));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2);
    let first_cell = |row: &str| row.split('|').nth(1).expect("a cell").trim().replace('`', "");
    rows.map(first_cell).collect()
}

#[test]
fn every_row_of_the_table_has_a_case() {
    let mut cases: Vec<&str> = CASES.iter().map(|case| case.fields).collect();
    cases.dedup();
    assert_eq!(rows(), cases);
    for FieldCase { fields, accepted, refused, restarted, .. } in CASES {
        let parts = [accepted.len(), refused.len(), restarted.len()];
        assert!(parts.iter().all(|part| *part > 0), "{fields}: {parts:?}");
    }
}

#[test]
fn fields_are_what_their_rows_say() {
    let check = |case: &'static FieldCase| {
        let name = case.fields.to_owned();
        std::thread::Builder::new().name(name).spawn(|| holds(case)).expect("a thread")
    };
    let all: Vec<_> = CASES.iter().map(check).collect();
    let failed: Vec<&str> = CASES
        .iter()
        .zip(all)
        .filter_map(|(case, thread)| thread.join().err().map(|_| case.fields))
        .collect();
    assert!(failed.is_empty(), "what these fields do is told above: {failed:?}");
}

fn holds(case: &FieldCase) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut world = Restarts { redis: RedisServer::start(), folder, pushed: 0 };
    let mut gateway = world.start(case);
    for (payload, line) in case.accepted {
        world.check(&gateway, payload, line);
    }
    let is_staying = |line: &String| !case.leaving.iter().any(|begin| line.contains(begin));
    let staying =
        |gateway: &Gateway| lines(gateway).into_iter().filter(is_staying).collect::<Vec<String>>();
    let before = staying(&gateway);
    for (payload, reason) in case.refused {
        let known = gateway.scrape().rejected(reason);
        world.send(&gateway, payload);
        let rejected = gateway.scrape().rejected(reason) - known;
        assert_eq!(rejected, 1, "{payload}: {reason}");
    }
    assert_eq!(staying(&gateway), before, "what is refused changes nothing");

    gateway.signal("TERM");
    let status = gateway.wait_at_most(Duration::from_secs(30));
    assert!(status.success(), "{status}: {:?}", gateway.log());
    let gateway = world.start(case);
    world.pushed = 0;
    assert_eq!(staying(&gateway), before, "after the restart");
    for (payload, line) in case.restarted {
        world.check(&gateway, payload, line);
    }
    for begin in case.leaving {
        wait_for(&format!("{begin}to leave"), || {
            let shown = lines(&gateway);
            if shown.iter().any(|line| line.starts_with(begin)) {
                Err(format!("{shown:?}"))
            } else {
                Ok(())
            }
        });
    }
}
