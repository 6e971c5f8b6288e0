//! Pages: a list that is never copied into a larger one. Where there are
//! millions, a vector that doubles would hold a shard up, and leave as much
//! memory behind as it takes.

/// Bytes of a page, about.
const PAGE_BYTES: usize = 64 * 1024;

/// A list of things with numbers, from 0 on.
#[derive(Debug)]
pub(super) struct Pages<T>(Vec<Vec<T>>);

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Pages<T> {
    const PAGE: usize = PAGE_BYTES / size_of::<T>();

    pub fn len(&self) -> u32 {
        let full = self.0.len().saturating_sub(1) * Self::PAGE;
        (full + self.0.last().map_or(0, Vec::len)) as u32
    }

    #[inline]
    pub fn get(&self, number: u32) -> Option<&T> {
        self.0.get(number as usize / Self::PAGE)?.get(number as usize % Self::PAGE)
    }

    #[inline]
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.0.get_mut(number as usize / Self::PAGE)?.get_mut(number as usize % Self::PAGE)
    }

    /// Appends one: its number is the length before.
    pub fn push(&mut self, item: T) {
        let page = self.len() as usize / Self::PAGE;
        if page == self.0.len() {
            self.0.push(Vec::with_capacity(Self::PAGE));
        }
        self.0[page].push(item);
    }
}
