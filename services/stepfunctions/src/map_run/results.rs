//! The results of a Map run: the state's result, or objects in S3.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>

use fogbank_asl::Fault;
use fogbank_asl::definition::{Kind, Writer};
use fogbank_asl::run::Phase;
use fogbank_core::Result;
use fogbank_store::Range;
use serde_json::{Value, json};

use super::key;
use crate::Sfn;
use crate::arn::ExecutionId;
use crate::record::{
    EXECUTIONS, Execution, MAP_ITEMS, MAP_RESULTS, MapResult, MapRun, RUNS, Status, StoredRun,
};
use crate::task::{Refused, invoke};

impl Sfn {
    /// What the Map's state gets.
    pub async fn results(&self, m: &MapRun) -> Result<std::result::Result<Value, Fault>> {
        let at = key(&m.arn)?;
        let most = usize::try_from(m.total).unwrap_or(usize::MAX);
        let found = self.store.scan(&MAP_RESULTS, Range::prefix(&at), most).await?;
        let results: Vec<MapResult> = found.into_iter().map(|(_, r)| r).collect();
        let Some((writer, arguments)) = self.writer(m).await? else {
            return Ok(Ok(outputs(&results, "COMPACT")));
        };
        if writer.resource.is_none() {
            let items = self.store.scan(&MAP_ITEMS, Range::prefix(&at), most).await?;
            let items: Vec<String> =
                items.into_iter().map(|(_, b)| String::from_utf8_lossy(&b).into_owned()).collect();
            return Ok(Ok(match writer.transformation.as_str() {
                "NONE" => described(m, &results, &items),
                other => outputs(&results, other),
            }));
        }
        self.write(m, &writer, &arguments, &results).await
    }

    /// The state's `ResultWriter`, and its arguments.
    async fn writer(&self, m: &MapRun) -> Result<Option<(Writer, Value)>> {
        let stored: Option<StoredRun> = self.store.get(&RUNS, &m.parent.id.key()).await?;
        let Some(StoredRun(run)) = stored else { return Ok(None) };
        let Some(f) = run.waiting(m.parent.frame, m.parent.ticket) else { return Ok(None) };
        let Phase::MapRun(begun) = &f.phase else { return Ok(None) };
        let compiled = self.definition(&m.set.definition).await?;
        let state = compiled.definition.state(f.scope, &f.state);
        let Some(Kind::Map(map)) = state.map(|s| &s.kind) else { return Ok(None) };
        let writer = map.distributed.as_ref().and_then(|d| d.writer.clone());
        let arguments = begun.writer.as_deref().cloned().unwrap_or_default();
        Ok(writer.map(|w| (w, arguments)))
    }

    async fn write(
        &self,
        m: &MapRun,
        writer: &Writer,
        arguments: &Value,
        results: &[MapResult],
    ) -> Result<std::result::Result<Value, Fault>> {
        let failed = |why: &str| {
            Fault::plain(Some("States.ResultWriterFailed".to_owned()), Some(why.to_owned()))
        };
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let Some(bucket) = text("Bucket") else { return Ok(Err(failed("Bucket is missing"))) };
        let prefix = text("Prefix").unwrap_or_default().trim_end_matches('/');
        let run = m.arn.rsplit(':').next().unwrap_or_default();
        let folder = if prefix.is_empty() { run.to_owned() } else { format!("{prefix}/{run}") };
        let parent: Option<Execution> = self.store.get(&EXECUTIONS, &m.parent.id.key()).await?;
        let Some(parent) = parent else { return Ok(Err(failed("The execution is gone"))) };
        let cx = match self.roles.enter(&self.caller(&parent)?, None).await {
            Ok(cx) => cx,
            Err(e) => return Ok(Err(failed(e.message()))),
        };
        let items =
            self.store.scan(&MAP_ITEMS, Range::prefix(&key(&m.arn)?), results.len()).await?;
        let items: Vec<String> =
            items.into_iter().map(|(_, b)| String::from_utf8_lossy(&b).into_owned()).collect();
        let jsonl = writer.output_type == "JSONL";
        let extension = if jsonl { "jsonl" } else { "json" };
        let mut files = serde_json::Map::new();
        for (name, good) in [("SUCCEEDED", true), ("FAILED", false)] {
            let chosen: Vec<Value> = results
                .iter()
                .zip(&items)
                .filter(|(r, _)| (r.status == Status::Succeeded) == good)
                .map(|(r, i)| match writer.transformation.as_str() {
                    "NONE" => one(m, r, i),
                    _ => r
                        .output
                        .as_deref()
                        .and_then(|o| serde_json::from_str(o).ok())
                        .unwrap_or_default(),
                })
                .collect();
            let mut listed = Vec::new();
            if !chosen.is_empty() {
                let body = if jsonl {
                    chosen.iter().map(|v| format!("{v}\n")).collect()
                } else {
                    Value::Array(chosen).to_string()
                };
                let path = format!("{folder}/{name}_0.{extension}");
                listed.push(json!({"Key": path, "Size": body.len()}));
                if let Err(why) = put(&cx, bucket, &path, body).await {
                    return Ok(Err(failed(&why)));
                }
            }
            files.insert(name.to_owned(), listed.into());
        }
        files.insert("PENDING".to_owned(), json!([]));
        let manifest = json!({
            "DestinationBucket": bucket,
            "MapRunArn": m.arn,
            "ResultFiles": files,
        });
        let path = format!("{folder}/manifest.json");
        if let Err(why) = put(&cx, bucket, &path, manifest.to_string()).await {
            return Ok(Err(failed(&why)));
        }
        Ok(Ok(json!({
            "MapRunArn": m.arn,
            "ResultWriterDetails": {"Bucket": bucket, "Key": path},
        })))
    }
}

async fn put(
    cx: &fogbank_core::Cx,
    bucket: &str,
    key: &str,
    body: String,
) -> std::result::Result<(), String> {
    let arguments =
        json!({"Bucket": bucket, "Key": key, "Body": body, "ContentType": "application/json"});
    invoke(cx, "s3", "putObject", arguments).await.map(|_| ()).map_err(|r| match r {
        Refused::Input(why) => why,
        Refused::Unknown => "S3 is not here".to_owned(),
        Refused::Error(_, e) => e.message().to_owned(),
    })
}

/// The outputs of those that succeeded.
fn outputs(results: &[MapResult], transformation: &str) -> Value {
    let parsed = results
        .iter()
        .filter(|r| r.status == Status::Succeeded)
        .filter_map(|r| serde_json::from_str(r.output.as_deref()?).ok());
    if transformation != "FLATTEN" {
        return parsed.collect();
    }
    let flat = parsed.flat_map(|v: Value| match v {
        Value::Array(a) => a,
        other => vec![other],
    });
    flat.collect()
}

fn described(m: &MapRun, results: &[MapResult], items: &[String]) -> Value {
    results.iter().zip(items).map(|(r, i)| one(m, r, i)).collect()
}

fn one(m: &MapRun, r: &MapResult, item: &str) -> Value {
    let id =
        ExecutionId { machine: m.machine.clone(), name: r.name.clone(), ..m.parent.id.clone() };
    let time = |t: i64| fogbank_asl::run::time(t);
    let mut out = json!({
        "ExecutionArn": id.arn(),
        "Input": item.split_once(' ').map_or("", |(_, i)| i),
        "InputDetails": {"Included": true},
        "Name": r.name,
        "RedriveCount": 0,
        "StartDate": time(r.started),
        "StateMachineArn": id.machine_arn(),
        "Status": r.status.name(),
        "StopDate": time(r.stopped),
    });
    if let Some(o) = &r.output {
        out["Output"] = o.clone().into();
        out["OutputDetails"] = json!({"Included": true});
    }
    if let Some(e) = &r.error {
        out["Error"] = e.clone().into();
    }
    if let Some(c) = &r.cause {
        out["Cause"] = c.clone().into();
    }
    out
}
