use wordmill::{count_words, top, Index};

#[test]
fn counts_each_word() {
    let index = count_words("b a b\nc\tb");
    assert_eq!(index.count_of("b"), 3);
    assert_eq!(index.count_of("a"), 1);
    assert_eq!(index.count_of("missing"), 0);
}

#[test]
fn most_frequent_first_then_alphabetical() {
    let index = count_words("x y y z x w");
    let words: Vec<_> = top(&index, 3).into_iter().map(|e| e.word).collect();
    assert_eq!(words, ["x", "y", "w"]);
}

#[test]
fn empty_text_has_no_words() {
    assert!(count_words(" \n\t ").entries().is_empty());
    assert_eq!(Index::new().position_of("a"), None);
}

#[test]
fn generated_text_is_always_the_same() {
    let a = wordmill::text::generate(100);
    assert_eq!(a, wordmill::text::generate(100));
    assert_eq!(a.split_whitespace().count(), 100);
}
