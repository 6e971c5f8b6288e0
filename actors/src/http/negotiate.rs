//! Content negotiation for `/metrics`, and for `/`.

use psg_engine::format::Format;

/// The format that `Accept` asks for: the highest q wins, of equals the first;
/// nothing, `*/*` and anything unknown give text.
pub fn format_for<'a>(accept: impl Iterator<Item = &'a str>) -> Format {
    let mut best = (Format::Text, 0.0);
    for wish in accept.flat_map(|header| header.split(',')).filter_map(parse) {
        if wish.1 > best.1 {
            best = wish;
        }
    }
    best.0
}

/// Whether `Accept` asks for a page rather than for text: it names `text/html`,
/// as browsers do, and wishes plain text no more than that.
pub fn wants_page<'a>(accept: impl Iterator<Item = &'a str>) -> bool {
    let (mut html, mut plain) = (None, (0, 0.0));
    for (media, q) in accept.flat_map(|header| header.split(',')).filter_map(media_and_q) {
        // Of several ranges that admit plain text the most specific one counts.
        let specific = match media.as_str() {
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

/// One media range: its type in lower case, and its q.
fn media_and_q(range: &str) -> Option<(String, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let mut q = 1.0;
    // The grammar allows for parameters that are not there.
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            q = quality(value)?;
        }
    }
    Some((media, q))
}

fn quality(text: &str) -> Option<f32> {
    text.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q))
}

/// One media range: the format that it admits, and its q.
fn parse(range: &str) -> Option<(Format, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let mut q = 1.0;
    let mut version = None;
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => q = quality(value)?,
            "version" => version = Some(value.trim().trim_matches('"')),
            _ => {}
        }
    }
    let format = match (media.as_str(), version) {
        ("application/openmetrics-text", None | Some("1.0.0")) => Format::OpenMetrics,
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Format::Text,
        _ => return None,
    };
    Some((format, q))
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
        use Format::{OpenMetrics, Text};
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
