//! Roles as clients see them.

use fogbank_core::map;

use crate::testing::{ACCOUNT, LAMBDA, World, at};

fn trust(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
    )
}

#[tokio::test]
async fn a_role_comes_back_as_it_was_given() {
    let w = World::new().await;
    let trust = "{\n \"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\":\"Allow\",\
                 \"Principal\":{\"Service\":\"ec2.amazonaws.com\"},\"Action\":\"sts:AssumeRole\",\
                 \"Condition\":{\"StringEquals\":{\"aws:SourceArn\":\"x\"}}}]}";
    let tags = vec![map! {"Key" => "Team", "Value" => "red"}];
    let made = w
        .ok(
            "CreateRole",
            map! {"RoleName" => "Reader", "Path" => "/app/", "AssumeRolePolicyDocument" => trust,
            "Description" => "d", "MaxSessionDuration" => 7200, "Tags" => tags.clone()},
        )
        .await;
    assert_eq!(at(&made, "Role.Arn"), format!("arn:aws:iam::{ACCOUNT}:role/app/Reader"));
    assert!(at(&made, "Role.RoleId").starts_with("AROA"));
    // Names are found whatever their case, and keep the one they were given.
    let got = w.ok("GetRole", map! {"RoleName" => "READER"}).await;
    assert_eq!(at(&got, "Role.RoleName"), "Reader");
    assert_eq!(at(&got, "Role.AssumeRolePolicyDocument"), crate::document::encode(trust));
    assert_eq!(at(&got, "Role.Tags.0.Value"), "red");
    assert!(got.get("Role").unwrap().get("RoleLastUsed").is_some());
    let list = w.ok("ListRoles", map! {"PathPrefix" => "/app/"}).await;
    assert_eq!(at(&list, "Roles.0.RoleName"), "Reader");
    assert!(list.get("Roles").unwrap().items()[0].get("Tags").is_none());
    w.ok("UpdateRole", map! {"RoleName" => "Reader", "Description" => "e"}).await;
    assert_eq!(at(&w.ok("GetRole", map! {"RoleName" => "Reader"}).await, "Role.Description"), "e");
    w.ok("DeleteRole", map! {"RoleName" => "Reader"}).await;
    assert_eq!(
        w.err("GetRole", map! {"RoleName" => "Reader"}).await,
        "NoSuchEntity: The role with name Reader cannot be found."
    );
}

#[tokio::test]
async fn trust_policies_name_only_who_exists() {
    let w = World::new().await;
    w.ok("CreateUser", map! {"UserName" => "ann", "Path" => "/staff/"}).await;
    w.ok("CreateRole", map! {"RoleName" => "a", "AssumeRolePolicyDocument" => LAMBDA}).await;
    let user = format!("arn:aws:iam::{ACCOUNT}:user/staff/ann");
    let wrong_path = format!("arn:aws:iam::{ACCOUNT}:user/ann");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/a");
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/a/s");
    let nobody = format!("arn:aws:iam::{ACCOUNT}:role/nobody");
    let oidc = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/a.example");
    let aws = |arn: &str| format!(r#"{{"AWS":"{arn}"}}"#);
    for good in [
        &aws(&user),
        &aws(&role),
        &aws(&session),
        &aws("999999999999"),
        &aws("*"),
        &format!(r#"{{"Federated":"{oidc}"}}"#),
    ] {
        let doc = trust(good);
        w.ok("UpdateAssumeRolePolicy", map! {"RoleName" => "a", "PolicyDocument" => doc}).await;
    }
    for (bad, named) in [
        (aws(&wrong_path), format!(r#""AWS":"{wrong_path}""#)),
        (aws(&nobody), format!(r#""AWS":"{nobody}""#)),
        (
            r#"{"Service":"s3files.amazonaws.com"}"#.into(),
            r#""SERVICE":"s3files.amazonaws.com""#.into(),
        ),
    ] {
        let input = map! {"RoleName" => "b", "AssumeRolePolicyDocument" => trust(&bad)};
        assert_eq!(
            w.err("CreateRole", input).await,
            format!("MalformedPolicyDocument: Invalid principal in policy: {named}")
        );
    }
}

#[tokio::test]
async fn bad_roles_are_refused() {
    let w = World::new().await;
    w.ok("CreateRole", map! {"RoleName" => "Taken", "AssumeRolePolicyDocument" => LAMBDA}).await;
    let long = format!("{LAMBDA:>2000}").replace("lambda", &"x".repeat(2048));
    let deep = format!("{}{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let spaced = format!("{}{LAMBDA}", " ".repeat(4000));
    for (input, code) in [
        (
            map! {"RoleName" => "tAKEN", "AssumeRolePolicyDocument" => LAMBDA},
            "EntityAlreadyExists: Role with name tAKEN already exists.",
        ),
        (
            map! {"RoleName" => "a b", "AssumeRolePolicyDocument" => LAMBDA},
            "ValidationError: The specified value for roleName is invalid.",
        ),
        (map! {"RoleName" => "a", "AssumeRolePolicyDocument" => "{"}, "MalformedPolicyDocument: "),
        (
            map! {"RoleName" => "a", "AssumeRolePolicyDocument" => long},
            "LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048",
        ),
        (map! {"RoleName" => "a", "AssumeRolePolicyDocument" => deep}, "LimitExceeded: "),
        (
            map! {"RoleName" => "a", "Path" => "x", "AssumeRolePolicyDocument" => LAMBDA},
            "ValidationError: ",
        ),
        (
            map! {"RoleName" => "a", "MaxSessionDuration" => 60, "AssumeRolePolicyDocument" => LAMBDA},
            "ValidationError: ",
        ),
        (
            map! {"RoleName" => "a", "PermissionsBoundary" => "arn:aws:iam::aws:policy/Nope", "AssumeRolePolicyDocument" => LAMBDA},
            "NoSuchEntity: ",
        ),
        (
            map! {"RoleName" => "a", "Path" => "/aws-service-role/x/", "AssumeRolePolicyDocument" => LAMBDA},
            "ValidationError: ",
        ),
    ] {
        let e = w.err("CreateRole", input).await;
        assert!(e.starts_with(code), "{e:.200} is not {code}");
    }
    // White space does not count.
    w.ok("CreateRole", map! {"RoleName" => "ok", "AssumeRolePolicyDocument" => spaced}).await;
}

#[tokio::test]
async fn of_many_who_create_one_name_one_wins() {
    let w = World::new().await;
    let create = |name: &'static str| {
        let (service, cx) = (w.service.clone(), w.cx("CreateRole"));
        tokio::spawn(async move {
            let input = map! {"RoleName" => name, "AssumeRolePolicyDocument" => LAMBDA};
            service.run(&cx, "CreateRole", input).await.is_ok()
        })
    };
    let tasks: Vec<_> = (0..20).map(|i| create(if i % 2 == 0 { "one" } else { "ONE" })).collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn service_linked_roles_belong_to_their_service() {
    let w = World::new().await;
    let input = map! {"AWSServiceName" => "eks.amazonaws.com"};
    let made = w.ok("CreateServiceLinkedRole", input.clone()).await;
    assert_eq!(at(&made, "Role.Path"), "/aws-service-role/eks.amazonaws.com/");
    assert!(w.err("CreateServiceLinkedRole", input).await.starts_with("InvalidInput: "));
    let name = "AWSServiceRoleForAmazonEKS";
    for (op, input) in [
        ("DeleteRole", map! {"RoleName" => name}),
        ("UpdateRole", map! {"RoleName" => name}),
        (
            "AttachRolePolicy",
            map! {"RoleName" => name, "PolicyArn" => crate::managed::ADMINISTRATOR},
        ),
    ] {
        assert!(w.err(op, input).await.starts_with("UnmodifiableEntity: "), "{op}");
    }
    let gone = w.ok("DeleteServiceLinkedRole", map! {"RoleName" => name}).await;
    let status = map! {"DeletionTaskId" => at(&gone, "DeletionTaskId")};
    assert_eq!(
        at(&w.ok("GetServiceLinkedRoleDeletionStatus", status).await, "Status"),
        "SUCCEEDED"
    );
    assert!(w.err("GetRole", map! {"RoleName" => name}).await.starts_with("NoSuchEntity"));
}
