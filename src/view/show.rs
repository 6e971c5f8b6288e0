//! Showing: polls come in, the view is redrawn, until somebody ends it.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::poll::{Poll, watch};
use super::terminal::{Screen, UserInput};
use super::view_model::ViewModel;
use super::{plain, terminal};
use crate::gateway_client::GatewayClient;
use crate::stop_flag::StopFlag;

/// How soon a key or a stop is noticed.
const NOTICE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy)]
pub struct ViewOptions {
    pub plain: bool,
    pub with_excerpt: bool,
    pub end: Option<Instant>,
}

/// Shows the gateway of `model`, asked by `client`, until `stop` is set, the time is over or, on a
/// terminal, somebody quits; what was known at the end.
pub fn show(
    mut model: ViewModel,
    client: GatewayClient,
    view: ViewOptions,
    stop: &StopFlag,
) -> io::Result<ViewModel> {
    let polls = watch(&model.url, client, view.with_excerpt, stop)?;
    let is_over = || stop.is_set() || view.end.is_some_and(|end| Instant::now() >= end);
    if view.plain || !terminal::can_draw() {
        return match print(&mut model, &polls, is_over) {
            // The reader of the lines has enough of them.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(model),
            printed => printed.map(|()| model),
        };
    }
    draw(&mut model, &polls, is_over)?;
    Ok(model)
}

fn draw(
    model: &mut ViewModel,
    polls: &Receiver<Poll>,
    is_over: impl Fn() -> bool,
) -> io::Result<()> {
    let mut screen = Screen::open()?;
    screen.draw(model)?;
    while !is_over() {
        let mut changed = false;
        for poll in polls.try_iter() {
            model.update(poll);
            changed = true;
        }
        match screen.input_within(NOTICE)? {
            UserInput::Quit => return Ok(()),
            UserInput::Redraw => changed = true,
            UserInput::Nothing => {}
        }
        if changed {
            screen.draw(model)?;
        }
    }
    Ok(())
}

fn print(
    model: &mut ViewModel,
    polls: &Receiver<Poll>,
    is_over: impl Fn() -> bool,
) -> io::Result<()> {
    say(&plain::opening(model))?;
    let mut is_excerpt_due = true;
    while !is_over() {
        match polls.recv_timeout(NOTICE) {
            Ok(poll) => {
                model.update(poll);
                say(&format!("{}\n", plain::line(model)))?;
                let excerpt = model.excerpt.as_deref().filter(|lines| !lines.is_empty());
                if let Some(excerpt) = excerpt.filter(|_| is_excerpt_due) {
                    say(&plain::excerpt(excerpt))?;
                    is_excerpt_due = false;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The watch has seen the stop first.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
