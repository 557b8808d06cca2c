//! The secrets of the installation: made at the first start, one for each purpose.

use bytes::Bytes;
use fogbank_core::{Ids, Result};
use fogbank_store::{Key, Lock, Store, Table};

static SECRETS: Table<Bytes> = Table::new("identity.secret");

/// Reads the secret for `purpose`, or makes it.
pub async fn of(store: &Store, ids: &Ids, purpose: &str) -> Result<[u8; 32]> {
    let key = Key::new().str(purpose);
    let mut tx = store.lock(&[Lock::exclusive(&SECRETS, &key)]).await;
    let found = tx.get(&SECRETS, &key).await?;
    if let Some(secret) = found.and_then(|b| <[u8; 32]>::try_from(&b[..]).ok()) {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    ids.fill(&mut secret);
    tx.put(&SECRETS, &key, &Bytes::copy_from_slice(&secret));
    tx.commit().await?;
    Ok(secret)
}
