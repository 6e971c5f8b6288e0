//! The frame: the view model in, cells of a terminal out. Pure.
//!
//! From top to bottom: headline, charts, tables, an excerpt of `/metrics`, how
//! to use it. Where there is too little room the excerpt goes first, then the
//! hints, then the tables.

mod charts;
mod tables;

use psg_actors::status::model::Status;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph, Wrap};

use super::number::{age, bytes, share, span};
use super::plain::{doors, partitions};
use super::view_model::{ViewModel, shown};

/// What describes the figures, less bright than these.
const LABEL: Style = Style::new().add_modifier(Modifier::DIM);
const ALARM: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const WELL: Style = Style::new().fg(Color::Green);

const CHARTS_HEIGHT: u16 = 6;
const TABLES_HEIGHT: u16 = 9;
/// Less than this is no use for an excerpt.
const EXCERPT_HEIGHT: u16 = 4;

pub fn draw(frame: &mut Frame<'_>, model: &ViewModel) {
    let [headline, body, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(footer_height(model, frame.area())),
    ])
    .areas(frame.area());
    frame.render_widget(title(model), headline);
    match &model.status {
        Some(status) => draw_body(frame, body, model, status),
        None => frame.render_widget(Paragraph::new(waiting(model)).wrap(Wrap { trim: true }), body),
    }
    frame.render_widget(hints(model), footer);
}

/// The hints, and the line of keys, of which the latter alone stays on a small
/// terminal.
fn footer_height(model: &ViewModel, area: Rect) -> u16 {
    let rest = 1 + CHARTS_HEIGHT + TABLES_HEIGHT;
    let lines = |hint: &String| lines_of(hint, area.width.into());
    let wanted = model.hints.iter().map(lines).sum::<u16>() + lines(&keys(model).to_string());
    wanted.min(area.height.saturating_sub(rest)).max(1)
}

/// The lines that a hint takes, since words stay whole where they can.
fn lines_of(hint: &str, width: usize) -> u16 {
    let width = width.max(1);
    let (mut lines, mut column) = (1, 0);
    for word in hint.split(' ') {
        // With the space before it.
        let length = 1 + word.chars().count();
        if column > 0 && column + length > width {
            (lines, column) = (lines + 1, 0);
        }
        let full = (length - 1) / width;
        (lines, column) = (lines + full, column + length - full * width);
    }
    u16::try_from(lines).unwrap_or(u16::MAX)
}

fn draw_body(frame: &mut Frame<'_>, area: Rect, model: &ViewModel, status: &Status) {
    let charts = if area.height < 28 { CHARTS_HEIGHT - 1 } else { CHARTS_HEIGHT };
    let rest = area.height.saturating_sub(charts + TABLES_HEIGHT);
    let excerpt = model.excerpt.as_deref().filter(|_| rest >= EXCERPT_HEIGHT);
    let tables = match excerpt {
        Some(_) => TABLES_HEIGHT + rest.saturating_sub(6) / 2,
        None => u16::MAX,
    };
    let [charts, tables, below] = Layout::vertical([
        Constraint::Length(charts),
        Constraint::Max(tables),
        Constraint::Fill(u16::from(excerpt.is_some())),
    ])
    .areas(area);
    charts::draw(frame, charts, status);
    tables::draw(frame, tables, status);
    if let Some(lines) = excerpt {
        frame.render_widget(excerpt_of(lines), below);
    }
}

fn title(model: &ViewModel) -> Line<'_> {
    let mut spans = vec![Span::from(" prom-stream-gateway ").bold(), Span::from(&model.name)];
    if let Some(status) = &model.status {
        let version = format!("  {}  up {}", shown(&status.version), age(status.uptime_seconds));
        spans.push(Span::styled(version, LABEL));
    }
    spans.push(Span::from("  "));
    match model.wrong() {
        Some(wrong) => spans.push(Span::styled(shown(wrong), ALARM)),
        None if model.status.is_some() => spans.push(Span::styled("ready", WELL)),
        None => {}
    }
    Line::from(spans)
}

fn waiting(model: &ViewModel) -> Line<'_> {
    let text = format!(" waiting for {}", model.url);
    match &model.trouble {
        Some(trouble) => Line::from(vec![text.into(), format!(": {}", shown(trouble)).red()]),
        None => Line::from(text),
    }
}

/// What else is worth a look, at the right end of the bottom line.
fn machine(status: &Status) -> String {
    let scrape = match status.scrapes.last_seconds_ago {
        Some(_) => {
            let scrapes = &status.scrapes;
            format!("scrape {} of {}", span(scrapes.last_seconds), bytes(scrapes.last_bytes))
        }
        None => "not scraped yet".to_owned(),
    };
    let process = &status.process;
    let (cpus, memory) = (share(process.cpus), bytes(process.resident_bytes));
    let partitions = status.partitions.as_ref().map(partitions);
    let ways_in = [partitions, doors(&status.doors)].into_iter().flatten();
    let ways_in: String = ways_in.map(|it| format!("{it}   ")).collect();
    format!("{ways_in}{scrape}   CPU {cpus}   memory {memory}")
}

fn keys(model: &ViewModel) -> Line<'_> {
    let mut keys = vec![Span::from(" q").bold(), Span::styled(" quits", LABEL)];
    if let Some(status) = &model.status {
        keys.push(Span::styled(format!("   {}", machine(status)), LABEL));
    }
    Line::from(keys)
}

fn hints(model: &ViewModel) -> Paragraph<'_> {
    // The line of keys first: it is what stays where there is little room.
    let hints = model.hints.iter().map(|hint| Line::from(format!(" {hint}")));
    let lines: Vec<Line<'_>> = std::iter::once(keys(model)).chain(hints).collect();
    Paragraph::new(lines).wrap(Wrap { trim: false })
}

fn excerpt_of(lines: &[String]) -> Paragraph<'_> {
    let lines: Vec<Line<'_>> = lines.iter().map(|line| Line::from(shown(line))).collect();
    Paragraph::new(lines).block(boxed("of /metrics, new metrics first".into()))
}

fn boxed(title: Line<'_>) -> Block<'_> {
    let mut title = title;
    title.spans.insert(0, " ".into());
    title.spans.push(" ".into());
    Block::bordered().border_type(BorderType::Rounded).border_style(LABEL).title(title)
}

#[cfg(test)]
mod tests;
