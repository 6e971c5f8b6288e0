//! Passwords: whatever is set and however wrong, none is printed.

use proptest::prelude::*;

use super::{ConfigOutcome, outcome};

/// Connection strings around a password: sound ones, and those with the
/// mistakes that people make.
fn around(password: &str) -> Vec<String> {
    vec![
        format!("a,password={password}"),
        format!("a,user=u,password={password},ssl=true"),
        format!("a,password={password},frob=1"),
        format!("a:x,password={password}"),
        format!("a,pasword={password}"),
        format!("a,password ={password},ssl={password}x"),
        format!("u:{password}@a:6379"),
        format!("a:{password}"),
        format!("redis://u:{password}@a"),
        format!("redis://:{password}@a/x"),
        format!("redis://u:{password}@a:99999"),
        format!("redis://a,password={password}"),
        format!("rediss//u:{password}@a"),
        format!("unix:///s?pass={password}"),
        format!("unix:///s?passwort={password}"),
        format!("embedded,user=u,password={password}"),
        format!("a,serviceName=s,sentinelPassword={password}"),
        format!("a,password=first,{password}"),
        format!("a,password=first,second,{password},ssl=true"),
        format!("a,serviceName=s,sentinelPassword=first,{password}"),
    ]
}

/// Debug and Display of all that comes out. A user without a password is left
/// out of Debug: that type does not know that it may be a stray password.
fn everything_printed(found: &ConfigOutcome) -> String {
    let mut printed = format!("{}\n{:?}", crate::check_config::render(found), found.entries);
    printed.push_str(&found.warnings.join("\n"));
    match &found.config {
        Ok(config) if config.gateway.pipeline.queue.redis.password.is_some() => {
            printed.push_str(&format!("{found:?}"));
        }
        Ok(_) => {}
        Err(problems) => {
            problems.iter().for_each(|problem| printed.push_str(&format!("{problem} {problem:?}")));
        }
    }
    printed
}

proptest! {
    // Each case is some thirty configurations.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_password_is_ever_printed(rest in "[A-Za-z0-9!$*()_+%&/=?#@:;.\\-]{0,16}") {
        let password = format!("Zq7{rest}");
        for connection in around(&password) {
            for from_file in [false, true] {
                let found = if from_file {
                    let json = serde_json::json!({"Redis": {"ConnectionString": connection}});
                    outcome(&[], &json.to_string())
                } else {
                    outcome(&[&format!("Redis__ConnectionString={connection}")], "{}")
                };
                let printed = everything_printed(&found);
                prop_assert!(!printed.contains("Zq7"), "{} in {}", connection, printed);
            }
        }
    }

    #[test]
    fn a_password_in_the_place_of_the_user_is_not_reported(rest in "[A-Za-z0-9!$*()_+.]{0,16}") {
        for connection in [format!("a,user=Zq7{rest}"), format!("redis://Zq7{rest}@a")] {
            let found = outcome(&[&format!("Redis__ConnectionString={connection}")], "{}");
            prop_assert!(found.config.is_ok());
            let warning = "Redis__ConnectionString names a user without a password, which has no effect";
            prop_assert_eq!(&found.warnings, &[warning]);
            let report = crate::check_config::render(&found);
            prop_assert!(!report.contains("Zq7"), "{} in {}", connection, report);
        }
    }
}
