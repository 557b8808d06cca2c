//! Operations: a name, a function, and who may call it.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::value::to_value;
use crate::{ApiError, Body, BoxFuture, Check, Cx, Result, Str, Value};

/// The function behind an operation, over the service's state `S`.
pub type Run<S> = for<'a> fn(&'a S, &'a Cx, Value) -> BoxFuture<'a, Result<Reply>>;
/// What must be allowed before it runs.
pub type Authz<S> = for<'a> fn(&'a S, &'a Cx, &'a Value) -> BoxFuture<'a, Result<Vec<Check>>>;

/// An entry of a service's operation table; made by [`ops!`](crate::ops).
pub struct Op<S: 'static> {
    /// AWS's name of the operation.
    pub name: &'static str,
    pub run: Run<S>,
    /// `None`: the action `service:Operation` on `*`.
    pub authz: Option<Authz<S>>,
}

/// Makes an operation table.
///
/// ```ignore
/// pub const OPS: &[Op<Iam>] = ops![
///     ListRoles => list_roles,                 // iam:ListRoles on *
///     CreateRole => create_role [role_checks], // role_checks says what must be allowed
/// ];
/// async fn create_role(iam: &Iam, cx: &Cx, input: CreateRoleInput) -> Result<CreateRoleOutput>;
/// async fn role_checks(iam: &Iam, cx: &Cx, input: &Value) -> Result<Vec<Check>>;
/// ```
#[macro_export]
macro_rules! ops {
    ($($name:ident => $run:path $([$authz:path])?),* $(,)?) => {
        &[$($crate::Op {
            name: stringify!($name),
            run: |s, cx, v| Box::pin(async move {
                let input = $crate::value::from_value(v)?;
                $crate::IntoReply::into_reply($run(s, cx, input).await?)
            }),
            authz: $crate::ops!(@authz $($authz)?),
        }),*]
    };
    (@authz) => { None };
    (@authz $authz:path) => { Some(|s, cx, v| Box::pin($authz(s, cx, v))) };
}

/// What an operation answers.
#[derive(Debug, Default)]
pub struct Reply {
    /// The output structure, without its streaming member.
    pub value: Value,
    /// The output's streaming payload.
    pub body: Option<Body>,
    /// The output's stream of events, for operations whose payload is one.
    pub events: Option<Events>,
    /// Overrides the model's status (206 for a range).
    pub status: Option<u16>,
    /// Headers that the model does not carry.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// A stream of events: the name of the model's member, and its value.
pub struct Events(pub BoxStream<'static, Result<(Str, Value)>>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

/// A typed output together with a streaming payload (GetObject).
pub struct Streamed<T> {
    pub output: T,
    pub body: Body,
    pub status: Option<u16>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What a handler may return: anything that serialises, or [`Streamed`], or a ready [`Reply`].
pub trait IntoReply {
    /// # Errors
    /// `InternalFailure` when the output cannot be a [`Value`].
    fn into_reply(self) -> Result<Reply>;
}

impl<T: Serialize> IntoReply for T {
    fn into_reply(self) -> Result<Reply> {
        Ok(Reply { value: to_value(&self)?, ..Reply::default() })
    }
}
impl<T: Serialize> IntoReply for Streamed<T> {
    fn into_reply(self) -> Result<Reply> {
        let value = to_value(&self.output)?;
        Ok(Reply {
            value,
            body: Some(self.body),
            events: None,
            status: self.status,
            headers: self.headers,
        })
    }
}
impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply> {
        Ok(self)
    }
}

/// A service: its name, its state and its operation table, with the state's type forgotten.
#[derive(Clone)]
pub struct Service(Arc<dyn Erased>);

impl Service {
    /// `name` is the model's, as the AWS CLI has it; `tables` are the `OPS` of its resources.
    pub fn new<S: Send + Sync + 'static>(
        name: &'static str,
        state: Arc<S>,
        tables: &[&'static [Op<S>]],
    ) -> Self {
        let ops = tables.iter().flat_map(|t| t.iter()).map(|op| (op.name, op)).collect();
        Service(Arc::new(Typed { name, state, ops }))
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// The names of the operations it implements, sorted.
    #[must_use]
    pub fn operations(&self) -> Vec<&'static str> {
        self.0.operations()
    }

    /// Whether `operation` is implemented.
    #[must_use]
    pub fn has(&self, operation: &str) -> bool {
        self.0.has(operation)
    }

    /// What must be allowed before `operation` runs on `input`.
    ///
    /// # Errors
    /// The operation's own (a bucket that does not exist), `NotImplemented` for an unknown one.
    pub async fn checks(&self, cx: &Cx, operation: &str, input: &Value) -> Result<Vec<Check>> {
        self.0.checks(cx, operation, input).await
    }

    /// Runs `operation`, without asking whether the caller may.
    ///
    /// # Errors
    /// The operation's own, `NotImplemented` for an unknown one.
    pub async fn run(&self, cx: &Cx, operation: &str, input: Value) -> Result<Reply> {
        self.0.run(cx, operation, input).await
    }
}

trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn operations(&self) -> Vec<&'static str>;
    fn has(&self, op: &str) -> bool;
    fn checks<'a>(
        &'a self,
        cx: &'a Cx,
        op: &str,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Vec<Check>>>;
    fn run<'a>(&'a self, cx: &'a Cx, op: &str, input: Value) -> BoxFuture<'a, Result<Reply>>;
}

struct Typed<S: 'static> {
    name: &'static str,
    state: Arc<S>,
    ops: HashMap<&'static str, &'static Op<S>>,
}

impl<S> Typed<S> {
    fn unknown(&self, op: &str) -> ApiError {
        ApiError::not_implemented(&format!("{}:{op}", self.name))
    }
}

impl<S: Send + Sync> Erased for Typed<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn operations(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.ops.keys().copied().collect();
        names.sort_unstable();
        names
    }

    fn has(&self, op: &str) -> bool {
        self.ops.contains_key(op)
    }

    fn checks<'a>(
        &'a self,
        cx: &'a Cx,
        op: &str,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Vec<Check>>> {
        match self.ops.get(op) {
            Some(Op { authz: Some(authz), .. }) => authz(&self.state, cx, input),
            Some(op) => {
                let check = Check::new(format!("{}:{}", self.name, op.name), "*");
                Box::pin(std::future::ready(Ok(vec![check])))
            }
            None => Box::pin(std::future::ready(Err(self.unknown(op)))),
        }
    }

    fn run<'a>(&'a self, cx: &'a Cx, op: &str, input: Value) -> BoxFuture<'a, Result<Reply>> {
        match self.ops.get(op) {
            Some(op) => (op.run)(&self.state, cx, input),
            None => Box::pin(std::future::ready(Err(self.unknown(op)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct State;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct EchoInput {
        text: String,
    }

    const OPS: &[Op<State>] = crate::ops![Echo => echo, Locked => echo [locked]];

    async fn echo(_: &State, _: &Cx, input: EchoInput) -> Result<Value> {
        Ok(crate::map! {"Text" => input.text})
    }

    async fn locked(_: &State, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
        let name = input.str("Text").unwrap_or("*");
        Ok(vec![Check::new("t:Locked", cx.arn("t", name))])
    }

    #[test]
    fn a_table_is_a_service() {
        let s = Service::new("t", Arc::new(State), &[OPS]);
        assert_eq!(s.operations(), ["Echo", "Locked"]);
        assert!(s.has("Echo") && !s.has("Nope"));
    }
}
