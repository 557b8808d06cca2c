//! Metrics: a namespace, a name, and dimensions.

use fogbank_core::Cx;
use fogbank_store::{Key, Table};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// By account, region, namespace, name, dimensions.
pub static METRICS: Table<Metric> = Table::new("cloudwatch.metric");

/// A metric's record.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Metric {
    /// What its data stands under.
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub namespace: String,
    #[n(2)]
    pub name: String,
    /// In order of their names.
    #[n(3)]
    pub dimensions: Vec<Dimension>,
    /// About when data last came, in seconds since 1970.
    #[n(4)]
    pub last: i64,
}
fogbank_store::record!(Metric, version = 1);

/// A dimension, in records and on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub value: String,
}

/// A metric as it is named in requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Named {
    pub namespace: String,
    pub metric_name: String,
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
}

impl Named {
    pub fn sorted(mut self) -> Self {
        self.dimensions.sort();
        self
    }

    /// The key of the metric, whose dimensions are in order.
    pub fn key(&self, cx: &Cx) -> Key {
        key(&cx.account, &cx.region, self)
    }
}

pub fn key(account: &str, region: &str, named: &Named) -> Key {
    let mut key = Key::new().str(account).str(region).str(&named.namespace).str(&named.metric_name);
    for d in &named.dimensions {
        key = key.str(&d.name).str(&d.value);
    }
    key
}

impl Metric {
    pub fn named(&self) -> Named {
        Named {
            namespace: self.namespace.clone(),
            metric_name: self.name.clone(),
            dimensions: self.dimensions.clone(),
        }
    }
}
