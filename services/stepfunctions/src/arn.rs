//! ARNs of Step Functions: taken apart and put together.

use fogbank_core::{ApiError, Cx, Result};
use fogbank_store::Key;

use crate::error::invalid_arn;

/// A state machine, one of its versions, or one of its aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineArn {
    pub region: String,
    pub account: String,
    pub name: String,
    pub qualifier: Option<Qualifier>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qualifier {
    Version(u64),
    Alias(String),
}

impl MachineArn {
    pub fn parse(arn: &str) -> Result<Self> {
        let bad = || invalid_arn(arn);
        let (region, account, rest) = states(arn).ok_or_else(bad)?;
        let rest = rest.strip_prefix("stateMachine:").ok_or_else(bad)?;
        let (name, qualifier) = match rest.split_once(':') {
            None => (rest, None),
            Some((name, q)) if !q.is_empty() && !q.contains(':') => {
                let q = match q.parse() {
                    Ok(n) => Qualifier::Version(n),
                    Err(_) => Qualifier::Alias(q.to_owned()),
                };
                (name, Some(q))
            }
            Some(_) => return Err(bad()),
        };
        if name.is_empty() || name.len() > 128 {
            return Err(bad());
        }
        Ok(MachineArn { region, account, name: name.to_owned(), qualifier })
    }

    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }

    /// Without version or alias.
    pub fn plain(&self) -> String {
        machine(&self.region, &self.account, &self.name)
    }

    /// The name as the context object has it: `Machine`, without the label of a Map.
    pub fn machine_name(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }
}

/// An execution. Its machine may be `Machine/label` for those of a distributed Map.
#[derive(Clone, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct ExecutionId {
    #[n(0)]
    pub region: String,
    #[n(1)]
    pub account: String,
    #[n(2)]
    pub machine: String,
    #[n(3)]
    pub name: String,
}

impl ExecutionId {
    pub fn parse(arn: &str) -> Result<Self> {
        let bad = || invalid_arn(arn);
        let (region, account, rest) = states(arn).ok_or_else(bad)?;
        let rest = rest.strip_prefix("execution:").ok_or_else(bad)?;
        let (machine, name) = rest.split_once(':').ok_or_else(bad)?;
        if machine.is_empty() || name.is_empty() {
            return Err(bad());
        }
        Ok(ExecutionId { region, account, machine: machine.to_owned(), name: name.to_owned() })
    }

    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.machine).str(&self.name)
    }

    pub fn arn(&self) -> String {
        let ExecutionId { region, account, machine, name } = self;
        format!("arn:aws:states:{region}:{account}:execution:{machine}:{name}")
    }

    /// The machine that it is an execution of.
    pub fn machine_arn(&self) -> String {
        machine(&self.region, &self.account, &self.machine)
    }
}

/// Whether this is the ARN of an Express execution.
pub fn is_express(arn: &str) -> bool {
    states(arn).is_some_and(|(_, _, rest)| rest.starts_with("express:"))
}

/// An activity.
pub struct ActivityArn {
    pub region: String,
    pub account: String,
    pub name: String,
}

impl ActivityArn {
    pub fn parse(arn: &str) -> Result<Self> {
        let bad = || invalid_arn(arn);
        let (region, account, rest) = states(arn).ok_or_else(bad)?;
        let name = rest.strip_prefix("activity:").filter(|n| !n.is_empty()).ok_or_else(bad)?;
        Ok(ActivityArn { region, account, name: name.to_owned() })
    }

    pub fn key(&self) -> Key {
        Key::new().str(&self.account).str(&self.region).str(&self.name)
    }
}

pub fn machine(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:states:{region}:{account}:stateMachine:{name}")
}

/// Region, account and the rest of an ARN of Step Functions.
pub fn states(arn: &str) -> Option<(String, String, &str)> {
    let mut parts = arn.splitn(6, ':');
    let ("arn", Some(_), "states") = (parts.next()?, parts.next(), parts.next()?) else {
        return None;
    };
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let account_is_fine = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (account_is_fine && !region.is_empty()).then(|| (region.to_owned(), account.to_owned(), rest))
}

/// A name of a machine, an execution or an activity.
pub fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| {
        !c.is_whitespace()
            && !c.is_control()
            && !matches!(
                c,
                '<' | '>'
                    | '{'
                    | '}'
                    | '['
                    | ']'
                    | '?'
                    | '*'
                    | '"'
                    | '#'
                    | '%'
                    | '\\'
                    | '^'
                    | '|'
                    | '~'
                    | '`'
                    | '$'
                    | '&'
                    | ','
                    | ';'
                    | ':'
                    | '/'
            )
    };
    if !name.is_empty() && name.chars().count() <= 80 && name.chars().all(fits) {
        return Ok(());
    }
    Err(ApiError::new("InvalidName", format!("Invalid Name: '{name}'")))
}

/// The key of a machine by name, in the caller's account and region.
pub fn machine_key(cx: &Cx, name: &str) -> Key {
    Key::new().str(&cx.account).str(&cx.region).str(name)
}
