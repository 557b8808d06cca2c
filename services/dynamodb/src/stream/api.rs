//! Reading streams: the operations of `dynamodbstreams`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Check, Cx, Op, Reply, Result, Value, map, ops};
use fogbank_store::Part;
use jiff::Timestamp;
use serde::Deserialize;

use super::{EVENTS, Event, STREAMS, Stream, between, horizon, key, number, parse_number};
use crate::Dynamo;
use crate::error::validation;
use crate::reply::{Members, Out, Stored};
use crate::schema::Place;

pub const OPS: &[Op<Dynamo>] = ops![
    ListStreams => list_streams [on_streams],
    DescribeStream => describe_stream [on_stream],
    GetShardIterator => get_shard_iterator [on_stream],
    GetRecords => get_records [on_iterator],
];

/// How long an iterator may be used.
const ITERATOR_MINUTES: i64 = 15;
/// The most bytes that one GetRecords answers.
const MOST_BYTES: u64 = 1 << 20;

async fn on_streams(_: &Dynamo, _: &Cx, _: &Value) -> Result<Vec<Check>> {
    Ok(vec![Check::new("dynamodb:ListStreams", "*")])
}

async fn on_stream(ddb: &Dynamo, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let arn = input.str("StreamArn").unwrap_or("*");
    check(ddb, cx, arn).await
}

async fn on_iterator(ddb: &Dynamo, cx: &Cx, input: &Value) -> Result<Vec<Check>> {
    let at = Iterator::parse(input.str("ShardIterator").unwrap_or_default())?;
    check(ddb, cx, &at.arn).await
}

async fn check(ddb: &Dynamo, cx: &Cx, arn: &str) -> Result<Vec<Check>> {
    let mut check = Check::new(format!("dynamodb:{}", cx.operation), arn);
    if let Some((place, _)) = parse_arn(arn) {
        if let Some(schema) = ddb.find(&place).await? {
            check.resource_policy = schema.stream_policy.clone();
        }
        check.resource_account = Some(place.account);
    }
    Ok(vec![check])
}

/// Table and label of a stream's ARN.
fn parse_arn(arn: &str) -> Option<(Place, String)> {
    let mut parts = arn.splitn(6, ':');
    let (_, _, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let (name, label) = resource.strip_prefix("table/")?.split_once("/stream/")?;
    let place = Place { account: account.into(), region: region.into(), name: name.into() };
    (service == "dynamodb").then(|| (place, label.to_owned()))
}

fn no_stream(arn: &str) -> ApiError {
    ApiError::new(
        "ResourceNotFoundException",
        format!("Requested resource not found: Stream: {arn} not found"),
    )
}

impl Dynamo {
    async fn stream(&self, arn: &str) -> Result<(Place, String, Stream)> {
        let (place, label) =
            parse_arn(arn).ok_or_else(|| validation(format!("Invalid StreamArn: {arn}")))?;
        let found = self.store.get(&STREAMS, &key(&place, &label)).await?;
        Ok((place, label, found.ok_or_else(|| no_stream(arn))?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    table_name: Option<String>,
    exclusive_start_stream_arn: Option<String>,
    limit: Option<i64>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html>
async fn list_streams(ddb: &Dynamo, cx: &Cx, input: ListInput) -> Result<Value> {
    let mut prefix = fogbank_store::Key::new().str(&cx.account).str(&cx.region);
    if let Some(name) = &input.table_name {
        prefix = prefix.str(&Place::of(cx, name)?.name);
    }
    let mut range = fogbank_store::Range::prefix(&prefix);
    if let Some(arn) = &input.exclusive_start_stream_arn {
        let (place, label) =
            parse_arn(arn).ok_or_else(|| validation(format!("Invalid StreamArn: {arn}")))?;
        range = range.after(&key(&place, &label));
    }
    let limit = match input.limit.unwrap_or(100) {
        n @ 1..=100 => n as usize,
        n => {
            return Err(validation(format!(
                "1 validation error detected: Value '{n}' at 'limit' failed to satisfy constraint: \
                 Member must have value less than or equal to 100"
            )));
        }
    };
    let found = ddb.store.scan(&STREAMS, range, limit + 1).await?;
    let arns = found.iter().take(limit).filter_map(|(k, _)| {
        let mut parts = k.parts().skip(2);
        let (Some(Part::Str(name)), Some(Part::Str(label))) = (parts.next(), parts.next()) else {
            return None;
        };
        let arn = cx.arn("dynamodb", &format!("table/{name}/stream/{label}"));
        Some((arn, name.into_owned(), label.into_owned()))
    });
    let arns: Vec<_> = arns.collect();
    let last = (found.len() > limit).then(|| arns.last().map(|a| a.0.clone())).flatten();
    let streams = arns.into_iter().map(
        |(arn, name, label)| map! {"StreamArn" => arn, "TableName" => name, "StreamLabel" => label},
    );
    Ok(map! {"Streams" => streams.collect::<Vec<_>>(), "LastEvaluatedStreamArn" => last})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeInput {
    stream_arn: String,
    exclusive_start_shard_id: Option<String>,
    /// Asks for the children of a shard: the one shard has none.
    shard_filter: Option<Value>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html>
async fn describe_stream(ddb: &Dynamo, _: &Cx, input: DescribeInput) -> Result<Value> {
    let (place, label, stream) = ddb.stream(&input.stream_arn).await?;
    let mut range = map! {"StartingSequenceNumber" => number(first_number(&stream))};
    if let (Value::Map(members), Some(end)) = (&mut range, stream.ended) {
        members.push(("EndingSequenceNumber".into(), number(end.saturating_sub(1)).into()));
    }
    let shard = map! {"ShardId" => stream.shard.as_str(), "SequenceNumberRange" => range};
    let shards = match &input.exclusive_start_shard_id {
        Some(id) if *id >= stream.shard => Vec::new(),
        _ if input.shard_filter.is_some() => Vec::new(),
        _ => vec![shard],
    };
    let created = Timestamp::from_microsecond(stream.created).unwrap_or_default();
    Ok(map! {"StreamDescription" => map! {
        "StreamArn" => input.stream_arn.as_str(),
        "StreamLabel" => label,
        "StreamStatus" => if stream.ended.is_some() { "DISABLED" } else { "ENABLED" },
        "StreamViewType" => stream.view.as_str(),
        "CreationRequestDateTime" => Value::Time(created),
        "TableName" => place.name,
        "KeySchema" => crate::table::view::key_schema(&stream.key),
        "Shards" => shards,
    }})
}

/// Before every record that the stream can have.
fn first_number(stream: &Stream) -> u64 {
    u64::try_from(stream.created).unwrap_or(0)
}

/// Where a reader stands: the next record it may get.
struct Iterator {
    arn: String,
    next: u64,
    made: i64,
}

impl Iterator {
    fn text(&self) -> String {
        let plain = format!("{}|{}|{}", self.next, self.made, self.arn);
        format!("{}|1|{}", self.arn, STANDARD.encode(plain))
    }

    fn parse(text: &str) -> Result<Self> {
        let read = || {
            let sealed = text.rsplit_once('|')?.1;
            let plain = String::from_utf8(STANDARD.decode(sealed).ok()?).ok()?;
            let mut parts = plain.splitn(3, '|');
            let (next, made) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some(Iterator { next, made, arn: parts.next()?.to_owned() })
        };
        read().ok_or_else(|| validation("Invalid ShardIterator"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IteratorInput {
    stream_arn: String,
    shard_id: String,
    shard_iterator_type: String,
    sequence_number: Option<String>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html>
async fn get_shard_iterator(ddb: &Dynamo, cx: &Cx, input: IteratorInput) -> Result<Value> {
    let (_, _, stream) = ddb.stream(&input.stream_arn).await?;
    if input.shard_id != stream.shard {
        let message = format!(
            "Requested resource not found: Shard does not exist in stream: {}",
            input.stream_arn
        );
        return Err(ApiError::new("ResourceNotFoundException", message));
    }
    let given = input.sequence_number.as_deref();
    let wanted = || {
        let text = given.ok_or_else(|| {
            validation(format!(
                "SequenceNumber is required when ShardIteratorType is {}",
                input.shard_iterator_type
            ))
        })?;
        let n = parse_number(text).ok_or_else(|| validation("Invalid SequenceNumber"))?;
        if n < horizon(cx.now) {
            return Err(ApiError::new(
                "TrimmedDataAccessException",
                "The operation attempted to read past the oldest stream record in a shard.",
            ));
        }
        Ok(n)
    };
    let next = match &*input.shard_iterator_type {
        "AT_SEQUENCE_NUMBER" => wanted()?,
        "AFTER_SEQUENCE_NUMBER" => wanted()? + 1,
        "LATEST" => ddb.sequencer(stream.id).await?.settled(),
        _ => 0,
    };
    if given.is_some() && matches!(&*input.shard_iterator_type, "LATEST" | "TRIM_HORIZON") {
        return Err(validation(format!(
            "SequenceNumber must not be specified when ShardIteratorType is {}",
            input.shard_iterator_type
        )));
    }
    let at = Iterator { arn: input.stream_arn, next, made: cx.now.as_microsecond() };
    Ok(map! {"ShardIterator" => at.text()})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordsInput {
    shard_iterator: String,
    limit: Option<i64>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html>
async fn get_records(ddb: &Dynamo, cx: &Cx, input: RecordsInput) -> Result<Reply> {
    let at = Iterator::parse(&input.shard_iterator)?;
    let age = cx.now.as_microsecond() - at.made;
    if age > ITERATOR_MINUTES * 60 * 1_000_000 {
        return Err(ApiError::new(
            "ExpiredIteratorException",
            "Iterator expired. The iterator was created more than 15 minutes ago.",
        ));
    }
    let (place, _, stream) = ddb.stream(&at.arn).await?;
    let limit = usize::try_from(input.limit.unwrap_or(1000)).unwrap_or(1).clamp(1, 1000);
    let settled = ddb.sequencer(stream.id).await?.settled();
    let from = at.next.max(horizon(cx.now));
    let mut found: Vec<(u64, Event)> = Vec::new();
    if from < settled {
        let mut bytes = 0;
        for (k, event) in ddb.store.scan(&EVENTS, between(stream.id, from, settled), limit).await? {
            let Some(Part::U64(n)) = k.parts().nth(1) else { continue };
            bytes += event.size;
            found.push((n, event));
            if bytes >= MOST_BYTES {
                break;
            }
        }
    }
    let next = found.last().map_or(at.next, |(n, _)| n + 1);
    let over = stream.ended.is_some_and(|end| next >= end || found.is_empty());
    let mut reply = Members::default();
    let records = found.into_iter().map(|(n, e)| record(&place, &stream, n, e));
    reply.add("Records", Out::List(records.collect()));
    if !over {
        let next = Iterator { arn: at.arn, next, made: cx.now.as_microsecond() };
        reply.add("NextShardIterator", Value::from(next.text()));
    }
    reply.out().reply(cx)
}

fn record(place: &Place, stream: &Stream, n: u64, event: Event) -> Out {
    let image = |bytes: &[u8]| {
        // The size in front is a stored item's; nobody asks an image for it.
        Out::Stored(Stored([&[0; 4], bytes].concat().into()))
    };
    let at = Timestamp::from_second(event.at.div_euclid(1_000_000)).unwrap_or_default();
    let mut part = Members::default();
    part.add("ApproximateCreationDateTime", Value::Time(at));
    part.add("Keys", image(&event.keys));
    part.add_some("OldImage", event.old.as_ref().map(|b| image(b)));
    part.add_some("NewImage", event.new.as_ref().map(|b| image(b)));
    part.add("SequenceNumber", Value::from(number(n)));
    part.add("SizeBytes", Value::Int(event.size as i64));
    part.add("StreamViewType", Value::from(stream.view.as_str()));
    let mut all = Members::default();
    let id = format!(
        "{:016x}{:016x}",
        crate::keys::hash(&stream.id.to_be_bytes()),
        crate::keys::hash(&n.to_be_bytes())
    );
    all.add("eventID", Value::from(id));
    all.add("eventName", Value::from(event.name));
    all.add("eventVersion", Value::from("1.1"));
    all.add("eventSource", Value::from("aws:dynamodb"));
    all.add("awsRegion", Value::from(place.region.as_str()));
    all.add("dynamodb", part.out());
    if event.expired {
        let who = map! {"Type" => "Service", "PrincipalId" => "dynamodb.amazonaws.com"};
        all.add("userIdentity", who);
    }
    all.out()
}
