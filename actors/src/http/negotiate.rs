//! Content negotiation for `/metrics`.

use psg_engine::exposition::Format;

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

/// One media range: the format that it admits, and its q.
fn parse(range: &str) -> Option<(Format, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let mut q = 1.0;
    let mut version = None;
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => q = value.trim().parse().ok().filter(|q| (0.0..=1.0).contains(q))?,
            "version" => version = Some(value.trim().trim_matches('"')),
            _ => {}
        }
    }
    let format = match (media.as_str(), version) {
        ("application/openmetrics-text", None | Some("1.0.0" | "0.0.1")) => Format::OpenMetrics,
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Format::Text,
        _ => return None,
    };
    Some((format, q))
}

#[cfg(test)]
mod tests {
    use super::*;

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
