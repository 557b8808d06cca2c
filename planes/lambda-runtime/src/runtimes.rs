//! Which interpreter stands behind a runtime's id.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>. What `fogbank runtime add`
//! has installed comes first, then what the machine has: the version that the id names, else the
//! nearest one, which is said in the log (`INIT_START`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;

mod install;

pub use install::Listed;

/// The interpreters at hand; cheap to clone.
#[derive(Clone, Debug)]
pub struct Runtimes {
    cache: PathBuf,
    found: Arc<Mutex<HashMap<String, Interpreter>>>,
}

/// What runs the functions of a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    pub language: Language,
    /// The program, symbolic links resolved. For [`Language::Provided`] it is the function's own.
    pub program: PathBuf,
    /// `3.13.0`, `22.11.0`.
    pub version: String,
    /// What must be visible for it to run, where it is not below `/usr`.
    pub prefix: Option<PathBuf>,
    /// The folder of the AWS SDK that the real runtime carries, if it was installed.
    pub sdk: Option<PathBuf>,
    /// Whether this is the version that the id names, or only the nearest.
    pub exact: bool,
}

/// The family of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    Python,
    Node,
    /// The function brings its own program, `bootstrap`.
    Provided,
}

impl Language {
    /// Reads a runtime's id: the family and the version's numbers.
    #[must_use]
    pub fn parse(id: &str) -> Option<(Language, Vec<u32>)> {
        let numbers = |s: &str| s.split('.').map(|n| n.parse().ok()).collect::<Option<Vec<u32>>>();
        if let Some(v) = id.strip_prefix("python") {
            return Some((Language::Python, numbers(v).filter(|v| v.len() == 2)?));
        }
        if let Some(v) = id.strip_prefix("nodejs") {
            return Some((Language::Node, numbers(v.strip_suffix(".x")?)?));
        }
        matches!(id, "provided" | "provided.al2" | "provided.al2023")
            .then_some((Language::Provided, Vec::new()))
    }

    fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::Node => "node",
            Language::Provided => "provided",
        }
    }
}

impl Interpreter {
    /// As `INIT_START` names it: `python:3.13.0`, and what is different from AWS's.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut s = match self.language {
            Language::Provided => return "provided:al2023".to_owned(),
            Language::Python => format!("python:{}", self.version),
            Language::Node => format!("nodejs:{}", self.version),
        };
        if !self.exact {
            s.push_str(" (the nearest on this machine)");
        }
        if self.sdk.is_none() {
            s.push_str(" (without the AWS SDK: see `fogbank runtime add`)");
        }
        s
    }
}

impl Runtimes {
    /// `cache` is where `fogbank runtime add` installs.
    #[must_use]
    pub fn new(cache: PathBuf) -> Self {
        Runtimes { cache, found: Arc::default() }
    }

    /// Where runtimes are installed.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// What runs `id`. It is looked for once, and again when it has gone.
    ///
    /// # Errors
    /// Words for a person: there is none, and what would help.
    pub fn find(&self, id: &str) -> Result<Interpreter, String> {
        if let Some(i) = self.found.lock().get(id)
            && (i.program.as_os_str().is_empty() || i.program.exists())
        {
            return Ok(Interpreter { sdk: self.sdk(i.language), ..i.clone() });
        }
        let Some((language, version)) = Language::parse(id) else {
            return Err(format!("The runtime {id} is not implemented by fogbank"));
        };
        let found = match language {
            Language::Provided => Interpreter {
                language,
                program: PathBuf::new(),
                version: String::new(),
                prefix: None,
                sdk: None,
                exact: true,
            },
            _ => self.search(language, &version).ok_or_else(|| {
                format!(
                    "No interpreter for {id} on this machine: install {} {} or run \
                     `fogbank runtime add {id}`",
                    language.name(),
                    version.iter().map(u32::to_string).collect::<Vec<_>>().join("."),
                )
            })?,
        };
        self.found.lock().insert(id.to_owned(), found.clone());
        Ok(found)
    }

    /// Where the SDK of a language is installed.
    #[must_use]
    pub fn sdk_folder(&self, language: Language) -> PathBuf {
        self.cache.join("sdk").join(language.name())
    }

    fn sdk(&self, language: Language) -> Option<PathBuf> {
        let folder = self.sdk_folder(language);
        let witness = match language {
            Language::Python => "boto3",
            Language::Node => "node_modules/@aws-sdk",
            Language::Provided => return None,
        };
        folder.join(witness).is_dir().then_some(folder)
    }

    fn search(&self, language: Language, wanted: &[u32]) -> Option<Interpreter> {
        let mut best: Option<(Interpreter, u64)> = None;
        for program in self.candidates(language, wanted) {
            let Some(mut i) = probe(language, &program) else { continue };
            i.sdk = self.sdk(language);
            let distance = distance(wanted, &i.version);
            i.exact = distance == 0;
            if i.exact {
                return Some(i);
            }
            if best.as_ref().is_none_or(|(_, d)| distance < *d) {
                best = Some((i, distance));
            }
        }
        best.map(|(i, _)| i)
    }

    /// Programs worth asking, the likeliest first.
    fn candidates(&self, language: Language, wanted: &[u32]) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        let mut below = |parent: PathBuf, child: &str| {
            let mut all: Vec<PathBuf> = std::fs::read_dir(parent)
                .map(|d| d.flatten().map(|e| e.path().join(child)).collect())
                .unwrap_or_default();
            // Newest first, as far as names tell.
            all.sort();
            all.reverse();
            folders.extend(all);
        };
        below(self.cache.join(language.name()), "bin");
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        match language {
            Language::Python => {
                below(home.join(".pyenv/versions"), "bin");
                below(home.join(".local/share/uv/python"), "bin");
            }
            _ => below(home.join(".nvm/versions/node"), "bin"),
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        folders.extend(std::env::split_paths(&path));
        folders.extend(["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
        let names: Vec<String> = match (language, wanted) {
            (Language::Python, [major, minor]) => {
                // The named version, then its neighbours, newer before older.
                let near = (1..=8).flat_map(|d| [minor.checked_add(d), minor.checked_sub(d)]);
                std::iter::once(Some(*minor))
                    .chain(near)
                    .flatten()
                    .map(|m| format!("python{major}.{m}"))
                    .collect()
            }
            _ => vec!["node".to_owned()],
        };
        let mut found = Vec::new();
        for name in &names {
            for folder in &folders {
                let program = folder.join(name);
                if program.is_file() && !found.contains(&program) {
                    found.push(program);
                }
            }
        }
        found
    }
}

/// How far a version is from the wanted one; newer counts as nearer than older.
fn distance(wanted: &[u32], version: &str) -> u64 {
    let mut have = version.split('.').map(|n| n.parse().unwrap_or(0u32));
    let mut sum = 0u64;
    for w in wanted {
        let h = have.next().unwrap_or(0);
        let d = u64::from(h.abs_diff(*w)) * 2;
        sum = sum * 100 + if h < *w { d + 1 } else { d };
    }
    sum
}

/// Asks a program what it is; `None` when it is not what its name says.
fn probe(language: Language, program: &Path) -> Option<Interpreter> {
    let code = match language {
        Language::Python => [
            "-ISc",
            "import sys; print(getattr(sys,'_base_executable',sys.executable)); \
             print('%d.%d.%d'%sys.version_info[:3])",
        ],
        _ => ["-p", "process.execPath+'\\n'+process.version"],
    };
    let mut command = Command::new(program);
    command.args(code).stdin(Stdio::null()).stderr(Stdio::null()).env_remove("NODE_OPTIONS");
    let output = command.output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    let program = Path::new(lines.next()?).canonicalize().ok()?;
    let version = lines.next()?.trim_start_matches('v').to_owned();
    let prefix = program.parent().filter(|p| p.ends_with("bin")).and_then(Path::parent);
    let prefix = prefix.filter(|p| !p.starts_with("/usr")).map(Path::to_owned);
    if prefix.is_none() && !program.starts_with("/usr") {
        return None;
    }
    Some(Interpreter { language, program, version, prefix, sdk: None, exact: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read() {
        let parse = Language::parse;
        assert_eq!(parse("python3.13"), Some((Language::Python, vec![3, 13])));
        assert_eq!(parse("nodejs22.x"), Some((Language::Node, vec![22])));
        assert_eq!(parse("provided.al2023"), Some((Language::Provided, vec![])));
        for bad in ["java21", "python3", "nodejs22", "python3.x", "dotnet8", ""] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_nearest_is_the_next_newer_one() {
        let nearest = |wanted: &[u32], have: &[&str]| {
            have.iter().min_by_key(|v| distance(wanted, v)).map(|v| (*v).to_owned()).unwrap()
        };
        assert_eq!(nearest(&[3, 12], &["3.11.9", "3.13.0", "3.12.1"]), "3.12.1");
        assert_eq!(nearest(&[3, 12], &["3.11.9", "3.13.0"]), "3.13.0");
        assert_eq!(nearest(&[22], &["20.1.0", "18.0.0"]), "20.1.0");
        assert_eq!(distance(&[22], "22.4.1"), 0);
    }
}
