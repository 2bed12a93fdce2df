//! Names as numbers.

use std::collections::HashMap;

use compact_str::CompactString;

/// Names in the order in which they came. Reports sort by name, so that the order means nothing.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<CompactString, u32>,
    names: Vec<CompactString>,
}

impl Names {
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        // There are no more names than labels, whose number is limited far below 2³².
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.numbers.contains_key(name)
    }

    pub(super) fn get(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}
