//! Operations over an ephemeral store: what must hold whatever the client.

use fogbank_core::{Value, map};
use fogbank_store::Range;

use crate::counts::Count;
use crate::keys::{ITEMS, ROWS};
use crate::testing::{World, item, key, table};

fn put(p: &str, c: &str, v: i64) -> Value {
    map! {"TableName" => "things", "Item" => item(p, c, v)}
}

fn read(c: &str) -> Value {
    map! {"TableName" => "things", "Key" => key("a", c)}
}

#[tokio::test]
async fn what_is_put_is_got_as_a_value_by_services() {
    let world = World::with_table().await;
    world.ok("PutItem", put("a", "b", 1)).await;
    let got = world.ok("GetItem", read("b")).await;
    assert_eq!(got.get("Item").unwrap().get("v"), Some(&map! {"N" => "1"}));
    assert!(world.ok("GetItem", read("zz")).await.get("Item").is_none());
}

#[tokio::test]
async fn keys_with_nul_and_high_bytes_keep_their_order_and_prefixes() {
    let world = World::with_table().await;
    let sorts = ["", "a", "a\u{0}", "a\u{0}b", "ab", "b", "\u{7f}", "\u{80}", "\u{10ffff}"];
    for s in &sorts[1..] {
        world.ok("PutItem", put("x", s, 1)).await;
        world.ok("PutItem", put("x\u{0}", s, 1)).await;
    }
    let query = |condition: &str, c: &str| {
        let mut values = vec![(":p".into(), map! {"S" => "x"})];
        if !c.is_empty() {
            values.push((":c".into(), map! {"S" => c}));
        }
        map! {
            "TableName" => "things", "KeyConditionExpression" => format!("p = :p{condition}"),
            "ExpressionAttributeValues" => Value::Map(values),
        }
    };
    for (condition, c, from, to) in [
        ("", "", 1, 9),
        (" AND c > :c", "a", 2, 9),
        (" AND c >= :c", "a", 1, 9),
        (" AND c < :c", "ab", 1, 4),
        (" AND c <= :c", "a\u{0}", 1, 3),
        (" AND begins_with(c, :c)", "a\u{0}", 2, 4),
        (" AND begins_with(c, :c)", "\u{10ffff}", 8, 9),
        (" AND c BETWEEN :c AND :c", "ab", 4, 5),
    ] {
        let page = world.ok("Query", query(condition, c)).await;
        let got: Vec<&str> = page
            .get("Items")
            .unwrap()
            .items()
            .iter()
            .map(|i| i.get("c").unwrap().str("S").unwrap())
            .collect();
        assert_eq!(got, sorts[from..to], "{condition} {c:?}");
    }
}

#[tokio::test]
async fn a_deleted_table_leaves_no_rows() {
    let world = World::new();
    let Value::Map(mut input) = table("things") else { panic!("a map") };
    let index = map! {
        "IndexName" => "idx",
        "KeySchema" => vec![map! {"AttributeName" => "c", "KeyType" => "HASH"}],
        "Projection" => map! {"ProjectionType" => "ALL"},
    };
    input.push(("GlobalSecondaryIndexes".into(), vec![index].into()));
    world.ok("CreateTable", Value::Map(input)).await;
    for n in 0..700 {
        world.ok("PutItem", put("a", &n.to_string(), n)).await;
    }
    let schema = world.ddb.find(&place()).await.unwrap().unwrap();
    let count = world.ddb.counts.get(schema.record.id).await.unwrap();
    assert_eq!(count.items, 700);
    world.ok("DeleteTable", map! {"TableName" => "things"}).await;
    // The work is on the clock; here it is done by hand.
    let now = world.ddb.clock.now();
    let jobs = world
        .ddb
        .store
        .scan(&fogbank_store::Table::<crate::work::Task>::new("dynamodb.work"), Range::all(), 9)
        .await
        .unwrap();
    assert_eq!(jobs.len(), 2);
    for (_, what) in jobs {
        let mut next = what;
        while let fogbank_bus::Next::At(_, what) =
            world.ddb.work(fogbank_bus::Job { due: now, id: String::new(), what: next }, now).await
        {
            next = what;
        }
    }
    assert!(world.ddb.store.scan(&ITEMS, Range::all(), 1).await.unwrap().is_empty());
    assert!(world.ddb.store.scan(&ROWS, Range::all(), 1).await.unwrap().is_empty());
    assert_eq!(world.ddb.counts.get(schema.record.id).await.unwrap(), Count::default());
}

fn place() -> crate::schema::Place {
    crate::schema::Place {
        account: "123456789012".into(),
        region: "us-east-1".into(),
        name: "things".into(),
    }
}

#[tokio::test]
async fn a_table_by_the_same_name_is_another_table() {
    let world = World::with_table().await;
    world.ok("PutItem", put("a", "b", 1)).await;
    world.ok("DeleteTable", map! {"TableName" => "things"}).await;
    assert!(world.err("GetItem", read("b")).await.contains("Requested resource not found"));
    world.ok("CreateTable", table("things")).await;
    assert!(world.ok("GetItem", read("b")).await.get("Item").is_none());
}

#[tokio::test]
async fn placeholders_need_expressions_and_expressions_placeholders() {
    let world = World::with_table().await;
    let with = |more: Vec<(&'static str, Value)>| {
        let Value::Map(mut members) = put("a", "b", 1) else { panic!("a map") };
        members.extend(more.into_iter().map(|(k, v)| (k.into(), v)));
        Value::Map(members)
    };
    let names = || ("ExpressionAttributeNames", map! {"#v" => "v"});
    let values = || ("ExpressionAttributeValues", map! {":v" => map! {"N" => "1"}});
    let condition = |text: &str| ("ConditionExpression", Value::from(text));
    let expected = || ("Expected", map! {"v" => map! {"Exists" => false}});
    for (more, why) in [
        (vec![names()], "ExpressionAttributeNames can only be specified when using expressions"),
        (
            vec![values()],
            "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
        ),
        (
            vec![condition("#v = :v"), names()],
            "value used in expression is not defined; attribute value: :v",
        ),
        (
            vec![condition("v = :v"), names(), values()],
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#v}",
        ),
        (
            vec![condition("v = :v"), values(), expected()],
            "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}",
        ),
        (vec![("ReturnValues", "ALL_NEW".into())], "ReturnValues can only be ALL_OLD or NONE"),
        (vec![condition("")], "Invalid ConditionExpression: The expression can not be empty;"),
        (
            vec![("ConditionalOperator", "OR".into())],
            "ConditionalOperator cannot be used without Filter or Expected",
        ),
    ] {
        let told = world.err("PutItem", with(more)).await;
        assert!(told.starts_with("ValidationException: ") && told.contains(why), "{told}");
    }
    world
        .ok(
            "PutItem",
            with(vec![condition("#v = :v OR attribute_not_exists(#v)"), names(), values()]),
        )
        .await;
}

#[tokio::test]
async fn legacy_updates_and_conditions_do_what_expressions_do() {
    let world = World::with_table().await;
    let update = |name: &str, action: &str, value: Value| {
        map! {
            "TableName" => "things", "Key" => key("a", "b"), "ReturnValues" => "ALL_NEW",
            "AttributeUpdates" => Value::Map(vec![(name.to_owned().into(), map! {"Action" => action, "Value" => value})]),
        }
    };
    let n = |n: &str| map! {"N" => n};
    let set =
        |texts: &[&str]| map! {"SS" => texts.iter().map(|t| Value::from(*t)).collect::<Vec<_>>()};
    let shown = |v: Value, name: &str| v.get("Attributes").and_then(|a| a.get(name).cloned());
    assert_eq!(shown(world.ok("UpdateItem", update("v", "ADD", n("2"))).await, "v"), Some(n("2")));
    assert_eq!(
        shown(world.ok("UpdateItem", update("v", "ADD", n("-3"))).await, "v"),
        Some(n("-1"))
    );
    world.ok("UpdateItem", update("s", "PUT", set(&["x", "y"]))).await;
    assert_eq!(
        shown(world.ok("UpdateItem", update("s", "DELETE", set(&["x"]))).await, "s"),
        Some(set(&["y"]))
    );
    assert_eq!(shown(world.ok("UpdateItem", update("s", "DELETE", set(&["y"]))).await, "s"), None);
    assert!(
        world
            .err("UpdateItem", update("v", "ADD", map! {"S" => "x"}))
            .await
            .contains("ADD action is not supported for the type S")
    );
    assert!(
        world
            .err("UpdateItem", update("c", "PUT", n("1")))
            .await
            .contains("This attribute is part of the key")
    );
}
