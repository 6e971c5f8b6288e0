//! A slab whose entries are evicted by the clock algorithm (second chance):
//! the oldest that was not used since the hand last passed it.

/// Entries under small numbers.
#[derive(Debug)]
pub struct ClockSlab<T> {
    cells: Vec<Option<T>>,
    /// Whether each was used since the hand last passed. Apart from the cells:
    /// this is written for every sample, and a few kilobytes stay in cache.
    recent: Vec<bool>,
    free: Vec<u32>,
    hand: usize,
}

impl<T> Default for ClockSlab<T> {
    fn default() -> Self {
        Self { cells: Vec::new(), recent: Vec::new(), free: Vec::new(), hand: 0 }
    }
}

impl<T> ClockSlab<T> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.cells.len() - self.free.len()
    }

    /// Takes an entry in; its number stays until it is removed.
    pub fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.cells[number as usize] = Some(value);
            self.recent[number as usize] = true;
            return number;
        }
        self.cells.push(Some(value));
        self.recent.push(true);
        (self.cells.len() - 1) as u32
    }

    pub fn get(&self, number: u32) -> Option<&T> {
        self.cells.get(number as usize)?.as_ref()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.cells.get_mut(number as usize)?.as_mut()
    }

    /// Gives the entry another round.
    #[inline]
    pub fn touch(&mut self, number: u32) {
        if let Some(recent) = self.recent.get_mut(number as usize) {
            *recent = true;
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let value = self.cells.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(value)
    }

    /// Takes out the entry whose turn it is; `None` where there is none.
    pub fn evict(&mut self) -> Option<(u32, T)> {
        while self.len() > 0 {
            self.hand = (self.hand + 1) % self.cells.len();
            let was_recent = std::mem::take(&mut self.recent[self.hand]);
            if !was_recent && self.cells[self.hand].is_some() {
                let number = self.hand as u32;
                return self.remove(number).map(|value| (number, value));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evicts_what_was_not_used_since_the_hand_passed() {
        let mut slab = ClockSlab::default();
        let numbers: Vec<u32> = (0..4).map(|value| slab.insert(value)).collect();
        let (first, _) = slab.evict().unwrap();
        for number in numbers.iter().filter(|number| **number != first).skip(1) {
            slab.touch(*number);
        }
        let spared = numbers.iter().find(|number| **number != first).unwrap();
        let (second, _) = slab.evict().unwrap();
        assert_eq!(second, *spared);
        assert_eq!(slab.len(), 2);
        assert!(slab.evict().is_some() && slab.evict().is_some() && slab.evict().is_none());
        let again = slab.insert(9);
        assert!(numbers.contains(&again), "numbers are used again");
        assert_eq!(slab.get(again), Some(&9));
    }
}
