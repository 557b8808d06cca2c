//! Filters of lists.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html>

use fogbank_core::{ApiError, Result};
use serde::Deserialize;

use crate::error::validation;
use crate::record::{Kind, Parameter, Tier, Version};

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Filter {
    pub key: String,
    pub option: Option<String>,
    #[serde(default)]
    pub values: Vec<String>,
}

impl Filter {
    /// Whether a parameter passes; labels are looked at by [`label`].
    pub fn fits(&self, head: &Parameter, version: &Version) -> bool {
        if let Some(tag) = self.key.strip_prefix("tag:") {
            let found = head.tags.iter().find(|t| t.key == tag);
            return found.is_some_and(|t| self.values.is_empty() || self.one(&t.value));
        }
        let name = &head.place.name;
        match self.key.as_str() {
            "Name" => self.name(name),
            "Path" => self.values.iter().any(|path| {
                let prefix = format!("{}/", path.trim_end_matches('/'));
                let rest = name.strip_prefix(&prefix);
                rest.is_some_and(|r| {
                    self.option.as_deref() == Some("Recursive") || !r.contains('/')
                })
            }),
            "Type" => self.one(match version.kind {
                Kind::String => "String",
                Kind::StringList => "StringList",
                Kind::SecureString => "SecureString",
            }),
            "KeyId" => version.key.as_deref().is_some_and(|k| self.one(k)),
            "Tier" => self.one(match version.tier {
                Tier::Standard => "Standard",
                Tier::Advanced => "Advanced",
            }),
            "DataType" => self.one(&version.data_type),
            _ => true,
        }
    }

    fn one(&self, text: &str) -> bool {
        let option = self.option.as_deref().unwrap_or("Equals");
        self.values.iter().any(|v| match option {
            "BeginsWith" => text.starts_with(v.as_str()),
            "Contains" => text.contains(v.as_str()),
            _ => text == v,
        })
    }

    /// A name is the same with and without a slash at its beginning.
    fn name(&self, name: &str) -> bool {
        let bare = |s: &str| s.strip_prefix('/').unwrap_or(s).to_owned();
        let name = bare(name);
        self.values.iter().any(|v| match self.option.as_deref().unwrap_or("Equals") {
            "BeginsWith" => name.starts_with(&bare(v)),
            "Contains" => name.contains(v.as_str()),
            _ => name == bare(v),
        })
    }
}

/// What a `Label` filter makes of a parameter: `None` without such a filter, else the label and its
/// version, if there is one.
pub fn label(filters: &[Filter], head: &Parameter) -> Option<Option<(String, u64)>> {
    let filter = filters.iter().find(|f| f.key == "Label")?;
    Some(head.labels.iter().find(|(l, _)| filter.one(l)).cloned())
}

/// Filters of GetParametersByPath.
pub fn check_for_path(filters: &[Filter]) -> Result<()> {
    for f in filters {
        if !matches!(f.key.as_str(), "Type" | "KeyId" | "Label") {
            return Err(key(&format!(
                "The following filter key is not valid: {}. Valid filter keys include: [Type, \
                 KeyId].",
                f.key
            )));
        }
        check_values(f)?;
        options(f, &["Equals", "BeginsWith"])?;
    }
    Ok(())
}

/// Filters of DescribeParameters.
pub fn check(filters: &[Filter]) -> Result<()> {
    for (i, f) in filters.iter().enumerate() {
        if filters[..i].iter().any(|o| o.key == f.key) {
            return Err(validation(format!(
                "The following filters are duplicated in the request: [{}]. A request can contain \
                 a filter only once.",
                f.key
            )));
        }
        match f.key.as_str() {
            "Label" => {
                return Err(key(
                    "The following filter key is not valid: Label. Valid filter keys include: \
                     [Path, Name, Type, KeyId, Tier].",
                ));
            }
            "Path" => {
                options(f, &["Recursive", "OneLevel"])?;
                if f.values.iter().any(|v| !v.starts_with('/')) {
                    return Err(validation("The path must begin with a forward slash \"/\"."));
                }
            }
            "Name" => options(f, &["Equals", "BeginsWith", "Contains"])?,
            _ => options(f, &["Equals", "BeginsWith"])?,
        }
        if !f.key.starts_with("tag:") {
            check_values(f)?;
        }
    }
    Ok(())
}

fn check_values(f: &Filter) -> Result<()> {
    if f.values.is_empty() {
        return Err(ApiError::new(
            "InvalidFilterValue",
            format!("The following filter values are missing : null for filter key {}", f.key),
        ));
    }
    let known: &[&str] = match f.key.as_str() {
        "Type" => &["String", "StringList", "SecureString"],
        "Tier" => &["Standard", "Advanced", "Intelligent-Tiering"],
        _ => return Ok(()),
    };
    match f.values.iter().find(|v| !known.contains(&v.as_str())) {
        None => Ok(()),
        Some(bad) => Err(ApiError::new(
            "InvalidFilterValue",
            format!("The following filter value is not valid: {bad}."),
        )),
    }
}

fn options(f: &Filter, known: &[&str]) -> Result<()> {
    match &f.option {
        Some(option) if !known.contains(&option.as_str()) => Err(ApiError::new(
            "InvalidFilterOption",
            format!(
                "The following filter option is not valid: {option}. Valid options include: [{}].",
                known.join(", ")
            ),
        )),
        _ => Ok(()),
    }
}

fn key(message: &str) -> ApiError {
    ApiError::new("InvalidFilterKey", message)
}
