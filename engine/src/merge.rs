//! Merge: what all shards have written becomes one exposition, family by family.
//!
//! Nothing is added up here and nothing looked into: a series lives in one shard,
//! so its bytes come from one source, and they are passed on as they are.

use std::mem;

use bytes::Bytes;

use crate::catalog::Catalog;
use crate::exposition::{Encoder, Families, Fragment, PageFormat, ShownFamily};

/// Chunks below this size are copied together; larger ones pass as they are.
const SMALL_CHUNK: usize = 4 * 1024;

/// A piece gathered from small chunks is passed on from this size.
const GATHERED_PIECE: usize = 64 * 1024;

/// One scrape's body.
#[derive(Debug, Clone)]
pub struct Exposition {
    /// The pieces of the body in order; none is empty.
    pub pieces: Vec<Bytes>,
    /// Bytes of all pieces.
    pub length: usize,
    /// Whether all that the shards wrote of living families is in it.
    pub is_whole: bool,
}

#[derive(Clone, Copy)]
struct Block<'a> {
    shown: ShownFamily<'a>,
    fragments: &'a [Fragment],
}

/// Groups fragments by family. Each of `sources` is sorted by family name (of
/// two fragments of one name in one source the newer family comes last).
///
/// The body has the families in the order of their names; within a family the
/// series stay in the order of `sources`. Of two families that print the same name
/// the newer alone is in it, and what a format can't show beside the others is
/// left out ([`Encoder::displaced_newcomers`]). It may be a part of what lives.
pub fn merge(
    page: impl Into<PageFormat>,
    sources: Vec<Vec<Fragment>>,
    living: &Catalog,
) -> Exposition {
    let encoder = page.into().encoder(living);
    let mut fragments: Vec<Fragment> = sources.into_iter().flatten().collect();
    // Retired while the scrape was under way: some shards may have it no more.
    fragments.retain(|fragment| !fragment.family.is_retired());
    // Stable, so series keep their order; and quick, since each source is sorted.
    fragments.sort_by(|left, right| identity(left).cmp(&identity(right)));
    let mut blocks: Vec<Block<'_>> =
        fragments.chunk_by(same_name).filter_map(Block::of_newest).collect();

    let found = families_of(&blocks);
    blocks.retain(|block| !found.is_displaced(block.shown.family));

    let shown = families_of(&blocks);
    let left_out = encoder.displaced_newcomers(&shown);
    blocks.retain(|block| !left_out.iter().any(|name| name == block.shown.family.printed_name()));

    let mut body = Body::default();
    for block in blocks {
        encoder.write_header(&mut body.gathered, &block.shown, &shown);
        block.chunks().for_each(|chunk| body.push(chunk));
    }
    body.end(&*encoder, left_out.is_empty())
}

fn identity(fragment: &Fragment) -> (&str, u64) {
    (fragment.family.name(), fragment.family.uid())
}

fn same_name(left: &Fragment, right: &Fragment) -> bool {
    left.family.name() == right.family.name()
}

fn families_of<'a>(blocks: &[Block<'a>]) -> Families<'a> {
    Families::new(blocks.iter().map(|block| block.shown).collect())
}

impl<'a> Block<'a> {
    /// The fragments of the newest family, from those of one name in rising order.
    fn of_newest(fragments: &'a [Fragment]) -> Option<Self> {
        let family = &*fragments.last()?.family;
        let older = |fragment: &Fragment| fragment.family.uid() < family.uid();
        let fragments = &fragments[fragments.partition_point(older)..];
        let is_typed = fragments.iter().any(|fragment| fragment.is_typed);
        let bytes = fragments.iter().flat_map(|fragment| &fragment.chunks).map(Bytes::len).sum();
        Some(Self { shown: ShownFamily { family, is_typed, bytes }, fragments })
    }

    fn chunks(self) -> impl Iterator<Item = &'a Bytes> {
        self.fragments.iter().flat_map(|fragment| &fragment.chunks)
    }
}

/// A body under construction.
#[derive(Default)]
struct Body {
    pieces: Vec<Bytes>,
    /// The last piece so far, while small parts are still gathered in it.
    gathered: Vec<u8>,
}

impl Body {
    fn push(&mut self, chunk: &Bytes) {
        if chunk.len() >= SMALL_CHUNK {
            self.pass_on();
            self.pieces.push(chunk.clone());
            return;
        }
        self.gathered.extend_from_slice(chunk);
        if self.gathered.len() >= GATHERED_PIECE {
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        if !self.gathered.is_empty() {
            self.pieces.push(mem::take(&mut self.gathered).into());
        }
    }

    fn end(mut self, encoder: &dyn Encoder, is_whole: bool) -> Exposition {
        self.pass_on();
        encoder.write_end(&mut self.gathered);
        self.pass_on();
        let length = self.pieces.iter().map(Bytes::len).sum();
        Exposition { pieces: self.pieces, length, is_whole }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Family;
    use crate::exposition::Format;
    use crate::metric::Shape;

    fn fragment(family: &Arc<Family>, chunks: &[&str]) -> Fragment {
        let chunks = chunks.iter().map(|chunk| Bytes::copy_from_slice(chunk.as_bytes())).collect();
        Fragment { family: family.clone(), chunks, is_typed: false }
    }

    fn merged(format: Format, sources: Vec<Vec<Fragment>>) -> Exposition {
        merge(format, sources, &Catalog::default())
    }

    fn gauge(name: &str) -> Arc<Family> {
        Arc::new(Family::standalone(name, "h", Shape::Gauge))
    }

    fn body(exposition: &Exposition) -> String {
        assert_eq!(exposition.length, exposition.pieces.concat().len());
        assert!(exposition.pieces.iter().all(|piece| !piece.is_empty()));
        String::from_utf8(exposition.pieces.concat()).expect("UTF-8")
    }

    #[test]
    fn nothing_is_an_empty_body() {
        assert_eq!(body(&merged(Format::Text, vec![vec![], vec![]])), "");
        assert_eq!(body(&merged(Format::OpenMetrics, vec![])), "# EOF\n");
    }

    #[test]
    fn fragments_of_a_family_stand_together_in_source_order() {
        let (a, b) = (gauge("a"), gauge("b"));
        let sources = vec![
            vec![fragment(&b, &["b{i=\"3\"} 1\n", "b{i=\"1\"} 1\n"])],
            vec![fragment(&a, &["a 1\n"]), fragment(&b, &["b{i=\"2\"} 1\n"])],
        ];
        let families = "# HELP a h\n# TYPE a gauge\na 1\n# HELP b h\n# TYPE b gauge\n\
                        b{i=\"3\"} 1\nb{i=\"1\"} 1\nb{i=\"2\"} 1\n";
        assert_eq!(body(&merged(Format::Text, sources.clone())), families);
        let openmetrics = merged(Format::OpenMetrics, sources);
        assert_eq!(body(&openmetrics), format!("{families}# EOF\n"));
        assert_eq!(openmetrics.pieces.last().map(|piece| &piece[..]), Some(&b"# EOF\n"[..]));
    }

    #[test]
    fn large_chunks_are_not_copied() {
        let line = format!("a{{i=\"{}\"}} 1\n", "x".repeat(SMALL_CHUNK));
        let large = fragment(&gauge("a"), &[&line]);
        let exposition = merged(Format::Text, vec![vec![large.clone()]]);
        assert_eq!(exposition.pieces.len(), 2);
        assert_eq!(exposition.pieces[1].as_ptr(), large.chunks[0].as_ptr());
    }

    #[test]
    fn small_chunks_are_gathered_into_few_pieces() {
        let names: Vec<String> = (0..10_000).map(|number| format!("metric_{number:05}")).collect();
        let family = |name: &String| fragment(&gauge(name), &[&format!("{name} 1\n")]);
        let exposition = merged(Format::Text, vec![names.iter().map(family).collect()]);
        assert!(exposition.pieces.len() <= exposition.length / GATHERED_PIECE + 1);
        assert!(exposition.pieces.iter().all(|piece| piece.len() < GATHERED_PIECE + SMALL_CHUNK));
        assert_eq!(body(&exposition).lines().count(), 30_000);
    }
}
