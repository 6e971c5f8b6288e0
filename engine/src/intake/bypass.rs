//! The bypass around a cache: while nothing is found in it and nothing is kept,
//! it is not looked into. With a new label value in each sample, every look would
//! be wasted.

/// Look-ups after which their use is judged.
const WINDOW: u32 = 1024;
/// Windows to bypass after one with too few hits, at first; twice as many after
/// each further one, up to the second.
const WINDOWS_BYPASSED: (u32, u32) = (15, 127);

/// Whether it is worth to look, from payload to payload.
#[derive(Debug, Default)]
pub struct AdaptiveBypass {
    seen: u32,
    hits: u32,
    /// Payloads to bypass the cache from now on.
    left: u32,
    windows: u32,
}

impl AdaptiveBypass {
    /// Whether to look for the next payload.
    #[inline]
    pub fn should_look(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        if self.seen == WINDOW {
            self.end_window();
        }
        self.seen += 1;
        true
    }

    fn end_window(&mut self) {
        let (first, most) = WINDOWS_BYPASSED;
        self.windows = match self.hits < WINDOW / 16 {
            true => (self.windows * 2).clamp(first, most),
            false => 0,
        };
        self.left = self.windows * WINDOW;
        (self.seen, self.hits) = (0, 0);
    }

    /// Something was found or kept, or may be kept when it comes again.
    #[inline]
    pub fn record_hit(&mut self) {
        self.hits += 1;
    }
}
