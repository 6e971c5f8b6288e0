//! The configuration file: any text is settings or problems, what is JSON is
//! read as such, and no syntax error repeats what may be a secret.

use std::path::Path;

use serde_json::Value;

use super::secret;
use crate::config::configure;
use crate::config::file::{FileContent, parse};

const DEEPEST: usize = 32;

/// Configures a gateway by the file.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let text = secret::put_into(text);
    // What opens a file of the machine is not for a fuzzer.
    if text.to_ascii_lowercase().contains("cafile") {
        return;
    }
    let path = Path::new("f.json");
    let content = parse(path, &text);
    let is_syntax = |message: &str| message.starts_with("expected JSON, got");
    let broken = content.problems.iter().find(|problem| is_syntax(&problem.message));
    if let Some(problem) = broken {
        assert!(!problem.to_string().contains(secret::MARK), "{problem}");
    }
    if let Ok(json @ Value::Object(_)) = serde_json::from_str(&text)
        && depth(&json) <= DEEPEST
    {
        assert!(broken.is_none(), "it is JSON: {broken:?}");
        check_texts("", &json, &content);
    }
    let outcome = configure([("Shards__Count".into(), "1".into())], content);
    let printed = secret::everything_printed(&outcome);
    assert!(!printed.chars().any(|c| c.is_control() && c != '\n'), "not escaped: {printed:?}");
}

fn depth(json: &Value) -> usize {
    let deepest = match json {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
        Value::Array(values) => values.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
    };
    1 + deepest.unwrap_or(0)
}

/// Every text is a setting of the name that its place gives; or a setting has
/// an object or an array, which is a problem.
fn check_texts(name: &str, json: &Value, content: &FileContent) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match json {
        Value::Null | Value::Number(_) | Value::Bool(_) => {}
        Value::String(text) => {
            let is_it = |pair: &(String, String)| pair.0 == name && pair.1 == *text;
            assert!(content.pairs.iter().any(is_it), "{name} is not {text:?}");
        }
        Value::Array(_) | Value::Object(_)
            if content.problems.iter().any(|problem| problem.name == name) => {}
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                check_texts(&below(&index.to_string()), value, content);
            }
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| check_texts(&below(key), value, content));
        }
    }
}
