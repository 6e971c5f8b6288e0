//! Rows: the figures of histograms that have equally many buckets. A row is
//! the sum and the counts, in pages, with nothing between them.

use super::PAGE_BYTES;

/// Words of a page, about.
const PAGE_WORDS: usize = PAGE_BYTES / size_of::<u64>();

/// Rows of one width.
#[derive(Debug)]
pub struct Rows {
    /// Words of a row: a sum and the counts.
    width: usize,
    per_page: usize,
    pages: Vec<Box<[u64]>>,
    used: usize,
    free: Vec<u32>,
}

impl Rows {
    /// Rows for histograms of so many buckets, `+Inf` included.
    pub fn new(buckets: usize) -> Self {
        let width = buckets + 1;
        let per_page = (PAGE_WORDS / width).max(1);
        Self { width, per_page, pages: Vec::new(), used: 0, free: Vec::new() }
    }

    /// Takes a row in and returns its number.
    pub fn insert(&mut self, sum: f64, counts: &[u64]) -> u64 {
        let number = self.free.pop().map_or(self.used, |number| number as usize);
        if number == self.used {
            self.used += 1;
        }
        if number / self.per_page == self.pages.len() {
            self.pages.push(vec![0; self.width * self.per_page].into());
        }
        let start = number % self.per_page * self.width;
        let row = &mut self.pages[number / self.per_page][start..start + self.width];
        row[0] = sum.to_bits();
        row[1..].copy_from_slice(counts);
        number as u64
    }

    /// The sum and the counts of a row.
    pub fn get(&self, number: u64) -> (f64, &[u64]) {
        let number = number as usize;
        let start = number % self.per_page * self.width;
        let row = &self.pages[number / self.per_page][start..start + self.width];
        (f64::from_bits(row[0]), &row[1..])
    }

    /// Takes a row out.
    pub fn remove(&mut self, number: u64) {
        self.free.push(number as u32);
    }
}
