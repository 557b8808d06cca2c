//! An API ready to serve: stages, trees of routes and formats, made once per version.

use std::collections::HashMap;
use std::sync::Arc;

use fogbank_apigw::{Format, Rate, Template, Tree, api_key, child_key, children};
use fogbank_core::Result;

use crate::ApiGatewayV2;
use crate::api::{APIS, Api, Cors, VERSIONS};
use crate::authorizer::Authorizer;
use crate::deployment::{SNAPSHOTS, Snapshot};
use crate::integration::Integration;
use crate::route::{Route, parse_key};
use crate::serve::mapping::Mappings;
use crate::stage::{RouteSettings, Stage};

/// An API and its stages.
pub struct Compiled {
    pub api: Api,
    pub stages: HashMap<String, Arc<Serving>>,
}

/// A stage and what it serves.
pub struct Serving {
    pub stage: Stage,
    pub tree: Tree<(Option<String>, Arc<Target>)>,
    pub default: Option<Arc<Target>>,
    pub cors: Option<Cors>,
    /// The log group and the form of its lines.
    pub log: Option<(Arc<str>, Format)>,
}

/// A route with what it leads to.
pub struct Target {
    pub route: Route,
    pub integration: Option<Arc<Behind>>,
    pub authorizer: Option<Authorizer>,
    pub rate: Option<Rate>,
}

/// An integration, its texts read.
pub struct Behind {
    pub integration: Integration,
    pub uri: Template,
    pub mappings: Mappings,
}

impl ApiGatewayV2 {
    /// The API of this id as it is now; `None` when it is not one of ours.
    pub async fn compiled(&self, id: &str) -> Result<Option<Arc<Compiled>>> {
        self.compiled.get(&self.store, &VERSIONS, id, || self.compile(id)).await
    }

    async fn compile(&self, id: &str) -> Result<Option<Compiled>> {
        let Some(api) = self.store.get(&APIS, &api_key(id)).await?.map(|j| j.0) else {
            return Ok(None);
        };
        let mut stages = HashMap::new();
        let mut live: Option<Arc<Snapshot>> = None;
        for stage in children::<Stage>(&self.store, id).await? {
            let snapshot = if stage.auto_deploy == Some(true) {
                if live.is_none() {
                    live = Some(Arc::new(Snapshot {
                        routes: children(&self.store, id).await?,
                        integrations: children(&self.store, id).await?,
                        authorizers: children(&self.store, id).await?,
                        cors: api.cors_configuration.clone(),
                    }));
                }
                live.clone().unwrap_or_default()
            } else {
                match &stage.deployment_id {
                    Some(d) => {
                        let found = self.store.get(&SNAPSHOTS, &child_key(id, d)).await?;
                        Arc::new(found.map(|j| j.0).unwrap_or_default())
                    }
                    None => Arc::default(),
                }
            };
            stages.insert(stage.stage_name.clone(), Arc::new(Serving::new(stage, &snapshot)));
        }
        Ok(Some(Compiled { api, stages }))
    }
}

impl Serving {
    fn new(stage: Stage, snapshot: &Snapshot) -> Self {
        let behind: HashMap<&str, Arc<Behind>> = snapshot
            .integrations
            .iter()
            .map(|i| (i.integration_id.as_str(), Arc::new(Behind::new(i))))
            .collect();
        let mut tree = Tree::default();
        let mut default = None;
        // Where several routes have one path, that of the method itself goes before `ANY`.
        let mut routes: Vec<&Route> = snapshot.routes.iter().collect();
        routes.sort_by_key(|r| r.route_key.starts_with("ANY "));
        for route in routes {
            let target = route.target.as_deref().and_then(|t| t.strip_prefix("integrations/"));
            let target = Arc::new(Target {
                integration: target.and_then(|id| behind.get(id)).map(Arc::clone),
                authorizer: route.authorizer_id.as_deref().and_then(|id| {
                    snapshot.authorizers.iter().find(|a| a.authorizer_id == id).cloned()
                }),
                rate: rate(&stage, &route.route_key),
                route: route.clone(),
            });
            match parse_key(&route.route_key) {
                Ok(Some((method, pattern))) => {
                    let method = (method != "ANY").then_some(method);
                    tree.insert(&pattern, (method, target));
                }
                Ok(None) => default = Some(target),
                Err(_) => {}
            }
        }
        let log = stage.access_log_settings.as_ref().and_then(|l| {
            let group: Arc<str> = l.destination_arn.as_deref()?.into();
            Some((group, Format::parse(l.format.as_deref()?)))
        });
        Serving { tree, default, cors: snapshot.cors.clone(), log, stage }
    }
}

impl Behind {
    fn new(i: &Integration) -> Self {
        let uri = i.integration_uri.as_deref().unwrap_or_default();
        Behind {
            uri: Template::parse(uri, &["stageVariables"]),
            mappings: Mappings::parse(&i.request_parameters, &i.response_parameters),
            integration: i.clone(),
        }
    }
}

/// The throttle of a route: its own settings, then the stage's.
fn rate(stage: &Stage, key: &str) -> Option<Rate> {
    let own = stage.route_settings.get(key);
    let default = &stage.default_route_settings;
    let of = |s: &RouteSettings| (s.throttling_rate_limit, s.throttling_burst_limit);
    let (rate, burst) = own.map_or((None, None), of);
    let (default_rate, default_burst) = of(default);
    let (rate, burst) = (rate.or(default_rate), burst.or(default_burst));
    match (rate, burst) {
        (None, None) => None,
        // Without one of the two, the account's counts: 10,000 a second, 5,000 at once.
        (rate, burst) => Some(Rate {
            per_second: rate.unwrap_or(10_000.0),
            burst: burst.map_or(5_000.0, |b| b as f64),
        }),
    }
}
