//! Addresses of topics and subscriptions.

use fogbank_core::{Arn, Cx, Result};
use fogbank_store::Key;
use minicbor::{Decode, Encode};

use crate::error::invalid;

/// What identifies a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Address {
    #[n(0)]
    pub account: String,
    #[n(1)]
    pub region: String,
    #[n(2)]
    pub name: String,
}

impl Address {
    pub fn own(cx: &Cx, name: &str) -> Self {
        Address {
            account: cx.account.clone(),
            region: cx.region.clone().into_owned(),
            name: name.to_owned(),
        }
    }

    /// # Errors
    /// `InvalidParameter` for what is no topic's ARN.
    pub fn of_arn(text: &str) -> Result<Self> {
        Address::read(text).ok_or_else(|| invalid("TopicArn"))
    }

    fn read(text: &str) -> Option<Self> {
        let arn = Arn::parse(text).filter(|a| a.service == "sns" && a.partition == "aws")?;
        (is_account(arn.account) && is_name(arn.resource)).then(|| Address {
            account: arn.account.to_owned(),
            region: arn.region.to_owned(),
            name: arn.resource.to_owned(),
        })
    }

    /// The topic and the id of a subscription.
    ///
    /// # Errors
    /// `InvalidParameter` for what is no subscription's ARN.
    pub fn of_subscription(text: &str) -> Result<(Self, String)> {
        let read = || {
            let (topic, id) = text.rsplit_once(':')?;
            (id.len() == 36).then_some(())?;
            Some((Address::read(topic)?, id.to_owned()))
        };
        read().ok_or_else(|| {
            invalid("SubscriptionArn Reason: An ARN must have at least 6 elements, not 1")
        })
    }

    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:sns:{}:{}:{}", self.region, self.account, self.name)
    }

    pub fn is_fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }
}

pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a topic may be called so.
pub fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    !stem.is_empty() && name.len() <= 256 && stem.bytes().all(fits)
}
