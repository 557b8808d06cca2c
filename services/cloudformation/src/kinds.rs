//! Resource types: what CloudFormation can make, as tables beside small functions.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>
//!
//! A type says which properties it has, which of them need a new resource when they change, and
//! how it is created, updated and deleted: by public calls of its service, never otherwise.

use fogbank_core::{BoxFuture, Result};
use serde_json::{Map, Value};

use crate::maker::Maker;
use crate::record::Instance;

mod builtin;
mod iam;
mod logs;
mod s3;
mod sns;
mod sqs;
mod ssm;

/// Evaluated properties.
pub type Props = Map<String, Value>;

/// What was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// What `Ref` gives.
    pub id: String,
    /// What `Fn::GetAtt` gives.
    pub attributes: Map<String, Value>,
}

impl Made {
    pub fn new(id: impl Into<String>) -> Self {
        Made { id: id.into(), attributes: Map::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }
}

pub type Create = for<'a> fn(&'a Maker<'a>, &'a Props) -> BoxFuture<'a, Result<Made>>;
pub type Update = for<'a> fn(&'a Maker<'a>, &'a Instance, &'a Props) -> BoxFuture<'a, Result<Made>>;
pub type Delete = for<'a> fn(&'a Maker<'a>, &'a Instance) -> BoxFuture<'a, Result<()>>;

/// A resource type.
pub struct Kind {
    /// `AWS::SQS::Queue`.
    pub name: &'static str,
    /// Every property it honours; any other is refused by name before anything is made.
    pub properties: &'static [&'static str],
    pub required: &'static [&'static str],
    /// Properties whose change means a new resource.
    pub replaces: &'static [&'static str],
    pub create: Create,
    /// `None`: every change means a new resource.
    pub update: Option<Update>,
    pub delete: Delete,
}

/// Makes a [`Kind`] of async functions.
#[macro_export]
macro_rules! kind {
    ($name:literal {
        properties: [$($p:literal),* $(,)?],
        required: [$($r:literal),* $(,)?],
        replaces: [$($x:literal),* $(,)?],
        create: $create:path,
        $(update: $update:path,)?
        delete: $delete:path $(,)?
    }) => {
        $crate::kinds::Kind {
            name: $name,
            properties: &[$($p),*],
            required: &[$($r),*],
            replaces: &[$($x),*],
            create: |m, p| Box::pin($create(m, p)),
            update: $crate::kind!(@update $($update)?),
            delete: |m, i| Box::pin($delete(m, i)),
        }
    };
    (@update) => { None };
    (@update $update:path) => { Some(|m, i, p| Box::pin($update(m, i, p))) };
}

/// The tables, one for each AWS service.
const TABLES: &[&[Kind]] =
    &[builtin::KINDS, iam::KINDS, logs::KINDS, s3::KINDS, sns::KINDS, sqs::KINDS, ssm::KINDS];

/// The type of a name; every `Custom::…` is one.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    if name.starts_with("Custom::") {
        return find("AWS::CloudFormation::CustomResource");
    }
    TABLES.iter().copied().flatten().find(|k| k.name == name)
}

/// Whether a type can be made here.
#[must_use]
pub fn knows(name: &str) -> bool {
    find(name).is_some()
}

/// The names of all types, sorted: for COMPAT.md.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let mut all: Vec<_> = TABLES.iter().copied().flatten().map(|k| k.name).collect();
    all.sort_unstable();
    all
}

impl Kind {
    /// What is wrong with the names of some properties: CloudFormation's words.
    #[must_use]
    pub fn fault(&self, properties: &Map<String, Value>) -> Option<String> {
        let custom = self.name == "AWS::CloudFormation::CustomResource";
        let stranger =
            properties.keys().find(|k| !custom && !self.properties.contains(&k.as_str()));
        if let Some(k) = stranger {
            return Some(format!(
                "Properties validation failed for resource {{}} with message: #: extraneous key [{k}] is not permitted"
            ));
        }
        let missing = self.required.iter().find(|r| !properties.contains_key(**r))?;
        Some(format!(
            "Properties validation failed for resource {{}} with message: #: required key [{missing}] not found"
        ))
    }

    /// Whether going from `old` to `new` needs a new resource.
    #[must_use]
    pub fn replaced(&self, old: &Props, new: &Props) -> bool {
        self.update.is_none() || self.replaces.iter().any(|p| old.get(*p) != new.get(*p))
    }
}
