//! Truth values as the exporters read them: YAML 1.1 has more words than 1.2.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// `true`, `yes`, `on` and their opposites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
        Ok(Flag(value))
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Flag, E> {
        match word.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(Flag(true)),
            "false" | "no" | "off" | "n" => Ok(Flag(false)),
            // Not what it is: that may be a secret in the wrong place.
            _ => Err(E::custom("expected true or false, got another word")),
        }
    }
}
