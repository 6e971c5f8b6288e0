//! What was rendered and is not taken yet. Each piece is counted until nobody
//! holds it any more; and while slow clients hold renderings, those who come
//! soon after share the last one instead of getting one each.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use psg_engine::merge::Exposition;
use psg_engine::store::ScrapeSeq;

use super::rendered::{DeliveryGuard, Rendered};
use super::request::Selection;
use crate::scrapers::ScraperId;
use crate::self_metrics::unsent::UnsentBytes;

/// How old a rendering may be that is shared by those who come later.
const SHARED_FOR: Duration = Duration::from_secs(5);
/// How many renderings have to be under way before one is shared by those who
/// come later.
const UNDER_WAY: usize = 2;

/// The same exposition, counted as long as somebody holds it.
pub(super) fn counted(exposition: Exposition, all: &Arc<UnsentBytes>) -> Exposition {
    let Exposition { pieces, length, is_whole } = exposition;
    let counted = |piece: Bytes| {
        all.add(piece.len());
        Bytes::from_owner(CountedPiece { piece, all: Arc::clone(all) })
    };
    Exposition { pieces: pieces.into_iter().map(counted).collect(), length, is_whole }
}

/// A piece that tells when nobody holds it any more.
struct CountedPiece {
    piece: Bytes,
    all: Arc<UnsentBytes>,
}

impl AsRef<[u8]> for CountedPiece {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

impl Drop for CountedPiece {
    fn drop(&mut self) {
        self.all.take_off(self.piece.len());
    }
}

/// The renderings that are being sent, and the one that may be shared.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    under_way: Vec<Delivery>,
    kept: Option<KeptRendering>,
}

/// A rendering on its way to somebody.
#[derive(Debug)]
struct Delivery {
    rendering: u64,
    to: Option<ScraperId>,
    alive: Weak<()>,
}

/// The last rendering, whole.
#[derive(Debug)]
struct KeptRendering {
    selection: Selection,
    seen: Option<ScrapeSeq>,
    rendered: Rendered,
    at: Instant,
}

impl Deliveries {
    /// A rendering goes to somebody.
    pub fn begin(&mut self, rendering: u64, to: Option<ScraperId>) -> DeliveryGuard {
        let alive = Arc::new(());
        self.under_way.push(Delivery { rendering, to, alive: Arc::downgrade(&alive) });
        DeliveryGuard::new(alive)
    }

    /// Forgets those that have been sent.
    pub fn prune(&mut self) {
        self.under_way.retain(|delivery| delivery.alive.strong_count() > 0);
        self.kept.take_if(|kept| kept.at.elapsed() >= SHARED_FOR);
    }

    /// Until when something is kept.
    pub fn kept_until(&self) -> Option<Instant> {
        self.kept.as_ref().map(|kept| kept.at + SHARED_FOR)
    }

    /// Keeps a rendering that was begun then, where others are under way.
    pub fn keep(
        &mut self,
        selection: &Selection,
        seen: Option<ScrapeSeq>,
        rendered: &Rendered,
        at: Instant,
    ) {
        self.kept = None;
        if !self.under_way.is_empty() {
            let (selection, rendered) = (selection.clone(), rendered.clone());
            self.kept = Some(KeptRendering { selection, seen, rendered, at });
        }
    }

    /// Whether a request that comes now has to share a rendering that was begun
    /// before it: slow clients hold several, and may be of the same name.
    pub fn has_to_share(&self, scraper: Option<&ScraperId>, is_known: bool) -> bool {
        let mut renderings: Vec<u64> = self.under_way.iter().map(|it| it.rendering).collect();
        renderings.sort_unstable();
        renderings.dedup();
        let is_fetching = self.under_way.iter().any(|it| it.to.as_ref() == scraper);
        renderings.len() >= UNDER_WAY && (!is_known || is_fetching)
    }

    /// The rendering that is kept, for who has seen so much: nothing may be
    /// missing in it that is to be shown at its start, and nobody goes back.
    pub fn shared(&self, selection: &Selection, seen: Option<ScrapeSeq>) -> Option<&Rendered> {
        let kept = self.kept.as_ref().filter(|kept| kept.selection == *selection)?;
        let is_for = match (kept.seen, seen) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(least), Some(seen)) => least <= seen && seen <= kept.rendered.start.seq,
        };
        (is_for && kept.rendered.suits(seen)).then_some(&kept.rendered)
    }
}

#[cfg(test)]
mod tests {
    use psg_engine::exposition::Format;
    use psg_engine::store::Filter;
    use psg_engine::timestamp::Moment;

    use super::*;
    use crate::scrapers::ScrapeStart;
    use crate::serving_gate::Permit;

    fn selection(format: Format) -> Selection {
        Selection { page: format.into(), filter: Filter::default() }
    }

    fn text() -> Selection {
        selection(Format::Text)
    }

    fn rendered(number: u64, starts_after: Option<u64>) -> Rendered {
        Rendered {
            id: number,
            exposition: Arc::new(Exposition { pieces: Vec::new(), length: 0, is_whole: true }),
            permit: Permit::Everything(0),
            start: ScrapeStart { seq: ScrapeSeq(number), at: Moment(0) },
            starts_after: starts_after.map(ScrapeSeq),
        }
    }

    fn scraper(last: u8) -> ScraperId {
        ScraperId::new([10, 0, 0, last].into(), "", "")
    }

    #[test]
    fn only_while_two_renderings_are_held_strangers_share() {
        let mut deliveries = Deliveries::default();
        let (known, stranger) = (scraper(1), scraper(2));
        let first = deliveries.begin(1, Some(stranger.clone()));
        assert!(!deliveries.has_to_share(Some(&stranger), false), "one is held");
        let second = deliveries.begin(2, None);
        assert!(deliveries.has_to_share(Some(&stranger), false));
        assert!(!deliveries.has_to_share(Some(&known), true));
        let _third = deliveries.begin(2, Some(known.clone()));
        assert!(deliveries.has_to_share(Some(&known), true), "it is fetching one already");
        drop((first, second));
        deliveries.prune();
        assert!(!deliveries.has_to_share(Some(&stranger), false), "what was sent counts no more");
    }

    #[test]
    fn nothing_is_kept_while_nobody_is_slow_nor_for_long() {
        let mut deliveries = Deliveries::default();
        deliveries.keep(&text(), None, &rendered(1, None), Instant::now());
        assert!(deliveries.kept_until().is_none(), "nobody is at another one");
        let _slow = deliveries.begin(1, None);
        deliveries.keep(&text(), None, &rendered(2, None), Instant::now());
        assert!(deliveries.shared(&text(), None).is_some());
        let other = selection(Format::OpenMetrics);
        assert!(deliveries.shared(&other, None).is_none());
        let long_ago = Instant::now().checked_sub(SHARED_FOR).expect("the clock began before");
        deliveries.keep(&text(), None, &rendered(3, None), long_ago);
        deliveries.prune();
        assert!(deliveries.shared(&text(), None).is_none());
    }

    #[test]
    fn nobody_goes_back_or_misses_a_start() {
        let mut deliveries = Deliveries::default();
        let _slow = deliveries.begin(1, None);
        let mut check = |made_for: Option<u64>, birth, seen: Option<u64>, expected: bool| {
            let made_for = made_for.map(ScrapeSeq);
            deliveries.keep(&text(), made_for, &rendered(9, birth), Instant::now());
            let shared = deliveries.shared(&text(), seen.map(ScrapeSeq)).is_some();
            assert_eq!(shared, expected, "{made_for:?} {birth:?} {seen:?}");
        };
        check(Some(5), None, Some(5), true);
        check(Some(5), None, Some(7), true);
        check(Some(5), None, Some(4), false);
        check(Some(5), None, Some(10), false);
        check(Some(5), Some(6), Some(6), true);
        check(Some(5), Some(6), Some(7), false);
        check(Some(5), Some(6), None, false);
        check(Some(5), None, None, true);
        check(None, None, Some(5), false);
        check(None, None, None, true);
    }

    #[test]
    fn a_piece_counts_once_until_nobody_holds_it() {
        let all = Arc::<UnsentBytes>::default();
        let pieces = vec![Bytes::from_static(b"abc"), Bytes::from_static(b"de")];
        let mut first = counted(Exposition { pieces, length: 5, is_whole: true }, &all).pieces;
        let second = first.clone();
        assert_eq!(all.count(), 5);
        first.pop();
        assert_eq!(all.count(), 5, "somebody else has it");
        drop(second);
        assert_eq!(all.count(), 3);
        drop(first);
        assert_eq!(all.count(), 0);
    }
}
