//! Whole native histograms: which ones are taken, and what is refused of others.

use psg_engine::reject::Reason;
use psg_engine::timestamp::UnixTime;
use psg_engine::wire::NATIVE_FIELDS;

use super::show::{accepts, decode, decoder, refuses, refuses_bytes, small_limits};

/// A sample with this as `native`, and a sum.
fn whole(native: &str) -> String {
    format!(r#"{{"name":"m","type":"histogram","native":{native},"sum":7.5}}"#)
}

#[test]
fn whole_native_histograms() {
    let check = |native: &str, shown: &str| {
        accepts(&whole(native), &format!("histogram m{{}} 7.5 native {shown}"));
    };
    check(r#"{"schema":3}"#, "3 zero 0 to 0.0 above [] below []");
    check(
        r#"{"schema":-4,"zero_threshold":1e-9,"zero_count":2,"positive":{"indexes":[-3,-1,0],"counts":[1,2,5]},"negative":{"counts":[9],"indexes":[64]}}"#,
        "-4 zero 2 to 1e-9 above [(-3, 1), (-1, 2), (0, 5)] below [(64, 9)]",
    );
    check(
        r#"{"schema":8.0,"zero_threshold":-0,"positive":{"indexes":[-274944,1e0,262144],"counts":[3,0,1.0]}}"#,
        "8 zero 0 to 0.0 above [(-274944, 3), (262144, 1)] below []",
    );
    // As good as absent.
    for none in ["null", "[]", "{}", r#"{"indexes":null,"counts":[]}"#, r#"{"counts":null}"#] {
        let native = format!(r#"{{"schema":0,"positive":{none},"zero_count":null}}"#);
        check(&native, "0 zero 0 to 0.0 above [] below []");
    }
    // Of a name given twice the last counts.
    check(
        r#"{"schema":"x","schema":1,"positive":{"indexes":[1],"counts":[1]},"positive":{"indexes":[2,3],"indexes":[4],"counts":["x"],"counts":[5]}}"#,
        "1 zero 0 to 0.0 above [(4, 5)] below []",
    );
    accepts(
        r#"{"name":"m","type":"histogram","native":{"schema":1},"native":null,"value":1,"buckets":[1]}"#,
        "histogram m{} 1.0 at 75..76 buckets [1.0]",
    );
}

#[test]
fn wrong_types_and_company() {
    for wrong in [
        "1",
        "[]",
        r#""x""#,
        r#"{"schema":"3"}"#,
        r#"{"schema":3,"zero_threshold":[]}"#,
        r#"{"schema":3,"zero_count":true}"#,
        r#"{"schema":3,"positive":[1]}"#,
        r#"{"schema":3,"negative":1}"#,
        r#"{"schema":3,"positive":{"indexes":1}}"#,
        r#"{"schema":3,"positive":{"indexes":["1"],"counts":[1]}}"#,
        r#"{"schema":3,"negative":{"indexes":[1],"counts":[null]}}"#,
    ] {
        refuses(Reason::InvalidField, &[&whole(wrong)]);
    }
    let beside = |fields: &str| format!(r#"{{"name":"m","native":{{"schema":3}},{fields}}}"#);
    for wrong in [
        r#""type":"histogram""#,
        r#""type":"histogram","sum":null"#,
        r#""type":"histogram","sum":1,"value":1"#,
        r#""type":"histogram","sum":1,"values":[1]"#,
        r#""type":"histogram","sum":1,"counts":[1]"#,
        r#""type":"histogram","sum":1,"factor":2"#,
        r#""type":"summary","sum":1"#,
        r#""type":"gauge","sum":1"#,
        r#""sum":1"#,
    ] {
        refuses(Reason::InvalidField, &[&beside(wrong)]);
    }
    refuses(Reason::BadBuckets, &[&beside(r#""type":"histogram","sum":1,"buckets":[1]"#)]);
    refuses(Reason::NonFinite, &[&beside(r#""type":"histogram","sum":1e999"#)]);
}

#[test]
fn wrong_numbers() {
    let detail = |native: &str| {
        let refused = decode(whole(native).as_bytes(), small_limits()).expect_err(native);
        assert_eq!(refused.reason, Reason::BadBuckets, "{native}");
        refused.detail.into_owned()
    };
    let schema = "expected a whole number from -4 to 8 as native.schema, got";
    for (sent, got) in [
        ("{}", "none"),
        (r#"{"schema":null}"#, "none"),
        (r#"{"schema":9}"#, "9"),
        (r#"{"schema":-5}"#, "-5"),
        (r#"{"schema":-53}"#, "-53"),
        (r#"{"schema":259}"#, "259"),
        (r#"{"schema":0.5}"#, "0.5"),
        (r#"{"schema":1e999}"#, "inf"),
    ] {
        assert_eq!(detail(sent), format!("{schema} {got}"), "{sent}");
    }
    let wrong = |members: &str| detail(&format!(r#"{{"schema":-4,{members}}}"#));
    let threshold = "expected a finite number of at least 0 as native.zero_threshold, got";
    for (sent, got) in [("-1", "-1"), ("1e999", "inf")] {
        assert_eq!(wrong(&format!(r#""zero_threshold":{sent}"#)), format!("{threshold} {got}"));
    }
    let counts = "expected whole numbers up to 2^53 as counts, got";
    for (sent, got) in [("-1", "-1"), ("0.5", "0.5"), ("9007199254740994", "9007199254740994")] {
        assert_eq!(wrong(&format!(r#""zero_count":{sent}"#)), format!("{counts} {got}"));
        let side = format!(r#""negative":{{"indexes":[1,2],"counts":[1,{sent}]}}"#);
        assert_eq!(wrong(&side), format!("{counts} {got}"));
    }
    let indexes = "expected indexes of buckets from -67 to 64, as schema -4 has them, got";
    for (sent, got) in [("-68", "-68"), ("65", "65"), ("1.5", "1.5"), ("1e999", "inf")] {
        let side = format!(r#""positive":{{"indexes":[{sent}],"counts":[1]}}"#);
        assert_eq!(wrong(&side), format!("{indexes} {got}"));
    }
    for sent in ["[1,1]", "[2,1]"] {
        let side = format!(r#""positive":{{"indexes":{sent},"counts":[1,1]}}"#);
        let expected = "expected indexes that strictly increase, got some that do not";
        assert_eq!(wrong(&side), expected);
    }
    assert_eq!(
        wrong(r#""positive":{"indexes":[1,2],"counts":[1]}"#),
        "expected as many indexes as counts, got 2 and 1"
    );
    assert_eq!(
        wrong(r#""zero_count":9007199254740992,"positive":{"indexes":[1],"counts":[1]}"#),
        "expected counts of up to 2^53 observations, got 9007199254740993"
    );
}

#[test]
fn no_more_buckets_than_values() {
    let side = |name: &str, buckets: usize| {
        let indexes: Vec<usize> = (0..buckets).collect();
        let counts = vec![1; buckets];
        whole(&format!(r#"{{"schema":0,"{name}":{{"indexes":{indexes:?},"counts":{counts:?}}}}}"#))
    };
    for name in ["positive", "negative"] {
        assert!(decode(side(name, 5).as_bytes(), small_limits()).is_ok());
        refuses_bytes(Reason::TooManyValues, side(name, 6).as_bytes(), small_limits());
    }
}

/// Members that nobody knows are told as other unknown fields are.
#[test]
fn unknown_members_are_counted() {
    let payload = whole(
        r#"{"schema":3,"zero_counts":1,"positive":{"index":[1],"indexes":[1],"counts":[[[1]]],"counts":[1]}}"#,
    );
    let mut decoder = decoder(small_limits());
    assert!(decoder.decode(payload.as_bytes(), UnixTime::MIN).is_ok());
    let unknown = decoder.take_unknown_fields();
    let names: Vec<&str> = unknown.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["zero_counts", "index"]);
    for known in NATIVE_FIELDS {
        let member = whole(&format!(
            r#"{{"schema":3,"{known}":null,"schema":3,"positive":{{"{known}":null}}}}"#
        ));
        assert!(decoder.decode(member.as_bytes(), UnixTime::MIN).is_ok(), "{known}");
        let unknown = decoder.take_unknown_fields();
        // What is a member of the one is unknown in the other.
        assert_eq!(unknown.iter().map(|(_, count)| count).sum::<u64>(), 1, "{known}");
    }
}
