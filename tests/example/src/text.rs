//! A text that is always the same, so that a run needs no input file.

/// `words` words from a vocabulary that grows with the text, by a small linear congruential generator.
pub fn generate(words: usize) -> String {
    let vocabulary = words as u64 / 8 + 16;
    let mut state: u64 = 0x2545_F491_4F6C_DD1D;
    let mut out = String::with_capacity(words * 8);
    for i in 0..words {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = (state >> 33) % vocabulary;
        out.push_str("word");
        out.push_str(&pick.to_string());
        out.push(if i % 12 == 11 { '\n' } else { ' ' });
    }
    out
}
