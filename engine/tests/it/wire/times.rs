//! `timestamp` and `ttl`: read, from texts too, judged, refused where they are no
//! numbers.

use psg_engine::reject::Reason;

use super::show::{NOW, accepts, refuses};

/// What is shown of a sample with these members besides its name.
fn check(members: &str, shown: &str) {
    accepts(&format!(r#"{{"name":"m",{members}}}"#), &format!("counter m{{}} 0.0{shown}"));
}

#[test]
fn seconds_and_milliseconds() {
    check(r#""timestamp":1699999999"#, " measured at 1699999999");
    check(r#""timestamp":1699999999.25"#, " measured at 1699999999.25");
    check(r#""timestamp":1699999999250"#, " measured at 1699999999.25");
    check(r#""timestamp":-3"#, " measured at -3");
    check(r#""ttl":300"#, " ttl Some(300)");
    check(r#""ttl":0"#, " ttl None");
    check(r#""ttl":0.5,"timestamp":0"#, " measured at 0 ttl Some(1)");
}

#[test]
fn a_text_with_a_number_in_it_is_that_number() {
    check(r#""timestamp":"1699999999.25""#, " measured at 1699999999.25");
    check(r#""timestamp":"1699999999250""#, " measured at 1699999999.25");
    check(r#""ttl":"\u00310e1""#, " ttl Some(100)");
    check(r#""ttl":" 0\n","timestamp":"\u00a0-3 ""#, " measured at -3 ttl None");
}

#[test]
fn what_is_no_number_is_refused_and_not_taken_for_another_time() {
    for (field, reason) in [("timestamp", Reason::BadTimestamp), ("ttl", Reason::BadTtl)] {
        check(&format!(r#""{field}":null"#), "");
        check(&format!(r#""{field}":"x","{field}":-1,"{field}":null"#), "");
        for wrong in [
            "true",
            "[1]",
            r#"{"a":1}"#,
            r#""x""#,
            r#""""#,
            r#"" ""#,
            r#""null""#,
            r#""01""#,
            r#""1.""#,
            r#""+1""#,
            r#""0x10""#,
            r#""1_000""#,
            r#""1 2""#,
            r#""NaN""#,
            r#""inf""#,
            r#""2023-11-14T22:13:20Z""#,
            r#""-1e999x""#,
        ] {
            refuses(reason, &[&format!(r#"{{"type":1,"name":"m","{field}":{wrong}}}"#)]);
        }
    }
    refuses(Reason::BadTtl, &[r#"{"name":"m","ttl":"-1"}"#, r#"{"name":"m","ttl":"-1e999"}"#]);
    refuses(Reason::BadTimestamp, &[r#"{"name":"m","timestamp":"1e11","ttl":"x"}"#]);
    refuses(Reason::BadBuckets, &[r#"{"name":"m","type":3,"timestamp":"x"}"#]);
}

#[test]
fn the_last_of_several_counts() {
    check(r#""ttl":-1,"ttl":2,"timestamp":9e99,"timestamp":5"#, " measured at 5 ttl Some(2)");
    refuses(Reason::BadTtl, &[r#"{"name":"m","ttl":1,"ttl":-1}"#]);
}

#[test]
fn ten_minutes_ahead_are_the_most() {
    let most = i64::from(NOW) + 600;
    check(&format!(r#""timestamp":{most}"#), &format!(" measured at {most}"));
    check(&format!(r#""timestamp":{most}000"#), &format!(" measured at {most}"));
    for ahead in [format!("{most}.001"), format!("{most}001"), "1e11".into(), "1e999".into()] {
        refuses(Reason::BadTimestamp, &[&format!(r#"{{"name":"m","timestamp":{ahead}}}"#)]);
    }
}

#[test]
fn negative_ttls() {
    check(r#""ttl":-0.0"#, " ttl None");
    refuses(Reason::BadTtl, &[r#"{"name":"m","ttl":-0.001}"#, r#"{"name":"m","ttl":-1e999}"#]);
    refuses(Reason::BadTimestamp, &[r#"{"name":"m","ttl":-1,"timestamp":9e99}"#]);
}
