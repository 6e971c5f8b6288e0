//! The tables: series by type and shard, what was rejected and why, the
//! metrics with the most series.

use psg_actors::status::model::{Rejects, Status, TopMetric};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::{ALARM, LABEL, WELL, boxed};
use crate::view::number::{grouped, share};
use crate::view::view_model::shown;

/// Cells of the bar that compares shards.
const BAR: usize = 8;

pub fn draw(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    // The rejects take what they need, at most half.
    let rejects_height = (status.rejects.len().max(1) as u16 + 2).min(left.height / 2);
    let [series, rejects] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(rejects_height)]).areas(left);
    draw_series(frame, series, status);
    draw_rejects(frame, rejects, status);
    draw_metrics(frame, right, status);
}

fn draw_series(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let series = &status.series;
    let title = Line::from(vec![
        Span::styled("series ", LABEL),
        grouped(series.total).bold(),
        Span::styled(format!(" of {} at most", grouped(series.limit)), LABEL),
    ]);
    let mut lines = by_type(status, area.width.saturating_sub(2).into());
    lines.extend(shards(status));
    frame.render_widget(Paragraph::new(lines).block(boxed(title)), area);
}

/// The metric types and their series, in lines of at most `width` cells.
fn by_type(status: &Status, width: usize) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = vec![Line::default()];
    for (kind, series) in &status.series.by_type {
        let (kind, series) = (format!("{} ", shown(kind)), format!("{}  ", grouped(*series)));
        let last = lines.last().map_or(0, Line::width);
        if last > 0 && last + kind.len() + series.len() > width + 2 {
            lines.push(Line::default());
        }
        if let Some(line) = lines.last_mut() {
            line.spans.extend([Span::styled(kind, LABEL), Span::from(series)]);
        }
    }
    lines
}

/// A line for each shard, the bars of all together telling their balance.
fn shards(status: &Status) -> impl Iterator<Item = Line<'_>> {
    let most = status.shards.iter().map(|shard| shard.series).max().unwrap_or_default().max(1);
    status.shards.iter().enumerate().map(move |(number, shard)| {
        let filled = (shard.series as f64 / most as f64 * BAR as f64).ceil() as usize;
        let bar = format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled));
        Line::from(vec![
            Span::styled(format!("shard {number:<2} "), LABEL),
            bar.fg(Color::Blue),
            format!(" {:<8}", grouped(shard.series)).into(),
            Span::styled(format!("{:>5} busy  inbox {}", share(shard.busy), shard.inbox), LABEL),
        ])
    })
}

fn draw_rejects(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let total = grouped(status.samples.rejected);
    let figure =
        if status.samples.rejected > 0 { Span::styled(total, ALARM) } else { total.bold() };
    let block = boxed(Line::from(vec![Span::styled("rejected ", LABEL), figure]));
    if status.rejects.is_empty() {
        frame.render_widget(Paragraph::new(Span::styled("none", WELL)).block(block), area);
        return;
    }
    let row = |rejects: &Rejects| {
        let minute = format!("+{} in 1 min", grouped(rejects.last_minute));
        let total = Line::from(grouped(rejects.total)).alignment(Alignment::Right);
        Row::new([
            Cell::from(shown(&rejects.reason)),
            Cell::from(total),
            Cell::from(Span::styled(minute, LABEL)),
        ])
    };
    let widths = [Constraint::Length(19), Constraint::Length(7), Constraint::Fill(1)];
    let table = Table::new(status.rejects.iter().map(row), widths);
    frame.render_widget(table.block(block), area);
}

fn draw_metrics(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let title = Line::from(vec![
        Span::styled("most series of ", LABEL),
        grouped(status.series.metrics).bold(),
        Span::styled(" metrics", LABEL),
    ]);
    let row = |metric: &TopMetric| {
        let series = Line::from(grouped(metric.series)).alignment(Alignment::Right);
        Row::new([
            Cell::from(shown(&metric.name)),
            Cell::from(Span::styled(shown(&metric.kind), LABEL)),
            Cell::from(series),
        ])
    };
    // The name matters more than the type.
    let kind_width = if area.width < 48 { 0 } else { 9 };
    let widths = [Constraint::Fill(1), Constraint::Length(kind_width), Constraint::Length(8)];
    let table = Table::new(status.top_metrics.iter().map(row), widths);
    frame.render_widget(table.block(boxed(title)), area);
}
