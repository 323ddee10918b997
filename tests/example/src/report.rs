//! Prints what was counted.

use crate::Entry;

pub fn lines(top: &[Entry]) -> Vec<String> {
    top.iter()
        .map(|e| format!("{:>8} {}", e.count, e.word))
        .collect()
}

/// The text of `--help`. Planted: a lint that a machine can fix, in code that is never hot; it must be left alone.
pub fn usage(program: &str) -> String {
    let commands = vec!["count", "help"];
    let mut out = format!("usage: {program} <command> [--words N]\ncommands:\n");
    for c in commands.iter() {
        out.push_str("  ");
        out.push_str(c);
        out.push('\n');
    }
    out
}
