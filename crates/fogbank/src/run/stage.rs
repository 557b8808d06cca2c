//! What a person sees of a blueprint: each step with its time as it happens, then a table.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The steps so far.
pub struct Stage {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    result: Result<String, String>,
    time: Duration,
}

/// A step that has begun; [`Stage::end`] ends it.
pub struct Step {
    name: &'static str,
    start: Instant,
    /// Turns while the step runs; draws nothing where stderr is no terminal.
    bar: ProgressBar,
}

impl Stage {
    /// Announces the system.
    pub fn new(number: &str, title: &str) -> Self {
        eprintln!("{number}  {title}\n");
        Stage { rows: Vec::new() }
    }

    /// Runs a step; what `f` returns is shown as its result.
    ///
    /// # Errors
    /// As `f`, after the failure was shown.
    pub fn step(
        &mut self,
        name: &'static str,
        f: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        let step = self.begin(name);
        self.end(step, f())
    }

    /// Begins a step whose work does not fit a closure.
    #[expect(clippy::unused_self, reason = "steps belong to a stage")]
    pub fn begin(&self, name: &'static str) -> Step {
        let bar = ProgressBar::new_spinner().with_message(name);
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(80));
        Step { name, start: Instant::now(), bar }
    }

    /// Ends it and shows its line.
    ///
    /// # Errors
    /// The result's own.
    pub fn end(&mut self, step: Step, result: anyhow::Result<String>) -> anyhow::Result<()> {
        let Step { name, start, bar } = step;
        let time = start.elapsed();
        bar.finish_and_clear();
        let (mark, text) = match &result {
            Ok(text) => ("ok", text.clone()),
            Err(e) => ("FAIL", format!("{e:#}")),
        };
        eprintln!("  {mark:<4} {name:<44} {:>9}  {text}", show(time));
        let failed = result.as_ref().err().map(|e| format!("{e:#}"));
        let row = failed.map_or(Ok(text), Err);
        self.rows.push(Row { name, result: row, time });
        result.map(drop)
    }

    /// All steps with their results and times.
    pub fn table(&self) -> String {
        let wide = |f: fn(&Row) -> usize| self.rows.iter().map(f).max().unwrap_or(0);
        let names = wide(|r| r.name.len()).max(4);
        let results = wide(|r| text(r).len()).clamp(6, 60);
        let mut out = String::new();
        let _ = writeln!(out, "{:<names$}  {:<results$}  {:>9}", "step", "result", "time");
        let _ = writeln!(out, "{:-<names$}  {:-<results$}  {:->9}", "", "", "");
        for r in &self.rows {
            let _ = writeln!(out, "{:<names$}  {:<results$}  {:>9}", r.name, text(r), show(r.time));
        }
        let total = self.rows.iter().map(|r| r.time).sum();
        let _ = writeln!(out, "{:<names$}  {:<results$}  {:>9}", "", "", show(total));
        out
    }
}

fn text(row: &Row) -> String {
    match &row.result {
        Ok(text) => text.clone(),
        Err(e) => format!("FAILED: {e}"),
    }
}

/// A time in the unit that suits it.
fn show(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_in_the_table() {
        let mut stage = Stage::new("00", "Test");
        stage.step("First", || Ok("done".into())).unwrap();
        assert!(stage.step("Second", || anyhow::bail!("broken")).is_err());
        let table = stage.table();
        assert!(table.contains("First   done") && table.contains("FAILED: broken"), "{table}");
        assert_eq!(show(Duration::from_micros(1500)), "1.5 ms");
    }
}
