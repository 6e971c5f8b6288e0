//! Attributes as labels: those of a data point, and those of its resource that are
//! listed.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::names::label_name;
use crate::settings::{OtlpNames, OtlpSettings};

const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";

/// Where a label is from; the first of those that have one name counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// `job` and `instance`, which say whose series it is.
    Target,
    Point,
    Resource,
}

/// A label that may share its name with others.
#[derive(Debug)]
struct Label<'a> {
    name: Cow<'a, str>,
    origin: Origin,
    key: &'a str,
    value: Cow<'a, str>,
}

/// The labels that every series of a resource has.
#[derive(Debug, Default)]
pub struct ResourceLabels<'a>(Vec<Label<'a>>);

impl<'a> ResourceLabels<'a> {
    pub fn new(resource: Option<&'a Resource>, settings: &'a OtlpSettings) -> Self {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        let find = |key: &str| {
            let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
            let value = text(attribute.value.as_ref());
            (!value.is_empty()).then_some(value)
        };
        let label = |key: &'a String| {
            let value = find(key)?;
            let (name, origin, value) = match key.as_str() {
                SERVICE_NAME => {
                    let value = match find(SERVICE_NAMESPACE) {
                        Some(namespace) => format!("{namespace}/{value}").into(),
                        None => value,
                    };
                    (Cow::Borrowed("job"), Origin::Target, value)
                }
                SERVICE_INSTANCE => (Cow::Borrowed("instance"), Origin::Target, value),
                key => (label_name(key, settings.names), Origin::Resource, value),
            };
            Some(Label { name, origin, key, value })
        };
        Self(settings.resource_attributes.iter().filter_map(label).collect())
    }

    /// Whether each process has series of its own.
    pub fn tell_instances_apart(&self) -> bool {
        self.0.iter().any(|label| label.key == SERVICE_INSTANCE)
    }

    /// With the attributes of a data point, by name. The values of attributes that come
    /// to the same name stand behind each other, in the order of their keys.
    pub fn with<'p>(
        &'p self,
        attributes: &'p [KeyValue],
        names: OtlpNames,
    ) -> Vec<(Cow<'p, str>, Cow<'p, str>)> {
        let of_resource = self.0.iter().map(|label| Label {
            name: Cow::Borrowed(&*label.name),
            value: Cow::Borrowed(&*label.value),
            ..*label
        });
        let of_point = attributes.iter().map(|attribute| Label {
            name: label_name(&attribute.key, names),
            origin: Origin::Point,
            key: &attribute.key,
            value: text(attribute.value.as_ref()),
        });
        let mut labels: Vec<Label<'p>> = of_resource.chain(of_point).collect();
        labels.sort_by(|a, b| (&a.name, a.origin, a.key).cmp(&(&b.name, b.origin, b.key)));
        let mut merged: Vec<(Cow<'p, str>, Cow<'p, str>)> = Vec::with_capacity(labels.len());
        let mut last = Origin::Target;
        for Label { name, origin, value, .. } in labels {
            match merged.last_mut().filter(|(before, _)| *before == name) {
                Some((_, before)) if last == origin => {
                    let before = before.to_mut();
                    before.push(';');
                    before.push_str(&value);
                }
                Some(_) => {}
                None => {
                    merged.push((name, value));
                    last = origin;
                }
            }
        }
        merged
    }
}

/// A value as text; what is no single one as JSON.
fn text(value: Option<&AnyValue>) -> Cow<'_, str> {
    let Some(value) = value.and_then(|value| value.value.as_ref()) else {
        return Cow::Borrowed("");
    };
    match value {
        Value::StringValue(text) => Cow::Borrowed(text),
        Value::BoolValue(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Value::IntValue(number) => number.to_string().into(),
        Value::DoubleValue(number) => decimal(*number).into(),
        Value::BytesValue(bytes) => STANDARD.encode(bytes).into(),
        Value::ArrayValue(_) | Value::KvlistValue(_) => json(Some(value)).to_string().into(),
        // A place in a table that only profiles have.
        Value::StringValueStrindex(_) => Cow::Borrowed(""),
    }
}

/// A number as JSON has it, but without a fraction of zero.
fn decimal(number: f64) -> String {
    let is_short = number == 0.0 || (1e-6..1e21).contains(&number.abs());
    if is_short { number.to_string() } else { format!("{number:e}") }
}

fn json(value: Option<&Value>) -> serde_json::Value {
    let of = |value: &AnyValue| json(value.value.as_ref());
    match value {
        None | Some(Value::StringValueStrindex(_)) => serde_json::Value::Null,
        Some(Value::StringValue(text)) => text.as_str().into(),
        Some(Value::BoolValue(flag)) => (*flag).into(),
        Some(Value::IntValue(number)) => (*number).into(),
        Some(Value::DoubleValue(number)) => (*number).into(),
        Some(Value::BytesValue(bytes)) => STANDARD.encode(bytes).into(),
        Some(Value::ArrayValue(array)) => array.values.iter().map(of).collect(),
        Some(Value::KvlistValue(list)) => {
            let member = |one: &KeyValue| (one.key.clone(), one.value.as_ref().map(of));
            list.values.iter().map(member).collect()
        }
    }
}
