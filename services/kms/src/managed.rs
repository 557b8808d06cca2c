//! AWS managed keys: `alias/aws/SERVICE`, made when they are first asked for, used only through
//! their service.
//!
//! <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key>

use fogbank_core::{Cx, Result};
use fogbank_store::Lock;

use crate::Kms;
use crate::alias::{self, ALIASES, Alias};
use crate::key::New;
use crate::spec::{Spec, Usage};

/// The services that have one, with the name in `kms:ViaService` where it differs, and what the
/// console says of it.
const SERVICES: &[(&str, &str, &str)] = &[
    ("acm", "acm", "Default key that protects my ACM private keys when no other key is defined"),
    ("backup", "backup", "Default key that protects my Backup data when no other key is defined"),
    (
        "codecommit",
        "codecommit",
        "Default key that protects my CodeCommit repositories when no other key is defined",
    ),
    (
        "dynamodb",
        "dynamodb",
        "Default key that protects my DynamoDB data when no other key is defined",
    ),
    ("ebs", "ec2", "Default key that protects my EBS volumes when no other key is defined"),
    (
        "elasticfilesystem",
        "elasticfilesystem",
        "Default key that protects my EFS filesystems when no other key is defined",
    ),
    ("es", "es", "Default key that protects my Elasticsearch domains when no other key is defined"),
    ("fsx", "fsx", "Default key that protects my FSx resources when no other key is defined"),
    ("glue", "glue", "Default key that protects my Glue data when no other key is defined"),
    (
        "kinesis",
        "kinesis",
        "Default key that protects my Kinesis streams when no other key is defined",
    ),
    (
        "lambda",
        "lambda",
        "Default key that protects my Lambda functions when no other key is defined",
    ),
    (
        "rds",
        "rds",
        "Default key that protects my RDS database volumes when no other key is defined",
    ),
    (
        "redshift",
        "redshift",
        "Default key that protects my Redshift clusters when no other key is defined",
    ),
    ("s3", "s3", "Default key that protects my S3 objects when no other key is defined"),
    (
        "secretsmanager",
        "secretsmanager",
        "Default key that protects my Secrets Manager data when no other key is defined",
    ),
    ("sns", "sns", "Default key that protects my SNS data when no other key is defined"),
    ("sqs", "sqs", "Default key that protects my SQS messages when no other key is defined"),
    ("ssm", "ssm", "Default key that protects my SSM parameters when no other key is defined"),
    ("xray", "xray", "Default key that protects my X-Ray data when no other key is defined"),
];

/// A service with an AWS managed key.
pub struct Managing(&'static (&'static str, &'static str, &'static str));

/// The service of the alias `alias/aws/SERVICE`.
pub fn service(alias: &str) -> Option<Managing> {
    let name = alias.strip_prefix("alias/aws/")?;
    SERVICES.iter().find(|(n, _, _)| *n == name).map(Managing)
}

/// The aliases of all of them.
pub fn aliases() -> impl Iterator<Item = String> {
    SERVICES.iter().map(|(name, ..)| format!("alias/aws/{name}"))
}

impl Kms {
    /// The id of the AWS managed key of a service.
    pub(crate) async fn managed(
        &self,
        cx: &Cx,
        account: &str,
        region: &str,
        service: Managing,
    ) -> Result<String> {
        let Managing((name, _, description)) = service;
        let alias = alias::key(account, region, &format!("alias/aws/{name}"));
        let mut tx = self.store.lock(&[Lock::exclusive(&ALIASES, &alias)]).await;
        if let Some(found) = tx.get(&ALIASES, &alias).await? {
            return Ok(found.target);
        }
        let new = New {
            account: account.to_owned(),
            region: region.to_owned(),
            description: (*description).to_owned(),
            usage: Usage::EncryptDecrypt,
            spec: Spec::Symmetric,
            policy: policy(account, region, &service),
            tags: Vec::new(),
            managed_for: Some((*name).to_owned()),
        };
        let key = self.insert(cx, &mut tx, new).await?;
        let target = key.place.id.clone();
        Alias::put(&mut tx, &key.place, &format!("alias/aws/{name}"), cx.now);
        tx.commit().await?;
        self.wake();
        Ok(target)
    }
}

/// The policy that AWS gives such keys: everyone in the account may use it, through the service.
fn policy(account: &str, region: &str, service: &Managing) -> String {
    let Managing((name, via, _)) = service;
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "auto-{name}-2",
  "Statement" : [ {{
    "Sid" : "Allow access through {name} for all principals in the account that are authorized to use {name}",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "*"
    }},
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {{
      "StringEquals" : {{
        "kms:CallerAccount" : "{account}",
        "kms:ViaService" : "{via}.{region}.amazonaws.com"
      }}
    }}
  }}, {{
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  }} ]
}}"#
    )
}
