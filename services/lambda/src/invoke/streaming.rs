//! Responses in parts, as the function writes them.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Cx, Events, Reply, Result, Str, Value, map};
use fogbank_lambda_runtime::{Failure, Part};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};

use super::{Input, Request, Run, Unable, check_tenant, client_context, event};
use crate::Lambda;
use crate::name::Target;

/// How many parts wait for a slow reader before the function does.
const PARTS: usize = 16;

/// A streamed response: its parts, and in the end what came of the invocation.
pub struct Streamed {
    pub parts: mpsc::Receiver<Part>,
    pub end: oneshot::Receiver<Result<Run, Unable>>,
    /// The first part, which came before there was anything to answer.
    pub first: Option<Part>,
}

impl Lambda {
    /// Runs a function and returns with its first part, or when it has ended without one.
    ///
    /// # Errors
    /// Why it could not be run.
    pub(crate) async fn run_streamed(
        &self,
        cx: &Cx,
        resolved: super::Resolved,
        request: Request,
    ) -> Result<Streamed, Unable> {
        let me = self.me.upgrade();
        let Some(lambda) = me else { return Err(Unable::Api(ApiError::internal("shut down"))) };
        let (give, mut parts) = mpsc::channel(PARTS);
        let (done, mut end) = oneshot::channel();
        let request = Request { streaming: Some(give), ..request };
        let inner = cx.with_principal(std::sync::Arc::clone(&cx.principal), None);
        tokio::spawn(async move {
            let _ = done.send(lambda.run(&inner, resolved, request).await);
        });
        // A function that could not be run is an error of the call and not of the stream.
        let first = tokio::select! {
            biased;
            part = parts.recv() => part,
            ended = &mut end => {
                let (say, end) = oneshot::channel();
                let _ = say.send(Ok(outcome(ended)?));
                return Ok(Streamed { parts, end, first: None });
            }
        };
        if first.is_some() {
            return Ok(Streamed { parts, end, first });
        }
        // The channel is closed: the invocation ends at once.
        let (say, ended) = oneshot::channel();
        let _ = say.send(Ok(outcome(end.await)?));
        Ok(Streamed { parts, end: ended, first: None })
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html>
pub async fn invoke(lambda: &Lambda, cx: &Cx, input: Input) -> Result<Reply> {
    let target = Target::parse(cx, &input.function_name, input.qualifier.as_deref())?;
    let resolved = lambda.resolve(cx, target).await?;
    check_tenant(&resolved.function, input.tenant_id.as_deref())?;
    let payload = event(input.payload, "RequestResponse")?;
    let client_context = input.client_context.as_deref().map(client_context).transpose()?;
    let version = resolved.version.clone();
    if input.invocation_type.as_deref() == Some("DryRun") {
        return Ok(super::answer(204, &version));
    }
    let tail = input.log_type.as_deref() == Some("Tail");
    let request = Request {
        id: cx.request_id.clone(),
        payload,
        client_context,
        trace: cx.header("x-amzn-trace-id").map(str::to_owned),
        tenant: input.tenant_id,
        streaming: None,
    };
    let streamed = lambda.run_streamed(cx, resolved, request).await.map_err(Unable::answer)?;
    let events = Events(events(streamed, tail).boxed());
    let value = map! { "StatusCode" => Value::Int(200), "ExecutedVersion" => version };
    Ok(Reply { value, events: Some(events), ..Reply::default() })
}

/// The response's parts as events, then `InvokeComplete`.
fn events(
    streamed: Streamed,
    tail: bool,
) -> impl futures_util::Stream<Item = Result<(Str, Value)>> {
    streamed.pieces().flat_map(move |piece| {
        stream::iter(match piece {
            Piece::Part(Part::Data(bytes)) => vec![Ok(chunk(bytes))],
            Piece::Part(Part::Head { .. }) => Vec::new(),
            Piece::End(run) => complete(*run, tail),
        })
    })
}

/// What a streamed response consists of.
pub enum Piece {
    Part(Part),
    /// The last.
    End(Box<Result<Run, Unable>>),
}

impl Streamed {
    /// The parts as they come, then the end. The end of the invocation is what counts: whoever runs
    /// it may hold on to its side of the channel.
    pub fn pieces(self) -> impl futures_util::Stream<Item = Piece> {
        let Streamed { parts, end, first } = self;
        let rest = stream::unfold((parts, Some(end), None), |(mut parts, end, ended)| async {
            let (ended, end) = match (ended, end) {
                (Some(ended), _) => (ended, None),
                (None, Some(mut end)) => tokio::select! {
                    biased;
                    part = parts.recv() => match part {
                        Some(part) => return Some((Piece::Part(part), (parts, Some(end), None))),
                        None => (outcome(end.await), None),
                    },
                    ended = &mut end => (outcome(ended), None),
                },
                (None, None) => return None,
            };
            match parts.try_recv() {
                Ok(part) => Some((Piece::Part(part), (parts, end, Some(ended)))),
                Err(_) => Some((Piece::End(Box::new(ended)), (parts, None, None))),
            }
        });
        stream::iter(first.map(Piece::Part)).chain(rest)
    }
}

fn outcome(ended: Result<Result<Run, Unable>, oneshot::error::RecvError>) -> Result<Run, Unable> {
    ended.unwrap_or_else(|_| Err(Unable::Api(ApiError::internal("an invocation panicked"))))
}

fn chunk(bytes: bytes::Bytes) -> (Str, Value) {
    ("PayloadChunk".into(), Value::Map(vec![("Payload".into(), Value::Blob(bytes))]))
}

/// The last events: a response that was not streamed, then how it ended.
fn complete(run: Result<Run, Unable>, tail: bool) -> Vec<Result<(Str, Value)>> {
    let run = match run {
        Ok(run) => run,
        Err(e) => return vec![Err(e.answer())],
    };
    let mut events = Vec::new();
    let mut members: Vec<(Str, Value)> = Vec::new();
    match &run.outcome.result {
        Ok(bytes) if !bytes.is_empty() => events.push(Ok(chunk(bytes.clone()))),
        Ok(_) => {}
        Err(failure) => {
            members.push(("ErrorCode".into(), failure.error_type().into()));
            members.push(("ErrorDetails".into(), details(failure).into()));
        }
    }
    if tail {
        members.push(("LogResult".into(), STANDARD.encode(&run.outcome.log_tail).into()));
    }
    events.push(Ok(("InvokeComplete".into(), Value::Map(members))));
    events
}

fn details(failure: &Failure) -> String {
    String::from_utf8_lossy(&failure.body()).into_owned()
}
