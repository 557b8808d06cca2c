//! Keys, sessions and their policies, and that changes take effect at once.

use fogbank_core::{Session, map};
use jiff::Timestamp;

use super::*;
use crate::testing::{ACCOUNT, ALL, LAMBDA, World, at};

async fn user_with_key(w: &World) -> (String, String) {
    w.ok("CreateUser", map! {"UserName" => "u"}).await;
    let made = w.ok("CreateAccessKey", map! {"UserName" => "u"}).await;
    let id = at(&made, "AccessKey.AccessKeyId").to_owned();
    (id, at(&made, "AccessKey.SecretAccessKey").to_owned())
}

#[tokio::test]
async fn root_comes_into_being_by_use() {
    let w = World::new().await;
    for (key, account) in [("test", "000000000000"), ("111122223333", "111122223333")] {
        let c = w.iam.credential(key, None).await.unwrap().unwrap();
        assert_eq!((c.secret.as_str(), c.principal.account.as_str()), ("test", account));
        assert!(c.principal.is_root());
    }
    for key in ["", "AKIA", "11112222333", "nobody", "ASIAQNZGKIQY56JQ7WML"] {
        assert!(w.iam.credential(key, None).await.unwrap().is_none(), "{key}");
        assert!(w.iam.credential(key, Some("x")).await.unwrap().is_none(), "{key}");
    }
}

#[tokio::test]
async fn keys_follow_their_user_at_once() {
    let w = World::new().await;
    let (id, secret) = user_with_key(&w).await;
    let c = w.iam.credential(&id, None).await.unwrap().unwrap();
    assert_eq!(c.secret, secret);
    assert_eq!(c.principal.arn, format!("arn:aws:iam::{ACCOUNT}:user/u"));
    assert!(w.iam.credential(&id, Some("token")).await.unwrap().is_none(), "no token belongs");
    w.ok("UpdateUser", map! {"UserName" => "u", "NewUserName" => "v"}).await;
    let c = w.iam.credential(&id, None).await.unwrap().unwrap();
    assert_eq!(c.principal.arn, format!("arn:aws:iam::{ACCOUNT}:user/v"));
    let status = |s: &str| map! {"UserName" => "v", "AccessKeyId" => id.as_str(), "Status" => s};
    w.ok("UpdateAccessKey", status("Inactive")).await;
    assert!(w.iam.credential(&id, None).await.unwrap().is_none());
    w.ok("UpdateAccessKey", status("Active")).await;
    assert!(w.iam.credential(&id, None).await.unwrap().is_some());
    w.ok("CreateAccessKey", map! {"UserName" => "v"}).await;
    assert_eq!(
        w.err("CreateAccessKey", map! {"UserName" => "v"}).await,
        "LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2"
    );
    w.ok("DeleteAccessKey", map! {"UserName" => "v", "AccessKeyId" => id.as_str()}).await;
    assert!(w.iam.credential(&id, None).await.unwrap().is_none());
}

#[tokio::test]
async fn policies_are_those_of_now() {
    let w = World::new().await;
    let (id, _) = user_with_key(&w).await;
    let who = w.iam.credential(&id, None).await.unwrap().unwrap().principal.clone();
    let policies = async || w.iam.policies(&who).await.unwrap();
    assert_eq!(*policies().await, PolicySet::default());
    let put = map! {"UserName" => "u", "PolicyName" => "p", "PolicyDocument" => ALL};
    w.ok("PutUserPolicy", put).await;
    assert_eq!(policies().await.identity, [Arc::from(ALL)]);
    let same = policies().await;
    assert!(Arc::ptr_eq(&same, &policies().await), "remembered while nothing changes");
    w.ok("CreateGroup", map! {"GroupName" => "g"}).await;
    let arn = crate::managed::ADMINISTRATOR;
    w.ok("AttachGroupPolicy", map! {"GroupName" => "g", "PolicyArn" => arn}).await;
    w.ok("AddUserToGroup", map! {"GroupName" => "g", "UserName" => "u"}).await;
    w.ok("PutUserPermissionsBoundary", map! {"UserName" => "u", "PermissionsBoundary" => arn})
        .await;
    let set = policies().await;
    assert_eq!((set.identity.len(), set.boundary.is_some()), (2, true));
    w.ok("DeleteUserPolicy", map! {"UserName" => "u", "PolicyName" => "p"}).await;
    assert_eq!(policies().await.identity.len(), 1);
}

#[tokio::test]
async fn a_session_ends_with_its_role() {
    let w = World::new().await;
    let tags =
        vec![map! {"Key" => "team", "Value" => "red"}, map! {"Key" => "env", "Value" => "x"}];
    let input = map! {"RoleName" => "r", "AssumeRolePolicyDocument" => LAMBDA, "Tags" => tags};
    let made = w.ok("CreateRole", input.clone()).await;
    let role = at(&made, "Role.RoleId");
    let principal = Principal {
        arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/r/s"),
        id: format!("{role}:s"),
        kind: Who::AssumedRole {
            role_arn: at(&made, "Role.Arn").into(),
            role_name: "r".into(),
            session: "s".into(),
        },
        tags: vec![("Team".into(), "blue".into())],
        session: Some(Box::new(Session::default())),
        ..Principal::root(ACCOUNT)
    };
    let gone = format!("arn:aws:iam::{ACCOUNT}:policy/gone");
    let expires = Timestamp::from_second(3600).unwrap();
    let grant = Grant { principal, policy_arns: vec![gone], expires };
    let issued = w.sessions.issue(&w.cloud.ids, &grant);
    let find = async || w.iam.credential(&issued.access_key, Some(&issued.token)).await.unwrap();
    let c = find().await.unwrap();
    assert_eq!((c.secret.as_str(), c.expires), (issued.secret.as_str(), Some(expires)));
    // The session's tag hides the role's; a limit that is gone leaves nothing.
    let tag = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(c.principal.tags, [tag("Team", "blue"), tag("env", "x")]);
    assert_eq!(c.principal.session_policies, [NOTHING]);
    assert!(w.iam.credential(&issued.access_key, None).await.unwrap().is_none());
    w.ok("DeleteRole", map! {"RoleName" => "r"}).await;
    assert!(find().await.is_none());
    // Another role of the same name is another role.
    w.ok("CreateRole", input).await;
    assert!(find().await.is_none());
}

#[tokio::test]
async fn uses_are_noted() {
    let w = World::new().await;
    let (id, _) = user_with_key(&w).await;
    let last = async || w.ok("GetAccessKeyLastUsed", map! {"AccessKeyId" => id.as_str()}).await;
    assert_eq!(at(&last().await, "AccessKeyLastUsed.ServiceName"), "N/A");
    let c = w.iam.credential(&id, None).await.unwrap().unwrap();
    w.iam.used(&c, "s3", "eu-west-1").await;
    w.iam.used(&c, "iam", "us-east-1").await;
    let noted = last().await;
    assert_eq!(at(&noted, "AccessKeyLastUsed.ServiceName"), "s3", "once a minute");
    assert_eq!(
        (at(&noted, "UserName"), at(&noted, "AccessKeyLastUsed.Region")),
        ("u", "eu-west-1")
    );
}
