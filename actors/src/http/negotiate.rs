//! Content negotiation for `/metrics`, and for `/`.

use psg_engine::exposition::{Format, MediaType};

/// What clients get that ask for nothing else.
const DEFAULT: Format = Format::ALL[0];

/// One media range of an `Accept` header.
struct MediaRange<'a> {
    /// In lower case.
    name: String,
    q: f32,
    /// Names, in whatever letter case, and values; without q.
    parameters: Vec<(&'a str, &'a str)>,
}

/// The format that `Accept` asks for: the highest q wins, of equals the first;
/// nothing, `*/*` and anything unknown give text.
pub fn format_for<'a>(accept: impl Iterator<Item = &'a str>) -> Format {
    let mut best = (DEFAULT, 0.0);
    for range in ranges(accept) {
        if let Some(format) = range.format()
            && range.q > best.1
        {
            best = (format, range.q);
        }
    }
    best.0
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

    fn format(&self) -> Option<Format> {
        match self.name.as_str() {
            "text/*" | "*/*" => Some(DEFAULT),
            _ => Format::ALL.into_iter().find(|format| self.admits(format.media_type())),
        }
    }

    /// Whether it names that type, and no other value for one of its parameters.
    fn admits(&self, MediaType { name, parameters, .. }: MediaType) -> bool {
        self.name == name
            && self.parameters.iter().all(|(given, value)| {
                parameters.iter().all(|(parameter, wanted)| {
                    !given.eq_ignore_ascii_case(parameter) || value == wanted
                })
            })
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

    #[test]
    fn negotiation() {
        use Format::{OpenMetrics, Protobuf, Text};
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let text_first =
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5";
        for (accept, format) in [
            (prometheus_2, OpenMetrics),
            (prometheus_3, OpenMetrics),
            (text_first, Text),
            ("application/openmetrics-text", OpenMetrics),
            ("APPLICATION/OpenMetrics-Text; Version=1.0.0", OpenMetrics),
            ("application/openmetrics-text;version=2.0.0", Text),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;version=1.0.0;", OpenMetrics),
            ("application/openmetrics-text ; ; q=0.5 ;, text/plain;q=0.4;", OpenMetrics),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0.1,text/plain;q=0.9", Text),
            ("application/openmetrics-text,text/plain", OpenMetrics),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                Protobuf,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text;q=0.6,text/plain;q=0.5",
                Text,
            ),
            ("application/vnd.google.protobuf;proto=other;encoding=delimited", Text),
            ("application/vnd.google.protobuf", Protobuf),
            ("text/plain,application/openmetrics-text", Text),
            ("*/*", Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Text),
            ("", Text),
            (";;,=,q=", Text),
            ("application/openmetrics-text;q=nan", Text),
        ] {
            assert_eq!(format_for([accept].into_iter()), format, "{accept}");
        }
        assert_eq!(format_for(std::iter::empty()), Text);
        let two = ["text/plain;q=0.2", "application/openmetrics-text;q=0.3"];
        assert_eq!(format_for(two.into_iter()), OpenMetrics);
    }
}
