//! What became of alarms: kept for thirty days.

use fogbank_core::{Cx, Op, Result, Time, ops, page};
use fogbank_store::{Key, Parts, Range, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::CloudWatch;
use crate::alarm::{Alarm, Rule, State, on_alarm};
use crate::change::Scope;
use crate::error::bad_token;

pub const OPS: &[Op<CloudWatch>] = ops![DescribeAlarmHistory => describe_alarm_history [on_alarm]];

/// By account, region, alarm, time, and a number for what happens at one time.
static HISTORY: Table<Entry> = Table::new("cloudwatch.history");
/// The same by account, region, time: points at the alarm.
static BY_TIME: Table<()> = Table::new("cloudwatch.history-by-time");

const KEPT_US: i64 = 30 * 86_400 * 1_000_000;
/// How many that are too old go with each that comes.
const STEP: usize = 4;

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Entry {
    #[n(0)]
    alarm: String,
    #[n(1)]
    composite: bool,
    #[n(2)]
    at: i64,
    #[n(3)]
    kind: String,
    #[n(4)]
    summary: String,
    #[n(5)]
    data: String,
}
fogbank_store::record!(Entry, version = 1);

/// Something that happened.
pub struct Item {
    /// `ConfigurationUpdate`, `StateUpdate` or `Action`.
    pub kind: String,
    pub summary: String,
    /// JSON.
    pub data: String,
}

impl Item {
    pub fn configuration(alarm: &Alarm, what: &str, summary: &str) -> Self {
        let data =
            json!({"version": "1.0", "type": what, "updatedAlarm": {"alarmName": alarm.name}});
        let kind = "ConfigurationUpdate".into();
        Item { kind, summary: summary.to_owned(), data: data.to_string() }
    }

    pub fn state(alarm: &Alarm, before: &State) -> Self {
        let state = |s: &State| {
            let data = s.data.as_deref().and_then(|d| serde_json::from_str(d).ok());
            let data: Option<serde_json::Value> = data;
            json!({"stateValue": s.value, "stateReason": s.reason, "stateReasonData": data})
        };
        let now = &alarm.state;
        let data = json!({"version": "1.0", "oldState": state(before), "newState": state(now)});
        Item {
            kind: "StateUpdate".into(),
            summary: format!("Alarm updated from {} to {}", before.value, now.value),
            data: data.to_string(),
        }
    }
}

fn key(scope: &Scope, alarm: &str) -> Key {
    Key::new().str(&scope.account).str(&scope.region).str(alarm)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

fn time_key(scope: &Scope, at: i64, n: u64, alarm: &str) -> Key {
    Key::new().str(&scope.account).str(&scope.region).u64(unsigned(at)).u64(n).str(alarm)
}

/// Adds an item to the history of an alarm, which the transaction holds.
pub async fn add(
    tx: &mut Tx,
    scope: &Scope,
    alarm: &Alarm,
    item: Item,
    now: Timestamp,
) -> Result<()> {
    let at = now.as_microsecond();
    let own = key(scope, &alarm.name);
    let same = tx.scan(&HISTORY, Range::prefix(&own.clone().u64(unsigned(at))), 16).await?;
    let n = same.len() as u64;
    let entry = Entry {
        alarm: alarm.name.clone(),
        composite: matches!(alarm.rule, Rule::Composite(_)),
        at,
        kind: item.kind,
        summary: item.summary,
        data: item.data,
    };
    tx.put(&HISTORY, &own.clone().u64(unsigned(at)).u64(n), &entry);
    tx.put(&BY_TIME, &time_key(scope, at, n, &alarm.name), &());
    let old = Range::prefix(&own).to(&own.clone().u64(unsigned(at - KEPT_US)));
    for (k, entry) in tx.scan(&HISTORY, old, STEP).await? {
        let n = Parts::of(k.as_bytes()).skip(4).find_map(|p| match p {
            fogbank_store::Part::U64(n) => Some(n),
            _ => None,
        });
        tx.delete(&HISTORY, &k);
        tx.delete(&BY_TIME, &time_key(scope, entry.at, n.unwrap_or(0), &alarm.name));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeAlarmHistoryInput {
    alarm_name: Option<String>,
    #[serde(default)]
    alarm_types: Vec<String>,
    history_item_type: Option<String>,
    start_date: Option<Time>,
    end_date: Option<Time>,
    max_records: Option<i64>,
    next_token: Option<String>,
    scan_by: Option<String>,
    alarm_contributor_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ItemView {
    alarm_name: String,
    alarm_type: &'static str,
    timestamp: Time,
    history_item_type: String,
    history_summary: String,
    history_data: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeAlarmHistoryOutput {
    alarm_history_items: Vec<ItemView>,
    next_token: Option<String>,
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html>
async fn describe_alarm_history(
    cw: &CloudWatch,
    cx: &Cx,
    input: DescribeAlarmHistoryInput,
) -> Result<DescribeAlarmHistoryOutput> {
    if input.alarm_contributor_id.is_some() {
        return Err(cx.refuse_member("AlarmContributorId"));
    }
    let scope = Scope::of(cx);
    let oldest = cx.now.as_microsecond() - KEPT_US;
    let from = input.start_date.map_or(oldest, |t| t.0.as_microsecond().max(oldest));
    let to = input.end_date.map_or(i64::MAX, |t| t.0.as_microsecond());
    let parent = match &input.alarm_name {
        Some(name) => key(&scope, name),
        None => Key::new().str(&scope.account).str(&scope.region),
    };
    let at = |t: i64| parent.clone().u64(unsigned(t));
    let mut range = Range::prefix(&parent).from(&at(from)).to(&at(to));
    if input.scan_by.as_deref() != Some("TimestampAscending") {
        range = range.reverse();
    }
    if let Some(token) = &input.next_token {
        let token = page::decode(token).map_err(|_| bad_token())?;
        let parts: Vec<&str> = token.splitn(3, ' ').collect();
        let [t, n, alarm] = parts[..] else { return Err(bad_token()) };
        let (Ok(t), Ok(n)) = (t.parse::<u64>(), n.parse::<u64>()) else { return Err(bad_token()) };
        let last = parent.clone().u64(t).u64(n);
        range = range.after(&if input.alarm_name.is_some() { last } else { last.str(alarm) });
    }
    let fits = |e: &Entry| {
        let kind = if e.composite { "CompositeAlarm" } else { "MetricAlarm" };
        input.history_item_type.as_ref().is_none_or(|k| *k == e.kind)
            && match input.alarm_types.as_slice() {
                [] => !e.composite || input.alarm_name.is_some(),
                some => some.iter().any(|t| t == kind),
            }
    };
    let most = input.max_records.and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let mut found: Vec<(u64, Entry)> = Vec::new();
    loop {
        let page = entries(cw, &scope, input.alarm_name.is_some(), range.clone(), most + 1).await?;
        let end = page.len() <= most;
        if let Some((key, ..)) = page.last() {
            range = range.after(key);
        }
        found.extend(page.into_iter().map(|(_, n, e)| (n, e)).filter(|(_, e)| fits(e)));
        if end || found.len() > most {
            break;
        }
    }
    let mut next_token = None;
    if found.len() > most {
        found.truncate(most);
        let last = found.last();
        next_token = last.map(|(n, e)| page::encode(&format!("{} {n} {}", e.at, e.alarm)));
    }
    let view = |(_, e): (u64, Entry)| ItemView {
        alarm_name: e.alarm,
        alarm_type: if e.composite { "CompositeAlarm" } else { "MetricAlarm" },
        timestamp: Time(Timestamp::from_microsecond(e.at).unwrap_or_default()),
        history_item_type: e.kind,
        history_summary: e.summary,
        history_data: e.data,
    };
    let alarm_history_items = found.into_iter().map(view).collect();
    Ok(DescribeAlarmHistoryOutput { alarm_history_items, next_token })
}

/// Entries with the key they were found by and their number.
async fn entries(
    cw: &CloudWatch,
    scope: &Scope,
    of_one: bool,
    range: Range,
    most: usize,
) -> Result<Vec<(Key, u64, Entry)>> {
    let number = |k: &Key, at: usize| match Parts::of(k.as_bytes()).nth(at) {
        Some(fogbank_store::Part::U64(n)) => n,
        _ => 0,
    };
    let mut found = Vec::new();
    if of_one {
        for (k, e) in cw.store.scan(&HISTORY, range, most).await? {
            found.push((k.clone(), number(&k, 4), e));
        }
        return Ok(found);
    }
    for (k, ()) in cw.store.scan(&BY_TIME, range, most).await? {
        let (t, n) = (number(&k, 2), number(&k, 3));
        let Some(fogbank_store::Part::Str(alarm)) = Parts::of(k.as_bytes()).nth(4) else {
            continue;
        };
        let at = key(scope, &alarm).u64(t).u64(n);
        if let Some(e) = cw.store.get(&HISTORY, &at).await? {
            found.push((k, n, e));
        }
    }
    Ok(found)
}
