//! Trace headers: who caused an invocation, and how often a function is already among its causes.
//!
//! AWS's SDKs pass `_X_AMZN_TRACE_ID` on in what a function calls, so that a loop shows in it:
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use fogbank_core::Ids;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// So many times a function may be among the causes of its own invocation.
pub const MOST: u32 = 16;
/// So many functions are remembered in a header.
const REMEMBERED: usize = 8;

/// A header for the function and how often it is in it now.
#[must_use]
pub fn enter(
    header: Option<&str>,
    function: &str,
    active: bool,
    ids: &Ids,
    now: Timestamp,
) -> (String, u32) {
    let parts = || header.unwrap_or_default().split(';').map(str::trim);
    let field = |name: &str| {
        parts().find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let root = field("Root").filter(|r| is_root(r));
    let root = root.unwrap_or_else(|| format!("1-{:08x}-{}", now.as_second(), ids.hex(24)));
    let parent = field("Parent").filter(|p| p.len() == 16).unwrap_or_else(|| ids.hex(16));
    let sampled = match field("Sampled").as_deref() {
        Some("1") => "1",
        Some("0") => "0",
        _ if active => "1",
        _ => "0",
    };
    let own = mark(function);
    let mut lineage: Vec<(String, u32)> = field("Lineage")
        .map(|l| {
            let marks = l.split('|').filter_map(|m| {
                let mut last = m.rsplitn(3, ':');
                let (n, mark) = (last.next()?.parse().ok()?, last.next()?);
                Some((mark.to_owned(), n))
            });
            marks.take(REMEMBERED).collect()
        })
        .unwrap_or_default();
    let count = match lineage.iter().position(|(m, _)| *m == own) {
        Some(at) => {
            let (_, n) = lineage.remove(at);
            n.saturating_add(1)
        }
        None => 0,
    };
    lineage.insert(0, (own, count));
    lineage.truncate(REMEMBERED);
    let lineage: Vec<String> = lineage.iter().map(|(m, n)| format!("1:{m}:{n}")).collect();
    let lineage = lineage.join("|");
    (format!("Root={root};Parent={parent};Sampled={sampled};Lineage={lineage}"), count)
}

fn mark(function: &str) -> String {
    Sha256::digest(function)[..4].iter().map(|b| format!("{b:02x}")).collect()
}

fn is_root(text: &str) -> bool {
    text.len() == 35 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_counts_up_and_others_do_not() {
        let ids = Ids::seeded(1);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let (mut header, n) = enter(None, "f", false, &ids, now);
        assert_eq!(n, 0);
        assert!(
            header.starts_with("Root=1-6553f100-") && header.contains(";Sampled=0;"),
            "{header}"
        );
        let root = header[5..40].to_owned();
        for round in 1..=3 {
            header = enter(Some(&header), "g", false, &ids, now).0;
            let (next, n) = enter(Some(&header), "f", true, &ids, now);
            assert_eq!(n, round);
            header = next;
        }
        assert_eq!(&header[5..40], root);
        for odd in ["", ";;;", "Root=1;Lineage=::|x", "Lineage=a:b:c:99999999999"] {
            assert_eq!(enter(Some(odd), "f", false, &ids, now).1, 0, "{odd}");
        }
    }
}
