//! STS with a directory of one role, for tests of its operations.

use std::sync::Arc;

use fogbank_core::{BoxFuture, Cx, Principal, Result, Service, Value};
use fogbank_identity::{Directory, Grant, Issuers, OidcProvider, Role, Sessions};
use fogbank_store::Store;
use fogbank_testkit::handler::{Alone, text_at};

pub const ACCOUNT: &str = "123456789012";
pub const ROLE: &str = "arn:aws:iam::123456789012:role/r";
pub const ISSUER: &str = "https://issuer.example";

pub struct World {
    pub cloud: Arc<Alone>,
    pub service: Service,
    pub sessions: Sessions,
}

struct Fixed {
    trust: Arc<str>,
    keys: Option<String>,
}

impl World {
    /// A cloud with the role [`ROLE`] and this trust policy, and an issuer with these keys.
    pub async fn new(trust: &str, keys: Option<String>) -> Self {
        let cloud = Arc::new(Alone::default());
        let sessions = Sessions::open(&Store::ephemeral(), &cloud.ids).await.unwrap();
        let fixed = Arc::new(Fixed { trust: trust.into(), keys });
        let service = crate::service(fixed.clone(), fixed, sessions.clone());
        World { cloud, service, sessions }
    }

    pub async fn run(&self, op: &'static str, who: Principal, input: Value) -> Result<Value> {
        self.cloud.run(&self.service, op, who, input).await
    }

    pub async fn err(&self, op: &'static str, who: Principal, input: Value) -> String {
        match self.run(op, who, input).await {
            Ok(v) => panic!("{op} succeeded: {v:?}"),
            Err(e) => e.to_string(),
        }
    }

    /// What the credentials in an answer grant.
    pub fn open(&self, answer: &Value) -> Grant {
        let part = |name| text_at(answer, &format!("Credentials.{name}")).to_owned();
        let opened = self.sessions.verify(&part("AccessKeyId"), &part("SessionToken"));
        let (grant, secret) = opened.expect("the token opens");
        assert_eq!(secret, part("SecretAccessKey"));
        grant
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Directory for Fixed {
    fn role<'a>(&'a self, account: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Role>>> {
        ready(Ok((account == ACCOUNT && name == "r").then(|| Role {
            account: ACCOUNT.into(),
            name: "r".into(),
            arn: ROLE.into(),
            id: "AROAEXAMPLE".into(),
            trust_policy: self.trust.clone(),
            max_session: 7200,
            tags: Vec::new(),
        })))
    }
    fn managed_policy<'a>(&'a self, arn: &'a str) -> BoxFuture<'a, Result<Option<Arc<str>>>> {
        ready(Ok((arn == "arn:aws:iam::aws:policy/Known").then(|| "{}".into())))
    }
    fn oidc_provider<'a>(
        &'a self,
        account: &'a str,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Option<OidcProvider>>> {
        ready(Ok((format!("https://{url}") == ISSUER).then(|| OidcProvider {
            arn: format!("arn:aws:iam::{account}:oidc-provider/{url}"),
            url: url.into(),
            client_ids: vec!["me".into()],
        })))
    }
    fn key_account<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<String>>> {
        ready(Ok(None))
    }
    fn role_used<'a>(&'a self, _: &'a Cx, _: &'a Role) -> BoxFuture<'a, Result<()>> {
        ready(Ok(()))
    }
}

impl Issuers for Fixed {
    fn keys<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        ready(self.keys.clone())
    }
}
