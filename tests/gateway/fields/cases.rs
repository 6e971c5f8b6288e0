//! What each row of the table of fields promises.

/// What a row promises, under some settings; a row may have several cases. In payloads
/// `{now+9}` stands for a time in Unix seconds; of the lines that show, those that begin
/// with `OM ` are of OpenMetrics.
pub struct FieldCase {
    /// The fields of the row.
    pub fields: &'static str,
    pub settings: &'static [(&'static str, &'static str)],
    /// Payloads that are taken, one after the other, and a line that each makes.
    pub accepted: &'static [(&'static str, &'static str)],
    /// Payloads that are not, and the reason.
    pub refused: &'static [(&'static str, &'static str)],
    /// Payloads that go on from what is kept over a restart.
    pub restarted: &'static [(&'static str, &'static str)],
    /// What lines begin with that leave by themselves after the restart.
    pub leaving: &'static [&'static str],
}

/// In the order of the table.
pub const CASES: &[FieldCase] = &[
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
            (r#"{"type":"histogram","name":"all","counts":[3],"sum":9}"#, "all_count 3"),
            (
                r#"{"type":"histogram","name":"most","counts":[9007199254740992],"sum":0}"#,
                "most_count 9007199254740992",
            ),
            (r#"{"type":"summary","name":"s","counts":[5],"sum":-7.5}"#, "s_sum -7.5"),
            (r#"{"type":"summary","name":"s","value":1}"#, "s_count 6"),
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
            (r#"{"type":"histogram","name":"x","counts":[1,1],"sum":1}"#, "bad_buckets"),
            (
                r#"{"type":"histogram","name":"x","counts":[9007199254740994],"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"x","buckets":[1],"counts":[9007199254740992,1],"sum":1}"#,
                "bad_buckets",
            ),
            (r#"{"type":"summary","name":"s","counts":[1,1],"sum":1}"#, "bad_buckets"),
            (r#"{"type":"summary","name":"s","counts":[0.5],"sum":1}"#, "bad_buckets"),
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
        fields: "native",
        settings: &[("Metrics__MaxValues", "3")],
        accepted: &[
            (
                r#"{"type":"histogram","name":"h","native":{"schema":3,"zero_count":1,"positive":{"indexes":[-4,0,9],"counts":[1,0,2]},"negative":{"indexes":[2],"counts":[1]}},"sum":7}"#,
                r#"h_bucket{le="+Inf"} 5"#,
            ),
            (
                r#"{"type":"histogram","name":"h","native":{"schema":-4,"zero_threshold":0.5,"positive":{"indexes":[-67,64],"counts":[1,9007199254740990]}},"sum":-0.5}"#,
                "h_sum 6.5",
            ),
            (r#"{"type":"histogram","name":"h","value":1.5,"factor":1.1}"#, "h_sum 8"),
            (
                r#"{"type":"histogram","name":"none","native":{"schema":8,"positive":[],"negative":null},"sum":0}"#,
                "none_count 0",
            ),
            (
                r#"{"type":"histogram","name":"i","native":null,"value":2,"buckets":[2]}"#,
                r#"i_bucket{le="2"} 1"#,
            ),
        ],
        refused: &[
            (r#"{"type":"histogram","name":"x","native":[],"sum":1}"#, "invalid_field"),
            (r#"{"type":"histogram","name":"x","native":{"schema":"3"},"sum":1}"#, "invalid_field"),
            (r#"{"type":"histogram","name":"x","native":{"schema":3}}"#, "invalid_field"),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":3},"sum":1,"value":1}"#,
                "invalid_field",
            ),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":3},"sum":1,"factor":2}"#,
                "invalid_field",
            ),
            (r#"{"type":"summary","name":"x","native":{"schema":3},"sum":1}"#, "invalid_field"),
            (r#"{"type":"histogram","name":"x","native":{},"sum":1}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"x","native":{"schema":9},"sum":1}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"x","native":{"schema":-53},"sum":1}"#, "bad_buckets"),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":3},"sum":1,"buckets":[1]}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":3,"zero_threshold":1e999},"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":-4,"positive":{"indexes":[65],"counts":[1]}},"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":3,"positive":{"indexes":[2,1],"counts":[1,1]}},"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":3,"positive":{"indexes":[1],"counts":[0.5]}},"sum":1}"#,
                "bad_buckets",
            ),
            (
                r#"{"type":"histogram","name":"x","native":{"schema":3,"negative":{"indexes":[1,2,3,4],"counts":[1,1,1,1]}},"sum":1}"#,
                "too_many_values",
            ),
            (r#"{"type":"histogram","name":"x","native":{"schema":3},"sum":1e999}"#, "non_finite"),
            (r#"{"type":"histogram","name":"i","native":{"schema":3},"sum":1}"#, "bad_buckets"),
            (
                r#"{"type":"histogram","name":"h","buckets":[1],"counts":[1],"sum":1}"#,
                "bad_buckets",
            ),
        ],
        restarted: &[
            (
                r#"{"type":"histogram","name":"h","native":{"schema":5,"negative":{"indexes":[1],"counts":[3]}},"sum":2}"#,
                "h_sum 10",
            ),
            (
                r#"{"type":"histogram","name":"none","native":{"schema":0,"zero_count":4},"sum":0}"#,
                "none_count 4",
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
        fields: "factor",
        settings: &[],
        accepted: &[
            (
                r#"{"type":"histogram","name":"h","value":2,"factor":1.1}"#,
                r#"h_bucket{le="+Inf"} 1"#,
            ),
            (r#"{"type":"histogram","name":"h","values":[2,-3],"factor":1.1}"#, "h_sum 1"),
            (
                r#"{"type":"histogram","name":"both","value":2,"factor":1.00001,"buckets":[1,3]}"#,
                r#"both_bucket{le="3"} 1"#,
            ),
            (
                r#"{"type":"histogram","name":"i","value":2,"factor":null,"buckets":[2]}"#,
                r#"i_bucket{le="2"} 1"#,
            ),
        ],
        refused: &[
            (r#"{"type":"histogram","name":"x","value":2,"factor":1}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"x","value":2,"factor":1e999}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"x","value":2,"factor":null}"#, "bad_buckets"),
            (r#"{"type":"histogram","name":"x","value":2,"factor":"1.1"}"#, "invalid_field"),
            (r#"{"type":"summary","name":"x","value":2,"factor":1.1}"#, "invalid_field"),
            (
                r#"{"type":"histogram","name":"x","buckets":[1],"counts":[1],"sum":1,"factor":2}"#,
                "invalid_field",
            ),
            (
                r#"{"type":"histogram","name":"h","buckets":[1],"counts":[1],"sum":1}"#,
                "bad_buckets",
            ),
        ],
        restarted: &[
            (r#"{"type":"histogram","name":"h","value":2,"factor":1.1}"#, "h_count 4"),
            (
                r#"{"type":"histogram","name":"both","value":2,"factor":1.1,"buckets":[1,3]}"#,
                "both_count 2",
            ),
        ],
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
            (
                // As long as it may be: 128 characters.
                r#"{"name":"d_total","value":1,"exemplar":{"labels":{"trace_id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},"timestamp":1}}"#,
                r##"OM d_total 1.0 # {trace_id="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} 1.0 1.0"##,
            ),
            (
                // Longer, which drops it.
                r#"{"name":"d_total","value":1,"exemplar":{"labels":{"trace_id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},"timestamp":2}}"#,
                r##"OM d_total 2.0 # {trace_id="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} 1.0 1.0"##,
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
