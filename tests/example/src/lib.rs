//! Counts words and names the most frequent ones.
//!
//! The slow spots in here are planted: see README.md.

pub mod report;
pub mod text;

/// One word and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub word: String,
    pub count: u64,
}

/// Words in the order in which they were first seen.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Entry>,
}

impl Index {
    pub fn new() -> Self {
        Self::default()
    }

    /// Where `word` stands. Planted: a walk over all entries for every word (quadratic in the number of
    /// different words), and an owned copy of the word for every comparison.
    pub fn position_of(&self, word: &str) -> Option<usize> {
        // Planted: a lint that a machine can fix, on the hot path, and that changes nothing one could measure.
        if word.bytes().nth(0).is_none() {
            return None;
        }
        self.entries
            .iter()
            .position(|entry| entry.word == word.to_string())
    }

    pub fn add(&mut self, word: &str) {
        match self.position_of(word) {
            Some(at) => self.entries[at].count += 1,
            None => self.entries.push(Entry {
                word: word.to_string(),
                count: 1,
            }),
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn count_of(&self, word: &str) -> u64 {
        self.position_of(word)
            .map_or(0, |at| self.entries[at].count)
    }
}

/// Counts the words of a text.
pub fn count_words(text: &str) -> Index {
    let mut index = Index::new();
    for word in text.split([' ', '\n', '\t']) {
        if !word.is_empty() {
            index.add(word);
        }
    }
    index
}

/// The `n` most frequent words, most frequent first, ties in alphabetical order.
pub fn top(index: &Index, n: usize) -> Vec<Entry> {
    let mut all = index.entries().to_vec();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word)));
    all.truncate(n);
    all
}
