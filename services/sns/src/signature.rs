//! Signatures of notifications: the key, its certificate, and where that is served.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fogbank_core::{ApiError, Ids, Result};
use fogbank_store::{Key as StoreKey, Lock, Store, Table};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use rcgen::{
    CertificateParams, DnType, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey,
};
use tokio::sync::OnceCell;

use crate::envelope::Signed;
use crate::rsa::{Hash, Key};

/// One record.
static KEYS: Table<Kept> = Table::new("sns.signing");

/// The key and its certificate.
#[derive(Clone, Debug, Encode, Decode)]
struct Kept {
    #[n(0)]
    p: ByteVec,
    #[n(1)]
    q: ByteVec,
    /// PEM.
    #[n(2)]
    certificate: String,
    /// Tells the certificate from others in its URL.
    #[n(3)]
    id: String,
}
fogbank_store::record!(Kept, version = 1);

/// Signs notifications. Its key is made when it is first needed.
pub struct Signer {
    store: Store,
    ids: Ids,
    ready: OnceCell<Ready>,
}

struct Ready {
    key: Key,
    certificate: String,
    id: String,
}

impl Signer {
    pub fn new(store: Store, ids: Ids) -> Self {
        Signer { store, ids, ready: OnceCell::new() }
    }

    /// Signs a text for messages of a region.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sign(&self, text: String, version_2: bool, region: &str) -> Result<Signed> {
        let ready = self.ready().await?;
        let certificate = format!(
            "https://sns.{region}.amazonaws.com/SimpleNotificationService-{}.pem",
            ready.id
        );
        let (version, hash) = if version_2 { ("2", Hash::Sha256) } else { ("1", Hash::Sha1) };
        let key = ready.key.clone();
        let work = tokio::task::spawn_blocking(move || key.sign(hash, text.as_bytes()));
        let signature = work.await.map_err(|e| ApiError::internal(e.to_string()))?;
        Ok(Signed { version, signature: STANDARD.encode(signature), certificate })
    }

    /// The certificate with this id, in PEM.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn certificate(&self, id: &str) -> Result<Option<String>> {
        let ready = self.ready().await?;
        Ok((ready.id == id).then(|| ready.certificate.clone()))
    }

    async fn ready(&self) -> Result<&Ready> {
        self.ready.get_or_try_init(|| self.load()).await
    }

    async fn load(&self) -> Result<Ready> {
        let name = StoreKey::new().str("1");
        let mut tx = self.store.lock(&[Lock::exclusive(&KEYS, &name)]).await;
        if let Some(kept) = tx.get(&KEYS, &name).await? {
            let Kept { p, q, certificate, id } = kept;
            return Ok(Ready { key: Key::of(&p, &q), certificate, id });
        }
        let ids = self.ids.clone();
        let make = tokio::task::spawn_blocking(move || {
            let key = Key::make(&ids);
            certificate(&key).map(|pem| (key, pem))
        });
        let made = make.await.map_err(|e| ApiError::internal(e.to_string()))?;
        let (key, certificate) = made.map_err(|e| ApiError::internal(e.to_string()))?;
        let (p, q) = key.primes();
        let id = self.ids.hex(32);
        let (p, q) = (p.into(), q.into());
        tx.put(&KEYS, &name, &Kept { p, q, certificate: certificate.clone(), id: id.clone() });
        tx.commit().await?;
        Ok(Ready { key, certificate, id })
    }
}

/// A certificate that the key signs itself, for SNS's name.
fn certificate(key: &Key) -> std::result::Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["sns.amazonaws.com".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "sns.amazonaws.com");
    let key = Signing { key, public: key.public() };
    Ok(params.self_signed(&key)?.pem())
}

struct Signing<'a> {
    key: &'a Key,
    public: Vec<u8>,
}

impl PublicKeyData for Signing<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

impl SigningKey for Signing<'_> {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(Hash::Sha256, message))
    }
}
