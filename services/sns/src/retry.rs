//! Retries: how often and when a delivery is tried again.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>

use fogbank_core::Result;
use serde_json::{Value as Json, json};

use crate::error::invalid;

/// A retry policy; delays are in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    retries: u32,
    min: u32,
    max: u32,
    /// Retries at once, then at the shortest delay, …, and at the longest.
    no_delay: u32,
    min_delay: u32,
    max_delay: u32,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Backoff {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

impl Retry {
    /// For HTTP endpoints without a policy of their own.
    pub const HTTP: Retry = Retry {
        retries: 3,
        min: 20,
        max: 20,
        no_delay: 0,
        min_delay: 0,
        max_delay: 0,
        backoff: Backoff::Linear,
    };
    /// For AWS's own endpoints: three weeks.
    pub const AWS: Retry = Retry {
        retries: 100_015,
        min: 1,
        max: 20,
        no_delay: 3,
        min_delay: 2,
        max_delay: 100_000,
        backoff: Backoff::Exponential,
    };

    /// The policy for HTTP endpoints in a topic's delivery policy.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn of_topic(text: &str) -> Result<Retry> {
        let json = parse(text)?;
        Retry::read(&json["http"]["defaultHealthyRetryPolicy"])
    }

    /// The policy in a subscription's delivery policy.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn of_subscription(text: &str) -> Result<Retry> {
        Retry::read(&parse(text)?["healthyRetryPolicy"])
    }

    fn read(json: &Json) -> Result<Retry> {
        let bad = |why: &str| invalid(format!("DeliveryPolicy: {why}"));
        if json.is_null() {
            return Ok(Retry::HTTP);
        }
        let number = |name: &str, default: u32, most: u32| match &json[name] {
            Json::Null => Ok(default),
            n => n
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| *n <= most)
                .ok_or_else(|| bad(&format!("{name} must be a number up to {most}"))),
        };
        let backoff = match json["backoffFunction"].as_str() {
            None | Some("linear") => Backoff::Linear,
            Some("arithmetic") => Backoff::Arithmetic,
            Some("geometric") => Backoff::Geometric,
            Some("exponential") => Backoff::Exponential,
            Some(_) => return Err(bad("backoffFunction")),
        };
        let r = Retry {
            retries: number("numRetries", 3, 100)?,
            min: number("minDelayTarget", 20, 3600)?,
            max: number("maxDelayTarget", 20, 3600)?,
            no_delay: number("numNoDelayRetries", 0, 100)?,
            min_delay: number("numMinDelayRetries", 0, 100)?,
            max_delay: number("numMaxDelayRetries", 0, 100)?,
            backoff,
        };
        if r.min > r.max {
            return Err(bad("minDelayTarget must not be greater than maxDelayTarget"));
        }
        if r.no_delay + r.min_delay + r.max_delay > r.retries {
            return Err(bad("numRetries must be at least the sum of the phases' retries"));
        }
        Ok(r)
    }

    /// The delay before the nth retry, from 1 on; `None`: no more.
    pub fn delay(&self, n: u32) -> Option<u32> {
        if n > self.retries {
            return None;
        }
        let backoff = self.retries - self.no_delay - self.min_delay - self.max_delay;
        let n = n - 1;
        if n < self.no_delay {
            return Some(0);
        }
        let n = n - self.no_delay;
        if n < self.min_delay {
            return Some(self.min);
        }
        let n = n - self.min_delay;
        if n >= backoff {
            return Some(self.max);
        }
        let (step, steps) = (f64::from(n + 1), f64::from(backoff));
        let (min, max) = (f64::from(self.min), f64::from(self.max));
        let share = match self.backoff {
            Backoff::Linear => step / steps,
            Backoff::Arithmetic => step * (step + 1.0) / (steps * (steps + 1.0)),
            Backoff::Geometric => (step / steps).powi(2),
            Backoff::Exponential => (step.exp2() - 1.0) / (steps.exp2() - 1.0),
        };
        Some((min + (max - min) * share).round() as u32)
    }

    fn json(&self) -> Json {
        let name = match self.backoff {
            Backoff::Linear => "linear",
            Backoff::Arithmetic => "arithmetic",
            Backoff::Geometric => "geometric",
            Backoff::Exponential => "exponential",
        };
        json!({
            "minDelayTarget": self.min, "maxDelayTarget": self.max, "numRetries": self.retries,
            "numMaxDelayRetries": self.max_delay, "numNoDelayRetries": self.no_delay,
            "numMinDelayRetries": self.min_delay, "backoffFunction": name,
        })
    }

    /// `EffectiveDeliveryPolicy` of a topic.
    pub fn effective_topic(own: Option<&str>) -> String {
        let own = own.and_then(|t| Retry::of_topic(t).ok()).unwrap_or(Retry::HTTP);
        json!({"http": {
            "defaultHealthyRetryPolicy": own.json(),
            "disableSubscriptionOverrides": false,
            "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
        }})
        .to_string()
    }

    /// `EffectiveDeliveryPolicy` of an HTTP subscription.
    pub fn effective(&self) -> String {
        json!({
            "healthyRetryPolicy": self.json(), "sicklyRetryPolicy": null, "throttlePolicy": null,
            "requestPolicy": {"headerContentType": "text/plain; charset=UTF-8"}, "guaranteed": false,
        })
        .to_string()
    }
}

fn parse(text: &str) -> Result<Json> {
    serde_json::from_str(text)
        .ok()
        .filter(Json::is_object)
        .ok_or_else(|| invalid("DeliveryPolicy: failed to parse JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays() {
        let all = |r: &Retry| (1..).map_while(|n| r.delay(n)).collect::<Vec<_>>();
        assert_eq!(all(&Retry::HTTP), [20, 20, 20]);
        let aws = all(&Retry::AWS);
        assert_eq!(
            (aws.len(), &aws[..5], aws[14], aws[100_014]),
            (100_015, &[0, 0, 0, 1, 1][..], 20, 20)
        );
        let own = r#"{"healthyRetryPolicy":{"numRetries":5,"minDelayTarget":1,"maxDelayTarget":9,
            "numNoDelayRetries":1,"numMinDelayRetries":1,"numMaxDelayRetries":1}}"#;
        assert_eq!(all(&Retry::of_subscription(own).unwrap()), [0, 1, 5, 9, 9]);
        for bad in [
            "x",
            r#"{"healthyRetryPolicy":{"numRetries":101}}"#,
            r#"{"healthyRetryPolicy":{"minDelayTarget":30}}"#,
            r#"{"healthyRetryPolicy":{"numNoDelayRetries":9}}"#,
            r#"{"healthyRetryPolicy":{"backoffFunction":"x"}}"#,
        ] {
            assert!(Retry::of_subscription(bad).is_err(), "{bad}");
        }
    }
}
