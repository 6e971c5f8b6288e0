//! The excerpt: a few lines of an exposition, a line for each of some metrics.
//! Metrics that have come last stand first, so that what somebody pushes by
//! hand is seen at once.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead};

use psg_engine::name::RESERVED_PREFIX;
use psg_engine::printable::LONG;

const LINES: usize = 20;

/// How many metrics are known, so that others are new.
const REMEMBERED: usize = 10_000;

/// Remembers which metrics there were, so that it knows the new ones.
#[derive(Debug, Default)]
pub struct Excerpt {
    /// Those to show, the newest first.
    newest: Vec<String>,
    known: HashSet<String>,
}

impl Excerpt {
    /// Reads an exposition in the text format and picks its lines.
    pub fn pick(&mut self, exposition: impl BufRead) -> io::Result<Vec<String>> {
        let firsts = self.first_lines(exposition)?;
        self.newest.retain(|metric| firsts.contains_key(metric));
        Ok(self.newest.iter().map(|metric| firsts[metric].clone()).collect())
    }

    /// The first line of each metric that is or becomes one of the newest.
    fn first_lines(&mut self, exposition: impl BufRead) -> io::Result<HashMap<String, String>> {
        let mut firsts = HashMap::new();
        let mut metric = None;
        for line in exposition.lines() {
            let line = line?;
            if let Some(header) = line.strip_prefix("# TYPE ") {
                metric = header.split(' ').next().map(str::to_owned);
            } else if !line.starts_with('#')
                && let Some(metric) = metric.take()
                && !metric.starts_with(RESERVED_PREFIX)
            {
                self.meet(&metric);
                firsts.insert(metric, line.chars().take(LONG).collect());
            }
        }
        Ok(firsts)
    }

    fn meet(&mut self, metric: &str) {
        if self.known.len() < REMEMBERED && self.known.insert(metric.to_owned()) {
            self.newest.insert(0, metric.to_owned());
            self.newest.truncate(LINES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposition(metrics: &[(&str, u64)]) -> String {
        let own = ("prom_stream_gateway_info", 1);
        let families = metrics.iter().chain([&own]).map(|(name, value)| {
            format!("# HELP {name} h\n# TYPE {name} counter\n{name}{{a=\"1\"}} {value}\n{name}{{a=\"2\"}} 7\n")
        });
        families.collect()
    }

    #[test]
    fn new_metrics_come_first_and_values_are_fresh() {
        let mut excerpt = Excerpt::default();
        let mut pick = |metrics: &[(&str, u64)]| {
            excerpt.pick(exposition(metrics).as_bytes()).expect("it is in memory")
        };
        assert_eq!(pick(&[("a", 1), ("c", 2)]), [r#"c{a="1"} 2"#, r#"a{a="1"} 1"#]);
        let with_b = [("a", 3), ("b", 1), ("c", 2)];
        assert_eq!(pick(&with_b), [r#"b{a="1"} 1"#, r#"c{a="1"} 2"#, r#"a{a="1"} 3"#]);
        assert_eq!(pick(&[("c", 4)]), [r#"c{a="1"} 4"#], "what is gone is not shown");
    }

    #[test]
    fn it_is_bounded() {
        let names: Vec<String> = (0..500).map(|number| format!("m{number:03}")).collect();
        let metrics: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let mut excerpt = Excerpt::default();
        let lines = excerpt.pick(exposition(&metrics).as_bytes()).expect("it is in memory");
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], r#"m499{a="1"} 1"#);
        let long = format!("# TYPE x gauge\nx{{a=\"{}\"}} 1\n", "é".repeat(5000));
        let lines = excerpt.pick(long.as_bytes()).expect("it is in memory");
        assert_eq!(lines[0].chars().count(), LONG);
    }
}
