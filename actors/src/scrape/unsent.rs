//! What was rendered and is not taken yet. Each piece is counted until nobody
//! holds it any more; and while slow clients hold renderings, those who come
//! soon after share the last one instead of getting one each.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use psg_engine::format::Format;
use psg_engine::merge::Exposition;
use psg_engine::store::{Filter, Rendering};

use super::Rendered;
use crate::scrapers::ScraperId;
use crate::self_metrics::unsent::UnsentBytes;

/// How old a rendering may be that is shared by those who come later.
const SHARED_FOR: Duration = Duration::from_secs(5);
/// So many renderings have to be under way before one is shared by those who
/// come later.
const UNDER_WAY: usize = 2;

/// The same exposition, counted as long as somebody holds it.
pub(super) fn counted(exposition: Exposition, all: &Arc<UnsentBytes>) -> Exposition {
    let Exposition { pieces, length } = exposition;
    let counted = |piece: Bytes| {
        all.add(piece.len());
        Bytes::from_owner(Counted { piece, all: Arc::clone(all) })
    };
    Exposition { pieces: pieces.into_iter().map(counted).collect(), length }
}

/// A piece that tells when nobody holds it any more.
struct Counted {
    piece: Bytes,
    all: Arc<UnsentBytes>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.take_off(self.piece.len());
    }
}

/// Says that a rendering is being sent, as long as it is there.
#[derive(Debug, Clone)]
pub struct Sending(#[expect(dead_code, reason = "it is there to be dropped")] Arc<()>);

/// The renderings that are being sent, and the one that may be shared.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    sent: Vec<Sent>,
    kept: Option<Kept>,
}

/// A rendering on its way to somebody.
#[derive(Debug)]
struct Sent {
    rendering: u64,
    to: Option<ScraperId>,
    alive: Weak<()>,
}

/// The last rendering, whole.
#[derive(Debug)]
struct Kept {
    what: (Format, Filter),
    seen: Option<Rendering>,
    rendered: Rendered,
    at: Instant,
}

impl UnderWay {
    /// A rendering goes to somebody.
    pub fn sends(&mut self, rendering: u64, to: Option<ScraperId>) -> Sending {
        let alive = Arc::new(());
        self.sent.push(Sent { rendering, to, alive: Arc::downgrade(&alive) });
        Sending(alive)
    }

    /// Forgets those that have been sent.
    pub fn prune(&mut self) {
        self.sent.retain(|sent| sent.alive.strong_count() > 0);
        self.kept.take_if(|kept| kept.at.elapsed() >= SHARED_FOR);
    }

    /// Until when something is kept.
    pub fn kept_until(&self) -> Option<Instant> {
        self.kept.as_ref().map(|kept| kept.at + SHARED_FOR)
    }

    /// Keeps a rendering that was begun then, where others are under way.
    pub fn keep(
        &mut self,
        what: &(Format, Filter),
        seen: Option<Rendering>,
        rendered: &Rendered,
        at: Instant,
    ) {
        let is_crowded = !self.sent.is_empty();
        let kept = || Kept { what: what.clone(), seen, rendered: rendered.clone(), at };
        self.kept = is_crowded.then(kept);
    }

    /// Whether somebody who comes now has to do with a rendering that was begun
    /// before: slow clients hold several, and may be of the same name.
    pub fn has_to_share(&self, scraper: Option<&ScraperId>, is_known: bool) -> bool {
        let mut renderings: Vec<u64> = self.sent.iter().map(|sent| sent.rendering).collect();
        renderings.sort_unstable();
        renderings.dedup();
        let is_at_it = self.sent.iter().any(|sent| sent.to.as_ref() == scraper);
        renderings.len() >= UNDER_WAY && (!is_known || is_at_it)
    }

    /// The rendering that is kept, for who has seen so much: nothing may be
    /// missing in it that is to be shown at its start, and nobody goes back.
    pub fn shared(&self, what: &(Format, Filter), seen: Option<Rendering>) -> Option<&Rendered> {
        let kept = self.kept.as_ref().filter(|kept| kept.what == *what)?;
        let is_for = match (kept.seen, seen) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(least), Some(seen)) => least <= seen && seen <= kept.rendered.begun.number,
        };
        Some(&kept.rendered).filter(|rendered| is_for && rendered.suits(seen))
    }
}
