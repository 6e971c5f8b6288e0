//! What Prometheus can be told that changes what it asks a gateway for, and what
//! comes of it. The table in docs/run.md is made of it.

use std::fmt;

use serde_json::{Value, json};

use psg_testkit::prometheus::job;
use psg_testkit::sections::check_section;
use psg_testkit::totals::Totals;

/// Counters as producers name them.
const DOTTED: &str = "http.requests_total{status.code=200}";
const PLAIN: &str = "c_total{a=é}";

/// A protocol of `scrape_protocols`.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    name: &'static str,
    /// Whether Prometheus says with it how names are to be escaped.
    asks_for_names: bool,
    /// Whether it tells when totals began.
    pub tells_starts: bool,
    /// Whether it has a place for native histograms.
    has_native: bool,
}

const PROTOBUF: Protocol = Protocol {
    name: "PrometheusProto",
    asks_for_names: false,
    tells_starts: true,
    has_native: true,
};
const OPENMETRICS: Protocol = Protocol {
    name: "OpenMetricsText1.0.0",
    asks_for_names: true,
    tells_starts: true,
    has_native: false,
};
const TEXT: Protocol = Protocol { name: "PrometheusText1.0.0", tells_starts: false, ..OPENMETRICS };
const PROTOCOLS: [Protocol; 5] = [
    PROTOBUF,
    OPENMETRICS,
    Protocol { name: "OpenMetricsText0.0.1", asks_for_names: false, ..OPENMETRICS },
    TEXT,
    Protocol { name: "PrometheusText0.0.4", asks_for_names: false, ..TEXT },
];

/// A value of `metric_name_escaping_scheme`, and what becomes of [`DOTTED`] and
/// [`PLAIN`].
#[derive(Debug, Clone, Copy)]
struct Scheme {
    name: &'static str,
    dotted: &'static str,
    plain: &'static str,
}

const UTF8: Scheme = Scheme { name: "allow-utf-8", dotted: DOTTED, plain: PLAIN };
const UNDERSCORES: Scheme =
    Scheme { name: "underscores", dotted: "http_requests_total{status_code=200}", plain: PLAIN };
const SCHEMES: [Scheme; 4] = [
    UTF8,
    UNDERSCORES,
    Scheme {
        name: "dots",
        dotted: "http_dot_requests__total{status_dot_code=200}",
        plain: "c__total{a=é}",
    },
    Scheme {
        name: "values",
        dotted: "U__http_2e_requests__total{U__status_2e_code=200}",
        plain: PLAIN,
    },
];

/// The values of `metric_name_validation_scheme`.
const VALIDATIONS: [&str; 2] = ["utf8", "legacy"];

/// What a Prometheus is told in its configuration, and what it asks for then.
#[derive(Debug, Clone)]
pub struct Combination {
    pub protocol: Protocol,
    scheme: Scheme,
    scrapes_native: bool,
    settings: Value,
}

/// What stands in the place of each setting in the name of the job.
impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.settings.to_string())
    }
}

impl Combination {
    /// All that a Prometheus 3 has, and what it does by itself; with its feature flag
    /// it asks for protobuf by itself.
    pub fn all(counts_starts: bool) -> Vec<Self> {
        let explicit = PROTOCOLS.into_iter().flat_map(|protocol| {
            let schemes = VALIDATIONS.into_iter().flat_map(|validation| {
                let may = move |scheme: &Scheme| validation == "utf8" || scheme.name != UTF8.name;
                SCHEMES.into_iter().filter(may).map(move |scheme| (validation, scheme))
            });
            let asked = move |(validation, scheme): &(&str, Scheme)| {
                let default = if *validation == "utf8" { UTF8 } else { UNDERSCORES };
                protocol.asks_for_names || scheme.name == default.name
            };
            let native =
                |(validation, scheme)| [false, true].map(|native| (validation, scheme, native));
            schemes.filter(asked).flat_map(native).map(move |(validation, scheme, native)| {
                Self::explicit(protocol, validation, scheme, native)
            })
        });
        let by_itself = [false, true].map(|native| {
            let is_protobuf = native || counts_starts;
            let (protocol, scheme) =
                if is_protobuf { (PROTOBUF, UNDERSCORES) } else { (OPENMETRICS, UTF8) };
            let settings = json!({"scrape_native_histograms": native});
            Self { protocol, scheme, scrapes_native: native, settings }
        });
        explicit.chain(by_itself).collect()
    }

    fn explicit(protocol: Protocol, validation: &str, scheme: Scheme, native: bool) -> Self {
        let settings = json!({
            "scrape_protocols": [protocol.name],
            "metric_name_validation_scheme": validation,
            "metric_name_escaping_scheme": scheme.name,
            "scrape_native_histograms": native,
        });
        let scheme = if protocol.asks_for_names { scheme } else { UNDERSCORES };
        Self { protocol, scheme, scrapes_native: native, settings }
    }

    /// What Prometheus 2 does, which has no such settings: with its feature flag
    /// `native-histograms` it asks for protobuf.
    pub fn of_prometheus_2(scrapes_native: bool) -> Self {
        let protocol = if scrapes_native { PROTOBUF } else { OPENMETRICS };
        Self { protocol, scheme: UNDERSCORES, scrapes_native, settings: json!({}) }
    }

    /// A part of `scrape_configs`: this, of those targets.
    pub fn job(&self, ports: &[u16], interval: &str) -> Value {
        let mut job = job(&self.to_string(), 0, interval);
        let targets = ports.iter().map(|port| Value::from(format!("127.0.0.1:{port}")));
        job["static_configs"][0]["targets"] = targets.collect();
        for (setting, value) in self.settings.as_object().expect("settings") {
            job[setting] = value.clone();
        }
        job
    }

    /// Whether it takes the native side of histograms that have one, and nothing else
    /// of them.
    pub fn takes_native(&self) -> bool {
        self.scrapes_native && self.protocol.has_native
    }

    /// What of that is stored as what.
    pub fn stored(&self, pushed: &Totals) -> Totals {
        let stored = |key: &String| match key.as_str() {
            DOTTED => self.scheme.dotted.to_owned(),
            PLAIN => self.scheme.plain.to_owned(),
            other => other.to_owned(),
        };
        let is_stored = |key: &String| !(self.takes_native() && key.starts_with("h_"));
        let kept = pushed.iter().filter(|(key, _)| is_stored(key));
        kept.map(|(key, value)| (stored(key), *value)).collect()
    }
}

fn row(what: &str, protocol: Protocol, asked: &str, stored: Scheme) -> String {
    let [native, counts] =
        [protocol.has_native, protocol.tells_starts].map(|is_so| if is_so { "yes" } else { "no" });
    let names = [stored.plain, stored.dotted];
    let [plain, dotted] = names.map(|key| key.split('{').next().expect("a split has a first part"));
    format!("| {what} | {asked} | `{dotted}`, `{plain}` | {native} | {counts} |\n")
}

fn markdown() -> String {
    let mut text = String::from(
        "| `scrape_protocols` | `metric_name_escaping_scheme` | `http.requests_total`, `c_total` are stored as \
         | native histograms | first samples count |\n| --- | --- | --- | --- | --- |\n",
    );
    for protocol in PROTOCOLS {
        let what = format!("`{}`", protocol.name);
        if protocol.asks_for_names {
            for scheme in SCHEMES {
                text += &row(&what, protocol, &format!("`{}`", scheme.name), scheme);
            }
        } else {
            text += &row(&what, protocol, "any", UNDERSCORES);
        }
    }
    text
}

#[test]
fn the_page_has_the_table() {
    check_section("docs/run.md", "combinations", &markdown());
}
