//! Content negotiation for `/metrics`, and for `/`.

use psg_engine::exposition::{ESCAPING, MEDIA_TYPES, MediaType, PageFormat};
use psg_engine::name::escaping::Escaping;

/// What a scraper is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// What is rendered.
    pub page: PageFormat,
    /// The `Content-Type` of the answer.
    pub content_type: String,
}

/// One media range of an `Accept` header.
struct MediaRange<'a> {
    /// In lower case.
    name: String,
    q: f32,
    /// Names, in whatever letter case, and values; without q.
    parameters: Vec<(&'a str, &'a str)>,
}

/// What `Accept` asks for: the highest q wins, of equals the first; nothing, `*/*`
/// and anything unknown give text.
pub fn negotiate<'a>(accept: impl Iterator<Item = &'a str>) -> Negotiated {
    let (mut media_type, mut escaping, mut best) = (&MEDIA_TYPES[0], None, 0.0);
    for range in ranges(accept) {
        if let Some(wanted) = range.media_type()
            && range.q > best
        {
            (media_type, escaping, best) = (wanted, range.escaping(), range.q);
        }
    }
    Negotiated {
        page: PageFormat { format: media_type.format, escaping: escaping.unwrap_or_default() },
        content_type: media_type.content_type(escaping),
    }
}

/// Whether `Accept` asks for a page rather than for text: it names `text/html`,
/// as browsers do, and wishes plain text no more than that.
pub fn wants_page<'a>(accept: impl Iterator<Item = &'a str>) -> bool {
    let (mut html, mut plain) = (None, (0, 0.0));
    for MediaRange { name, q, .. } in ranges(accept) {
        // Of several ranges that admit plain text the most specific one counts.
        let specific = match name.as_str() {
            "text/html" => {
                html = Some(q);
                continue;
            }
            "text/plain" => 3,
            "text/*" => 2,
            "*/*" => 1,
            _ => continue,
        };
        if specific > plain.0 {
            plain = (specific, q);
        }
    }
    html.is_some_and(|html| html > 0.0 && html >= plain.1)
}

fn ranges<'a>(accept: impl Iterator<Item = &'a str>) -> impl Iterator<Item = MediaRange<'a>> {
    accept.flat_map(|header| header.split(',')).filter_map(MediaRange::read)
}

impl<'a> MediaRange<'a> {
    fn read(range: &'a str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        let mut range = Self { name, q: 1.0, parameters: Vec::new() };
        // The grammar allows for parameters that are not there.
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if name.trim().eq_ignore_ascii_case("q") {
                range.q = value.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
            } else {
                range.parameters.push((name.trim(), value.trim().trim_matches('"')));
            }
        }
        Some(range)
    }

    fn media_type(&self) -> Option<&'static MediaType> {
        match self.name.as_str() {
            "text/*" | "*/*" => Some(&MEDIA_TYPES[0]),
            _ => MEDIA_TYPES.iter().find(|media_type| self.admits(media_type)),
        }
    }

    /// Whether it names that type, and no other value for one of its parameters.
    fn admits(&self, MediaType { name, parameters, .. }: &MediaType) -> bool {
        self.name == *name
            && parameters.iter().all(|(parameter, wanted)| {
                self.parameter(parameter).is_none_or(|value| value == *wanted)
            })
    }

    /// The escaping that it asks for, if for one that there is.
    fn escaping(&self) -> Option<Escaping> {
        let asked = self.parameter(ESCAPING)?;
        Escaping::ALL.into_iter().find(|escaping| escaping.as_str() == asked)
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        let found = self.parameters.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_the_page_and_everything_else_does_not() {
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let lynx = "text/html, text/plain, text/sgml, text/css, */*;q=0.01";
        for (accept, page) in [
            (chromium, true),
            (firefox, true),
            (lynx, true),
            ("text/html", true),
            ("TEXT/HTML; charset=utf-8", true),
            ("text/html,*/*", true),
            ("*/*", false),
            ("text/*", false),
            ("", false),
            ("application/json", false),
            ("text/plain", false),
            ("text/html;q=0", false),
            ("text/html;q=0,*/*", false),
            ("text/html;q=0.5,text/plain", false),
            ("text/html;q=0.5,*/*;q=0.8", false),
            ("text/html;q=0.5,*/*;q=0.8,text/plain;q=0.1", true),
            ("text/plain;q=0.1,text/*;q=0.9,text/html;q=0.5", true),
            ("text/html;q=2", false),
            ("text/html;q=nan", false),
            (";;,=,q=", false),
        ] {
            assert_eq!(wants_page([accept].into_iter()), page, "{accept}");
        }
        assert!(!wants_page(std::iter::empty()));
        assert!(wants_page(["*/*;q=0.1", "text/html"].into_iter()));
    }

    /// Whole `Accept` headers, and the `Content-Type` of the answer.
    #[test]
    fn negotiation() {
        const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
        const TEXT_1: &str = "text/plain; version=1.0.0; charset=utf-8";
        const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        const OPENMETRICS_0: &str = "application/openmetrics-text; version=0.0.1; charset=utf-8";
        const PROTOBUF: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
        const DEFAULT: &str = "; escaping=underscores";
        const UTF8: &str = "; escaping=allow-utf-8";
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let prometheus_3_native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let text_first =
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5";
        for (accept, media_type, escaping) in [
            (prometheus_2, OPENMETRICS, DEFAULT),
            (prometheus_3, OPENMETRICS, UTF8),
            (prometheus_3_native, PROTOBUF, ""),
            (text_first, TEXT, ""),
            ("application/openmetrics-text", OPENMETRICS, DEFAULT),
            ("APPLICATION/OpenMetrics-Text; Version=1.0.0", OPENMETRICS, DEFAULT),
            ("application/openmetrics-text;version=2.0.0", TEXT, ""),
            ("application/openmetrics-text;version=0.0.1", OPENMETRICS_0, ""),
            ("application/openmetrics-text;version=1.0.0;", OPENMETRICS, DEFAULT),
            ("application/openmetrics-text ; ; q=0.5 ;, text/plain;q=0.4;", OPENMETRICS, DEFAULT),
            ("application/openmetrics-text;q=0", TEXT, ""),
            ("application/openmetrics-text;q=0.1,text/plain;q=0.9", TEXT, ""),
            ("application/openmetrics-text,text/plain", OPENMETRICS, DEFAULT),
            ("text/plain,application/openmetrics-text", TEXT, ""),
            ("application/openmetrics-text;escaping=dots", OPENMETRICS, "; escaping=dots"),
            ("application/openmetrics-text;escaping=\"values\"", OPENMETRICS, "; escaping=values"),
            ("application/openmetrics-text;Escaping=other", OPENMETRICS, DEFAULT),
            (
                "application/openmetrics-text;version=0.0.1;escaping=dots",
                OPENMETRICS_0,
                "; escaping=dots",
            ),
            ("text/plain;version=1.0.0", TEXT_1, DEFAULT),
            ("text/plain;version=1.0.0;escaping=allow-utf-8;", TEXT_1, UTF8),
            ("text/plain;version=0.0.4;escaping=allow-utf-8", TEXT, UTF8),
            ("text/plain;version=0.0.2", TEXT, ""),
            ("text/plain;escaping=values", TEXT, "; escaping=values"),
            ("*/*;escaping=allow-utf-8", TEXT, UTF8),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text;q=0.6,text/plain;q=0.5",
                TEXT,
                "",
            ),
            ("application/vnd.google.protobuf;proto=other;encoding=delimited", TEXT, ""),
            ("application/vnd.google.protobuf;escaping=allow-utf-8", PROTOBUF, UTF8),
            ("*/*", TEXT, ""),
            ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT, ""),
            ("", TEXT, ""),
            (";;,=,q=", TEXT, ""),
            ("application/openmetrics-text;q=nan", TEXT, ""),
        ] {
            let answer = negotiate([accept].into_iter());
            assert_eq!(answer.content_type, format!("{media_type}{escaping}"), "{accept}");
            let said = escaping.strip_prefix("; escaping=").unwrap_or("underscores");
            assert_eq!(answer.page.escaping.as_str(), said, "{accept}");
        }
        assert_eq!(negotiate(std::iter::empty()).content_type, TEXT);
        let two = ["text/plain;q=0.2", "application/openmetrics-text;q=0.3"];
        assert!(negotiate(two.into_iter()).content_type.starts_with(OPENMETRICS));
    }
}
