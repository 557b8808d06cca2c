//! What moves a Map run.

use fogbank_asl::run::{Mover, Moves, Phase};
use fogbank_asl::{Fault, Signal};
use fogbank_core::Result;
use fogbank_store::{Key, Lock, Range, Tx};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{OF_EXECUTION, key};
use crate::Sfn;
use crate::arn::ExecutionId;
use crate::drive::{Knock, list_of};
use crate::record::{
    Child, Counts, EXECUTIONS, Execution, JOBS, Job, MAP_ITEMS, MAP_RESULTS, MAP_RUNS, MapResult,
    MapRun, RUNS, STARTED, Status, StoredRun, Watcher, What,
};
use crate::world::world;

/// How many executions run at once, at most, and how many are begun in one go.
const AT_ONCE: u64 = 1000;
const IN_ONE_GO: u64 = 100;

impl Sfn {
    /// Reads the items of a distributed Map and records its run.
    pub async fn begin_map_run(&self, id: &ExecutionId, frame: u64, ticket: u64) -> Result<()> {
        let stored: Option<StoredRun> = self.store.get(&RUNS, &id.key()).await?;
        let found: Option<Execution> = self.store.get(&EXECUTIONS, &id.key()).await?;
        let (Some(StoredRun(mut run)), Some(e)) = (stored, found) else { return Ok(()) };
        let Some(f) = run.waiting(frame, ticket) else { return Ok(()) };
        let (scope, state) = (f.scope, f.state.clone());
        let Phase::MapRun(begun) = f.phase.clone() else { return Ok(()) };
        let at = key(&begun.arn)?;
        if self.store.get(&MAP_RUNS, &at).await?.is_some() {
            return self.begin_children(&begun.arn).await;
        }
        let compiled = self.definition(&e.set.definition).await?;
        let state = compiled.definition.state(scope, &state);
        let Some(fogbank_asl::definition::Kind::Map(map)) = state.map(|s| &s.kind) else {
            return Ok(());
        };
        let Some(of) = &map.distributed else { return Ok(()) };
        let cloud = self.cloud()?;
        let meta = self.meta(&e, &compiled).await?;
        let world = world(&cloud);
        let items = self.items(&e, of, &begun).await;
        let inputs = items.and_then(|items| {
            let mover = Mover {
                run: &mut run,
                definition: &compiled.definition,
                meta: &meta,
                world: &world,
                moves: Moves::default(),
            };
            let selected: std::result::Result<Vec<Value>, Fault> =
                (0u64..).zip(&items).map(|(i, v)| mover.selected(frame, i, v)).collect();
            super::items::batches(selected?, of, &begun)
        });
        let inputs = match inputs {
            Ok(i) => i,
            Err(fault) => {
                let knock = Knock::Signals(frame, ticket, vec![Signal::MapRun(Err(fault))]);
                return self.step(id, knock).await.map(|_| ());
            }
        };
        let now = cloud.clock().now().as_microsecond();
        let label = begun.arn.split(":mapRun:").nth(1).unwrap_or_default();
        let machine = label.rsplit_once(':').map_or(label, |(m, _)| m).to_owned();
        let record = MapRun {
            arn: begun.arn.clone(),
            parent: Watcher { id: id.clone(), frame, ticket, parsed: false },
            status: Status::Running,
            started: now,
            stopped: None,
            max_concurrency: begun.max_concurrency,
            tolerated_count: begun.tolerated_count.unwrap_or(0),
            tolerated_percentage: begun.tolerated_percentage.unwrap_or(0.0),
            items: inputs.iter().map(|(_, n)| n).sum(),
            total: inputs.len() as u64,
            next: 0,
            ended: Counts::default(),
            ended_items: Counts::default(),
            machine,
            scope: map.processor,
            express: of.express,
            set: e.set.clone(),
            failure: None,
            redrives: 0,
            running: 0,
            writes: of.writer.as_ref().is_some_and(|w| w.resource.is_some()),
            by_percentage: begun.tolerated_percentage.is_some(),
            by_count: begun.tolerated_count.is_some(),
        };
        let mut tx = self.store.lock(&[Lock::exclusive(&MAP_RUNS, &at)]).await;
        for (i, (input, n)) in (0u64..).zip(&inputs) {
            let stored = format!("{n} {input}");
            tx.put(&MAP_ITEMS, &at.clone().u64(i), &stored.into_bytes().into());
        }
        let newest = id.key().u64_desc(u64::try_from(now).unwrap_or(0)).str(&begun.arn);
        tx.put(&OF_EXECUTION, &newest, &begun.arn.clone().into_bytes().into());
        tx.put(&MAP_RUNS, &at, &record);
        self.push_map_run(&mut tx, &record)?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    /// Has a Map run looked at.
    pub fn push_map_run(&self, tx: &mut Tx, m: &MapRun) -> Result<()> {
        let what = What::Children(m.arn.clone());
        let id = crate::drive::job_id(&m.parent.id, &what);
        let now = self.cloud()?.clock().now();
        JOBS.put(tx, now, &id, &Job { id: m.parent.id.clone(), what });
        Ok(())
    }

    /// Looks at a Map run: ends it, or begins what there is room for.
    pub async fn begin_children(&self, arn: &str) -> Result<()> {
        let at = key(arn)?;
        let mut tx = self.store.lock(&[Lock::exclusive(&MAP_RUNS, &at)]).await;
        let found: Option<MapRun> = tx.get(&MAP_RUNS, &at).await?;
        let Some(mut m) = found.filter(|m| m.status == Status::Running) else { return Ok(()) };
        let p = m.parent.clone();
        let stored: Option<StoredRun> = self.store.get(&RUNS, &p.id.key()).await?;
        let waits = stored.is_some_and(|s| s.0.waiting(p.frame, p.ticket).is_some());
        let over = m.is_over();
        if !waits || over || m.ended.sum() >= m.total {
            drop(tx);
            return self.end_map_run(m, waits, over).await;
        }
        let limit = if m.max_concurrency == 0 { AT_ONCE } else { m.max_concurrency.min(AT_ONCE) };
        let mut begun = 0;
        while m.next < m.total && m.running < limit && begun < IN_ONE_GO {
            self.begin_child(&mut tx, &m, m.next).await?;
            m.next += 1;
            m.running += 1;
            begun += 1;
        }
        if begun == IN_ONE_GO {
            self.push_map_run(&mut tx, &m)?;
        }
        if begun > 0 {
            tx.put(&MAP_RUNS, &at, &m);
            tx.commit().await?;
            self.wake();
        }
        Ok(())
    }

    async fn begin_child(&self, tx: &mut Tx, m: &MapRun, index: u64) -> Result<()> {
        let cloud = self.cloud()?;
        let stored =
            self.store.get(&MAP_ITEMS, &key(&m.arn)?.u64(index)).await?.unwrap_or_default();
        let text = String::from_utf8_lossy(&stored);
        let (n, input) = text.split_once(' ').unwrap_or(("1", "null"));
        let child = Child { arn: m.arn.clone(), index, items: n.parse().unwrap_or(1) };
        let e =
            self.child(m, child.clone(), input.to_owned(), cloud.clock().now().as_microsecond());
        if m.express {
            let what = What::ExpressChild(child);
            let id = crate::drive::job_id(&e.id, &what);
            JOBS.put(tx, cloud.clock().now(), &id, &Job { id: e.id.clone(), what });
            return Ok(());
        }
        match self.begin(e).await {
            // Begun before, by a process that was killed.
            Err(error) if error.code() == "ExecutionAlreadyExists" => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn child(&self, m: &MapRun, child: Child, input: String, started: i64) -> Execution {
        let h = hex::encode(Sha256::digest(format!("{} {}", m.arn, child.index)));
        let name =
            format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..32]);
        Execution {
            id: ExecutionId { machine: m.machine.clone(), name, ..m.parent.id.clone() },
            status: Status::Running,
            started,
            stopped: None,
            input,
            output: None,
            error: None,
            cause: None,
            version: None,
            alias: None,
            trace: None,
            set: m.set.clone(),
            scope: m.scope,
            map_run: Some(child),
            redrives: 0,
            redriven: None,
            watchers: Vec::new(),
            secret: h[32..56].to_owned(),
            revision: None,
            defined: m.started,
            expires: None,
        }
    }

    /// Runs an Express execution of a Map run, and counts it.
    pub async fn run_express_child(&self, id: &ExecutionId, child: &Child) -> Result<()> {
        let Some(m) = self.store.get(&MAP_RUNS, &key(&child.arn)?).await? else { return Ok(()) };
        if m.status != Status::Running {
            return Ok(());
        }
        let stored = self.store.get(&MAP_ITEMS, &key(&m.arn)?.u64(child.index)).await?;
        let stored = stored.unwrap_or_default();
        let text = String::from_utf8_lossy(&stored);
        let input = text.split_once(' ').map_or("null", |(_, i)| i).to_owned();
        let clock = self.cloud()?.clock().clone();
        let e = self.child(&m, child.clone(), input, clock.now().as_microsecond());
        let ended = self.express_child(&e, child).await?;
        let result = MapResult {
            status: ended.status,
            output: ended.output,
            error: ended.error,
            cause: ended.cause,
            name: id.name.clone(),
            started: e.started,
            stopped: clock.now().as_microsecond(),
        };
        self.count(child, result).await
    }

    /// Counts a Standard execution of a Map run that has ended.
    pub async fn child_ended(&self, id: &ExecutionId, child: &Child) -> Result<()> {
        let found: Option<Execution> = self.store.get(&EXECUTIONS, &id.key()).await?;
        let Some(e) = found else { return Ok(()) };
        let result = MapResult {
            status: e.status,
            output: e.output,
            error: e.error,
            cause: e.cause,
            name: e.id.name,
            started: e.started,
            stopped: e.stopped.unwrap_or_default(),
        };
        self.count(child, result).await
    }

    async fn count(&self, child: &Child, result: MapResult) -> Result<()> {
        let at = key(&child.arn)?;
        let place = at.clone().u64(child.index);
        let mut tx = self.store.lock(&[Lock::exclusive(&MAP_RUNS, &at)]).await;
        let found: Option<MapRun> = tx.get(&MAP_RUNS, &at).await?;
        let Some(mut m) = found else { return Ok(()) };
        if tx.get(&MAP_RESULTS, &place).await?.is_some() {
            return Ok(());
        }
        m.ended.add(result.status, 1);
        m.ended_items.add(result.status, child.items);
        m.running = m.running.saturating_sub(1);
        if result.status != Status::Succeeded && m.failure.is_none() {
            m.failure = Some((result.error.clone(), result.cause.clone()));
        }
        tx.put(&MAP_RESULTS, &place, &result);
        tx.put(&MAP_RUNS, &at, &m);
        self.push_map_run(&mut tx, &m)?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    async fn end_map_run(&self, mut m: MapRun, waits: bool, over: bool) -> Result<()> {
        if !waits || over {
            self.stop_children(&m).await?;
        }
        m.status = match (waits, over) {
            (false, _) => Status::Aborted,
            (true, true) => Status::Failed,
            (true, false) => Status::Succeeded,
        };
        if waits {
            let result = if over {
                Err(Fault::plain(
                    Some("States.ExceedToleratedFailureThreshold".to_owned()),
                    Some("The specified tolerated failure threshold was exceeded".to_owned()),
                ))
            } else {
                self.results(&m).await?
            };
            if result.is_err() {
                m.status = Status::Failed;
            }
            let p = &m.parent;
            let knock = Knock::Signals(p.frame, p.ticket, vec![Signal::MapRun(result)]);
            self.step(&p.id, knock).await?;
        }
        let at = key(&m.arn)?;
        let mut tx = self.store.lock(&[Lock::exclusive(&MAP_RUNS, &at)]).await;
        let found: Option<MapRun> = tx.get(&MAP_RUNS, &at).await?;
        let Some(mut stored) = found.filter(|s| s.status == Status::Running) else { return Ok(()) };
        stored.status = m.status;
        stored.stopped = Some(self.cloud()?.clock().now().as_microsecond());
        tx.put(&MAP_RUNS, &at, &stored);
        tx.commit().await?;
        Ok(())
    }

    /// Stops the executions that still run.
    async fn stop_children(&self, m: &MapRun) -> Result<()> {
        let id = &m.parent.id;
        let list = list_of(&id.account, &id.region, &m.arn, Some(Status::Running));
        let running = self.store.scan(&STARTED, Range::prefix(&list), 10_000).await?;
        for (k, _) in running {
            let Some(name) = last_text(&k) else { continue };
            let child = ExecutionId { machine: m.machine.clone(), name, ..id.clone() };
            self.step(&child, Knock::Abort(None, None)).await?;
        }
        Ok(())
    }
}

impl MapRun {
    /// Whether more has failed than is tolerated.
    fn is_over(&self) -> bool {
        let bad = self.ended_items.bad();
        if bad == 0 {
            return false;
        }
        let percent = bad as f64 * 100.0 / self.items.max(1) as f64;
        match (self.by_count, self.by_percentage) {
            (true, false) => bad > self.tolerated_count,
            (false, true) => percent > self.tolerated_percentage,
            _ => bad > self.tolerated_count || percent > self.tolerated_percentage,
        }
    }
}

fn last_text(key: &Key) -> Option<String> {
    match key.parts().last()? {
        fogbank_store::Part::Str(s) => Some(s.into_owned()),
        _ => None,
    }
}
