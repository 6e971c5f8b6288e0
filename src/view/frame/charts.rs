//! The charts: the last minutes of what came in, what went out and what waits.

use psg_actors::status::model::Status;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{RenderDirection, Sparkline};

use super::{ALARM, LABEL, boxed};
use crate::view::number::{grouped, rate};

/// One chart: its title and its points, the newest last.
struct Chart {
    title: Line<'static>,
    points: Vec<u64>,
    color: Color,
}

/// Draws the three charts side by side.
pub fn draw(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let charts = [received(status), taken(status), backlog(status)];
    let areas: [Rect; 3] = Layout::horizontal([Constraint::Fill(1); 3]).areas(area);
    for (chart, area) in charts.into_iter().zip(areas) {
        draw_chart(frame, area, chart);
    }
}

fn draw_chart(frame: &mut Frame<'_>, area: Rect, chart: Chart) {
    let newest_first = chart.points.iter().rev();
    // What is not 0 shall be seen, however small beside the highest.
    let highest = chart.points.iter().copied().max().unwrap_or_default().max(8);
    let lift = |point: &u64| if *point == 0 { 0 } else { (*point).max(highest / 24 + 1) };
    let sparkline = Sparkline::default()
        .data(newest_first.map(lift).collect::<Vec<u64>>())
        .direction(RenderDirection::RightToLeft)
        .max(highest)
        .style(chart.color)
        .block(boxed(chart.title));
    frame.render_widget(sparkline, area);
}

fn received(status: &Status) -> Chart {
    let now = rate(status.samples.last_10_seconds.received);
    Chart {
        title: titled("in", now, "/s"),
        points: whole(&status.history.received),
        color: Color::Cyan,
    }
}

fn taken(status: &Status) -> Chart {
    let rates = status.samples.last_10_seconds;
    let mut title = titled("out", rate(rates.processed), "/s");
    if rates.rejected > 0.0 {
        title.spans.push(Span::styled(format!("  rejected {}/s", rate(rates.rejected)), ALARM));
    }
    Chart { title, points: whole(&status.history.processed), color: Color::Green }
}

fn backlog(status: &Status) -> Chart {
    let pending = status.queue.pending.map_or_else(|| "unknown".to_owned(), grouped);
    let points = status.history.pending.iter().map(|point| point.unwrap_or_default());
    Chart { title: titled("backlog", pending, ""), points: points.collect(), color: Color::Yellow }
}

fn titled(name: &'static str, figure: String, unit: &'static str) -> Line<'static> {
    Line::from(vec![
        Span::styled(name, LABEL),
        " ".into(),
        figure.bold(),
        Span::styled(unit, LABEL),
    ])
}

fn whole(rates: &[f64]) -> Vec<u64> {
    rates.iter().map(|rate| rate.ceil() as u64).collect()
}
