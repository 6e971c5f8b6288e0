//! The terminal: taken over for the view, and given back as it was.

use std::io::{self, IsTerminal};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::frame;
use super::view_model::ViewModel;

pub fn can_draw() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && io::stdin().is_terminal() && !is_dumb
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserInput {
    Nothing,
    Redraw,
    Quit,
}

pub struct Screen(DefaultTerminal);

impl Screen {
    pub fn open() -> io::Result<Self> {
        let screen = Self(ratatui::try_init()?);
        // Not every terminal has another, empty screen to change to.
        execute!(io::stdout(), Clear(ClearType::All))?;
        Ok(screen)
    }

    pub fn draw(&mut self, model: &ViewModel) -> io::Result<()> {
        self.0.draw(|frame| frame::draw(frame, model)).map(|_| ())
    }

    /// Waits for input, at most that long.
    pub fn input_within(&mut self, time: Duration) -> io::Result<UserInput> {
        // Of a terminal that has gone crossterm would read for ever.
        if has_gone_within(time)? {
            return Ok(UserInput::Quit);
        }
        if !event::poll(Duration::ZERO)? {
            return Ok(UserInput::Nothing);
        }
        Ok(match event::read()? {
            Event::Key(key) if is_quit(key) => UserInput::Quit,
            Event::Resize(_, _) => UserInput::Redraw,
            Event::Key(_)
            | Event::Mouse(_)
            | Event::Paste(_)
            | Event::FocusGained
            | Event::FocusLost => UserInput::Nothing,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody is left who could do better.
        let _ = ratatui::try_restore();
    }
}

/// Waits for input, at most that long; whether the terminal is gone.
fn has_gone_within(time: Duration) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
    let limit = Timespec::try_from(time).map_err(io::Error::other)?;
    match poll(&mut watched, Some(&limit)) {
        Ok(_) => Ok(watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)),
        // The terminal has another size, perhaps.
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_quit(key: KeyEvent) -> bool {
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    let quits = matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc)
        || (with_control && matches!(key.code, KeyCode::Char('c' | 'd')));
    quits && key.kind != KeyEventKind::Release
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_keys_quit() {
        let key = |code, modifiers| is_quit(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
