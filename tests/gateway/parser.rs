//! The exposition parser of the tests: it must fail on what it is there to find.

use psg_testkit::exposition::{Exposition, Format};

#[test]
fn malformed_expositions_are_refused() {
    let cases = [
        ("help twice", "# HELP a \n# HELP a \n# TYPE a gauge\na 1\n"),
        ("type twice", "# HELP a \n# TYPE a gauge\n# TYPE a gauge\na 1\n"),
        ("no help", "# TYPE a gauge\na 1\n"),
        ("no type", "# HELP a \na 1\n"),
        (
            "split block",
            "# HELP a \n# TYPE a gauge\na{x=\"1\"} 1\n# HELP b \n# TYPE b gauge\nb 1\na 1\n",
        ),
        ("two blocks", "# HELP a \n# TYPE a gauge\na{x=\"1\"} 1\n# HELP a \n# TYPE a gauge\na 1\n"),
        ("same sample twice", "# HELP a \n# TYPE a gauge\na 1\na 2\n"),
        (
            "same labels in another order",
            "# HELP a \n# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n",
        ),
        ("foreign sample", "# HELP a \n# TYPE a gauge\nb 1\n"),
        ("unknown type", "# HELP a \n# TYPE a thing\na 1\n"),
        (
            "name of two families",
            "# HELP a \n# TYPE a histogram\na_sum 1\n# HELP a_sum \n# TYPE a_sum gauge\na_sum 1\n",
        ),
        ("bucket without le", "# HELP a \n# TYPE a histogram\na_bucket 1\n"),
        ("no value", "# HELP a \n# TYPE a gauge\na\n"),
        ("infinity spelt out", "# HELP a \n# TYPE a gauge\na Infinity\n"),
        ("bad name", "# HELP a \n# TYPE a gauge\na-b 1\n"),
        ("label twice", "# HELP a \n# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n"),
        ("open label", "# HELP a \n# TYPE a gauge\na{x=\"1} 1\n"),
        ("bad escape", "# HELP a \n# TYPE a gauge\na{x=\"\\t\"} 1\n"),
        ("bad escape in help", "# HELP a \\x\n# TYPE a gauge\na 1\n"),
        ("newline in help", "# HELP a one\ntwo\n# TYPE a gauge\na 1\n"),
        ("unfinished line", "# HELP a \n# TYPE a gauge\na 1"),
        ("empty line", "# HELP a \n# TYPE a gauge\na 1\n\n"),
    ];
    for (what, text) in cases {
        assert!(Exposition::parse(text, Format::Text).is_err(), "{what} was accepted");
    }
}

#[test]
fn openmetrics_has_rules_of_its_own() {
    let cases = [
        ("no eof", "# HELP a \n# TYPE a gauge\na 1\n"),
        ("text after eof", "# HELP a \n# TYPE a gauge\na 1\n# EOF\na 2\n"),
        ("two eofs", "# HELP a \n# TYPE a gauge\na 1\n# EOF\n# EOF\n"),
        ("counter without total", "# HELP a \n# TYPE a counter\na 1\n# EOF\n"),
        ("untyped", "# HELP a \n# TYPE a untyped\na 1\n# EOF\n"),
    ];
    for (what, text) in cases {
        assert!(Exposition::parse(text, Format::OpenMetrics).is_err(), "{what} was accepted");
    }
}

#[test]
fn a_sample_is_read_whole() {
    let text = "# HELP a \\\\ and \\n\n# TYPE a gauge\na{y=\"\\\\\\\"\\n},=\",x=\"é\"} -1.5e-07\n";
    let exposition = Exposition::parse(text, Format::Text).expect("it is well-formed");
    let sample = exposition.samples("a").next().expect("there is one");
    assert_eq!(sample.label("y"), Some("\\\"\n},="));
    assert_eq!(sample.label("x"), Some("é"));
    assert_eq!(sample.number(), -1.5e-7);
    assert_eq!(sample.canonical, "a{x=\"é\",y=\"\\\\\\\"\\n},=\"} -1.5e-07");
}
