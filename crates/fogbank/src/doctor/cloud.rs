//! Checks of the running cloud: is it there, whom does it refuse, who trusts it.

use std::fs;

use serde_json::Value;

use super::{Finding, Patient};

/// How many denials are listed; the rest is counted.
const LISTED: usize = 10;

/// Whether a cloud runs on the port, and whether its clock has been moved.
pub fn running(p: &Patient) -> Vec<Finding> {
    let port = p.instance.address.port();
    let Some(status) = &p.status else {
        return vec![match p.instance.is_up() {
            Ok(_) => Finding::trap(
                format!("no cloud runs on port {port}"),
                "start one with `fogbank up`; the checks below know less without it",
            ),
            Err(_) => Finding::bad(
                format!("port {port} is in use, but not by fogbank"),
                "choose another port with --port",
            ),
        }];
    };
    let version = status.get("fogbank").and_then(Value::as_str).unwrap_or("?");
    let mut found = vec![Finding::good(format!("fogbank {version} on {}", p.instance.endpoint()))];
    if version != env!("CARGO_PKG_VERSION") {
        found.push(Finding::trap(
            format!("the cloud is version {version}, this command {}", env!("CARGO_PKG_VERSION")),
            "restart the cloud with this version",
        ));
    }
    let offset = status.pointer("/clock/offset_seconds").and_then(Value::as_i64).unwrap_or(0);
    if offset != 0 {
        found.push(Finding::trap(
            format!("the cloud's clock is {offset} s away from real time"),
            "`fogbank clock set now` brings it back",
        ));
    }
    found
}

/// What policies denied, or in audit mode would have denied.
pub fn denials(p: &Patient) -> Vec<Finding> {
    let Some(all) = p.status.as_ref().and_then(|s| s.get("denials")?.as_array()) else {
        return Vec::new();
    };
    let text = |d: &Value, k: &str| d.get(k).and_then(Value::as_str).unwrap_or("?").to_owned();
    let mut found: Vec<_> = all
        .iter()
        .take(LISTED)
        .map(|d| {
            let enforced = d.get("enforced").and_then(Value::as_bool).unwrap_or(true);
            let verb = if enforced { "was denied" } else { "would be denied" };
            let (who, action) = (text(d, "principal"), text(d, "action"));
            let fact = format!("{who} {verb} {action} on {}", text(d, "resource"));
            Finding::trap(fact, text(d, "reason"))
        })
        .collect();
    if all.len() > LISTED {
        found.push(Finding::trap(
            format!("{} more denials", all.len() - LISTED),
            "GET /_fogbank/status has them all",
        ));
    }
    if found.is_empty() {
        found.push(Finding::good("policies have denied nothing"));
    }
    found
}

/// Whether the machine's own CA bundle holds the cloud's certificate authority.
pub fn trust(p: &Patient) -> Vec<Finding> {
    if p.status.is_none() {
        return Vec::new();
    }
    let Ok(ca) = p.instance.request("GET", "/_fogbank/ca.pem", b"") else {
        return vec![Finding::bad(
            "the cloud has no certificate authority, so no TLS",
            "its log says why; start it with FOGBANK_LOG=warn",
        )];
    };
    let ca = body(&String::from_utf8_lossy(&ca));
    let trusted = crate::shell::BUNDLES
        .iter()
        .filter_map(|b| fs::read_to_string(b).ok())
        .any(|b| body(&b).contains(&ca));
    vec![if trusted {
        Finding::good("the machine trusts the cloud's certificates")
    } else {
        Finding::trap(
            "the machine does not trust the cloud's certificates, so https:// fails outside \
             `fogbank shell`",
            format!(
                "use http://, `fogbank shell`, or trust {}/_fogbank/ca.pem",
                p.instance.endpoint()
            ),
        )
    }]
}

/// PEM text without its line ends, which bundles change.
fn body(pem: &str) -> String {
    pem.chars().filter(|c| !c.is_whitespace()).collect()
}
