//! Showing: looks come in, the view is made new, until somebody ends it.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::scene::Scene;
use super::terminal::{Screen, Wish};
use super::watch::{Look, watch};
use super::{lines, terminal};
use crate::gateway_client::GatewayClient;
use crate::stop::Stop;

/// How soon a key or a stop is noticed.
const NOTICE: Duration = Duration::from_millis(100);

/// How a view is shown.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Lines also where there is a terminal.
    pub plain: bool,
    /// Whether lines of `/metrics` are shown.
    pub with_excerpt: bool,
    /// When to end by itself.
    pub end: Option<Instant>,
}

/// Shows the gateway of `scene`, asked that way, until `stop` is set, the time is over or, on a
/// terminal, somebody quits; what was known at the end.
pub fn show(
    mut scene: Scene,
    client: GatewayClient,
    manner: Manner,
    stop: &Stop,
) -> io::Result<Scene> {
    let looks = watch(&scene.url, client, manner.with_excerpt, stop)?;
    let is_over = || stop.is_set() || manner.end.is_some_and(|end| Instant::now() >= end);
    if manner.plain || !terminal::can_draw() {
        return match print(&mut scene, &looks, is_over) {
            // Whoever read the lines has enough of them.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(scene),
            printed => printed.map(|()| scene),
        };
    }
    draw(&mut scene, &looks, is_over)?;
    Ok(scene)
}

fn draw(scene: &mut Scene, looks: &Receiver<Look>, is_over: impl Fn() -> bool) -> io::Result<()> {
    let mut screen = Screen::open()?;
    screen.draw(scene)?;
    while !is_over() {
        let mut changed = false;
        for look in looks.try_iter() {
            scene.see(look);
            changed = true;
        }
        match screen.wish_within(NOTICE)? {
            Wish::Quit => return Ok(()),
            Wish::Redraw => changed = true,
            Wish::Nothing => {}
        }
        if changed {
            screen.draw(scene)?;
        }
    }
    Ok(())
}

fn print(scene: &mut Scene, looks: &Receiver<Look>, is_over: impl Fn() -> bool) -> io::Result<()> {
    say(&lines::opening(scene))?;
    let mut is_excerpt_due = true;
    while !is_over() {
        match looks.recv_timeout(NOTICE) {
            Ok(look) => {
                scene.see(look);
                say(&format!("{}\n", lines::line(scene)))?;
                let excerpt = scene.excerpt.as_deref().filter(|lines| !lines.is_empty());
                if let Some(excerpt) = excerpt.filter(|_| is_excerpt_due) {
                    say(&lines::excerpt(excerpt))?;
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
