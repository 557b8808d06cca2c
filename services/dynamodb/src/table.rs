//! Tables: made, described, listed, changed, deleted.

use fogbank_core::{Cx, Op, Result, Value, map, ops};
use fogbank_store::{Key, Lock, Part, Range};
use serde::Deserialize;

use crate::error::{in_use, no_table, validation};
use crate::schema::{Place, RAW, TABLES};
use crate::work::{Task, WORK};
use crate::{Dynamo, authz};

mod create;
mod input;
mod update;
pub mod view;

pub const OPS: &[Op<Dynamo>] = ops![
    CreateTable => create::create_table [authz::table],
    DescribeTable => describe_table [authz::table],
    ListTables => list_tables [authz::all],
    UpdateTable => update::update_table [authz::table],
    DeleteTable => delete_table [authz::table],
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameInput {
    table_name: String,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html>
async fn describe_table(ddb: &Dynamo, cx: &Cx, input: NameInput) -> Result<Value> {
    let schema = ddb.described(&Place::of(cx, &input.table_name)?).await?;
    let shown =
        view::describe(ddb, &schema.place, &schema.record, view::state(&schema.record)).await?;
    Ok(map! {"Table" => shown})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListInput {
    exclusive_start_table_name: Option<String>,
    limit: Option<i64>,
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html>
async fn list_tables(ddb: &Dynamo, cx: &Cx, input: ListInput) -> Result<Value> {
    let limit = match input.limit.unwrap_or(100) {
        n @ 1..=100 => n as usize,
        n => {
            let bound =
                if n < 1 { "greater than or equal to 1" } else { "less than or equal to 100" };
            return Err(validation(format!(
                "1 validation error detected: Value '{n}' at 'limit' failed to satisfy constraint: \
                 Member must have value {bound}"
            )));
        }
    };
    let here = Key::new().str(&cx.account).str(&cx.region);
    let mut range = Range::prefix(&here);
    if let Some(name) = &input.exclusive_start_table_name {
        range = range.after(&here.clone().str(name));
    }
    let found = ddb.store.scan(&RAW, range, limit + 1).await?;
    let names: Vec<String> = found
        .iter()
        .take(limit)
        .filter_map(|(k, _)| match k.parts().nth(2) {
            Some(Part::Str(name)) => Some(name.into_owned()),
            _ => None,
        })
        .collect();
    let last = (found.len() > limit).then(|| names.last().cloned()).flatten();
    let names: Vec<Value> = names.into_iter().map(Value::from).collect();
    Ok(map! {"TableNames" => names, "LastEvaluatedTableName" => last})
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html>
async fn delete_table(ddb: &Dynamo, cx: &Cx, input: NameInput) -> Result<Value> {
    let place = Place::of(cx, &input.table_name)?;
    let key = place.key();
    let mut tx = ddb.store.lock(&[Lock::exclusive(&TABLES, &key)]).await;
    let Some(record) = tx.get(&TABLES, &key).await? else { return Err(no_table(&place.name)) };
    if record.protected {
        return Err(validation(format!(
            "Resource cannot be deleted as it is currently protected against deletion. Disable \
             deletion protection first. Table: {}",
            place.arn()
        )));
    }
    if view::state(&record) == "UPDATING" {
        return Err(in_use(format!(
            "Attempt to change a resource which is still in use: Table is being updated: {}",
            place.name
        )));
    }
    tx.delete(&TABLES, &key);
    WORK.put(&mut tx, cx.now, &format!("items-{}", record.id), &Task::items(&place, record.id));
    for index in &record.indexes {
        let task = Task::rows(&place, record.id, index.id);
        WORK.put(&mut tx, cx.now, &format!("rows-{}", index.id), &task);
    }
    if let Some(stream) = record.stream.as_ref().filter(|s| s.enabled) {
        ddb.end_stream(&mut tx, &place, stream).await?;
    }
    tx.commit().await?;
    ddb.wake();
    let shown = view::gone(ddb, &place, &record).await?;
    Ok(map! {"TableDescription" => shown})
}
