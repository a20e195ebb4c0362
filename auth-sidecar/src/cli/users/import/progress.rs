//! How far an import is, and what came of it.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

/// Rows between two lines where nobody watches.
const ROWS: u64 = 10_000;
/// Time between two pictures of the bar.
const PAUSE: Duration = Duration::from_millis(200);
/// Width of the bar.
const WIDTH: u64 = 30;

/// What became of the rows.
#[derive(Default)]
pub struct Counts {
    pub read: u64,
    pub imported: u64,
    pub updated: u64,
    pub there: u64,
    pub rejected: u64,
}

impl Counts {
    /// The last line.
    pub fn summary(&self, dry_run: bool, update: bool, seconds: f64) -> String {
        let Self { read, imported, updated, there, rejected } = self;
        let (begin, done) = if dry_run { ("nothing written: ", "to import") } else { ("", "imported") };
        let there = if update && !dry_run { format!("updated {updated}") } else { format!("already there {there}") };
        format!("{begin}read {read}, {done} {imported}, {there}, rejected {rejected} in {seconds:.1} s")
    }
}

/// A bar on a terminal, a line now and then elsewhere; on standard error.
pub struct Progress {
    terminal: bool,
    /// Bytes of the file, where that is known.
    size: Option<u64>,
    began: Instant,
    last: Instant,
}

impl Progress {
    pub fn new(size: Option<u64>) -> Self {
        let now = Instant::now();
        Self { terminal: stderr().is_terminal(), size, began: now, last: now }
    }

    /// A further row was read; the file up to `bytes`.
    pub fn tick(&mut self, bytes: u64, counts: &Counts) {
        if !self.terminal {
            if counts.read.is_multiple_of(ROWS) {
                eprintln!("{}", line(counts));
            }
        } else if self.last.elapsed() >= PAUSE {
            self.last = Instant::now();
            eprint!("\r{} {}\u{1b}[K", self.size.map(|size| bar(bytes, size)).unwrap_or_default(), line(counts));
            let _ = stderr().flush();
        }
    }

    /// Leaves the terminal clean.
    pub fn end(&self) {
        if self.terminal {
            eprint!("\r\u{1b}[K");
        }
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

fn line(counts: &Counts) -> String {
    format!("{} rows read, {} rejected", counts.read, counts.rejected)
}

fn bar(bytes: u64, size: u64) -> String {
    let of = |whole: u64| bytes.min(size).saturating_mul(whole).checked_div(size).unwrap_or(whole);
    let filled = usize::try_from(of(WIDTH)).unwrap_or_default();
    let width = usize::try_from(WIDTH).unwrap_or_default();
    format!("[{:<width$}] {:>3} %", "#".repeat(filled), of(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_to_its_end_and_not_beyond() {
        assert_eq!(bar(0, 10), format!("[{}]   0 %", " ".repeat(30)));
        assert_eq!(bar(5, 10), format!("[{}{}]  50 %", "#".repeat(15), " ".repeat(15)));
        assert_eq!(bar(11, 10), format!("[{}] 100 %", "#".repeat(30)));
        assert_eq!(bar(0, 0), format!("[{}] 100 %", "#".repeat(30)));
    }

    #[test]
    fn the_last_line_says_what_was_done() {
        let counts = Counts { read: 9, imported: 4, updated: 3, there: 2, rejected: 1 };
        assert_eq!(counts.summary(false, false, 1.25), "read 9, imported 4, already there 2, rejected 1 in 1.2 s");
        assert_eq!(counts.summary(false, true, 0.0), "read 9, imported 4, updated 3, rejected 1 in 0.0 s");
        let dry = counts.summary(true, true, 0.0);
        assert_eq!(dry, "nothing written: read 9, to import 4, already there 2, rejected 1 in 0.0 s");
    }
}
