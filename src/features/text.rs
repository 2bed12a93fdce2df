//! Which comments say the same: exact and near-duplicate texts share one key.
//!
//! A comment that is long enough carries a MinHash of its character 2- and 3-grams (Broder, "On the
//! resemblance and containment of documents", 1997). Four bands of two lanes find candidates
//! (locality-sensitive hashing, Indyk and Motwani, 1998); a candidate counts where five of the eight
//! lanes agree (an estimated resemblance of about 0.6: the same clauses in another order, a filler word
//! added). Looser, and complaints about one thing by people who never met run together. Stock phrases have no key: a thousand times
//! "很好" says nothing.

use super::aged_map::AgedMap;
use crate::observation::Text;

/// Lanes that must agree for two comments to count as near-duplicates.
const LANES_ALIKE: usize = 5;

#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Wording {
    key: u64,
    lanes: [u32; 8],
}

/// State of the text linker.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct TextLinker {
    bands: AgedMap<Wording>,
}

impl TextLinker {
    /// An empty linker with room for about `capacity` comments.
    pub fn new(capacity: usize) -> Self {
        Self { bands: AgedMap::new(capacity * 4) }
    }

    /// Bytes that it takes at most.
    pub(super) fn most_bytes(capacity: usize) -> usize {
        AgedMap::<Wording>::most_bytes(capacity * 4)
    }

    /// Asks the memory for a comment's bands, some steps ahead.
    pub fn prefetch(&self, text: &Text) {
        if let Some(lanes) = text.minhash.filter(|_| !text.stock) {
            bands_of(&lanes).into_iter().for_each(|band| self.bands.prefetch(band));
        }
    }

    /// The key that this comment shares with those that say the same; 0 for a stock phrase.
    pub fn resolve(&mut self, text: &Text) -> u64 {
        if text.stock {
            return 0;
        }
        let Some(lanes) = text.minhash else {
            return text.exact.key();
        };
        let bands = bands_of(&lanes);
        let found = bands.iter().find_map(|&band| {
            let wording = self.bands.peek(band)?;
            let alike = wording.lanes.iter().zip(&lanes).filter(|(a, b)| a == b).count();
            (alike >= LANES_ALIKE).then_some(*wording)
        });
        let wording = found.unwrap_or(Wording { key: text.exact.key(), lanes });
        for band in bands {
            self.bands.entry(band, || wording);
        }
        wording.key
    }

    /// Entries held, for the metrics.
    pub fn len(&self) -> usize {
        self.bands.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn bands_of(lanes: &[u32; 8]) -> [u64; 4] {
    std::array::from_fn(|band| {
        let joined = u64::from(lanes[2 * band]) << 32 | u64::from(lanes[2 * band + 1]);
        (joined ^ band as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudonym::Pseudonym;

    fn text(id: u8, lanes: [u32; 8]) -> Text {
        Text { exact: Pseudonym([id; 16]), chars: 30, stock: false, minhash: Some(lanes) }
    }

    #[test]
    fn near_duplicates_share_a_key_and_strangers_do_not() {
        let mut linker = TextLinker::new(100);
        let first = linker.resolve(&text(1, [1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(linker.resolve(&text(2, [1, 2, 3, 4, 5, 60, 70, 80])), first);
        assert_ne!(linker.resolve(&text(3, [1, 2, 30, 40, 50, 61, 70, 80])), first);
        assert_eq!(linker.resolve(&Text { stock: true, ..text(1, [1; 8]) }), 0);
    }
}
