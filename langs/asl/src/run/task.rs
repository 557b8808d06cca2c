//! Tasks: scheduled, started, submitted, ended, or too late.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::enter::{Flow, shown};
use super::evaluate::{View, weigh};
use super::{Call, Effect, Frame, Mover, Phase, Why};
use crate::definition::{State, Task};
use crate::event;
use crate::fault::{self, Fault};
use crate::resource::Resource;
use crate::template::Template;

impl Mover<'_> {
    pub(super) fn schedule(
        &mut self,
        id: u64,
        f: &mut Frame,
        state: &State,
        task: &Task,
    ) -> Result<Flow, Fault> {
        f.ticket = self.ticket();
        let arguments = self.effective(f, state)?;
        if weigh(&arguments) > crate::LARGEST / 2 && arguments.to_string().len() > crate::LARGEST {
            return Err(Fault::too_large(&state.name));
        }
        let timeout = self.whole(f, task.timeout.as_ref())?;
        let heartbeat = self.whole(f, task.heartbeat.as_ref())?;
        let role = match &task.role {
            None => None,
            Some(t) => match self.value(f, View::default(), t)? {
                Value::String(s) => Some(s),
                v => return Err(Fault::runtime(format!("The RoleArn is not a string: {v}"))),
            },
        };
        if let Resource::Activity(arn) = &task.resource
            && self.meta.missing_activities.contains(arn)
        {
            return Err(Fault::runtime(format!("The activity {arn} does not exist.")));
        }
        if let Resource::Other(uri) = &task.resource {
            return Err(Fault::runtime(format!("The resource '{uri}' is not supported.")));
        }
        f.prev = self.emit(f.prev, &format!("{}Scheduled", task.resource.family()), || {
            scheduled(&arguments, task, &self.meta.region, timeout, heartbeat, role.as_deref())
        });
        let now = self.world.now();
        let frame = id;
        let ticket = f.ticket;
        self.moves.effects.push(Effect::Task { frame, ticket });
        for (seconds, why) in [(timeout, Why::Timeout), (heartbeat, Why::Heartbeat)] {
            if let Some(s) = seconds {
                self.set_timer(f, after(now, s), why);
            }
        }
        f.phase = Phase::Task(Call {
            arguments: arguments.into(),
            role,
            started: false,
            submitted: false,
            heartbeat,
            beat: now.as_microsecond(),
            timeout,
        });
        Ok(Flow::Waits)
    }

    /// `TimeoutSeconds` or `HeartbeatSeconds`.
    fn whole(&self, f: &Frame, t: Option<&Template>) -> Result<Option<u64>, Fault> {
        let Some(t) = t else { return Ok(None) };
        let v = self.value(f, View::default(), t)?;
        let n = v
            .as_u64()
            .or_else(|| v.as_f64().filter(|f| f.fract() == 0.0 && *f > 0.0).map(|f| f as u64));
        match (n.filter(|n| *n > 0), t) {
            (Some(n), _) => Ok(Some(n)),
            (None, Template::Jsonata(e)) => Err(crate::template::unexpected(e, "number", &v)),
            (None, Template::Expr(e, field)) => Err(Fault::runtime(format!(
                "The {field} parameter must be a positive integer: {} == {v}",
                shown(e)
            ))),
            (None, _) => Err(Fault::runtime(format!("{v} is no positive integer"))),
        }
    }

    pub(super) fn task_started(
        &mut self,
        id: u64,
        mut f: Frame,
        state: &State,
        worker: Option<String>,
    ) {
        self.start(&mut f, state, worker);
        self.run.frames.insert(id, f);
    }

    fn start(&mut self, f: &mut Frame, state: &State, worker: Option<String>) {
        let (Phase::Task(call), Some(task)) = (&mut f.phase, task(state)) else { return };
        if call.started {
            return;
        }
        call.started = true;
        call.beat = self.world.now().as_microsecond();
        let kind = format!("{}Started", task.resource.family());
        f.prev = self.emit(f.prev, &kind, || match &task.resource {
            Resource::Service(_) => of(task),
            Resource::Activity(_) => {
                worker.into_iter().map(|w| ("workerName".to_owned(), w.into())).collect()
            }
            Resource::Lambda(_) | Resource::Other(_) => Map::new(),
        });
    }

    pub(super) fn task_submitted(&mut self, id: u64, mut f: Frame, state: &State, v: &Value) {
        self.start(&mut f, state, None);
        if let (Phase::Task(call), Some(task)) = (&mut f.phase, task(state))
            && !call.submitted
        {
            call.submitted = true;
            f.prev = self.emit(f.prev, "TaskSubmitted", || {
                let mut details = of(task);
                details.append(&mut event::data("output", v.to_string()));
                details
            });
        }
        self.run.frames.insert(id, f);
    }

    pub(super) fn task_heartbeat(&mut self, id: u64, mut f: Frame) {
        if let Phase::Task(call) = &mut f.phase {
            call.beat = self.world.now().as_microsecond();
        }
        self.run.frames.insert(id, f);
    }

    pub(super) fn task_timer(&mut self, id: u64, mut f: Frame, state: &State, why: Why) {
        if why == Why::Heartbeat
            && let Phase::Task(Call { heartbeat: Some(s), beat, .. }) = &f.phase
        {
            let last = Timestamp::from_microsecond(*beat).unwrap_or_default();
            let at = after(last, *s);
            if at > self.world.now() {
                self.set_timer(&mut f, at, why);
                self.run.frames.insert(id, f);
                return;
            }
        }
        let error = if why == Why::Heartbeat { fault::HEARTBEAT } else { fault::TIMEOUT };
        self.task_over(id, f, state, "TimedOut", Fault::plain(Some(error.to_owned()), None));
    }

    pub(super) fn task_ended(
        &mut self,
        id: u64,
        mut f: Frame,
        state: &State,
        result: Result<Value, Fault>,
    ) {
        self.start(&mut f, state, None);
        let Some(task) = task(state) else { return };
        let result = result.and_then(|v| {
            let large = weigh(&v) > crate::LARGEST / 2 && v.to_string().len() > crate::LARGEST;
            if large { Err(Fault::too_large(&task.arn)) } else { Ok(v) }
        });
        match result {
            Err(fault) => self.task_over(id, f, state, "Failed", fault),
            Ok(v) => {
                let kind = format!("{}Succeeded", task.resource.family());
                f.prev = self.emit(f.prev, &kind, || {
                    let mut details = of(task);
                    details.append(&mut event::data("output", v.to_string()));
                    details
                });
                self.finish(id, f, state, v);
            }
        }
    }

    fn task_over(&mut self, id: u64, mut f: Frame, state: &State, how: &str, fault: Fault) {
        let Some(task) = task(state) else { return };
        f.prev = self.emit(f.prev, &format!("{}{how}", task.resource.family()), || {
            let mut details = of(task);
            let error = Some(fault.error.as_str()).filter(|e| !e.is_empty());
            details.append(&mut event::failure(error, fault.cause.as_deref()));
            details
        });
        self.failed(id, f, state, fault);
    }
}

fn task(state: &State) -> Option<&Task> {
    match &state.kind {
        crate::definition::Kind::Task(t) => Some(t),
        _ => None,
    }
}

/// What names the task in its events; empty for functions and activities.
fn of(task: &Task) -> Map<String, Value> {
    let mut out = Map::new();
    if let Resource::Service(i) = &task.resource {
        out.insert("resource".to_owned(), i.shown().into());
        out.insert("resourceType".to_owned(), i.service.clone().into());
    }
    out
}

fn scheduled(
    arguments: &Value,
    task: &Task,
    region: &str,
    timeout: Option<u64>,
    heartbeat: Option<u64>,
    role: Option<&str>,
) -> Map<String, Value> {
    let mut out = of(task);
    match &task.resource {
        Resource::Service(_) => {
            out.insert("parameters".to_owned(), arguments.to_string().into());
            out.insert("region".to_owned(), region.into());
        }
        Resource::Lambda(arn) | Resource::Activity(arn) => {
            out.append(&mut event::data("input", arguments.to_string()));
            out.insert("resource".to_owned(), arn.clone().into());
        }
        Resource::Other(_) => {}
    }
    if let Some(s) = timeout {
        out.insert("timeoutInSeconds".to_owned(), s.into());
    }
    if let Some(s) = heartbeat.filter(|_| !matches!(task.resource, Resource::Lambda(_))) {
        out.insert("heartbeatInSeconds".to_owned(), s.into());
    }
    if let Some(r) = role.filter(|_| !matches!(task.resource, Resource::Activity(_))) {
        out.insert("taskCredentials".to_owned(), serde_json::json!({ "roleArn": r }));
    }
    out
}

fn after(t: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).min(99_999_999);
    t.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
