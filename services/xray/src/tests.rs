//! Traces from segments to summaries and graphs.

use std::sync::Arc;

use fogbank_core::{Principal, Result, Service, Value, map};
use fogbank_store::Store;
use fogbank_testkit::handler::{Alone, text_at};
use jiff::{SignedDuration, Timestamp};

const ACCOUNT: &str = "123456789012";

struct World {
    service: Service,
    cloud: Arc<Alone>,
}

impl World {
    fn new() -> Self {
        World { service: crate::service(Store::ephemeral()), cloud: Arc::default() }
    }
    fn now(&self) -> i64 {
        self.cloud.clock.now().as_second()
    }
    async fn run(&self, operation: &'static str, input: Value) -> Result<Value> {
        self.cloud.run(&self.service, operation, Principal::root(ACCOUNT), input).await
    }
    async fn ok(&self, operation: &'static str, input: Value) -> Value {
        self.run(operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }
    async fn put(&self, documents: &[String]) -> Value {
        let documents: Vec<Value> = documents.iter().map(|d| Value::from(d.as_str())).collect();
        self.ok("PutTraceSegments", map! {"TraceSegmentDocuments" => documents}).await
    }
    fn times(&self) -> Vec<(&'static str, Value)> {
        let at = |s: i64| Value::Time(Timestamp::from_second(s).unwrap());
        vec![("StartTime", at(self.now() - 600)), ("EndTime", at(self.now() + 60))]
    }
    async fn found(&self, filter: &str) -> Result<usize> {
        let mut input = self.times();
        input.push(("FilterExpression", filter.into()));
        let input = Value::Map(input.into_iter().map(|(k, v)| (k.into(), v)).collect());
        let got = self.run("GetTraceSummaries", input).await?;
        Ok(got.get("TraceSummaries").unwrap().items().len())
    }
}

fn trace(n: i64) -> String {
    format!("1-{n:08x}-{n:024x}")
}

/// A front end that called a back end, which called a table.
fn documents(trace: &str, now: i64, fault: bool) -> Vec<String> {
    vec![
        format!(
            r#"{{"name":"front","id":"000000000000000a","trace_id":"{trace}","start_time":{now},"end_time":{now}.5,
            "user":"ann","annotations":{{"tier":"web","n":3}},"origin":"AWS::EC2::Instance",
            "http":{{"request":{{"method":"GET","url":"http://x/cart"}},"response":{{"status":200}}}},
            "subsegments":[{{"name":"back","id":"000000000000000b","start_time":{now},"end_time":{now}.4,"namespace":"remote"}}]}}"#
        ),
        format!(
            r#"{{"name":"back","id":"000000000000000c","parent_id":"000000000000000b","trace_id":"{trace}","start_time":{now}.1,"end_time":{now}.3,
            "fault":{fault},"subsegments":[{{"name":"DynamoDB","id":"000000000000000d","start_time":{now}.1,"end_time":{now}.2,"namespace":"aws"}}]}}"#
        ),
    ]
}

#[tokio::test]
async fn summaries_filters_and_graphs() {
    let w = World::new();
    let now = w.now() - 60;
    for (n, fault) in [(1, true), (2, false)] {
        let put = w.put(&documents(&trace(n), now + n, fault)).await;
        assert!(put.get("UnprocessedTraceSegments").unwrap().items().is_empty());
    }
    let got = w
        .ok(
            "BatchGetTraces",
            map! {"TraceIds" => vec![Value::from(trace(1)), Value::from(trace(9))]},
        )
        .await;
    assert_eq!(got.get("Traces").unwrap().items()[0].get("Segments").unwrap().items().len(), 2);
    assert_eq!(text_at(&got, "UnprocessedTraceIds.0"), trace(9));
    for (filter, expected) in [
        ("", 2),
        ("fault", 1),
        ("fault = false", 1),
        ("!fault", 1),
        ("ok AND responsetime < 1", 1),
        ("responsetime >= 0.5", 2),
        ("duration > 1", 0),
        ("service(\"back\")", 2),
        ("service(\"back\") { fault = true }", 1),
        ("service(id(name: \"front\", type: \"AWS::EC2::Instance\")) { fault }", 0),
        ("edge(\"front\", \"back\")", 2),
        ("edge(\"back\", \"front\")", 0),
        ("annotation.tier = \"web\" AND annotation[n] > 2", 2),
        ("annotation.tier CONTAINS \"x\"", 0),
        ("http.url ENDSWITH \"/cart\" && http.status = 200", 2),
        ("user = \"bob\" OR (user = \"ann\" AND http.method BEGINSWITH \"G\")", 2),
    ] {
        assert_eq!(w.found(filter).await.unwrap(), expected, "{filter}");
    }
    let deep = format!("{}ok{}", "(".repeat(200), ")".repeat(200));
    for bad in [
        "nope",
        "fault AND",
        "responsetime",
        "responsetime > x",
        "service(",
        "user = \"x",
        "annotation. = 1",
        "(ok",
        "ok ok",
        &deep,
    ] {
        let e = w.found(bad).await.unwrap_err();
        assert_eq!(e.code(), "InvalidRequestException", "{bad}");
    }
    let graph = w.ok("GetTraceGraph", map! {"TraceIds" => vec![Value::from(trace(1))]}).await;
    let services = graph.get("Services").unwrap().items();
    let node = |name: &str, kind: Option<&str>| {
        services
            .iter()
            .find(|s| s.str("Name") == Some(name) && s.str("Type") == kind)
            .unwrap_or_else(|| panic!("{name}: {services:?}"))
    };
    let edges = |s: &Value| s.get("Edges").unwrap().items().len();
    assert_eq!(services.len(), 4);
    assert_eq!(edges(node("front", Some("client"))), 1);
    assert_eq!(edges(node("front", Some("AWS::EC2::Instance"))), 1);
    assert_eq!(edges(node("back", None)), 1);
    assert_eq!(edges(node("DynamoDB", Some("AWS::DynamoDB"))), 0);
    let faults =
        node("back", None).get("SummaryStatistics").unwrap().get("FaultStatistics").unwrap();
    assert_eq!(faults.get("TotalCount"), Some(&Value::Int(1)));
    let times = Value::Map(w.times().into_iter().map(|(k, v)| (k.into(), v)).collect());
    let whole = w.ok("GetServiceGraph", times).await;
    assert_eq!(whole.get("Services").unwrap().items().len(), 4);
}

#[tokio::test]
async fn bad_segments_are_named_and_old_traces_go() {
    let w = World::new();
    let now = w.now();
    let base = documents(&trace(1), now, false)[0].clone();
    let long = base.replace("ann", &"x".repeat(70_000));
    for (document, code) in [
        ("text".to_owned(), "ParseError"),
        ("[]".to_owned(), "ParseError"),
        (base.replace("\"id\":\"000000000000000a\",", ""), "MissingId"),
        (base.replace("000000000000000a", "xyz"), "InvalidId"),
        (base.replace(&trace(1), "1-2-3"), "InvalidTraceId"),
        (base.replace("\"name\":\"front\",", ""), "MissingName"),
        (base.replace("start_time", "begin"), "MissingStartTime"),
        (base.replace("\"end_time\"", "\"end\""), "MissingEndTime"),
        (long, "SegmentTooLarge"),
    ] {
        let got = w.put(&[document]).await;
        assert_eq!(text_at(&got, "UnprocessedTraceSegments.0.ErrorCode"), code);
    }
    assert_eq!(w.found("").await.unwrap(), 0);
    // W3C's form of an id is the same trace.
    w.put(&[base.replace(&trace(1), &trace(1).replace('-', "")[1..])]).await;
    assert_eq!(w.found("").await.unwrap(), 1);
    w.cloud.clock.set_offset(SignedDuration::from_hours(24 * 31));
    let got = w.ok("BatchGetTraces", map! {"TraceIds" => vec![Value::from(trace(1))]}).await;
    assert!(got.get("Traces").unwrap().items().is_empty());
    w.put(&documents(&trace(2), w.now(), false)).await;
    assert_eq!(w.found("").await.unwrap(), 1);
}

#[tokio::test]
async fn sampling_and_groups() {
    let w = World::new();
    let rules = w.ok("GetSamplingRules", map! {}).await;
    assert_eq!(text_at(&rules, "SamplingRuleRecords.0.SamplingRule.RuleName"), "Default");
    let rule = map! {"RuleName" => "r", "ResourceARN" => "*", "Priority" => 1, "FixedRate" => Value::Float(1.0),
    "ReservoirSize" => 5, "ServiceName" => "*", "ServiceType" => "*", "Host" => "*", "HTTPMethod" => "*",
    "URLPath" => "/*", "Version" => 1};
    w.ok("CreateSamplingRule", map! {"SamplingRule" => rule}).await;
    let document = |n: &str| map! {"RuleName" => n};
    let targets = w
        .ok(
            "GetSamplingTargets",
            map! {"SamplingStatisticsDocuments" => vec![document("r"), document("x")]},
        )
        .await;
    assert_eq!(
        targets.get("SamplingTargetDocuments").unwrap().items()[0].get("ReservoirQuota"),
        Some(&Value::Int(5))
    );
    assert_eq!(text_at(&targets, "UnprocessedStatistics.0.RuleName"), "x");
    w.ok("DeleteSamplingRule", map! {"RuleName" => "r"}).await;
    assert!(w.run("DeleteSamplingRule", map! {"RuleName" => "Default"}).await.is_err());
    let made = w.ok("CreateGroup", map! {"GroupName" => "g", "FilterExpression" => "fault"}).await;
    let arn = text_at(&made, "Group.GroupARN").to_owned();
    assert!(w.run("CreateGroup", map! {"GroupName" => "g"}).await.is_err());
    assert!(
        w.run("CreateGroup", map! {"GroupName" => "h", "FilterExpression" => "nope"})
            .await
            .is_err()
    );
    let got = w.ok("GetGroup", map! {"GroupARN" => arn.as_str()}).await;
    assert_eq!(text_at(&got, "Group.FilterExpression"), "fault");
    let tag = map! {"Key" => "k", "Value" => "v"};
    w.ok("TagResource", map! {"ResourceARN" => arn.as_str(), "Tags" => vec![tag]}).await;
    let tags = w.ok("ListTagsForResource", map! {"ResourceARN" => arn.as_str()}).await;
    assert_eq!(text_at(&tags, "Tags.0.Value"), "v");
    w.ok("DeleteGroup", map! {"GroupName" => "g"}).await;
    assert!(w.ok("GetGroups", map! {}).await.get("Groups").unwrap().items().is_empty());
}
