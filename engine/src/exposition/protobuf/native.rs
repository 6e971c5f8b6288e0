//! The native side of a histogram in protobuf: its buckets as spans, and each count as
//! what it is more than the one before it.

use super::{exemplar, schema};
use crate::exemplar::SeriesExemplars;
use crate::metric::native::{Buckets, NativeHistogram};

/// So many empty buckets are written out, since a new span takes more bytes. As
/// client_golang has it.
const LARGEST_GAP: i32 = 2;

/// A histogram with its native side, and all of its exemplars, since they are of no
/// bucket there.
pub(super) fn with_side(
    classic: schema::Histogram,
    native: &NativeHistogram,
    exemplars: Option<&SeriesExemplars>,
) -> schema::Histogram {
    let (positive_span, positive_delta) = spans(native.positive());
    let (negative_span, negative_delta) = spans(native.negative());
    // It has a threshold of zero, which tells even an empty one from one without.
    schema::Histogram {
        schema: Some(native.schema().number().into()),
        zero_threshold: Some(native.zero_threshold()),
        zero_count: Some(native.zero_count()),
        positive_span,
        positive_delta,
        negative_span,
        negative_delta,
        exemplars: exemplars.into_iter().flat_map(SeriesExemplars::iter).map(exemplar).collect(),
        ..classic
    }
}

/// Where buckets are that follow each other, and the differences of their counts.
fn spans(buckets: &Buckets) -> (Vec<schema::BucketSpan>, Vec<i64>) {
    let (mut spans, mut deltas) = (Vec::<schema::BucketSpan>::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (bucket, count) in buckets.iter() {
        let gap = bucket - next;
        let mut length = 1;
        match spans.last_mut() {
            Some(span) if gap <= LARGEST_GAP => {
                for _ in 0..gap {
                    deltas.push(-before);
                    before = 0;
                    length += 1;
                }
                span.length = span.length.map(|own| own + length);
            }
            Some(_) | None => {
                spans.push(schema::BucketSpan { offset: Some(gap), length: Some(length) });
            }
        }
        let count = count as i64;
        deltas.push(count - before);
        (next, before) = (bucket + 1, count);
    }
    (spans, deltas)
}
