//! Log streams as clients see them.

use fogbank_core::{Value, map};

use crate::testing::World;

fn names(answer: &Value) -> Vec<String> {
    let streams = answer.get("logStreams").unwrap().items();
    streams.iter().map(|s| s.str("logStreamName").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn streams_come_in_either_order_and_in_pages() {
    let w = World::with_stream().await;
    let now = w.now();
    for (name, last) in [("a", 30), ("b", 10), ("c", 20)] {
        w.ok("CreateLogStream", map! {"logGroupName" => "g", "logStreamName" => name}).await;
        w.put(name, &[(now + last - 5, "x"), (now + last, "y")]).await;
    }
    for (more, expected) in [
        (map! {}, ["a", "b", "c", "s"]),
        (map! {"descending" => true}, ["s", "c", "b", "a"]),
        (map! {"orderBy" => "LastEventTime", "descending" => true}, ["a", "c", "b", "s"]),
        (map! {"orderBy" => "LastEventTime"}, ["s", "b", "c", "a"]),
    ] {
        for limit in [1, 3, 50] {
            let (mut got, mut token) = (Vec::new(), None::<String>);
            loop {
                let Value::Map(mut input) = more.clone() else { unreachable!() };
                input.push(("logGroupName".into(), "g".into()));
                input.push(("limit".into(), Value::Int(limit)));
                input.push(("nextToken".into(), token.as_deref().map(Value::from).into()));
                let page = w.ok("DescribeLogStreams", Value::Map(input)).await;
                got.extend(names(&page));
                token = page.str("nextToken").map(str::to_owned);
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(got, expected, "{more:?} by {limit}");
        }
    }
    let by_prefix = map! {"logGroupName" => "g", "logStreamNamePrefix" => "b"};
    let found = w.ok("DescribeLogStreams", by_prefix).await;
    assert_eq!(names(&found), ["b"]);
    let stream = &found.get("logStreams").unwrap().items()[0];
    assert_eq!(stream.get("firstEventTimestamp"), Some(&Value::Int(now + 5)));
    assert_eq!(stream.get("lastEventTimestamp"), Some(&Value::Int(now + 10)));
    let both =
        map! {"logGroupName" => "g", "logStreamNamePrefix" => "b", "orderBy" => "LastEventTime"};
    assert!(w.err("DescribeLogStreams", both).await.starts_with("InvalidParameterException: "));
}

#[tokio::test]
async fn a_stream_made_anew_is_empty() {
    let w = World::with_stream().await;
    let named = map! {"logGroupName" => "g", "logStreamName" => "s"};
    w.put("s", &[(w.now(), "old")]).await;
    assert_eq!(
        w.err("CreateLogStream", named.clone()).await,
        "ResourceAlreadyExistsException: The specified log stream already exists"
    );
    w.ok("DeleteLogStream", named.clone()).await;
    assert!(w.err("DeleteLogStream", named.clone()).await.starts_with("ResourceNotFoundException"));
    // Its events are gone before a job has removed them.
    let all = w.ok("FilterLogEvents", map! {"logGroupName" => "g"}).await;
    assert_eq!(crate::testing::messages(&all), [""; 0]);
    w.ok("CreateLogStream", named.clone()).await;
    w.put("s", &[(w.now(), "new")]).await;
    let got = w.ok("GetLogEvents", named).await;
    assert_eq!(crate::testing::messages(&got), ["new"]);
}
