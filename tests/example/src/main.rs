use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let words = args
        .iter()
        .position(|a| a == "--words")
        .and_then(|at| args.get(at + 1))
        .and_then(|n| n.parse::<usize>().ok())
        .unwrap_or(1000);
    match args.get(1).map(String::as_str) {
        Some("count") => {
            let text = wordmill::text::generate(words);
            let index = wordmill::count_words(&text);
            for line in wordmill::report::lines(&wordmill::top(&index, 10)) {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Some("help") => {
            print!("{}", wordmill::report::usage(&args[0]));
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{}", wordmill::report::usage("wordmill"));
            ExitCode::from(2)
        }
    }
}
