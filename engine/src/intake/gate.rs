//! The gate before a short way: it stays away from looking while nothing is
//! found and nothing is learnt. With a new label value in each sample, every
//! look is wasted.

/// Payloads between two looks at whether looking is any use.
const WINDOW: u32 = 1024;
/// Windows to stay away after one in which it was none, at first; twice as
/// many after each further one, up to the second.
const WINDOWS_AWAY: (u32, u32) = (15, 127);

/// Whether it is worth to look, from payload to payload.
#[derive(Debug, Default)]
pub struct Gate {
    seen: u32,
    useful: u32,
    /// Payloads to let pass.
    away: u32,
    windows_away: u32,
}

impl Gate {
    /// Whether to look for the next payload.
    #[inline]
    pub fn is_open(&mut self) -> bool {
        if self.away > 0 {
            self.away -= 1;
            return false;
        }
        if self.seen == WINDOW {
            self.end_window();
        }
        self.seen += 1;
        true
    }

    fn end_window(&mut self) {
        let (first, most) = WINDOWS_AWAY;
        self.windows_away = match self.useful < WINDOW / 16 {
            true => (self.windows_away * 2).clamp(first, most),
            false => 0,
        };
        self.away = self.windows_away * WINDOW;
        (self.seen, self.useful) = (0, 0);
    }

    /// Something was found or learnt.
    #[inline]
    pub fn was_useful(&mut self) {
        self.useful += 1;
    }
}
