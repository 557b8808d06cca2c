//! Rotations against a function that does as AWS's templates do, and a KMS that has one key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use fogbank_core::{ApiError, Cloud, Cx, Op, Principal, Result, Service, Value, map, ops};
use fogbank_store::Store;
use fogbank_testkit::handler::{Alone, text_at};
use jiff::SignedDuration;
use parking_lot::Mutex;

use crate::Manager;

const ACCOUNT: &str = "123456789012";
const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:rotate";

struct Kms;

const KMS: &[Op<Kms>] = ops![GenerateDataKey => data_key, Decrypt => decrypt];

async fn data_key(_: &Kms, _: &Cx, _: Value) -> Result<Value> {
    let key = || Value::Blob(Bytes::from_static(&[7; 32]));
    Ok(map! { "CiphertextBlob" => key(), "Plaintext" => key(), "KeyId" => "key" })
}

async fn decrypt(_: &Kms, _: &Cx, input: Value) -> Result<Value> {
    Ok(map! { "Plaintext" => input.get("CiphertextBlob").cloned().unwrap_or_default() })
}

/// The function: which steps it was called for, and how many calls are still to fail.
#[derive(Default)]
struct Function {
    steps: Mutex<Vec<String>>,
    failing: AtomicUsize,
}

const FUNCTION: &[Op<Function>] = ops![Invoke => invoke];

async fn invoke(f: &Function, cx: &Cx, input: Value) -> Result<Value> {
    assert_eq!(cx.principal.arn, "secretsmanager.amazonaws.com");
    if input.str("InvocationType") == Some("DryRun") {
        return match input.str("FunctionName") {
            Some(LAMBDA) => Ok(map! {}),
            _ => Err(ApiError::new("ResourceNotFoundException", "Function not found")),
        };
    }
    let Some(Value::Blob(payload)) = input.get("Payload") else { panic!("no payload") };
    let event: serde_json::Value = serde_json::from_slice(payload).unwrap();
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    let (step, secret, token) = (text("Step"), text("SecretId"), text("ClientRequestToken"));
    let waits = f.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    if waits.is_ok() {
        return Ok(map! { "FunctionError" => "Unhandled" });
    }
    match step.as_str() {
        "createSecret" => {
            let stages = vec![Value::from("AWSPENDING")];
            let input = map! {
                "SecretId" => secret, "ClientRequestToken" => token.clone(),
                "SecretString" => format!("value of {token}"), "VersionStages" => stages,
            };
            cx.call("secretsmanager", "PutSecretValue", input).await?;
        }
        "finishSecret" => {
            let input = map! { "SecretId" => secret.clone() };
            let current = cx.call("secretsmanager", "GetSecretValue", input).await?;
            let input = map! {
                "SecretId" => secret, "VersionStage" => "AWSCURRENT", "MoveToVersionId" => token,
                "RemoveFromVersionId" => text_at(&current, "VersionId"),
            };
            cx.call("secretsmanager", "UpdateSecretVersionStage", input).await?;
        }
        _ => {}
    }
    f.steps.lock().push(step);
    Ok(map! { "StatusCode" => 200 })
}

struct World {
    cloud: Arc<Alone>,
    service: Service,
    function: Arc<Function>,
}

impl World {
    async fn new() -> Self {
        let cloud = Arc::new(Alone::default());
        let manager = Manager::new(Store::ephemeral());
        let function = Arc::new(Function::default());
        cloud.add(Service::new("kms", Arc::new(Kms), &[KMS]));
        cloud.add(Service::new("lambda", Arc::clone(&function), &[FUNCTION]));
        cloud.add(manager.service());
        let shared: Arc<dyn Cloud> = Arc::clone(&cloud) as _;
        manager.start(&shared);
        let world = World { cloud, service: manager.service(), function };
        let input =
            map! { "Name" => "s", "SecretString" => "first", "ClientRequestToken" => "one" };
        world.run("CreateSecret", input).await.unwrap();
        world
    }

    async fn run(&self, operation: &'static str, input: Value) -> Result<Value> {
        self.cloud.run(&self.service, operation, Principal::root(ACCOUNT), input).await
    }

    async fn rotate(&self, more: Value) -> Result<Value> {
        let mut input =
            vec![("SecretId".into(), "s".into()), ("RotationLambdaARN".into(), LAMBDA.into())];
        if let Value::Map(more) = more {
            input.extend(more);
        }
        self.run("RotateSecret", Value::Map(input)).await
    }

    async fn current(&self) -> String {
        let got = self.run("GetSecretValue", map! { "SecretId" => "s" }).await.unwrap();
        text_at(&got, "SecretString").to_owned()
    }

    async fn until_current(&self, wanted: &str) {
        for _ in 0..10_000 {
            if self.current().await == wanted {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the current value is {}, not {wanted}", self.current().await);
    }

    fn advance(&self, hours: i64) {
        let now = self.cloud.clock.offset();
        self.cloud.clock.set_offset(now + SignedDuration::from_hours(hours));
    }
}

const STEPS: [&str; 4] = super::STEPS;

#[tokio::test]
async fn a_rotation_is_four_calls_and_comes_again() {
    let w = World::new().await;
    let rules = map! { "AutomaticallyAfterDays" => 10 };
    let made = w.rotate(map! { "RotationRules" => rules, "ClientRequestToken" => "two" }).await;
    assert_eq!(text_at(&made.unwrap(), "VersionId"), "two");
    w.until_current("value of two").await;
    assert_eq!(*w.function.steps.lock(), STEPS);
    let previous = map! { "SecretId" => "s", "VersionStage" => "AWSPREVIOUS" };
    let previous = w.run("GetSecretValue", previous).await.unwrap();
    assert_eq!(text_at(&previous, "SecretString"), "first");

    w.advance(239);
    tokio::task::yield_now().await;
    assert_eq!(w.function.steps.lock().len(), 4, "it is not time yet");
    w.advance(2);
    for _ in 0..10_000 {
        if w.function.steps.lock().len() == 8 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_ne!(w.current().await, "value of two");
    let described = w.run("DescribeSecret", map! { "SecretId" => "s" }).await.unwrap();
    assert_eq!(described.get("RotationEnabled"), Some(&Value::Bool(true)));
    assert!(
        described.get("LastRotatedDate").is_some() && described.get("NextRotationDate").is_some()
    );
}

#[tokio::test]
async fn a_step_that_fails_is_tried_again() {
    let w = World::new().await;
    w.function.failing.store(2, Ordering::SeqCst);
    w.rotate(map! { "ClientRequestToken" => "two" }).await.unwrap();
    let pending = || async {
        let input = map! { "SecretId" => "s", "VersionStage" => "AWSPENDING" };
        w.run("GetSecretValue", input).await
    };
    assert_eq!(pending().await.unwrap_err().code(), "ResourceNotFoundException");
    let e = w.rotate(map! { "ClientRequestToken" => "three" }).await.unwrap_err();
    assert_eq!(
        e.message(),
        "A previous rotation isn't complete. That rotation will be reattempted."
    );
    for _ in 0..2 {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        w.advance(1);
    }
    w.until_current("value of two").await;
    assert_eq!(*w.function.steps.lock(), STEPS);
}

#[tokio::test]
async fn a_function_that_cannot_be_called_is_refused_at_once() {
    let w = World::new().await;
    let none = w.run("RotateSecret", map! { "SecretId" => "s" }).await.unwrap_err();
    assert_eq!(none.message(), "No Lambda rotation function ARN is associated with this secret.");
    let input = map! { "SecretId" => "s", "RotationLambdaARN" => "arn:aws:lambda:us-east-1:123456789012:function:no" };
    let e = w.run("RotateSecret", input).await.unwrap_err();
    assert_eq!(e.code(), "AccessDeniedException");
    let described = w.run("DescribeSecret", map! { "SecretId" => "s" }).await.unwrap();
    assert!(described.get("RotationEnabled").is_none());
    let rules = map! { "ScheduleExpression" => "rate(1 hour)" };
    assert_eq!(
        w.rotate(map! { "RotationRules" => rules }).await.unwrap_err().code(),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn cancelling_ends_the_plan_and_what_is_under_way() {
    let w = World::new().await;
    w.function.failing.store(1, Ordering::SeqCst);
    let rules = map! { "ScheduleExpression" => "rate(4 hours)" };
    w.rotate(map! { "RotationRules" => rules, "ClientRequestToken" => "two" }).await.unwrap();
    let cancelled = w.run("CancelRotateSecret", map! { "SecretId" => "s" }).await.unwrap();
    assert_eq!(text_at(&cancelled, "VersionId"), "two");
    w.advance(30);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(w.current().await, "first");
    assert!(w.function.steps.lock().is_empty());
    assert_eq!(
        w.run("CancelRotateSecret", map! { "SecretId" => "s" }).await.unwrap_err().code(),
        "InvalidRequestException"
    );
}
