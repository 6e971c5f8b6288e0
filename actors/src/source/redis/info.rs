//! The reply to INFO: lines of `name:value`.

/// What a server says of itself.
#[derive(Debug, Clone, Default)]
pub struct ServerInfo(String);

impl ServerInfo {
    /// By the reply's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A field's value; empty where there is none.
    pub fn field(&self, name: &str) -> &str {
        self.fields().find_map(|(field, value)| (field == name).then_some(value)).unwrap_or("")
    }

    /// A field's value as a number; 0 where it is none.
    pub fn number(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap_or_default()
    }

    /// Whether other nodes have keys too.
    pub fn is_cluster(&self) -> bool {
        self.field("redis_mode") == "cluster" || self.field("cluster_enabled") == "1"
    }

    /// Numbers of the databases that hold keys.
    pub fn databases(&self) -> impl Iterator<Item = i64> {
        self.fields().filter_map(|(name, _)| name.strip_prefix("db")?.parse().ok())
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.trim_end().split_once(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_those_with_keys() {
        let text = "db0:keys=1,expires=0\r\ndb12:keys=4,expires=0\r\ndbsize:1\r\n";
        assert!(ServerInfo::new(text).databases().eq([0, 12]));
    }
}
