//! Streams that are hard for a sketch, and the judge of its answers.

/// Shapes of streams; each yields `count` finite values.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    Uniform,
    Exponential,
    Sorted,
    Reversed,
    Constant,
    TwoPoint,
    /// Blocks of 1000, each shifted, sorted or reversed in turn.
    Bursts,
    /// Smallest so far, largest so far, and so on.
    Outwards,
    /// The outermost first, then ever closer to the middle.
    Inwards,
    /// Extremes first, then the rest in ascending order: the order that breaks
    /// the bounds of the 2005 paper.
    ExtremesThenSorted,
    /// Sorted blocks, each of which falls between two neighbours of the last.
    Nested,
    /// Mostly small, a few percent huge, in runs.
    Outliers,
}

impl Shape {
    pub const ALL: [Shape; 12] = [
        Shape::Uniform,
        Shape::Exponential,
        Shape::Sorted,
        Shape::Reversed,
        Shape::Constant,
        Shape::TwoPoint,
        Shape::Bursts,
        Shape::Outwards,
        Shape::Inwards,
        Shape::ExtremesThenSorted,
        Shape::Nested,
        Shape::Outliers,
    ];

    pub fn values(self, count: usize, seed: u64) -> Vec<f64> {
        let mut random = Random(seed);
        (0..count).map(|index| self.value(index, count, &mut random)).collect()
    }

    fn value(self, index: usize, count: usize, random: &mut Random) -> f64 {
        let at = index as f64;
        let sign = if index.is_multiple_of(2) { 1.0 } else { -1.0 };
        match self {
            Shape::Uniform => random.unit(),
            Shape::Exponential => -random.unit().ln(),
            Shape::Sorted => at,
            Shape::Reversed => -at,
            Shape::Constant => 7.5,
            Shape::TwoPoint => f64::from(random.unit() < 0.93),
            Shape::Bursts => {
                let (block, place) = ((index / 1000) as f64, (index % 1000) as f64);
                let direction = if (index / 1000).is_multiple_of(2) { 1.0 } else { -1.0 };
                (block * 7.0) % 13.0 * 100.0 + direction * place
            }
            Shape::Outwards => sign * at,
            Shape::Inwards => sign * (count - index) as f64,
            Shape::ExtremesThenSorted => match index {
                0 => -1.0,
                1 => count as f64,
                _ => at,
            },
            Shape::Nested => {
                let (block, place) = ((index / 700) as i32, (index % 700) as f64);
                300.0 * (1.0 - 700f64.powi(-block)) + place * 700f64.powi(-block)
            }
            Shape::Outliers => {
                let height = if index % 997 < 30 { 1e9 } else { 1.0 };
                height * (1.0 + random.unit())
            }
        }
    }
}

/// A splitmix64 generator: the same numbers on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, at most 1.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// By how many ranks `answer` misses the rank ⌈φ·n⌉; a value that occurs more
/// than once has all of its ranks. `None` where it is not one of the values.
pub fn rank_error(sorted: &[f64], quantile: f64, answer: f64) -> Option<u64> {
    let below = sorted.partition_point(|value| *value < answer) as u64;
    let at_or_below = sorted.partition_point(|value| *value <= answer) as u64;
    let wanted = super::rank_of(quantile, sorted.len() as u64);
    let distance = (below + 1).saturating_sub(wanted).max(wanted.saturating_sub(at_or_below));
    (at_or_below > below).then_some(distance)
}

#[test]
fn judge_knows_right_from_wrong() {
    let check = |sorted: &[f64], quantile, answer, expected| {
        assert_eq!(rank_error(sorted, quantile, answer), expected, "{sorted:?} {quantile}");
    };
    check(&[1.0, 2.0, 3.0], 0.5, 2.0, Some(0));
    check(&[1.0, 2.0, 3.0], 0.5, 1.0, Some(1));
    check(&[1.0, 2.0, 3.0], 0.5, 3.0, Some(1));
    check(&[1.0, 1.0, 1.0, 4.0], 0.25, 1.0, Some(0));
    check(&[1.0, 1.0, 1.0, 4.0], 1.0, 1.0, Some(1));
    check(&[1.0, 2.0], 0.5, 1.5, None);
    check(&[1.0, 2.0], 0.5, f64::NAN, None);
}
