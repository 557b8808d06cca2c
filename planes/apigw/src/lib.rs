//! What the front ends of REST and HTTP APIs share: names, routing, proxy events and their answers,
//! mappings, throttles, authorizers, access logs.
//!
//! API Gateway has two services and one family of host names, `<api>.execute-api.<region>…`. This
//! crate serves the names and knows neither service: each brings a [`Front`].
//!
//! **Invariant:** no state that another process could not rebuild. Buckets of throttles and cached
//! answers of authorizers are lost at the end, as they are on AWS when it moves an API.

mod access_log;
mod address;
mod authorizer;
mod cache;
mod change;
mod document;
mod event;
mod expression;
mod function;
mod outbound;
mod plane;
mod reply;
mod throttle;
mod tree;
mod visit;

pub use access_log::{AccessLog, Format, Logs};
pub use address::{API_ID, is_api_id};
pub use authorizer::{Allowed, Answers, Verdict, allows, check_policy};
pub use cache::Cache;
pub use change::{
    Api, Change, Child, MOST, api_key, api_of, apis_of, child_key, children, new_id, page_of, shown,
};
pub use document::Json;
pub use event::{
    Binary, Claims, Rest, Simple, forwarded, is_hop, is_text, media_type, rest_event, simple_event,
};
pub use expression::{Scope, Template, json_text};
pub use function::{Function, Invoked, Manner, invoke};
pub use outbound::{Error as OutboundError, Outbound, Response as OutboundResponse};
pub use plane::{ExecuteApi, Front};
pub use reply::{Proxied, parse_proxied};
pub use throttle::{Rate, Throttles};
pub use tree::{Kind, Pattern, Tree};
pub use visit::{Context, LIMIT, Visit, message, pairs};
