//! One pass over a stack's resources: towards a model, or away with what is not in it.
//!
//! **Invariant:** what is about to be made is written down before the first call, with the token
//! that its name is made of; so a pass that was cut off is simply run again.

use std::collections::{BTreeMap, BTreeSet};

use fogbank_cfn::graph::{self, Graph};
use fogbank_cfn::{Eval, Template};
use fogbank_core::{ApiError, Cx, Result};
use fogbank_store::{Key, Lock};
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use serde_json::Value;

use crate::CloudFormation;
use crate::kinds::{self, Made};
use crate::maker::Maker;
use crate::record::{
    EXPORTS, EventRecord, Instance, Model, RESOURCES, ResourceRecord, StackRecord, json, of_stack,
    parse,
};
use crate::scope::{Known, World};

mod clean;
mod secret;

/// Resources that are worked on at once.
const AT_ONCE: usize = 64;

/// How a pass ended.
pub enum Outcome {
    Done,
    /// The logical ids of those that failed.
    Failed(Vec<String>),
}

/// A pass.
pub struct Run<'a> {
    pub cfn: &'a CloudFormation,
    pub cx: &'a Cx,
    pub stack: &'a StackRecord,
    pub model: &'a Model,
    pub template: Template,
    pub exports: BTreeMap<String, String>,
    /// What is known of the resources that are there.
    pub known: Mutex<BTreeMap<String, Known>>,
    /// The resources whose conditions hold, and what they need.
    target: Graph,
    skip: BTreeSet<String>,
}

impl<'a> Run<'a> {
    /// A pass towards `model`.
    ///
    /// # Errors
    /// The store's; a template that was fine when it was given.
    pub async fn new(
        cfn: &'a CloudFormation,
        cx: &'a Cx,
        stack: &'a StackRecord,
        model: &'a Model,
    ) -> Result<Run<'a>> {
        let fault = |e: fogbank_cfn::Error| crate::error::template(&e);
        let value = parse(&model.processed)?;
        let template = Template::new(&value).map_err(fault)?;
        let exports = imports(cfn, stack, model, &template, &value).await?;
        let mut target = graph::dependencies(&template).map_err(fault)?;
        let off = off(&template, stack, model, &exports).map_err(fault)?;
        target.retain(|name, needs| {
            needs.retain(|n| !off.contains(n));
            !off.contains(name)
        });
        let mut known = BTreeMap::new();
        for r in cfn.resources(stack.unique()).await? {
            if let Some(i) = &r.now {
                known.insert(r.logical_id.clone(), known_of(i));
            }
        }
        Ok(Run {
            cfn,
            cx,
            stack,
            model,
            exports,
            known: Mutex::new(known),
            target,
            skip: BTreeSet::new(),
            template,
        })
    }

    /// Leaves some resources as they are (`ResourcesToSkip`).
    #[must_use]
    pub fn skipping(mut self, names: &[String]) -> Self {
        self.skip = names.iter().cloned().collect();
        self
    }

    /// What the template sees, while `known` is looked at.
    pub fn world<'w>(&'w self, known: &'w BTreeMap<String, Known>) -> World<'w> {
        World {
            template: &self.template,
            stack: self.stack,
            model: self.model,
            resources: known,
            exports: &self.exports,
        }
    }

    /// Makes, changes and replaces until everything is as the model has it: each resource as soon
    /// as what it needs is there.
    ///
    /// # Errors
    /// The store's. What fails of the resources is in the outcome.
    pub async fn converge(&self) -> Result<Outcome> {
        let mut waiting = self.target.clone();
        let mut running = FuturesUnordered::new();
        let mut failed = Vec::new();
        loop {
            if failed.is_empty() && !self.cancelled().await? {
                let free: Vec<String> = waiting
                    .iter()
                    .filter(|(_, needs)| needs.is_empty())
                    .take(AT_ONCE - running.len().min(AT_ONCE))
                    .map(|(name, _)| name.clone())
                    .collect();
                for name in free {
                    waiting.remove(&name);
                    running.push(async move { (self.one(&name).await, name) });
                }
            }
            let Some((result, name)) = running.next().await else { break };
            match result? {
                Ok(()) => {
                    for needs in waiting.values_mut() {
                        needs.remove(&name);
                    }
                }
                Err(()) => failed.push(name),
            }
        }
        if failed.is_empty() && waiting.is_empty() {
            return Ok(Outcome::Done);
        }
        failed.sort();
        Ok(Outcome::Failed(failed))
    }

    /// Whether the update was cancelled meanwhile.
    async fn cancelled(&self) -> Result<bool> {
        if self.stack.status != "UPDATE_IN_PROGRESS" {
            return Ok(false);
        }
        let now = self.cfn.store.get(&crate::record::STACKS, &self.stack.key()).await?;
        Ok(now.is_some_and(|s| s.cancel))
    }

    /// Brings one resource to where it shall be. The inner error means that it failed, which its
    /// record and an event say.
    async fn one(&self, name: &str) -> Result<std::result::Result<(), ()>> {
        let Some(declared) = self.template.resources.get(name) else { return Ok(Ok(())) };
        let had = self.cfn.resource(self.stack.unique(), name).await?;
        let mut r = had.unwrap_or_else(|| ResourceRecord {
            logical_id: name.to_owned(),
            kind: declared.kind.clone(),
            status: String::new(),
            reason: None,
            at: 0,
            now: None,
            old: Vec::new(),
            token: self.token(),
            needs: Vec::new(),
            metadata: None,
            deletion_policy: None,
            update_replace_policy: None,
        });
        if self.skip.contains(name) {
            return Ok(Ok(()));
        }
        let policy = |v: &Option<Value>| v.as_ref().and_then(Value::as_str).map(str::to_owned);
        r.needs = self.target.get(name).into_iter().flatten().cloned().collect();
        r.metadata = declared.metadata.as_ref().map(Value::to_string);
        r.deletion_policy = policy(&declared.deletion_policy);
        r.update_replace_policy = policy(&declared.update_replace_policy);
        let fresh = r.now.is_none();
        let verb = if fresh { "CREATE" } else { "UPDATE" };
        let evaluated = {
            let known = self.known.lock();
            let world = self.world(&known);
            Eval::new(&self.template, &world).map(&declared.properties)
        };
        let properties = match evaluated {
            Ok(p) => p,
            Err(e) => return self.failed(&mut r, verb, &e.to_string()).await,
        };
        let Some(kind) = kinds::find(&declared.kind) else {
            return self.failed(&mut r, verb, "Unrecognized resource type").await;
        };
        let text = json(&properties);
        if let Some(now) = &r.now
            && now.kind == declared.kind
            && now.properties == text
        {
            return self.keep(r).await.map(Ok);
        }
        if let Some(fault) = kind.fault(&properties) {
            let fault = fault.replace("{}", name);
            return self.failed(&mut r, verb, &fault).await;
        }
        let replaced = r.now.as_ref().is_some_and(|now| {
            now.kind != declared.kind || kind.replaced(&now.props(), &properties)
        });
        if replaced
            && let Some(at) =
                r.old.iter().position(|o| o.kind == declared.kind && o.properties == text)
        {
            // Going back to what it was, which is still there.
            let back = r.old.remove(at);
            r.old.extend(r.now.replace(back));
            r.kind.clone_from(&declared.kind);
            self.settle(&mut r, "UPDATE_COMPLETE", None).await?;
            return Ok(Ok(()));
        }
        if replaced {
            r.token = self.token();
            r.old.extend(r.now.take());
        }
        r.kind.clone_from(&declared.kind);
        let why = replaced.then(|| {
            "Requested update requires the creation of a new physical resource; hence creating one."
                .to_owned()
        });
        self.step(&mut r, &format!("{verb}_IN_PROGRESS"), why, Some(&text)).await?;
        let maker = self.maker(&r);
        let real = match secret::resolve(self.cx, &properties).await {
            Ok(p) => p,
            Err(e) => return self.failed_after(r, verb, replaced, &e).await,
        };
        let made = match (&r.now, kind.update) {
            (Some(now), Some(update)) => update(&maker, now, &real).await,
            _ => (kind.create)(&maker, &real).await,
        };
        match made {
            Ok(made) => {
                let Made { id, attributes } = made;
                let initiated = fresh || replaced;
                r.now = Some(Instance {
                    kind: declared.kind.clone(),
                    physical_id: id,
                    properties: text,
                    attributes: json(&attributes),
                    retain: false,
                });
                if initiated {
                    let why = Some("Resource creation Initiated".to_owned());
                    self.step(&mut r, &format!("{verb}_IN_PROGRESS"), why, None).await?;
                }
                self.settle(&mut r, &format!("{verb}_COMPLETE"), None).await?;
                Ok(Ok(()))
            }
            Err(e) => self.failed_after(r, verb, replaced, &e).await,
        }
    }

    /// A call that failed; what was replaced is what it was again.
    async fn failed_after(
        &self,
        mut r: ResourceRecord,
        verb: &str,
        replaced: bool,
        e: &ApiError,
    ) -> Result<std::result::Result<(), ()>> {
        if replaced {
            r.now = r.old.pop();
            if let Some(now) = &r.now {
                r.kind.clone_from(&now.kind);
            }
        }
        if let Some(context) = e.internal_context() {
            tracing::warn!(stack = self.stack.name, resource = r.logical_id, "{context}");
        }
        let reason = reason(self.cx, e);
        self.failed(&mut r, verb, &reason).await
    }

    async fn failed(
        &self,
        r: &mut ResourceRecord,
        verb: &str,
        reason: &str,
    ) -> Result<std::result::Result<(), ()>> {
        self.step(r, &format!("{verb}_FAILED"), Some(reason.to_owned()), None).await?;
        Ok(Err(()))
    }

    /// Nothing to do but to write down what does not show.
    async fn keep(&self, r: ResourceRecord) -> Result<()> {
        if let Some(i) = &r.now {
            self.known.lock().insert(r.logical_id.clone(), known_of(i));
        }
        let key = of_stack(self.stack.unique(), &r.logical_id);
        Ok(self.cfn.store.put(&RESOURCES, &key, &r).await?)
    }

    async fn settle(
        &self,
        r: &mut ResourceRecord,
        status: &str,
        why: Option<String>,
    ) -> Result<()> {
        if let Some(i) = &r.now {
            self.known.lock().insert(r.logical_id.clone(), known_of(i));
        }
        self.step(r, status, why, None).await
    }

    /// Writes a resource's state and its event, in one transaction.
    async fn step(
        &self,
        r: &mut ResourceRecord,
        status: &str,
        reason: Option<String>,
        properties: Option<&str>,
    ) -> Result<()> {
        r.status = status.to_owned();
        r.reason.clone_from(&reason);
        r.at = self.cx.cloud.clock().now().as_microsecond();
        let key = of_stack(self.stack.unique(), &r.logical_id);
        let mut tx = self.cfn.store.lock(&[Lock::exclusive(&RESOURCES, &key)]).await;
        tx.put(&RESOURCES, &key, &*r);
        let event = EventRecord {
            id: String::new(),
            logical_id: r.logical_id.clone(),
            physical_id: r.now.as_ref().map(|i| i.physical_id.clone()).unwrap_or_default(),
            kind: r.kind.clone(),
            status: status.to_owned(),
            reason,
            at: 0,
            properties: properties.map(str::to_owned),
            token: self.stack.token.clone(),
        };
        self.cfn.event(self.cx, &mut tx, self.stack.unique(), event);
        Ok(tx.commit().await?)
    }

    fn maker<'m>(&'m self, r: &'m ResourceRecord) -> Maker<'m> {
        Maker {
            cfn: self.cfn,
            cx: self.cx,
            stack_id: &self.stack.id,
            stack_name: &self.stack.name,
            logical_id: &r.logical_id,
            kind: &r.kind,
            token: &r.token,
            tags: &self.model.tags,
        }
    }

    fn token(&self) -> String {
        self.cx.ids().pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 12)
    }
}

/// The resources whose conditions do not hold.
fn off(
    template: &Template,
    stack: &StackRecord,
    model: &Model,
    exports: &BTreeMap<String, String>,
) -> fogbank_cfn::Result<BTreeSet<String>> {
    let resources = BTreeMap::new();
    let world = World { template, stack, model, resources: &resources, exports };
    let eval = Eval::new(template, &world);
    let mut off = BTreeSet::new();
    for (name, r) in &template.resources {
        if let Some(c) = &r.condition
            && !eval.condition(c)?
        {
            off.insert(name.clone());
        }
    }
    Ok(off)
}

fn known_of(i: &Instance) -> Known {
    Known { physical_id: i.physical_id.clone(), attributes: i.attrs() }
}

/// A service's error as CloudFormation tells it.
fn reason(cx: &Cx, e: &ApiError) -> String {
    let code = match e.code() {
        c if c.contains("AlreadyExists") || c.contains("AlreadyOwnedByYou") => "AlreadyExists",
        c if c.contains("AccessDenied") || c.contains("Unauthorized") => "AccessDenied",
        c if c.contains("NotFound") || c.starts_with("NoSuch") => "NotFound",
        c if c.contains("Throttl") || c.contains("TooManyRequests") => "Throttling",
        c if c.contains("LimitExceeded") => "ServiceLimitExceeded",
        c if c.contains("Validation") || c.starts_with("Invalid") || c.starts_with("Malformed") => {
            "InvalidRequest"
        }
        "NotStabilized" => return e.message().to_owned(),
        _ => "GeneralServiceException",
    };
    let token = cx.ids().uuid();
    format!(
        "Resource handler returned message: \"{}\" (RequestToken: {token}, HandlerErrorCode: {code})",
        e.message()
    )
}

/// The exports that a template imports, as far as their names can be told.
async fn imports(
    cfn: &CloudFormation,
    stack: &StackRecord,
    model: &Model,
    template: &Template,
    value: &Value,
) -> Result<BTreeMap<String, String>> {
    let mut names = Vec::new();
    collect(value, &mut names);
    let mut found = BTreeMap::new();
    let empty = BTreeMap::new();
    for v in names {
        let name = {
            let none = BTreeMap::new();
            let world = World { template, stack, model, resources: &empty, exports: &none };
            match Eval::new(template, &world).some(v) {
                Ok(Value::String(s)) => s,
                _ => continue, // told where it is evaluated
            }
        };
        let key = Key::new().str(&stack.account).str(&stack.region).str(&name);
        if let Some(e) = cfn.store.get(&EXPORTS, &key).await? {
            found.insert(name, e.value);
        }
    }
    Ok(found)
}

fn collect<'v>(v: &'v Value, names: &mut Vec<&'v Value>) {
    match v {
        Value::Array(all) => all.iter().for_each(|v| collect(v, names)),
        Value::Object(m) => {
            for (k, v) in m {
                if k == "Fn::ImportValue" {
                    names.push(v);
                } else {
                    collect(v, names);
                }
            }
        }
        _ => {}
    }
}
