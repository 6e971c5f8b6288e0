//! The charts: the last minutes of what came in, what went out and what waits.

use psg_actors::status::model::Status;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{RenderDirection, Sparkline};

use super::{ALARM, LABEL, boxed};
use crate::view::number::{age, grouped, rate, span};

/// One chart: its title and its points, one a second, the newest last.
struct Chart {
    title: Line<'static>,
    points: Vec<f64>,
    /// One point for several, where there is not room for all.
    join: fn(&[f64]) -> f64,
    color: Color,
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, status: &Status) {
    let charts = [received(status), taken(status), backlog(status)];
    let areas: [Rect; 3] = Layout::horizontal([Constraint::Fill(1); 3]).areas(area);
    for (chart, area) in charts.into_iter().zip(areas) {
        draw_chart(frame, area, chart);
    }
}

fn draw_chart(frame: &mut Frame<'_>, area: Rect, chart: Chart) {
    let joined = fitted(&chart.points, area.width.saturating_sub(2).into(), chart.join);
    let highest = joined.iter().copied().max().unwrap_or_default().max(8);
    // What is not 0 shall be seen, however small beside the highest.
    let lift = |point: u64| if point == 0 { 0 } else { point.max(highest / 24 + 1) };
    let past = Line::styled(format!(" {} ", age(chart.points.len() as f64)), LABEL).right_aligned();
    let sparkline = Sparkline::default()
        .data(joined.into_iter().map(lift).collect::<Vec<u64>>())
        .direction(RenderDirection::RightToLeft)
        .max(highest)
        .style(chart.color)
        .block(boxed(chart.title).title_bottom(past));
    frame.render_widget(sparkline, area);
}

/// At most `width` points, the newest first, each for equally many of `points`.
fn fitted(points: &[f64], width: usize, join: fn(&[f64]) -> f64) -> Vec<u64> {
    let each = points.len().div_ceil(width.max(1)).max(1);
    points.rchunks(each).map(|some| join(some).ceil() as u64).collect()
}

fn mean(points: &[f64]) -> f64 {
    points.iter().sum::<f64>() / points.len() as f64
}

fn greatest(points: &[f64]) -> f64 {
    points.iter().copied().fold(0.0, f64::max)
}

fn received(status: &Status) -> Chart {
    let now = rate(status.samples.last_10_seconds.received);
    Chart {
        title: titled("in", now, "/s"),
        points: status.history.received.clone(),
        join: mean,
        color: Color::Cyan,
    }
}

fn taken(status: &Status) -> Chart {
    let rates = status.samples.last_10_seconds;
    let mut title = titled("out", rate(rates.processed), "/s");
    if rates.rejected > 0.0 {
        title.spans.push(Span::styled(format!("  rejected {}/s", rate(rates.rejected)), ALARM));
    }
    Chart { title, points: status.history.processed.clone(), join: mean, color: Color::Green }
}

fn backlog(status: &Status) -> Chart {
    let pending = status.queue.pending.map_or_else(|| "unknown".to_owned(), grouped);
    let mut title = titled("backlog", pending, "");
    if let Some(lag) = status.queue.lag_seconds.filter(|lag| *lag > 0.0) {
        title.spans.push(Span::styled(format!("  {} behind", span(lag)), ALARM));
    }
    let points = status.history.pending.iter().map(|point| point.unwrap_or_default() as f64);
    Chart { title, points: points.collect(), join: greatest, color: Color::Yellow }
}

fn titled(name: &'static str, figure: String, unit: &'static str) -> Line<'static> {
    Line::from(vec![
        Span::styled(name, LABEL),
        " ".into(),
        figure.bold(),
        Span::styled(unit, LABEL),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_joined() {
        let points = [1.0, 2.0, 4.0, 6.0, 10.0];
        assert_eq!(fitted(&points, 5, mean), [10, 6, 4, 2, 1]);
        assert_eq!(fitted(&points, 3, mean), [8, 3, 1]);
        assert_eq!(fitted(&points, 3, greatest), [10, 4, 1]);
        assert_eq!(fitted(&points, 0, mean), [5]);
        assert!(fitted(&[], 10, mean).is_empty());
    }
}
