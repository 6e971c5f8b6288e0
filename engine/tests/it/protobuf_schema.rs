//! The generated schema is what its `.proto` says: the same messages with the same
//! fields. The generator's dependencies take a minute to compile, so it does not run
//! here.

use std::collections::BTreeSet;

/// Message, field, label, type, number. The type of a field that is a message or an
/// enum is its name in the `.proto`, and `message` here.
type Field = [String; 5];

#[test]
fn the_generated_schema_is_current() {
    let published = published_fields(include_str!("../../proto/metrics.proto"));
    let generated = generated_fields(include_str!("../../src/protobuf/io_prometheus_client.rs"));
    assert!(published.len() > 40, "{published:?}");
    assert_eq!(generated, published);
}

fn published_fields(proto: &str) -> BTreeSet<Field> {
    const SCALARS: [&str; 7] =
        ["string", "double", "uint32", "uint64", "sint32", "sint64", "int64"];
    let mut message = String::new();
    let mut fields = BTreeSet::new();
    for line in proto.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let words: Vec<&str> =
            code.split(&[' ', ';'][..]).filter(|word| !word.is_empty()).collect();
        match *words {
            ["message", name, "{"] => message = name.to_owned(),
            [label @ ("optional" | "repeated"), of, name, "=", number] => {
                let of = match of {
                    "MetricType" => "enumeration",
                    scalar if SCALARS.contains(&scalar) => scalar,
                    _ => "message",
                };
                fields.insert([&*message, name, label, of, number].map(str::to_owned));
            }
            _ => {}
        }
    }
    fields
}

fn field_of(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("pub ")?.split_once(": ").filter(|(name, _)| !name.contains(' '))
}

fn generated_fields(rust: &str) -> BTreeSet<Field> {
    let mut message = String::new();
    let mut attribute = (String::new(), String::new(), String::new());
    let mut fields = BTreeSet::new();
    for line in rust.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("pub struct ") {
            message = name.trim_end_matches(" {").to_owned();
        } else if let Some(inside) = line.strip_prefix("#[prost(") {
            let inside = inside.trim_end_matches(")]");
            let part = |at: usize| inside.split(", ").nth(at).unwrap_or_default().to_owned();
            let of = part(0).split('=').next().unwrap_or_default().trim().to_owned();
            let number = inside.rsplit('"').nth(1).unwrap_or_default().to_owned();
            attribute = (of, part(1), number);
        } else if let Some((name, _)) = field_of(line) {
            let (of, label, number) = &attribute;
            let name = name.trim_start_matches("r#");
            fields.insert([&*message, name, label, of, number].map(str::to_owned));
        }
    }
    fields
}
