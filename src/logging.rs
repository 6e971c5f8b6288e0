//! Logging: one record a line on standard output, JSON in a container, text on
//! a terminal, times in UTC (RFC 3339).

mod line;

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::config::{LogFormat, LogSettings};

/// The crates that `Log.Level` is meant for.
const OUR_CRATES: [&str; 3] = ["prom_stream_gateway", "psg_actors", "psg_engine"];

/// Sends the records of the whole process to standard output from now on.
/// To be called once.
pub fn init(settings: LogSettings) {
    let is_terminal = std::io::stdout().is_terminal();
    let format = settings.format.unwrap_or(default_format(is_terminal));
    install(layer(format, is_terminal, std::io::stdout), settings.level);
}

/// The same as text to `writer`, without colours.
pub fn init_with<W>(level: LevelFilter, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    install(layer(LogFormat::Text, false, writer), level);
}

fn install(layer: Box<dyn Layer<Registry> + Send + Sync>, level: LevelFilter) {
    tracing_subscriber::registry().with(layer.with_filter(filter(level))).init();
}

fn default_format(is_terminal: bool) -> LogFormat {
    if is_terminal { LogFormat::Text } else { LogFormat::Json }
}

fn layer<W>(format: LogFormat, colours: bool, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer();
    match format {
        LogFormat::Json => {
            layer.json().flatten_event(true).with_writer(line::JsonLines(writer)).boxed()
        }
        LogFormat::Text => {
            layer.with_ansi(colours).fmt_fields(line::text_fields()).with_writer(writer).boxed()
        }
    }
}

/// The crate that complains of each HTTP client which breaks off or talks
/// nonsense, so that strangers could fill the log.
const OF_STRANGERS: &str = "actix_http";

/// Our crates at `level`; others at most at `warn`, unless details were asked
/// for.
fn filter(level: LevelFilter) -> Targets {
    let details = level >= LevelFilter::DEBUG;
    let others = if details { level } else { level.min(LevelFilter::WARN) };
    Targets::new()
        .with_default(others)
        .with_target(OF_STRANGERS, if details { level } else { LevelFilter::OFF })
        .with_targets(OUR_CRATES.map(|name| (name, level)))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, info, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `log` writes in this format at this level.
    fn written(format: LogFormat, level: LevelFilter, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = layer(format, false, move || writer.clone()).with_filter(filter(level));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let bytes = buffer.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn json_is_an_object_a_line_with_a_time_in_utc() {
        let text = written(LogFormat::Json, LevelFilter::INFO, || {
            info!(worker = 3, "a \"quoted\"\nmessage");
            debug!("not this");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(record["message"], "a \"quoted\"\nmessage");
        assert_eq!(record["level"], "INFO");
        assert_eq!(record["worker"], 3);
        let time = record["timestamp"].as_str().expect("a time");
        assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    }

    #[test]
    fn text_is_a_line_without_colours_off_a_terminal() {
        let text = written(LogFormat::Text, LevelFilter::INFO, || warn!(kind = "tls", "lost"));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(" WARN ") && text.contains("lost kind=\"tls\""), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn no_line_is_forged_and_nothing_speaks_to_the_terminal() {
        let hostile = "a\r\n2026-01-01T00:00:00Z  INFO all is well\u{1b}]0;x\u{7}\u{9b}2J\u{202e}";
        let log = || warn!(host = %hostile, kind = hostile, "{hostile}");
        let text = written(LogFormat::Text, LevelFilter::INFO, log);
        let json = written(LogFormat::Json, LevelFilter::INFO, log);
        for lines in [&text, &json] {
            assert_eq!(lines.lines().count(), 1, "{lines:?}");
            let speaks = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!lines.contains(speaks), "{lines:?}");
        }
        assert!(text.contains(r"a\r\n2026"), "{text}");
        let record: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(record["message"], hostile, "JSON holds all of it");
    }

    #[test]
    fn a_line_has_an_end() {
        let text = written(LogFormat::Text, LevelFilter::INFO, || warn!("{}", "x".repeat(1 << 20)));
        assert!(text.len() < 10_000, "{}", text.len());
    }

    #[test]
    fn dependencies_are_kept_to_warnings_unless_details_are_asked_for() {
        let check = |level, expected: &[&str]| {
            let text = written(LogFormat::Text, level, || {
                info!(target: "psg_actors::reader", "[ours info]");
                debug!(target: "psg_engine::store", "[ours debug]");
                warn!(target: "actix_server", "[theirs warn]");
                info!(target: "actix_server", "[theirs info]");
                debug!(target: "actix_server", "[theirs debug]");
                error!(target: "actix_http::h1::dispatcher", "[strangers]");
            });
            let all = [
                "[ours info]",
                "[ours debug]",
                "[theirs warn]",
                "[theirs info]",
                "[theirs debug]",
                "[strangers]",
            ];
            let found: Vec<&str> = all.into_iter().filter(|part| text.contains(part)).collect();
            assert_eq!(found, expected, "{level}");
        };
        check(LevelFilter::OFF, &[]);
        check(LevelFilter::ERROR, &[]);
        check(LevelFilter::WARN, &["[theirs warn]"]);
        check(LevelFilter::INFO, &["[ours info]", "[theirs warn]"]);
        check(
            LevelFilter::DEBUG,
            &[
                "[ours info]",
                "[ours debug]",
                "[theirs warn]",
                "[theirs info]",
                "[theirs debug]",
                "[strangers]",
            ],
        );
    }

    #[test]
    fn json_unless_on_a_terminal() {
        assert_eq!(default_format(true), LogFormat::Text);
        assert_eq!(default_format(false), LogFormat::Json);
    }
}
