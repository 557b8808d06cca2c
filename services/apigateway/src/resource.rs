//! Resources: the paths of an API.

use std::collections::BTreeMap;

use fogbank_apigw::{Child, Json, Pattern, new_id, page_of, shown};
use fogbank_core::value::{from_value, to_value};
use fogbank_core::{Cx, Op, Result, Value, map, ops, page};
use fogbank_store::Table;
use serde::{Deserialize, Serialize};

use crate::ApiGateway;
use crate::authz::check;
use crate::document::{PageInput, found, member, patches, text};
use crate::error::{bad_request, conflict, limit, not_found};
use crate::method::Method;
use crate::patch::{self, Kind};

pub const OPS: &[Op<ApiGateway>] = ops![
    CreateResource => create_resource [check],
    GetResource => get_resource [check],
    GetResources => get_resources [check],
    UpdateResource => update_resource [check],
    DeleteResource => delete_resource [check],
];

pub static RESOURCES: Table<Json<Resource>> = Table::new("apigateway.resource");

/// Resources of an API at most.
const QUOTA: usize = 300;

/// A resource with its methods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resource {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_part: Option<String>,
    pub path: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resource_methods: BTreeMap<String, Method>,
}

impl Child for Resource {
    const KIND: &'static str = "Resource";
    const ID: &'static str = "resourceId";
    fn table() -> &'static Table<Json<Self>> {
        &RESOURCES
    }
    fn id(&self) -> &str {
        &self.id
    }
}

impl Resource {
    pub fn root(id: &str) -> Self {
        Resource { id: id.to_owned(), path: "/".into(), ..Resource::default() }
    }

    pub fn method(&self, name: &str) -> Result<&Method> {
        self.resource_methods.get(name).ok_or_else(|| not_found("Method"))
    }

    pub fn method_mut(&mut self, name: &str) -> Result<&mut Method> {
        self.resource_methods.get_mut(name).ok_or_else(|| not_found("Method"))
    }

    /// With its methods in full, or with their names only.
    fn view(&self, full: bool) -> Result<Value> {
        let mut value = to_value(self)?;
        if !full && let Value::Map(members) = &mut value {
            for (name, v) in members {
                if name == "resourceMethods"
                    && let Value::Map(methods) = v
                {
                    methods.iter_mut().for_each(|(_, m)| *m = Value::Map(Vec::new()));
                }
            }
        }
        Ok(value)
    }
}

/// The path below another.
fn below(parent: &str, part: &str) -> String {
    if parent == "/" { format!("/{part}") } else { format!("{parent}/{part}") }
}

/// Refuses parts of paths that AWS refuses.
pub fn check_part(part: &str, parent: &str) -> Result<()> {
    let invalid = || {
        bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and \
             curly braces at the beginning and the end.",
        )
    };
    let bare = part.strip_prefix('{').map_or(Some(part), |p| p.strip_suffix('}'));
    let bare = bare.ok_or_else(invalid)?;
    let bare = if part.starts_with('{') { bare.strip_suffix('+').unwrap_or(bare) } else { bare };
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-:$,@~!*'".contains(c);
    if bare.is_empty() || !bare.chars().all(fits) {
        return Err(invalid());
    }
    if parent.contains("+}") {
        return Err(bad_request(
            "Cannot create a child of a resource with a greedy path variable.",
        ));
    }
    Pattern::parse(&below(parent, part)).map(|_| ()).ok_or_else(invalid)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateResource.html>
async fn create_resource(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let parent: Resource = found(&mut change, text(&input, "parentId")?).await?;
    let part = text(&input, "pathPart")?;
    check_part(part, &parent.path)?;
    let all: Vec<Resource> = change.all().await?;
    for sibling in all.iter().filter(|r| r.parent_id.as_ref() == Some(&parent.id)) {
        let own = sibling.path_part.as_deref().unwrap_or_default();
        if own == part {
            return Err(conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
        let variable = |p: &str| p.starts_with('{') && !p.ends_with("+}");
        if variable(own) && variable(part) {
            return Err(bad_request(format!(
                "A sibling ({own}) of this resource already has a variable path part -- only one \
                 is allowed"
            )));
        }
    }
    if all.len() >= QUOTA {
        return Err(limit(
            "Maximum number of resources for this API has been reached. Please contact AWS if you need additional resources.",
        ));
    }
    let resource = Resource {
        id: new_id(cx, 6),
        path: below(&parent.path, part),
        parent_id: Some(parent.id),
        path_part: Some(part.to_owned()),
        resource_methods: BTreeMap::new(),
    };
    change.put(&resource);
    change.commit().await?;
    shown(&resource)
}

fn embeds(input: &Value) -> Result<bool> {
    let embed: Vec<String> = member(input, "embed")?;
    Ok(embed.iter().any(|e| e == "methods"))
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetResource.html>
async fn get_resource(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let (api, id) = (text(&input, "restApiId")?, text(&input, "resourceId")?);
    gw.child::<Resource>(cx, api, id).await?.view(embeds(&input)?)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_GetResources.html>
async fn get_resources(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let api = text(&input, "restApiId")?;
    gw.api(cx, api).await?;
    let full = embeds(&input)?;
    let (limit, after) = from_value::<PageInput>(input.clone())?.read(25)?;
    let (found, more) = page_of::<Resource>(&gw.store, api, after.as_deref(), limit).await?;
    let position = found.last().filter(|_| more).map(|r| page::encode(&r.id));
    let items = found.iter().map(|r| r.view(full)).collect::<Result<Vec<_>>>()?;
    Ok(map! { "items" => items, "position" => position })
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateResource.html>
async fn update_resource(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<Value> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let old: Resource = found(&mut change, text(&input, "resourceId")?).await?;
    let Some(old_parent) = &old.parent_id else {
        return Err(bad_request("The root resource cannot be changed"));
    };
    let rules = [("/pathPart", Kind::Text), ("/parentId", Kind::Text)];
    let mut new: Resource = patch::apply(&old, &patches(&input)?, &rules)?;
    let parent_id = new.parent_id.clone().unwrap_or_else(|| old_parent.clone());
    let parent: Resource = found(&mut change, &parent_id).await?;
    let part = new.path_part.clone().unwrap_or_default();
    check_part(&part, &parent.path)?;
    let mut all: Vec<Resource> = change.all().await?;
    if all.iter().any(|r| {
        r.id != old.id
            && r.parent_id.as_ref() == Some(&parent_id)
            && r.path_part.as_ref() == Some(&part)
    }) {
        return Err(conflict(format!(
            "Another resource with the same parent already has this name: {part}"
        )));
    }
    if parent.path == old.path || parent.path.starts_with(&format!("{}/", old.path)) {
        return Err(bad_request("A resource cannot be moved below itself"));
    }
    new.path = below(&parent.path, &part);
    new.parent_id = Some(parent_id);
    // What is below it moves with it.
    let prefix = format!("{}/", old.path);
    for child in all.iter_mut().filter(|r| r.path.starts_with(&prefix)) {
        child.path = below(&new.path, &child.path[prefix.len()..]);
        change.put(child);
    }
    change.put(&new);
    change.commit().await?;
    new.view(false)
}

/// <https://docs.aws.amazon.com/apigateway/latest/api/API_DeleteResource.html>
async fn delete_resource(gw: &ApiGateway, cx: &Cx, input: Value) -> Result<()> {
    let mut change = gw.change(cx, text(&input, "restApiId")?).await?;
    let resource: Resource = found(&mut change, text(&input, "resourceId")?).await?;
    if resource.parent_id.is_none() {
        return Err(bad_request("Root resource can not be deleted"));
    }
    let prefix = format!("{}/", resource.path);
    for child in change.all::<Resource>().await? {
        if child.path.starts_with(&prefix) {
            change.delete::<Resource>(&child.id);
        }
    }
    change.delete::<Resource>(&resource.id);
    change.commit().await
}
