//! Adding what a producer has counted to a native histogram. Where the two differ, both
//! become as coarse as the coarser one and their buckets around zero as wide as the
//! wider one, which is how Prometheus adds histograms (model/histogram/float_histogram.go).

#[cfg(test)]
mod tests;

use super::{
    Buckets, NativeCounts, NativeHistogram, NativePlan, Schema, ToBeginAnew, ZERO_THRESHOLD,
};

impl NativeHistogram {
    /// Whether it has been made coarser than its plan and these counts ask for.
    pub(in crate::metric) fn is_coarser_than(
        &self,
        counts: &NativeCounts,
        plan: &NativePlan,
    ) -> bool {
        self.schema < plan.schema.min(counts.schema)
            || self.zero_threshold > counts.zero_threshold.max(ZERO_THRESHOLD)
    }

    /// Adds counts. Where they are too many buckets with its own and it `is_old`, it has
    /// to begin anew, and is of no use before.
    pub(in crate::metric) fn add(
        &mut self,
        more: &NativeCounts,
        plan: &NativePlan,
        is_old: bool,
    ) -> Result<(), ToBeginAnew> {
        let threshold = self.common_threshold(more);
        self.widen_zero_to(threshold);
        while self.schema > more.schema && self.halve() {}
        self.zero_count += more.zero_count;
        let (from, to) = (more.schema, self.schema);
        let sides = [(&mut self.positive, &more.positive), (&mut self.negative, &more.negative)];
        for (own, counts) in sides {
            for (bucket, count) in counts.iter().skip(within(from, counts, threshold)) {
                own.add(from.bucket_in(to, *bucket), *count);
            }
        }
        for counts in [&more.positive, &more.negative] {
            let of_zero = counts.iter().take(within(from, counts, threshold));
            self.zero_count += of_zero.map(|(_, count)| count).sum::<u64>();
        }
        if self.buckets() > plan.limits.max_buckets as usize {
            if is_old {
                return Err(ToBeginAnew);
            }
            self.limit(&plan.limits);
        }
        self.positive.give_room_back();
        self.negative.give_room_back();
        Ok(())
    }

    /// The least threshold of zero that both can have: who gets a wider one can't tell
    /// which values of a bucket lie within it, so it ends where a bucket does.
    fn common_threshold(&self, more: &NativeCounts) -> f64 {
        let own = |side: &Buckets, threshold| {
            reach(self.schema, side.iter(), (self.zero_threshold, threshold))
        };
        let others = |side: &[(i32, u64)], threshold| {
            reach(more.schema, side.iter().copied(), (more.zero_threshold, threshold))
        };
        let mut threshold = self.zero_threshold.max(more.zero_threshold);
        loop {
            // Each bound is one of the finer buckets too, so this ends soon.
            let mut next = own(&self.positive, threshold);
            next = own(&self.negative, next);
            next = others(&more.positive, next);
            next = others(&more.negative, next);
            if next <= threshold {
                return threshold;
            }
            threshold = next;
        }
    }
}

/// How far the bucket around zero reaches that had one threshold and gets another one,
/// beside these buckets, which rise.
fn reach(
    schema: Schema,
    buckets: impl Iterator<Item = (i32, u64)>,
    (before, threshold): (f64, f64),
) -> f64 {
    if threshold <= before {
        return threshold;
    }
    let begun = buckets.take_while(|(bucket, _)| schema.upper_bound(bucket - 1) < threshold);
    begun.last().map_or(threshold, |(bucket, _)| schema.upper_bound(bucket).max(threshold))
}

/// How many of the first buckets end within the one around zero.
fn within(schema: Schema, counts: &[(i32, u64)], threshold: f64) -> usize {
    counts.partition_point(|(bucket, _)| schema.upper_bound(*bucket) <= threshold)
}
