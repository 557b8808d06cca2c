//! Log groups as clients see them.

use fogbank_core::{Value, map};

use crate::testing::{World, at};

#[tokio::test]
async fn a_group_comes_back_as_it_was_given() {
    let w = World::new();
    let tags = map! {"team" => "red"};
    w.ok("CreateLogGroup", map! {"logGroupName" => "/aws/lambda/f", "tags" => tags}).await;
    let again = map! {"logGroupName" => "/aws/lambda/f"};
    assert_eq!(
        w.err("CreateLogGroup", again.clone()).await,
        "ResourceAlreadyExistsException: The specified log group already exists"
    );
    w.ok("PutRetentionPolicy", map! {"logGroupName" => "/aws/lambda/f", "retentionInDays" => 7})
        .await;
    let found = w.ok("DescribeLogGroups", map! {"logGroupNamePrefix" => "/aws"}).await;
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f";
    assert_eq!(at(&found, "logGroups.0.logGroupArn"), arn);
    assert_eq!(at(&found, "logGroups.0.arn"), format!("{arn}:*"));
    let group = &found.get("logGroups").unwrap().items()[0];
    assert_eq!(group.get("retentionInDays"), Some(&Value::Int(7)));
    let tags = w.ok("ListTagsForResource", map! {"resourceArn" => arn}).await;
    assert_eq!(at(&tags, "tags.team"), "red");
    w.ok("TagLogGroup", map! {"logGroupName" => "/aws/lambda/f", "tags" => map! {"b" => "c"}})
        .await;
    let gone = map! {"resourceArn" => arn, "tagKeys" => vec![Value::from("team")]};
    w.ok("UntagResource", gone).await;
    let tags = w.ok("ListTagsLogGroup", map! {"logGroupName" => "/aws/lambda/f"}).await;
    assert_eq!(tags.get("tags"), Some(&map! {"b" => "c"}));
    w.ok("DeleteLogGroup", again.clone()).await;
    assert_eq!(
        w.err("DeleteLogGroup", again).await,
        "ResourceNotFoundException: The specified log group does not exist."
    );
}

#[tokio::test]
async fn groups_come_in_pages() {
    let w = World::new();
    for i in 0..7 {
        w.ok("CreateLogGroup", map! {"logGroupName" => format!("p/{i}")}).await;
    }
    w.ok("CreateLogGroup", map! {"logGroupName" => "other"}).await;
    for filter in ["logGroupNamePrefix", "logGroupNamePattern"] {
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let input = map! {filter => "p/", "limit" => 3, "nextToken" => token.as_deref().map(Value::from)};
            let page = w.ok("DescribeLogGroups", input).await;
            let groups = page.get("logGroups").unwrap().items();
            names.extend(groups.iter().map(|g| g.str("logGroupName").unwrap().to_owned()));
            token = page.str("nextToken").map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!(names, (0..7).map(|i| format!("p/{i}")).collect::<Vec<_>>(), "{filter}");
    }
    let listed = w.ok("ListLogGroups", map! {"logGroupNamePattern" => "^oth|p/6"}).await;
    assert_eq!(listed.get("logGroups").unwrap().items().len(), 2);
    let bad = map! {"nextToken" => "zz"};
    assert!(w.err("DescribeLogGroups", bad).await.starts_with("InvalidParameterException: "));
}

#[tokio::test]
async fn bad_groups_are_refused() {
    let w = World::new();
    w.ok("CreateLogGroup", map! {"logGroupName" => "g", "deletionProtectionEnabled" => true}).await;
    for (op, input, error) in [
        ("DeleteLogGroup", map! {"logGroupName" => "g"}, "InvalidOperationException: "),
        (
            "PutRetentionPolicy",
            map! {"logGroupName" => "g", "retentionInDays" => 2},
            "InvalidParameterException: 1 validation error detected: Value '2' at 'retentionInDays'",
        ),
        (
            "PutRetentionPolicy",
            map! {"logGroupName" => "h", "retentionInDays" => 1},
            "ResourceNotFoundException: The specified log group does not exist.",
        ),
        (
            "CreateLogGroup",
            map! {"logGroupName" => "h", "tags" => map! {"aws:x" => "y"}},
            "InvalidParameterException: ",
        ),
    ] {
        let e = w.err(op, input).await;
        assert!(e.starts_with(error), "{e} is not {error}");
    }
    let off = map! {"logGroupIdentifier" => "g", "deletionProtectionEnabled" => false};
    w.ok("PutLogGroupDeletionProtection", off).await;
    w.ok("DeleteLogGroup", map! {"logGroupName" => "g"}).await;
}
