//! Endpoints: where a subscription's messages go.

use fogbank_core::{Arn, Cx, Result};
use minicbor::{Decode, Encode};
use serde_json::{Value as Json, json};

use crate::address::is_account;
use crate::error::invalid;

/// How messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Protocol {
    #[n(0)]
    Sqs,
    #[n(1)]
    Lambda,
    #[n(2)]
    Http,
    #[n(3)]
    Https,
}

impl Protocol {
    /// # Errors
    /// `InvalidParameter` for what is none, `NotImplemented` for those that lead out of this machine.
    pub fn read(cx: &Cx, name: &str) -> Result<Self> {
        match name {
            "sqs" => Ok(Protocol::Sqs),
            "lambda" => Ok(Protocol::Lambda),
            "http" => Ok(Protocol::Http),
            "https" => Ok(Protocol::Https),
            "email" | "email-json" | "sms" | "application" | "firehose" => {
                Err(cx.refuse_member(&format!("Protocol={name}")))
            }
            _ => Err(invalid(format!("Amazon SNS does not support this protocol string: {name}"))),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Protocol::Sqs => "sqs",
            Protocol::Lambda => "lambda",
            Protocol::Http => "http",
            Protocol::Https => "https",
        }
    }

    pub fn is_http(self) -> bool {
        matches!(self, Protocol::Http | Protocol::Https)
    }

    /// Checks an endpoint for a topic; the account that owns it, if the endpoint says so.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn check(self, endpoint: &str, fifo_topic: bool) -> Result<Option<String>> {
        if fifo_topic && self != Protocol::Sqs {
            let name = self.name();
            return Err(invalid(format!(
                "Invalid parameter: Endpoint Reason: Please use FIFO SQS queue; protocol {name} \
                 can not be subscribed to a FIFO topic"
            )));
        }
        match self {
            Protocol::Sqs => {
                let arn =
                    Arn::parse(endpoint).filter(|a| a.service == "sqs" && is_account(a.account));
                let arn = arn.filter(|a| !a.resource.is_empty());
                let arn = arn.ok_or_else(|| invalid("SQS endpoint ARN"))?;
                if !fifo_topic && arn.resource.ends_with(".fifo") {
                    return Err(invalid(
                        "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed \
                         to standard SNS topics",
                    ));
                }
                Ok(Some(arn.account.to_owned()))
            }
            Protocol::Lambda => {
                let arn = Arn::parse(endpoint).filter(|a| a.service == "lambda");
                let arn = arn.filter(|a| a.resource.starts_with("function:"));
                let arn = arn.ok_or_else(|| invalid("Lambda endpoint ARN"))?;
                Ok(Some(arn.account.to_owned()))
            }
            Protocol::Http | Protocol::Https => {
                let scheme = endpoint.split_once("://").map(|(s, _)| s.to_ascii_lowercase());
                if scheme.as_deref() != Some(self.name()) {
                    return Err(invalid("Endpoint must match the specified protocol"));
                }
                let uri: Option<http::Uri> = endpoint.parse().ok();
                let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
                if !reachable(host, self == Protocol::Https) {
                    return Err(invalid(format!(
                        "Unreachable Endpoint: fogbank delivers to this machine and to its own \
                         names only, not to {host}"
                    )));
                }
                Ok(None)
            }
        }
    }
}

/// Whether messages may go to a host: this machine, and the cloud's own names.
fn reachable(host: &str, tls: bool) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let ours = [".amazonaws.com", ".on.aws", ".cloudfront.net"].iter().any(|s| host.ends_with(s));
    let here = host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    ours || here && !tls
}

/// `RedrivePolicy`: the queue of what could not be delivered.
pub struct Redrive;

impl Redrive {
    /// The ARN of the queue.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn parse(text: &str) -> Result<String> {
        let bad = |why: &str| invalid(format!("RedrivePolicy: {why}"));
        let json: Json = serde_json::from_str(text).map_err(|_| bad("failed to parse JSON"))?;
        let arn = json["deadLetterTargetArn"].as_str();
        let valid = |a: &&str| Arn::parse(a).is_some_and(|a| a.service == "sqs");
        let arn = arn.filter(valid).ok_or_else(|| bad("deadLetterTargetArn is an invalid arn"))?;
        Ok(arn.to_owned())
    }

    pub fn text(arn: &str) -> String {
        json!({ "deadLetterTargetArn": arn }).to_string()
    }
}

/// A queue's URL as SQS of this cloud takes it, and its region.
pub fn queue(arn: &str) -> Option<(String, String)> {
    let arn = Arn::parse(arn)?;
    Some((format!("/{}/{}", arn.account, arn.resource), arn.region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for (protocol, endpoint, fifo, good) in [
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:000000000000:q", false, true),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:000000000000:q.fifo", false, false),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:000000000000:q.fifo", true, true),
            (Protocol::Sqs, "http://x", false, false),
            (Protocol::Lambda, "arn:aws:lambda:us-east-1:000000000000:function:f", false, true),
            (Protocol::Lambda, "arn:aws:lambda:us-east-1:000000000000:function:f", true, false),
            (Protocol::Lambda, "arn:aws:lambda:us-east-1:000000000000:layer:f", false, false),
            (Protocol::Http, "http://127.0.0.1:8080/x", false, true),
            (Protocol::Http, "http://[::1]/x", false, true),
            (Protocol::Http, "http://example.com/", false, false),
            (Protocol::Http, "http://10.0.0.1/", false, false),
            (Protocol::Http, "https://127.0.0.1/", false, false),
            (Protocol::Https, "https://127.0.0.1/", false, false),
            (Protocol::Https, "https://a.execute-api.us-east-1.amazonaws.com/s", false, true),
            (Protocol::Https, "https://evil.com/.amazonaws.com", false, false),
            (Protocol::Https, "https://x.amazonaws.com@evil.com/", false, false),
        ] {
            assert_eq!(protocol.check(endpoint, fifo).is_ok(), good, "{endpoint}");
        }
    }
}
