//! botocore's own protocol cases, in both directions: its requests must be read to its parameters,
//! and our replies must be read by botocore's parsers to its results.
//!
//! Needs botocore's source package (`cargo xtask models --fetch-only`) and, for the replies, a
//! Python that can import botocore's dependencies; says `skipped: …` without them.
//! `botocore/exceptions.txt` names the cases that do not hold, each with its reason. It may only
//! shrink: a case listed there that passes fails the test.

#![allow(clippy::print_stdout, reason = "says what was skipped and why")]

#[path = "botocore/input.rs"]
mod input;
#[path = "botocore/output.rs"]
mod output;
#[path = "botocore/suite.rs"]
mod suite;

use std::collections::BTreeMap;

use suite::{Case, exceptions, suites};

#[test]
fn requests_are_read_as_botocore_wrote_them() {
    let Some(cases) = suites("input") else { return };
    let failures = cases.iter().filter_map(|c| Some((c.id(), input::check(c).err()?)));
    judge("input/", cases.len(), &failures.collect());
}

#[test]
fn replies_are_read_by_botocores_parsers() {
    let Some(cases) = suites("output") else { return };
    let Some(failures) = output::check(&cases) else { return };
    judge("output/", cases.len(), &failures);
}

/// Compares what failed with what is allowed to.
fn judge(prefix: &str, total: usize, failures: &BTreeMap<String, String>) {
    assert!(total > 300, "only {total} cases were found");
    let allowed = exceptions(prefix);
    let mut wrong = Vec::new();
    for (id, why) in failures {
        if !allowed.contains(id) {
            wrong.push(format!("{id}\n    {why}"));
        }
    }
    for id in &allowed {
        if !failures.contains_key(id) {
            wrong.push(format!("{id}\n    passes: take it off the list"));
        }
    }
    println!("{prefix} {} of {total} cases pass", total - failures.len());
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// A case with the model it is about.
impl Case {
    fn id(&self) -> String {
        format!("{}/{}/{}", self.direction, self.file, self.name)
    }
}
