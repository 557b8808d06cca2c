//! Counting tests from the closing lines of their runners.

/// How many tests ended how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// Takes in a line of a runner's output, if it is one that counts: nextest's
    /// `Summary [1.2s] 9 tests run: 8 passed (1 slow), 1 failed, 2 skipped`, or each
    /// `test result: ok. 8 passed; 1 failed; 2 ignored; …` of libtest.
    pub fn read(&mut self, line: &str) {
        let plain = strip_colours(line);
        let rest = match plain.trim_start() {
            l if l.starts_with("Summary [") => l.split_once(':').map(|(_, r)| r),
            l => l.strip_prefix("test result:"),
        };
        let Some(rest) = rest else { return };
        let words: Vec<&str> =
            rest.split([' ', ',', ';', '(', ')', '.']).filter(|w| !w.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(n) = pair[0].parse::<usize>() else { continue };
            match pair[1] {
                "passed" => self.passed += n,
                "failed" | "timed" => self.failed += n,
                "skipped" | "ignored" => self.skipped += n,
                _ => {}
            }
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

fn strip_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners() {
        let mut t = Tally::default();
        t.read("     Summary [   1.2s] 9 tests run: 8 passed (1 slow), 1 failed, 2 skipped");
        assert_eq!(t, Tally { passed: 8, failed: 1, skipped: 2 });
        t.read("test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 5 filtered out");
        assert_eq!(t, Tally { passed: 11, failed: 3, skipped: 3 });
        t.read("\u{1b}[32m Summary\u{1b}[0m [0.1s] \u{1b}[1m1\u{1b}[0m test run: \u{1b}[1m1\u{1b}[0m passed");
        t.read("test foo ... 9 passed");
        assert_eq!(t.passed, 12);
    }
}
