//! The account root's key: well known on loopback, made by us where others can reach the listener.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fogbank_core::authz::PolicySet;
use fogbank_core::{BoxFuture, Credential, Identities, Ids, Principal, Result};

use super::{Error, Settings};

/// The account of the root key that we make.
const ACCOUNT: &str = "000000000000";

/// How the root signs in.
pub enum Root {
    /// By `test` or twelve digits, with the secret `test`: only this machine can try.
    WellKnown,
    /// By a key of its own.
    Made { credential: Arc<Credential>, kept: Option<PathBuf>, new: bool },
}

impl Root {
    /// What the settings ask for: a key is made when the listener is not on loopback, kept in the
    /// data directory and found there again.
    pub fn of(settings: &Settings, ids: &Ids) -> Result<Self, Error> {
        if settings.host.is_loopback() {
            return Ok(Root::WellKnown);
        }
        let Some(dir) = &settings.data else {
            let credential = credential(&ids.iam("AKIA"), &secret(ids));
            return Ok(Root::Made { credential, kept: None, new: true });
        };
        let path = dir.join("root-key.json");
        if let Some((key, secret)) = read(&path)? {
            let credential = credential(&key, &secret);
            return Ok(Root::Made { credential, kept: Some(path), new: false });
        }
        let (key, secret) = (ids.iam("AKIA"), secret(ids));
        write(&path, &key, &secret)
            .map_err(|source| Error::Directory { path: path.clone(), source })?;
        Ok(Root::Made { credential: credential(&key, &secret), kept: Some(path), new: true })
    }

    /// Tells a person on stderr how to sign in; the secret only once.
    pub fn introduce(&self) {
        let Root::Made { credential: c, kept, new } = self else { return };
        eprintln!("note: others can reach this listener, so the key `test` is refused");
        if *new {
            eprintln!("root key, shown once:");
            eprintln!("  AWS_ACCESS_KEY_ID={}\n  AWS_SECRET_ACCESS_KEY={}", c.access_key, c.secret);
        }
        if let Some(path) = kept {
            eprintln!("the root key is kept in {}", path.display());
        }
    }

    /// The identities with our root key in place of the well-known ones.
    pub fn guard(&self, inner: Arc<dyn Identities>) -> Arc<dyn Identities> {
        match self {
            Root::WellKnown => inner,
            Root::Made { credential, .. } => {
                Arc::new(Guarded { inner, root: Arc::clone(credential) })
            }
        }
    }
}

struct Guarded {
    inner: Arc<dyn Identities>,
    root: Arc<Credential>,
}

impl Identities for Guarded {
    fn credential<'a>(
        &'a self,
        access_key: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>>> {
        Box::pin(async move {
            if access_key == self.root.access_key {
                return Ok(Some(Arc::clone(&self.root)));
            }
            let found = self.inner.credential(access_key, session_token).await?;
            let well_known = |c: &Credential| c.principal.is_root() && c.secret == "test";
            Ok(found.filter(|c| !well_known(c)))
        })
    }

    fn used<'a>(
        &'a self,
        credential: &'a Credential,
        service: &'a str,
        region: &'a str,
    ) -> BoxFuture<'a, ()> {
        self.inner.used(credential, service, region)
    }

    fn policies<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<Arc<PolicySet>>> {
        self.inner.policies(principal)
    }
}

fn credential(key: &str, secret: &str) -> Arc<Credential> {
    Arc::new(Credential {
        access_key: key.to_owned(),
        secret: secret.to_owned(),
        session_token: None,
        expires: None,
        principal: Arc::new(Principal::root(ACCOUNT)),
    })
}

fn secret(ids: &Ids) -> String {
    ids.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40)
}

fn read(path: &Path) -> Result<Option<(String, String)>, Error> {
    let damaged = |detail: String| Error::RootKey { path: path.to_owned(), detail };
    let text = match fs::read(path) {
        Ok(t) => t,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(damaged(e.to_string())),
    };
    let v: serde_json::Value = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
    let member = |name: &str| {
        let text = v.get(name).and_then(|v| v.as_str()).filter(|s| !s.is_empty());
        text.map(str::to_owned).ok_or_else(|| damaged(format!("it has no {name}")))
    };
    Ok(Some((member("AccessKeyId")?, member("SecretAccessKey")?)))
}

fn write(path: &Path, key: &str, secret: &str) -> std::io::Result<()> {
    let text = serde_json::json!({ "AccessKeyId": key, "SecretAccessKey": secret });
    let tmp = path.with_extension("tmp");
    let _ = fs::remove_file(&tmp);
    let mut f = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&tmp)?;
    writeln!(f, "{text:#}")?;
    f.sync_all()?;
    fs::rename(&tmp, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root-key.json");
        assert!(read(&path).unwrap().is_none());
        write(&path, "AKIA1", "s").unwrap();
        assert_eq!(read(&path).unwrap(), Some(("AKIA1".into(), "s".into())));
        for bad in ["", "[]", "{\"AccessKeyId\":1}"] {
            fs::write(&path, bad).unwrap();
            assert_eq!(read(&path).unwrap_err().exit_code(), 7, "{bad}");
        }
    }
}
