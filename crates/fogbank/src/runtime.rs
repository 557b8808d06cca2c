//! `fogbank runtime`: which interpreters run Lambda functions, and installing them.

use fogbank_lambda_runtime::{Language, Runtimes};

use crate::cli::RuntimeAction;
use crate::cloud::data;

/// Lists what each runtime stands for, or installs what one needs.
///
/// # Errors
/// When nothing can be installed.
pub fn runtime(action: &RuntimeAction) -> anyhow::Result<()> {
    let runtimes = Runtimes::new(data::cache().join("runtimes"));
    match action {
        RuntimeAction::List => crate::output(&table(&runtimes)),
        RuntimeAction::Add { id, packages } => {
            let say = |text: &str| eprintln!("{text}");
            let found = runtimes.add(id, packages, say).map_err(anyhow::Error::msg)?;
            crate::output(&format!("{id}  {}  {}\n", found.describe(), found.program.display()))
        }
    }
}

fn table(runtimes: &Runtimes) -> String {
    let mut text = String::new();
    for line in runtimes.list() {
        let (what, path) = match &line.found {
            Ok(i) if i.language == Language::Provided => {
                ("the function's own bootstrap".to_owned(), String::new())
            }
            Ok(i) => (i.describe(), i.program.display().to_string()),
            Err(why) => (why.clone(), String::new()),
        };
        text.push_str(format!("{:<16} {what}  {path}", line.id).trim_end());
        text.push('\n');
    }
    text
}
