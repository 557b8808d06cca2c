//! What a Task calls: a Lambda function, an activity, or an action of a service in one of three
//! patterns.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html>

/// A task's resource, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The ARN of a function.
    Lambda(String),
    /// The ARN of an activity.
    Activity(String),
    Service(Integration),
    /// A URI that the States Language allows and Step Functions knows no more of.
    Other(String),
}

/// An action of a service: `arn:aws:states:::sqs:sendMessage.waitForTaskToken`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    /// `sqs`, `aws-sdk:s3`
    pub service: String,
    /// `sendMessage`
    pub action: String,
    pub pattern: Pattern,
}

/// How long a task lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Until the answer.
    RequestResponse,
    /// Until what it started has ended; `.sync:2` has the output as JSON.
    Sync,
    Sync2,
    /// Until somebody sends the token back.
    Callback,
}

impl Resource {
    /// Reads a resource's ARN; `None` when it is none that a Task takes.
    #[must_use]
    pub fn parse(arn: &str) -> Option<Resource> {
        if !arn.starts_with("arn:") {
            let uri = arn.contains(':') && !arn.contains(|c: char| c.is_whitespace() || c == '$');
            return uri.then(|| Resource::Other(arn.to_owned()));
        }
        let mut parts = arn.splitn(6, ':').skip(2);
        let service = parts.next()?;
        let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
        match service {
            "lambda" => function(rest).then(|| Resource::Lambda(arn.to_owned())),
            "states" if rest.starts_with("activity:") => Some(Resource::Activity(arn.to_owned())),
            "states" if region.is_empty() && account.is_empty() => Integration::parse(rest),
            "states" => None,
            _ => Some(Resource::Other(arn.to_owned())),
        }
    }

    /// What the history calls its events: `Task`, `LambdaFunction`, `Activity`.
    #[must_use]
    pub fn family(&self) -> &'static str {
        match self {
            Resource::Lambda(_) => "LambdaFunction",
            Resource::Activity(_) => "Activity",
            Resource::Service(_) | Resource::Other(_) => "Task",
        }
    }

    /// Whether it goes on after the call has answered.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        match self {
            Resource::Service(i) => i.pattern,
            Resource::Activity(_) => Pattern::Callback,
            Resource::Lambda(_) | Resource::Other(_) => Pattern::RequestResponse,
        }
    }
}

/// Whether this is `function:NAME` or `function:NAME:VERSION-OR-ALIAS`.
fn function(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix("function:") else { return false };
    let word = |s: &str| {
        !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    match rest.split_once(':') {
        None => word(rest),
        Some((name, version)) => word(name) && (version == "$LATEST" || word(version)),
    }
}

impl Integration {
    fn parse(rest: &str) -> Option<Resource> {
        let (service, action) = rest.rsplit_once(':').filter(|(_, a)| *a != "2").or_else(|| {
            // `.sync:2` has a colon of its own.
            let cut = rest.strip_suffix(":2")?;
            let at = cut.rfind(':')?;
            Some((&rest[..at], &rest[at + 1..]))
        })?;
        let (action, pattern) = match action.split_once('.') {
            None => (action, Pattern::RequestResponse),
            Some((a, "sync")) => (a, Pattern::Sync),
            Some((a, "sync:2")) => (a, Pattern::Sync2),
            Some((a, "waitForTaskToken")) => (a, Pattern::Callback),
            Some(_) => return None,
        };
        if service.is_empty() || action.is_empty() {
            return None;
        }
        let (service, action) = (service.to_owned(), action.to_owned());
        Some(Resource::Service(Integration { service, action, pattern }))
    }

    /// The action with its pattern, as events name it.
    #[must_use]
    pub fn shown(&self) -> String {
        let suffix = match self.pattern {
            Pattern::RequestResponse => "",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
            Pattern::Callback => ".waitForTaskToken",
        };
        format!("{}{suffix}", self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_taken_apart() {
        let service = |arn: &str| match Resource::parse(arn) {
            Some(Resource::Service(i)) => Some((i.service.clone(), i.shown(), i.pattern)),
            _ => None,
        };
        let of = |s: &str, a: &str, p| Some((s.to_owned(), a.to_owned(), p));
        assert_eq!(
            service("arn:aws:states:::sqs:sendMessage"),
            of("sqs", "sendMessage", Pattern::RequestResponse)
        );
        assert_eq!(
            service("arn:aws:states:::states:startExecution.sync:2"),
            of("states", "startExecution.sync:2", Pattern::Sync2)
        );
        assert_eq!(
            service("arn:aws:states:::aws-sdk:s3:getObject"),
            of("aws-sdk:s3", "getObject", Pattern::RequestResponse)
        );
        assert!(matches!(
            Resource::parse("arn:aws:lambda:us-east-1:123456789012:function:f:live"),
            Some(Resource::Lambda(_))
        ));
        assert!(matches!(
            Resource::parse("arn:aws:states:us-east-1:123456789012:activity:a"),
            Some(Resource::Activity(_))
        ));
        for bad in [
            "",
            "x",
            "${x}",
            "arn:aws:states:::x",
            "arn:aws:states:::x:y.zzz",
            "arn:aws:lambda:us-east-1:123456789012:function:f:",
        ] {
            assert_eq!(Resource::parse(bad), None, "{bad}");
        }
    }
}
