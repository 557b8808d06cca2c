//! A REST API ready to serve: stages with their deployments, made once per version.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use fogbank_apigw::{Format, Pattern, Tree, child_key, children};
use fogbank_core::Result;
use fogbank_vtl::Template;
use regex_lite::Regex;

use crate::ApiGateway;
use crate::api::{RestApi, VERSIONS};
use crate::authorizer::Authorizer;
use crate::deployment::{SNAPSHOTS, Snapshot};
use crate::gateway_response::GatewayResponse;
use crate::integration::{Integration, IntegrationResponse};
use crate::method::Method;
use crate::schema::Schema;
use crate::stage::Stage;
use crate::validator::RequestValidator;

/// An API's stages.
pub struct Compiled {
    pub api: RestApi,
    pub stages: HashMap<String, Arc<Serving>>,
}

/// A stage and what it serves.
pub struct Serving {
    pub stage: Stage,
    pub deployed: Arc<Deployed>,
    /// The log group and the form of its lines.
    pub log: Option<(Arc<str>, Format)>,
}

/// A deployment.
pub struct Deployed {
    pub api: RestApi,
    pub tree: Tree<Arc<Node>>,
    pub models: HashMap<String, Schema>,
    pub validators: HashMap<String, RequestValidator>,
    pub authorizers: HashMap<String, Authorizer>,
    pub responses: HashMap<String, Answer>,
    pub policy: Option<Arc<str>>,
}

/// A resource.
pub struct Node {
    pub id: String,
    pub path: String,
    pub methods: HashMap<String, Arc<Target>>,
}

/// A method with what stands behind it.
pub struct Target {
    pub method: Method,
    pub integration: Integration,
    pub templates: Templates,
    pub responses: Vec<Back>,
}

/// What becomes of a backend's answers of one kind.
pub struct Back {
    pub response: IntegrationResponse,
    /// `None` is the default.
    pub pattern: Option<Regex>,
    pub templates: Templates,
}

/// A gateway response with its templates.
pub struct Answer {
    pub response: GatewayResponse,
    pub templates: Templates,
}

/// Templates by content type, each parsed at its first use.
pub struct Templates(BTreeMap<String, Lazy>);

/// A template's source and, once asked for, what it was parsed to.
pub struct Lazy {
    pub source: String,
    parsed: OnceLock<Result<Template, fogbank_vtl::Error>>,
}

impl Lazy {
    pub fn template(&self) -> Result<&Template, &fogbank_vtl::Error> {
        self.parsed.get_or_init(|| Template::parse(&self.source)).as_ref()
    }
}

impl Templates {
    pub fn of(sources: &BTreeMap<String, String>) -> Self {
        let lazy = |s: &String| Lazy { source: s.clone(), parsed: OnceLock::new() };
        Templates(sources.iter().map(|(t, s)| (t.clone(), lazy(s))).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The template of a content type, without its parameters; upper and lower case are one.
    pub fn get(&self, content_type: &str) -> Option<(&str, &Lazy)> {
        let media = fogbank_apigw::media_type(content_type);
        let found = self.0.iter().find(|(t, _)| t.eq_ignore_ascii_case(media));
        found.map(|(t, l)| (t.as_str(), l))
    }

    pub fn first(&self) -> Option<(&str, &Lazy)> {
        self.0.iter().next().map(|(t, l)| (t.as_str(), l))
    }
}

impl ApiGateway {
    /// The API of this id as it is now; `None` when it is not one of ours.
    pub async fn compiled(&self, id: &str) -> Result<Option<Arc<Compiled>>> {
        self.compiled.get(&self.store, &VERSIONS, id, || self.compile(id)).await
    }

    async fn compile(&self, id: &str) -> Result<Option<Compiled>> {
        let key = fogbank_apigw::api_key(id);
        let table = <RestApi as fogbank_apigw::Api>::table();
        let Some(api) = self.store.get(table, &key).await?.map(|j| j.0) else { return Ok(None) };
        let mut deployments: HashMap<String, Arc<Deployed>> = HashMap::new();
        let mut stages = HashMap::new();
        for stage in children::<Stage>(&self.store, id).await? {
            let deployed = match deployments.get(&stage.deployment_id) {
                Some(d) => Arc::clone(d),
                None => {
                    let at = child_key(id, &stage.deployment_id);
                    let found = self.store.get(&SNAPSHOTS, &at).await?;
                    let made = Arc::new(Deployed::new(found.map(|j| j.0).unwrap_or_default()));
                    deployments.insert(stage.deployment_id.clone(), Arc::clone(&made));
                    made
                }
            };
            stages.insert(stage.stage_name.clone(), Arc::new(Serving::new(stage, deployed)));
        }
        Ok(Some(Compiled { api, stages }))
    }
}

impl Serving {
    pub fn new(stage: Stage, deployed: Arc<Deployed>) -> Self {
        let log = stage.access_log_settings.as_ref().and_then(|l| {
            let group: Arc<str> = l.destination_arn.as_deref()?.into();
            Some((group, Format::parse(l.format.as_deref()?)))
        });
        Serving { stage, deployed, log }
    }
}

impl Deployed {
    pub fn new(snapshot: Snapshot) -> Self {
        let mut tree = Tree::default();
        for resource in snapshot.resources {
            let methods = resource
                .resource_methods
                .into_iter()
                .map(|(name, m)| (name, Arc::new(Target::new(m))));
            let node = Node { id: resource.id, methods: methods.collect(), path: resource.path };
            if let Some(pattern) = Pattern::parse(&node.path) {
                tree.insert(&pattern, Arc::new(node));
            }
        }
        let schema = |m: crate::model::Model| {
            Some((m.name, Schema::parse(m.schema.as_deref().unwrap_or("{}")).ok()?))
        };
        Deployed {
            tree,
            models: snapshot.models.into_iter().filter_map(schema).collect(),
            validators: snapshot.validators.into_iter().map(|v| (v.id.clone(), v)).collect(),
            authorizers: snapshot.authorizers.into_iter().map(|a| (a.id.clone(), a)).collect(),
            responses: snapshot
                .responses
                .into_iter()
                .map(|r| {
                    let templates = Templates::of(&r.response_templates);
                    (r.response_type.clone(), Answer { response: r, templates })
                })
                .collect(),
            policy: snapshot.api.policy.as_deref().map(Arc::from),
            api: snapshot.api,
        }
    }
}

impl Target {
    fn new(mut method: Method) -> Self {
        let integration = method.method_integration.take().unwrap_or_default();
        let responses = integration.integration_responses.values().map(|r| {
            let pattern = r.selection_pattern.as_deref().filter(|p| !p.is_empty());
            Back {
                pattern: pattern.and_then(|p| Regex::new(&format!("^(?s:{p})$")).ok()),
                templates: Templates::of(&r.response_templates),
                response: r.clone(),
            }
        });
        Target {
            templates: Templates::of(&integration.request_templates),
            responses: responses.collect(),
            integration,
            method,
        }
    }
}
