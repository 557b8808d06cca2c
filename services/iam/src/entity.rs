//! What IAM's resources have in common: a name, a path, a unique id, tags.

use fogbank_core::{ApiError, Cx, Result, Time};
use fogbank_store::{Key, Lock, Part, Range, Record, Store, Table, Tx};
use jiff::Timestamp;
use minicbor::{Decode, Encode};

use crate::Iam;
use crate::error::validation;
use crate::tag::Tag;

/// The sorts of resources; the discriminant is part of keys on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    User = 1,
    Group = 2,
    Role = 3,
    Policy = 4,
    InstanceProfile = 5,
    Oidc = 6,
}

impl Kind {
    /// The resource part of an ARN begins with it.
    pub fn arn_name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Role => "role",
            Kind::Policy => "policy",
            Kind::InstanceProfile => "instance-profile",
            Kind::Oidc => "oidc-provider",
        }
    }

    /// How a unique id begins.
    pub fn id_prefix(self) -> &'static str {
        match self {
            Kind::User => "AIDA",
            Kind::Group => "AGPA",
            Kind::Role => "AROA",
            Kind::Policy => "ANPA",
            Kind::InstanceProfile => "AIPA",
            Kind::Oidc => "AOID",
        }
    }

    /// The words for it in messages: `role`, `instance profile`.
    pub fn words(self) -> &'static str {
        match self {
            Kind::InstanceProfile => "instance profile",
            Kind::Oidc => "OpenIDConnect provider",
            other => other.arn_name(),
        }
    }
}

/// The part that all resources share.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Head {
    /// As it was given; names that differ in case only are the same name.
    #[n(0)]
    pub name: String,
    /// Begins and ends with `/`.
    #[n(1)]
    pub path: String,
    #[n(2)]
    pub id: String,
    /// Seconds since 1970.
    #[n(3)]
    pub created: i64,
    #[n(4)]
    pub tags: Vec<Tag>,
}

impl Head {
    /// A new resource's head, with name, path and tags checked.
    pub fn new(
        cx: &Cx,
        kind: Kind,
        name: &str,
        path: Option<&str>,
        tags: Vec<Tag>,
    ) -> Result<Self> {
        check_name(kind, name)?;
        let path = path.unwrap_or("/");
        check_path(path)?;
        Ok(Head {
            name: name.into(),
            path: path.into(),
            id: cx.ids().iam(kind.id_prefix()),
            created: cx.now.as_second(),
            tags: crate::tag::checked(tags)?,
        })
    }

    pub fn arn(&self, account: &str, kind: Kind) -> String {
        format!("arn:aws:iam::{account}:{}{}{}", kind.arn_name(), self.path, self.name)
    }

    pub fn created(&self) -> Time {
        time(self.created)
    }
}

/// A resource kept as one record under its account and lower-case name.
pub trait Entity: Record + Clone {
    const KIND: Kind;
    fn table() -> &'static Table<Self>;
    fn head(&self) -> &Head;
    fn head_mut(&mut self) -> &mut Head;
    /// The answer when there is none of that name.
    fn missing(name: &str) -> ApiError;

    /// Whether it is what `name`, under whose key it was found, means: ARNs have a path to compare.
    fn is(&self, _account: &str, _name: &str) -> bool {
        true
    }

    fn key(account: &str, name: &str) -> Key {
        Key::new().str(account).str(&name.to_ascii_lowercase())
    }

    fn arn(&self, account: &str) -> String {
        self.head().arn(account, Self::KIND)
    }
}

/// Where the holder of a unique id is found.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Holder {
    #[n(0)]
    pub name: String,
}
fogbank_store::record!(Holder, version = 1);

/// Unique id -> name, for users, groups and roles.
static HOLDERS: Table<Holder> = Table::new("iam.id");

impl Iam {
    /// The resource, or its `NoSuchEntity`.
    pub(crate) async fn load<E: Entity>(&self, account: &str, name: &str) -> Result<E> {
        self.find(account, name).await?.ok_or_else(|| E::missing(name))
    }

    /// The resource, if there is one.
    pub(crate) async fn find<E: Entity>(&self, account: &str, name: &str) -> Result<Option<E>> {
        let found = self.store.get(E::table(), &E::key(account, name)).await?;
        Ok(found.filter(|e: &E| e.is(account, name)))
    }

    /// The resource with the unique id, if there still is one.
    pub(crate) async fn holder<E: Entity>(&self, account: &str, id: &str) -> Result<Option<E>> {
        let Some(holder) = self.store.get(&HOLDERS, &id_key(account, id)).await? else {
            return Ok(None);
        };
        let found: Option<E> = self.find(account, &holder.name).await?;
        Ok(found.filter(|e| e.head().id == id))
    }

    /// Changes one resource in a transaction of its own, and returns it as it then is.
    pub(crate) async fn edit<E: Entity>(
        &self,
        cx: &Cx,
        name: &str,
        change: impl FnOnce(&mut E) -> Result<()>,
    ) -> Result<E> {
        let key = E::key(&cx.account, name);
        let mut tx = self.store.lock(&[Lock::exclusive(E::table(), &key)]).await;
        let mut entity: E = get(&mut tx, &cx.account, name).await?;
        change(&mut entity)?;
        tx.put(E::table(), &key, &entity);
        self.commit(cx, tx).await?;
        Ok(entity)
    }
}

/// The resource inside a transaction that has locked it, or its `NoSuchEntity`.
pub async fn get<E: Entity>(tx: &mut Tx, account: &str, name: &str) -> Result<E> {
    let found = tx.get(E::table(), &E::key(account, name)).await?;
    found.filter(|e: &E| e.is(account, name)).ok_or_else(|| E::missing(name))
}

/// Writes a new resource, and its id for those that others refer to by it.
pub fn insert<E: Entity>(tx: &mut Tx, account: &str, entity: &E) {
    let head = entity.head();
    tx.put(E::table(), &E::key(account, &head.name), entity);
    if referred(E::KIND) {
        tx.put(&HOLDERS, &id_key(account, &head.id), &Holder { name: head.name.clone() });
    }
}

/// Removes a resource; `reused` tells that its id lives on under another name.
pub fn remove<E: Entity>(tx: &mut Tx, account: &str, entity: &E, reused: bool) {
    let head = entity.head();
    tx.delete(E::table(), &E::key(account, &head.name));
    if referred(E::KIND) && !reused {
        tx.delete(&HOLDERS, &id_key(account, &head.id));
    }
}

/// What `id` is linked to: the last parts of the keys (account, id, other) of a table of links.
pub async fn links(
    store: &Store,
    table: &'static Table<()>,
    account: &str,
    id: &str,
) -> Result<Vec<String>> {
    let prefix = Key::new().str(account).str(id);
    let rows = store.scan(table, Range::prefix(&prefix), usize::MAX).await?;
    let last = |key: &Key| match key.parts().nth(2)? {
        Part::Str(s) => Some(s.into_owned()),
        _ => None,
    };
    Ok(rows.iter().filter_map(|(key, ())| last(key)).collect())
}

fn referred(kind: Kind) -> bool {
    matches!(kind, Kind::User | Kind::Group | Kind::Role)
}

fn id_key(account: &str, id: &str) -> Key {
    Key::new().str(account).str(id)
}

/// Seconds since 1970 as a time in an answer.
pub fn time(seconds: i64) -> Time {
    Time(Timestamp::from_second(seconds).unwrap_or_default())
}

/// Names: letters, digits and `_+=,.@-`, at most 64 of them for users and roles, else 128.
pub fn check_name(kind: Kind, name: &str) -> Result<()> {
    let (member, most) = match kind {
        Kind::User => ("userName", 64),
        Kind::Role => ("roleName", 64),
        Kind::Group => ("groupName", 128),
        Kind::Policy => ("policyName", 128),
        Kind::InstanceProfile => ("instanceProfileName", 128),
        // The name of a provider is its URL, which has rules of its own.
        Kind::Oidc => return Ok(()),
    };
    check_word(member, name, most)
}

/// A name in an input member: also used for inline policies.
pub fn check_word(member: &str, name: &str, most: usize) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if name.is_empty() || name.len() > most {
        let bound = if name.is_empty() {
            "greater than or equal to 1".to_owned()
        } else {
            format!("less than or equal to {most}")
        };
        return Err(validation(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy \
             constraint: Member must have length {bound}"
        )));
    }
    if !name.bytes().all(fits) {
        return Err(validation(format!(
            "The specified value for {member} is invalid. It must contain only alphanumeric \
             characters and/or the following: +=,.@_-"
        )));
    }
    Ok(())
}

/// Paths: `/`, or printable ASCII between slashes, at most 512 long.
pub fn check_path(path: &str) -> Result<()> {
    let printable = path.bytes().all(|b| (0x21..0x7f).contains(&b));
    let closed = path == "/" || (path.len() > 2 && path.starts_with('/') && path.ends_with('/'));
    if path.len() <= 512 && printable && closed {
        return Ok(());
    }
    Err(validation(
        "The specified value for path is invalid. It must begin and end with / and contain only \
         alphanumeric characters and/or / characters.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert!(check_name(Kind::Role, "a-Z_0+=,.@").is_ok());
        for bad in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert_eq!(check_name(Kind::Role, bad).unwrap_err().code(), "ValidationError", "{bad}");
        }
        assert!(check_name(Kind::Policy, &"x".repeat(128)).is_ok());
        for good in ["/", "/a/", "/a/b/", "/service-role/"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "/a", "a/", "/ /", "//", &format!("/{}/", "x".repeat(511))] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }
}
