//! Reading in order, whichever way it was written and whichever way it is read.

use fogbank_core::{Value, map};

use crate::testing::{World, messages};

fn with(base: &Value, more: Vec<(&'static str, Value)>) -> Value {
    let Value::Map(mut m) = base.clone() else { unreachable!() };
    m.extend(more.into_iter().map(|(k, v)| (k.into(), v)));
    Value::Map(m)
}

/// 60 events in two streams, written out of order across batches, some at the same time.
async fn filled() -> (World, i64) {
    let w = World::with_stream().await;
    w.ok("CreateLogStream", map! {"logGroupName" => "g", "logStreamName" => "t"}).await;
    let base = w.now() - 600_000;
    for batch in [3, 0, 4, 1, 2, 5] {
        let texts: Vec<(i64, String)> = (0..10)
            .map(|i| (base + (batch * 10 + i) / 2 * 4000, format!("{:03}", batch * 10 + i)))
            .collect();
        for (stream, odd) in [("s", 0), ("t", 1)] {
            let some: Vec<(i64, &str)> = texts
                .iter()
                .filter(|(_, m)| m.parse::<i64>().unwrap() % 2 == odd)
                .map(|(t, m)| (*t, m.as_str()))
                .collect();
            w.put(stream, &some).await;
        }
    }
    (w, base)
}

#[tokio::test]
async fn pages_forward_and_backward_join_up_and_stay_at_the_end() {
    let (w, _) = filled().await;
    let input = map! {"logGroupName" => "g", "logStreamName" => "s", "limit" => 7};
    let all: Vec<String> = (0..30).map(|i| format!("{:03}", i * 2)).collect();

    let mut page = w.ok("GetLogEvents", with(&input, vec![("startFromHead", true.into())])).await;
    let mut got: Vec<String> = messages(&page).iter().map(|m| (*m).to_owned()).collect();
    let last = loop {
        let token = page.str("nextForwardToken").unwrap().to_owned();
        page = w.ok("GetLogEvents", with(&input, vec![("nextToken", token.as_str().into())])).await;
        if page.str("nextForwardToken") == Some(token.as_str()) {
            assert!(messages(&page).is_empty());
            break token;
        }
        got.extend(messages(&page).iter().map(|m| (*m).to_owned()));
    };
    assert_eq!(got, all);
    // What comes later is seen from there.
    w.put("s", &[(w.now(), "later")]).await;
    let more = w.ok("GetLogEvents", with(&input, vec![("nextToken", last.as_str().into())])).await;
    assert_eq!(messages(&more), ["later"]);

    let mut page = w.ok("GetLogEvents", input.clone()).await;
    let mut back: Vec<String> = Vec::new();
    loop {
        let texts: Vec<String> = messages(&page).iter().map(|m| (*m).to_owned()).collect();
        assert!(texts.is_sorted(), "each page is in order of time: {texts:?}");
        back.splice(0..0, texts);
        let token = page.str("nextBackwardToken").unwrap().to_owned();
        page = w.ok("GetLogEvents", with(&input, vec![("nextToken", token.as_str().into())])).await;
        if page.str("nextBackwardToken") == Some(token.as_str()) {
            break;
        }
    }
    assert_eq!(back[..30], all[..]);
    assert_eq!(back[30], "later");
}

#[tokio::test]
async fn a_group_is_read_in_order_of_time() {
    let (w, base) = filled().await;
    for (limit, newest) in [(1, false), (7, false), (100, false), (7, true), (100, true)] {
        let (mut got, mut token) = (Vec::new(), None::<String>);
        loop {
            let input = map! {"logGroupName" => "g", "limit" => limit, "startFromHead" => !newest,
            "nextToken" => token.as_deref().map(Value::from)};
            let page = w.ok("FilterLogEvents", input).await;
            for e in page.get("events").unwrap().items() {
                let Some(Value::Int(t)) = e.get("timestamp") else { panic!("{e:?}") };
                got.push((*t, e.str("message").unwrap().to_owned()));
            }
            token = page.str("nextToken").map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        let mut sorted = got.clone();
        sorted.sort();
        assert_eq!(sorted.len(), 60, "limit {limit}");
        sorted.dedup();
        assert_eq!(sorted.len(), 60, "limit {limit}: each once");
        let times: Vec<i64> = got.iter().map(|(t, _)| if newest { -t } else { *t }).collect();
        assert!(times.is_sorted(), "limit {limit}: {times:?}");
    }
    // The end is inclusive here, and exclusive in GetLogEvents.
    let input = map! {"logGroupName" => "g", "startTime" => base + 4000, "endTime" => base + 8000};
    let mut some = w.ok("FilterLogEvents", input.clone()).await;
    assert_eq!(messages(&some).len(), 4);
    let of = |names: &[&str]| {
        ("logStreamNames", names.iter().map(|n| Value::from(*n)).collect::<Vec<_>>().into())
    };
    some = w.ok("FilterLogEvents", with(&input, vec![of(&["s"])])).await;
    assert_eq!(messages(&some), ["002", "004"]);
    some = w.ok("FilterLogEvents", with(&input, vec![of(&["s", "t"])])).await;
    assert_eq!(messages(&some).len(), 4);
    some = w.ok("FilterLogEvents", with(&input, vec![("logStreamNamePrefix", "t".into())])).await;
    assert_eq!(messages(&some), ["003", "005"]);
    some = w.ok("FilterLogEvents", with(&input, vec![("filterPattern", "%[35]%".into())])).await;
    assert_eq!(messages(&some), ["003", "005"]);
    some = w.ok("GetLogEvents", with(&input, vec![("logStreamName", "s".into())])).await;
    assert_eq!(messages(&some), ["002"]);
}

#[tokio::test]
async fn an_answer_has_a_megabyte_at_most() {
    let w = World::with_stream().await;
    let now = w.now();
    for i in 0..5 {
        w.put("s", &[(now - 50_000 + i, &format!("{i}{}", "x".repeat(400_000)))]).await;
    }
    let input = map! {"logGroupName" => "g", "logStreamName" => "s", "startFromHead" => true};
    let page = w.ok("GetLogEvents", input.clone()).await;
    let first: Vec<char> = messages(&page).iter().map(|m| m.chars().next().unwrap()).collect();
    assert_eq!(first, ['0', '1']);
    let page = w.ok("FilterLogEvents", map! {"logGroupName" => "g"}).await;
    assert_eq!(messages(&page).len(), 2);
    assert!(page.str("nextToken").is_some());
    let tail = map! {"logGroupName" => "g", "logStreamName" => "s"};
    let page = w.ok("GetLogEvents", tail).await;
    let last: Vec<char> = messages(&page).iter().map(|m| m.chars().next().unwrap()).collect();
    assert_eq!(last, ['3', '4']);
}

#[tokio::test]
async fn bad_questions_are_refused() {
    let w = World::with_stream().await;
    let input = map! {"logGroupName" => "g", "logStreamName" => "s"};
    for (op, more) in [
        ("GetLogEvents", vec![("nextToken", "f/1/s".into())]),
        ("GetLogEvents", vec![("nextToken", Value::from("é"))]),
        ("GetLogEvents", vec![("startTime", Value::Int(5)), ("endTime", Value::Int(4))]),
        ("GetLogEvents", vec![("logGroupIdentifier", "g".into())]),
        ("FilterLogEvents", vec![("filterPattern", "{ $.a".into())]),
        ("FilterLogEvents", vec![("nextToken", "00".into())]),
    ] {
        let e = w.err(op, with(&input, more)).await;
        assert!(e.starts_with("InvalidParameterException: "), "{e}");
    }
    let nowhere = map! {"logGroupName" => "g", "logStreamName" => "none"};
    assert!(w.err("GetLogEvents", nowhere).await.starts_with("ResourceNotFoundException: "));
}
