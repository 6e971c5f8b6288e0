//! Which bytes are documents, and which documents are objects.

use psg_engine::limits::PayloadLimits;
use psg_engine::reject::Reason;
use psg_engine::wire::{door_in, metric_name_in};

use super::show::{accepts, decode, refuses, refuses_bytes, small_limits};

#[test]
fn syntax() {
    refuses(
        Reason::InvalidJson,
        &[
            "",
            " ",
            "{",
            "}",
            "{]",
            "[}",
            "nul",
            "nulll",
            "tru",
            "{}x",
            "{}{}",
            "{},",
            "\u{feff}{}",
            r#"{"name":"m",}"#,
            r#"{,"name":"m"}"#,
            r#"{"name" "m"}"#,
            r#"{"name":}"#,
            r#"{"name"}"#,
            r#"{name:"m"}"#,
            r#"{'name':'m'}"#,
            r#"{"name":"m"/**/}"#,
            r#"{"name":"m"} //"#,
            r#"{"name":"m","value":01}"#,
            r#"{"name":"m","value":1.}"#,
            r#"{"name":"m","value":.5}"#,
            r#"{"name":"m","value":+1}"#,
            r#"{"name":"m","value":-}"#,
            r#"{"name":"m","value":1e}"#,
            r#"{"name":"m","value":NaN}"#,
            r#"{"name":"m","value":Infinity}"#,
            r#"{"name":"m","value":0x1}"#,
            r#"{"name":"m","value":True}"#,
            r#"{"x":[1,]}"#,
            r#"{"x":[,1]}"#,
            r#"{"x":[1 2]}"#,
            r#"{"x":["#,
            r#"{"x":[1"#,
            r#"{"x":"a"#,
            r#"{"x":"a\"}"#,
            "{\"x\":\"a\u{1}\"}",
            "{\"x\":\"a\n\"}",
            "{\"x\":\"a\tb\"}",
            "{\"x\":\"\0\"}",
            "{\u{a0}\"name\":\"m\"}",
            "{\u{c}\"name\":\"m\"}",
            "{\u{b}\"name\":\"m\"}",
            "{}\0",
            r#"{"x":"\x"}"#,
            r#"{"x":"\u12"}"#,
            r#"{"x":"\u12g4"}"#,
            r#"{"x":"\U0041"}"#,
            r#"{"x":"\u+123"}"#,
        ],
    );
    accepts(" \t\r\n{\t\"name\" :\n\"m\"\r,\"value\" : 1 } ", "counter m{} 1.0 at 30..31");
    accepts("{\"name\":\"m\",\"help\":\"\u{7f}\"}", "counter m{} 0.0 help \"\\u{7f}\"");
}

#[test]
fn syntax_outweighs_everything() {
    refuses(
        Reason::InvalidJson,
        &[
            r#"{"type":"nonsense","name":5,"value":"x","labels":7,"x":[}"#,
            r#"["#,
            r#"5 5"#,
            r#"{"name":"m","value":1e999"#,
            r#"{"name":"m","labels":{"a":[1]}"#,
        ],
    );
    let mut many = String::from(r#"{"name":"m","labels":{"#);
    many.push_str(&r#""a":"1","#.repeat(1000));
    refuses(Reason::InvalidJson, &[&many]);
}

#[test]
fn utf8() {
    let limits = PayloadLimits::default;
    refuses_bytes(Reason::InvalidJson, b"{\"name\":\"m\",\"x\":\"\xff\"}", limits());
    refuses_bytes(Reason::InvalidJson, b"{\"name\":\"m\",\"x\":\"\xed\xa0\x80\"}", limits());
    refuses_bytes(Reason::InvalidJson, b"{\"name\":\"m\",\"x\":\"\xc0\xaf\"}", limits());
    refuses_bytes(Reason::InvalidJson, b"{\"name\":\"m\"}\xc3", limits());
    accepts(r#"{"name":"m","help":"日本 é 😀"}"#, "counter m{} 0.0 help \"日本 é 😀\"");
}

#[test]
fn escapes() {
    accepts(
        r#"{"ty\u0070e":"gau\u0067e","\u006eame":"m","labels":{"\u0061":"\u00e9\ud83d\ude00\t\/\b\f\r\n\"\\"}}"#,
        "gauge m{a=\"é😀\\t/\\u{8}\\u{c}\\r\\n\\\"\\\\\"} 0.0",
    );
    accepts(r#"{"name":"m","labels":{"a":"\uD83D\uDE00\u0000"}}"#, "counter m{a=\"😀\\0\"} 0.0");
}

/// As readers of most languages do; JavaScript makes such of a text that it cuts
/// within an emoji.
#[test]
fn half_a_surrogate_pair_is_a_replacement_character() {
    for (escaped, text) in [
        (r"\ud800", "\u{fffd}"),
        (r"\udc00", "\u{fffd}"),
        (r"\uD800\uD800", "\u{fffd}\u{fffd}"),
        (r"\ud800x", "\u{fffd}x"),
        (r"\ud800\n", "\u{fffd}\n"),
        (r"\ud800\u0041", "\u{fffd}A"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
        (r"\\ud800", "\\ud800"),
    ] {
        accepts(
            &format!(r#"{{"name":"m","labels":{{"a":"{escaped}"}},"help":"{escaped}"}}"#),
            &format!("counter m{{a={text:?}}} 0.0 help {text:?}"),
        );
    }
    accepts(r#"{"name":"m","\ud800":1,"x":[{"\udfff":"\udfff"}]}"#, "counter m{} 0.0");
    accepts(r#"{"name":"\ud800","name":"m"}"#, "counter m{} 0.0");
    refuses(Reason::InvalidName, &[r#"{"name":"\ud800"}"#]);
    refuses(Reason::InvalidLabelName, &[r#"{"name":"m","labels":{"\ud800":"1"}}"#]);
    refuses(Reason::UnknownType, &[r#"{"name":"m","type":"\ud800"}"#]);
    // What the grammar does not have.
    for broken in [r"\ud83", r"\ud83d\u", r"\ud83d\x", r"\ud83d\u004", r"\ud83d\"] {
        let payload = format!(r#"{{"name":"m","help":"{broken}"}}"#);
        refuses(Reason::InvalidJson, &[&payload]);
    }
}

#[test]
fn nesting() {
    let nested = |levels: usize, open: &str, close: &str| {
        format!("{{\"name\":\"m\",\"x\":{}1{}}}", open.repeat(levels), close.repeat(levels))
    };
    accepts(&nested(63, "[", "]"), "counter m{} 0.0");
    accepts(&nested(63, "{\"a\":", "}"), "counter m{} 0.0");
    refuses(Reason::InvalidJson, &[&nested(64, "[", "]"), &nested(64, "{\"a\":", "}")]);
    refuses(Reason::InvalidJson, &[&nested(100_000, "[", "]"), &"[".repeat(100_000)]);
    let label = |levels: usize| {
        format!("{{\"labels\":{{\"a\":{}{}}}}}", "[".repeat(levels), "]".repeat(levels))
    };
    refuses(Reason::MissingName, &[&label(62)]);
    refuses(Reason::InvalidJson, &[&label(63)]);
    let bucket =
        |levels: usize| format!("{{\"buckets\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    refuses(Reason::InvalidField, &[&bucket(63)]);
    refuses(Reason::InvalidJson, &[&bucket(64)]);
}

#[test]
fn other_documents() {
    refuses(
        Reason::NotASample,
        &["null", "true", "1", "1e999", "\"a\"", "[]", "[[]]", r#"[{"name":"m"}]"#, " [ ] "],
    );
    refuses(Reason::MissingName, &["{}"]);
}

#[test]
fn payload_size() {
    let exact = format!(r#"{{"name":"m","x":"{}"}}"#, " ".repeat(500 - 19));
    assert_eq!(exact.len(), 500);
    assert!(decode(exact.as_bytes(), small_limits()).is_ok());
    refuses_bytes(Reason::PayloadTooLarge, format!("{exact} ").as_bytes(), small_limits());
    refuses_bytes(Reason::PayloadTooLarge, &[0xff; 501], small_limits());
}

#[test]
fn the_name_of_what_is_cut_or_damaged() {
    let check = |beginning: &[u8], expected: Option<&str>| {
        let shown = String::from_utf8_lossy(beginning);
        assert_eq!(metric_name_in(beginning).as_deref(), expected, "{shown}");
    };
    check(br#"{"name":"n","value":-1}"#, Some("n"));
    check(br#"{"value":1,"name":"n","help":"cut of"#, Some("n"));
    check(br#" { "value" : 1, "na\u006de":"\u0061" broken"#, Some("a"));
    check(br#"{"name":"a","labels":{"name":"b"},"name":"c","#, Some("c"));
    check(b"{\"name\":\"n\",\"help\":\"\xff\"}", Some("n"));
    check(br#"{"name":"cut"#, None);
    check(br#"{"name":7}"#, None);
    check(br#"{"value":01,"name":"n"}"#, None);
    check(br#"[{"name":"n"}]"#, None);
    check(b"nonsense", None);
    check(b"", None);
    check(b"\xff", None);
}

#[test]
fn how_it_came_is_passed_over_and_can_be_asked() {
    let told = |payload: &[u8]| door_in(payload);
    assert_eq!(told(br#"{"door":"otlp","type":"gauge","na"#).as_deref(), Some("otlp"));
    assert_eq!(told(br#"{"name":"door","labels":{"door":"otlp"},"value":1}"#), None);
    // Whatever it is, nothing follows from it.
    for door in [r#""otlp""#, "7", "null", "[[]]", r#"{"name":"n"}"#] {
        accepts(&format!(r#"{{"door":{door},"name":"m"}}"#), "counter m{} 0.0");
    }
}
