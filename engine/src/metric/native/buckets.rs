//! The buckets of a native histogram that have counts, on one side of zero.

/// Counts by the numbers of their buckets, ascending; none is 0.
///
/// A series has some dozens of them and there may be many series, so they take eight
/// bytes each, until one has counted further than that goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets(Counts);

#[derive(Debug, Clone, PartialEq)]
enum Counts {
    Small(Vec<(i32, u32)>),
    Large(Vec<(i32, u64)>),
}

/// Room is made for so many more at a time.
const STEP: usize = 8;

impl Default for Buckets {
    fn default() -> Self {
        Self(Counts::Small(Vec::new()))
    }
}

impl Buckets {
    /// What one takes, but for those that have counted far.
    pub const BYTES_OF_ONE: usize = size_of::<(i32, u32)>();

    /// How many there are.
    #[inline]
    pub fn filled(&self) -> usize {
        match &self.0 {
            Counts::Small(counts) => counts.len(),
            Counts::Large(counts) => counts.len(),
        }
    }

    /// Each bucket and its count.
    pub fn iter(&self) -> impl Iterator<Item = (i32, u64)> + '_ {
        let (small, large) = match &self.0 {
            Counts::Small(counts) => (counts.as_slice(), &[][..]),
            Counts::Large(counts) => (&[][..], counts.as_slice()),
        };
        let small = small.iter().map(|(bucket, count)| (*bucket, u64::from(*count)));
        small.chain(large.iter().copied())
    }

    /// Adds to the count of a bucket.
    #[inline]
    pub fn add(&mut self, bucket: i32, more: u64) {
        match &mut self.0 {
            Counts::Small(counts) => {
                if !add_to(counts, bucket, more) {
                    self.add_large(bucket, more);
                }
            }
            Counts::Large(counts) => {
                add_to(counts, bucket, more);
            }
        }
    }

    #[cold]
    fn add_large(&mut self, bucket: i32, more: u64) {
        let mut counts: Vec<(i32, u64)> = self.iter().collect();
        add_to(&mut counts, bucket, more);
        self.0 = Counts::Large(counts);
    }

    /// Takes out the first buckets that are meant; their counts.
    pub fn take_first(&mut self, is_meant: impl Fn(i32) -> bool) -> u64 {
        match &mut self.0 {
            Counts::Small(counts) => take_first_of(counts, is_meant),
            Counts::Large(counts) => take_first_of(counts, is_meant),
        }
    }

    /// Makes one bucket of two, as the next coarser schema has them.
    pub fn halve(&mut self) {
        let finer = std::mem::take(self);
        finer.iter().for_each(|(bucket, count)| self.add((bucket + 1) >> 1, count));
    }

    /// Gives back the room of what was added and taken out again.
    pub fn give_room_back(&mut self) {
        match &mut self.0 {
            Counts::Small(counts) => counts.shrink_to(counts.len() + STEP),
            Counts::Large(counts) => counts.shrink_to(counts.len() + STEP),
        }
    }

    /// The bytes that they have room in.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Counts::Small(counts) => counts.capacity() * size_of::<(i32, u32)>(),
            Counts::Large(counts) => counts.capacity() * size_of::<(i32, u64)>(),
        }
    }
}

impl FromIterator<(i32, u64)> for Buckets {
    fn from_iter<I: IntoIterator<Item = (i32, u64)>>(counts: I) -> Self {
        let mut buckets = Self::default();
        counts.into_iter().for_each(|(bucket, count)| buckets.add(bucket, count));
        buckets
    }
}

/// Adds to the count of a bucket; false where that would pass what a count can be.
#[inline]
fn add_to<C>(counts: &mut Vec<(i32, C)>, bucket: i32, more: u64) -> bool
where
    C: Copy + TryFrom<u64> + Into<u64>,
{
    match counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
        Ok(position) => {
            let count = &mut counts[position].1;
            let sum = (*count).into().checked_add(more).and_then(|sum| C::try_from(sum).ok());
            *count = sum.unwrap_or(*count);
            sum.is_some()
        }
        Err(position) => {
            let Ok(count) = C::try_from(more) else { return false };
            if counts.len() == counts.capacity() {
                counts.reserve_exact(STEP);
            }
            counts.insert(position, (bucket, count));
            true
        }
    }
}

fn take_first_of<C: Into<u64>>(counts: &mut Vec<(i32, C)>, is_meant: impl Fn(i32) -> bool) -> u64 {
    let end = counts.partition_point(|(bucket, _)| is_meant(*bucket));
    counts.drain(..end).map(|(_, count)| count.into()).sum()
}
