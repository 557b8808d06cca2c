//! Addresses of queues: the record's key, the ARN and the URL of one thing.

use fogbank_core::{ApiError, Arn, Cx, Result};
use fogbank_store::Key;

use crate::error::invalid;

/// What identifies a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub account: String,
    pub region: String,
    pub name: String,
}

impl Address {
    /// A queue of the request's account and region.
    pub fn own(cx: &Cx, name: &str) -> Self {
        Address {
            account: cx.account.clone(),
            region: cx.region.clone().into_owned(),
            name: name.to_owned(),
        }
    }

    /// The queue that a URL names, whatever its host: clients reach one cloud by many names.
    ///
    /// # Errors
    /// `InvalidAddress` for what is no queue's URL.
    pub fn of_url(cx: &Cx, url: &str) -> Result<Self> {
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => url,
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut parts = path.rsplit('/').filter(|p| !p.is_empty());
        let name = parts.next().ok_or_else(|| bad_address(url))?;
        let account = match parts.next() {
            Some(account) if is_account(account) => account,
            Some("queue") | None => &cx.account,
            Some(_) => return Err(bad_address(url)),
        };
        let account = account.to_owned();
        Ok(Address { account, ..Address::own(cx, name) })
    }

    /// `None` for what is no queue's ARN.
    pub fn of_arn(text: &str) -> Option<Self> {
        let arn = Arn::parse(text).filter(|a| a.service == "sqs" && is_account(a.account))?;
        is_name(arn.resource).then(|| Address {
            account: arn.account.to_owned(),
            region: arn.region.to_owned(),
            name: arn.resource.to_owned(),
        })
    }

    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:sqs:{}:{}:{}", self.region, self.account, self.name)
    }

    /// The URL by which the client of this request reaches the queue.
    pub fn url(&self, cx: &Cx) -> String {
        let Address { account, name, .. } = self;
        match &cx.http {
            Some(http) => {
                let scheme = if http.tls { "https" } else { "http" };
                format!("{scheme}://{}/{account}/{name}", http.host)
            }
            None => format!("{}/{account}/{name}", cx.cloud.endpoint()),
        }
    }
}

fn bad_address(url: &str) -> ApiError {
    ApiError::new("InvalidAddress", format!("The address {url} is not valid for this endpoint."))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a queue may be called so.
pub fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    !stem.is_empty() && name.len() <= 80 && stem.bytes().all(fits)
}

/// # Errors
/// AWS's sentence about names, of which there are two.
pub fn check_name(name: &str, fifo: bool) -> Result<()> {
    if is_name(name) && name.ends_with(".fifo") == fifo {
        return Ok(());
    }
    Err(invalid(if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
         underscores, must end with .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, root};

    #[tokio::test]
    async fn urls_of_any_host_name_a_queue() {
        let cx = Fixture::new().alone.cx("sqs", "SendMessage", root());
        let read = |url: &str| Address::of_url(&cx, url).map(|a| (a.account, a.name));
        for (url, account, name) in [
            ("http://127.0.0.1:4566/111122223333/q", "111122223333", "q"),
            ("https://sqs.us-east-1.amazonaws.com/111122223333/q.fifo", "111122223333", "q.fifo"),
            ("http://localhost:4566/queue/q", "000000000000", "q"),
            ("/111122223333/q/", "111122223333", "q"),
            ("q", "000000000000", "q"),
        ] {
            assert_eq!(read(url).unwrap(), (account.to_owned(), name.to_owned()), "{url}");
        }
        for url in ["", "http://h", "http://h/", "http://h/abc/q"] {
            assert_eq!(read(url).unwrap_err().code(), "InvalidAddress", "{url}");
        }
    }

    #[test]
    fn names_and_arns() {
        assert!(check_name("a-B_1", false).is_ok() && check_name("a.fifo", true).is_ok());
        for (name, fifo) in [("", false), ("a.b", false), ("a.fifo", false), ("a", true)] {
            assert!(check_name(name, fifo).is_err(), "{name}");
        }
        let arn = "arn:aws:sqs:eu-west-1:111122223333:q";
        assert_eq!(Address::of_arn(arn).unwrap().arn(), arn);
        for arn in ["arn:aws:sns:eu-west-1:111122223333:q", "arn:aws:sqs:eu-west-1::q", "q"] {
            assert_eq!(Address::of_arn(arn), None);
        }
    }
}
