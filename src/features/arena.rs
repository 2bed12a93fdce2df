//! Where entities live: one flat array in pages, each page cut into equal blocks.
//!
//! All groups share the pages. A page whose blocks are all free can be cut anew into blocks of
//! another size, so memory follows the mix of sizes. The array is reserved at once and touched as
//! it fills, so it never moves and growth never copies.

use super::snapshot::{Reader, SnapshotError, Writer};

/// Words of 32 bits in a page (16 KiB).
pub(super) const PAGE_WORDS: usize = 4096;
/// Bytes of a page.
pub(super) const PAGE_BYTES: usize = PAGE_WORDS * 4;
/// Blocks begin at multiples of this many words.
const UNIT: usize = 4;
/// Word of a block that says whether it is free; entities keep other values there.
pub(super) const META: usize = 2;
/// [`META`] of a free block.
pub(super) const FREE: u32 = u32::MAX;

const NONE: u32 = u32::MAX;
/// Sizes of blocks, in words. A cache line has 16: a small block lies within one, and a larger one
/// begins with one.
const CLASSES: [u16; 21] =
    [8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 816, 1024];
/// Words of a cache line.
const LINE: usize = 16;

/// The smallest class of at least this many words.
pub(super) fn class_for(words: usize) -> u8 {
    let found = CLASSES.iter().position(|&size| usize::from(size) >= words);
    debug_assert!(found.is_some(), "the largest entity fits the largest class");
    found.unwrap_or(CLASSES.len() - 1) as u8
}

/// Words of a block.
pub(super) fn class_words(class: u8) -> usize {
    usize::from(CLASSES[usize::from(class)])
}

/// A block: its first word, in units of 4 words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block(pub u32);

#[derive(Clone, Debug, PartialEq)]
struct Page {
    class: u8,
    used: u16,
    /// First free block, by position in the page, plus one; 0 where there is none.
    free: u16,
    /// Neighbours among the pages of this class that have a free block.
    previous: u32,
    next: u32,
}

/// The pages.
#[derive(Clone, Debug)]
pub(super) struct Arena {
    /// [`Self::base`] words that nothing uses, then the pages.
    words: Vec<u32>,
    /// Where the first cache line begins.
    base: usize,
    pages: Vec<Page>,
    /// First page with a free block, per class.
    partial: [u32; CLASSES.len()],
    /// Pages without a block in use.
    empty: Vec<u32>,
}

impl Arena {
    /// An arena that will hold at most this many bytes.
    pub fn new(limit_bytes: usize) -> Self {
        let mut words: Vec<u32> = super::pages::with_capacity(limit_bytes / 4 + LINE);
        // Where no alignment can be told, blocks may straddle lines: slower, nothing else.
        let base = match words.as_ptr().align_offset(LINE * 4) {
            offset if offset < LINE => offset,
            _ => 0,
        };
        words.resize(base, 0);
        Self { words, base, pages: Vec::new(), partial: [NONE; CLASSES.len()], empty: Vec::new() }
    }

    /// Bytes in pages, used or not.
    pub fn bytes(&self) -> usize {
        self.pages.len() * PAGE_BYTES
    }

    /// Number of pages.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Blocks in a page; 0 while it is not cut.
    pub fn blocks_in(&self, page: usize) -> usize {
        if self.pages[page].used == 0 { 0 } else { PAGE_WORDS / class_words(self.pages[page].class) }
    }

    /// The block at a position in a page; `None` if it is free.
    pub fn block_at(&self, page: usize, position: usize) -> Option<Block> {
        let word = page * PAGE_WORDS + position * class_words(self.pages[page].class);
        (self.words[self.base + word + META] != FREE).then_some(Block((word / UNIT) as u32))
    }

    /// Whether a block of this class is to be had without a new page.
    pub fn has_room(&self, class: u8) -> bool {
        self.partial[usize::from(class)] != NONE || !self.empty.is_empty()
    }

    /// Adds an empty page.
    pub fn add_page(&mut self) {
        self.words.resize(self.words.len() + PAGE_WORDS, 0);
        self.empty.push(self.pages.len() as u32);
        self.pages.push(Page { class: 0, used: 0, free: 0, previous: NONE, next: NONE });
    }

    /// Takes a block, with undefined content; `None` without [`Self::has_room`].
    pub fn take(&mut self, class: u8) -> Option<Block> {
        if self.partial[usize::from(class)] == NONE {
            let page = self.empty.pop()?;
            self.cut(page as usize, class);
        }
        let page = self.partial[usize::from(class)] as usize;
        let position = usize::from(self.pages[page].free - 1);
        let word = page * PAGE_WORDS + position * class_words(class);
        self.pages[page].free = self.words[self.base + word] as u16;
        self.pages[page].used += 1;
        self.words[self.base + word + META] = 0;
        if self.pages[page].free == 0 {
            self.unlist(page);
        }
        Some(Block((word / UNIT) as u32))
    }

    /// Gives a block back.
    pub fn give(&mut self, block: Block) {
        let word = block.0 as usize * UNIT;
        let page = word / PAGE_WORDS;
        let position = (word % PAGE_WORDS) / class_words(self.pages[page].class);
        self.words[self.base + word] = u32::from(self.pages[page].free);
        self.words[self.base + word + META] = FREE;
        if self.pages[page].free == 0 {
            self.list(page);
        }
        self.pages[page].free = position as u16 + 1;
        self.pages[page].used -= 1;
        if self.pages[page].used == 0 {
            self.unlist(page);
            self.empty.push(page as u32);
        }
    }

    /// A block's words from its first to the end of its page.
    #[inline]
    pub fn get(&self, block: Block) -> &[u32] {
        let word = block.0 as usize * UNIT;
        &self.words[self.base + word..self.base + (word / PAGE_WORDS + 1) * PAGE_WORDS]
    }

    /// A block's words from its first to the end of its page, to be changed within the block.
    #[inline]
    pub fn get_mut(&mut self, block: Block) -> &mut [u32] {
        let word = block.0 as usize * UNIT;
        &mut self.words[self.base + word..self.base + (word / PAGE_WORDS + 1) * PAGE_WORDS]
    }

    /// The block, if there are such words.
    pub fn try_get(&self, block: Block) -> Option<&[u32]> {
        ((block.0 as usize * UNIT) < self.pages.len() * PAGE_WORDS).then(|| self.get(block))
    }

    /// One block to read and another to write.
    pub fn pair(&mut self, from: Block, to: Block) -> (&[u32], &mut [u32]) {
        let [from, to] = [from, to].map(|block| self.base + block.0 as usize * UNIT);
        if from < to {
            let (before, after) = self.words.split_at_mut(to);
            (&before[from..], after)
        } else {
            let (before, after) = self.words.split_at_mut(from);
            (after, &mut before[to..])
        }
    }

    /// Asks the processor for the cache line of a word of a block.
    #[inline]
    pub fn prefetch(&self, block: Block, word: usize) {
        super::table::prefetch(&self.words, self.base + block.0 as usize * UNIT + word);
    }

    fn cut(&mut self, page: usize, class: u8) {
        let size = class_words(class);
        let blocks = PAGE_WORDS / size;
        for position in 0..blocks {
            let word = self.base + page * PAGE_WORDS + position * size;
            let next = if position + 1 < blocks { position + 2 } else { 0 };
            self.words[word] = next as u32;
            self.words[word + META] = FREE;
        }
        self.pages[page] = Page { class, used: 0, free: 1, previous: NONE, next: NONE };
        self.list(page);
    }

    fn list(&mut self, page: usize) {
        let first = &mut self.partial[usize::from(self.pages[page].class)];
        let next = std::mem::replace(first, page as u32);
        self.pages[page].previous = NONE;
        self.pages[page].next = next;
        if next != NONE {
            self.pages[next as usize].previous = page as u32;
        }
    }

    fn unlist(&mut self, page: usize) {
        let Page { class, previous, next, .. } = self.pages[page];
        match previous {
            NONE => self.partial[usize::from(class)] = next,
            before => self.pages[before as usize].next = next,
        }
        if next != NONE {
            self.pages[next as usize].previous = previous;
        }
    }

    pub fn write(&self, to: &mut Writer<'_>) -> Result<(), SnapshotError> {
        to.list(&self.words[self.base..])?;
        to.list(&self.partial)?;
        to.list(&self.empty)?;
        to.number(self.pages.len() as u64)?;
        for page in &self.pages {
            let small = u64::from(page.class) | u64::from(page.used) << 16 | u64::from(page.free) << 32;
            to.number(small)?;
            to.number(u64::from(page.previous) | u64::from(page.next) << 32)?;
        }
        Ok(())
    }

    pub fn read(from: &mut Reader<'_>, limit_bytes: usize) -> Result<Self, SnapshotError> {
        let mut arena = Self::new(limit_bytes);
        from.list_into(&mut arena.words, limit_bytes / 4)?;
        let mut partial = Vec::new();
        from.list_into(&mut partial, CLASSES.len())?;
        arena.partial = partial.try_into().map_err(|_| SnapshotError::Damaged)?;
        let pages = (arena.words.len() - arena.base) / PAGE_WORDS;
        from.list_into(&mut arena.empty, pages)?;
        if from.number()? != pages as u64 {
            return Err(SnapshotError::Damaged);
        }
        for _ in 0..pages {
            let (small, links) = (from.number()?, from.number()?);
            let class = small as u8;
            if usize::from(class) >= CLASSES.len() {
                return Err(SnapshotError::Damaged);
            }
            arena.pages.push(Page {
                class,
                used: (small >> 16) as u16,
                free: (small >> 32) as u16,
                previous: links as u32,
                next: (links >> 32) as u32,
            });
        }
        Ok(arena)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_never_overlap_and_an_emptied_page_serves_another_size() {
        let mut arena = Arena::new(1 << 20);
        arena.add_page();
        let class = class_for(100);
        let mut taken = Vec::new();
        while let Some(block) = arena.take(class) {
            taken.push(block);
        }
        assert_eq!(taken.len(), PAGE_WORDS / class_words(class));
        let mut starts: Vec<u32> = taken.iter().map(|b| b.0).collect();
        starts.sort_unstable();
        assert!(starts.windows(2).all(|w| (w[1] - w[0]) as usize * UNIT >= class_words(class)));

        let other = class_for(12);
        assert!(!arena.has_room(other) && arena.take(other).is_none());
        for block in taken {
            arena.give(block);
        }
        assert!(arena.has_room(other) && arena.take(other).is_some());
        assert_eq!(arena.pages(), 1);
    }

    #[test]
    fn freed_blocks_are_taken_again_before_a_page_is_needed() {
        let mut arena = Arena::new(1 << 20);
        arena.add_page();
        let class = class_for(20);
        let blocks: Vec<Block> = std::iter::from_fn(|| arena.take(class)).collect();
        for block in blocks.iter().step_by(3) {
            arena.give(*block);
        }
        let again = std::iter::from_fn(|| arena.take(class)).count();
        assert_eq!(again, blocks.len().div_ceil(3));
    }
}
