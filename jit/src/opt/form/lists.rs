//! A list per value, all of them in one array.

/// Lists of items by small numbers.
#[derive(Debug, Default)]
pub(crate) struct Lists<T> {
    /// Those of number `n` lie from `starts[n]` to `starts[n + 1]`.
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Lists<T> {
    /// Gives each of `count` numbers what stands beside it, in the order in which it is given.
    pub(crate) fn of(count: usize, entries: &[(u32, T)]) -> Lists<T> {
        let mut starts = vec![0_u32; count + 1];
        for &(number, _) in entries {
            starts[number as usize] += 1;
        }
        // First the ends; filling from behind turns them into starts.
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let Some(&(_, any)) = entries.first() else {
            return Lists {
                starts,
                items: Vec::new(),
            };
        };
        let mut items = vec![any; entries.len()];
        for &(number, item) in entries.iter().rev() {
            let at = &mut starts[number as usize];
            *at -= 1;
            items[*at as usize] = item;
        }
        Lists { starts, items }
    }

    /// No list yet, and room for this many with so many items in all.
    pub(crate) fn with_capacity(count: usize, items: usize) -> Lists<T> {
        let mut starts = Vec::with_capacity(count + 1);
        starts.push(0);
        Lists {
            starts,
            items: Vec::with_capacity(items),
        }
    }

    /// Adds to the list that is open.
    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// The list that is open, so far.
    pub(crate) fn open(&self) -> &[T] {
        let start = self.starts.last().copied().unwrap_or_default();
        &self.items[start as usize..]
    }

    /// The open list is that of the next number; another one is open.
    pub(crate) fn close(&mut self) {
        self.starts.push(self.items.len() as u32);
    }

    pub(crate) fn at(&self, number: u32) -> &[T] {
        let number = number as usize;
        &self.items[self.starts[number] as usize..self.starts[number + 1] as usize]
    }
}
