//! Our own certificate authority, and the certificates it issues for the names that are ours.
//!
//! **Invariant:** the private key never leaves the data directory, where only its owner reads it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fogbank_core::{Ids, clock};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use parking_lot::Mutex;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Certificates kept; past it the oldest half is issued anew when asked for.
const KEPT: usize = 1024;
/// What clients still accept of a certificate that is not a public authority's (825 days at most).
const LEAF_DAYS: i64 = 800;
const CA_DAYS: i64 = 3650;

/// What can go wrong with the authority's files or keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read or write {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not a certificate authority that fogbank made: {detail}")]
    Damaged { path: PathBuf, detail: String },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("cannot use a certificate: {0}")]
    Use(#[from] rustls::Error),
}

/// The authority: its certificate, its key, and the leaves issued so far.
pub struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    leaf_key: KeyPair,
    issued: Mutex<Issued>,
    ids: Ids,
}

#[derive(Default)]
struct Issued {
    by_name: HashMap<String, (u64, Arc<CertifiedKey>)>,
    count: u64,
}

impl Ca {
    /// Opens the authority in `dir` (`ca.pem`, `ca-key.pem`), or makes it there; without a
    /// directory it lives in memory only.
    ///
    /// # Errors
    /// Files that cannot be read or written, or that are not ours.
    pub fn open(dir: Option<&Path>, ids: &Ids) -> Result<Ca, Error> {
        let Some(dir) = dir else {
            let key = KeyPair::generate()?;
            let pem = certificate(&key, ids)?;
            return Ca::with(pem, key, ids);
        };
        let (cert_path, key_path) = (dir.join("ca.pem"), dir.join("ca-key.pem"));
        match (read(&cert_path)?, read(&key_path)?) {
            (Some(pem), Some(key)) => {
                let damaged = |detail: String| Error::Damaged { path: cert_path.clone(), detail };
                let key = KeyPair::from_pem(&key).map_err(|e| damaged(e.to_string()))?;
                let ca = Ca::with(pem, key, ids)?;
                if !contains(&ca.der, ca.issuer.key().public_key_raw()) {
                    return Err(damaged("the certificate is not the key's".into()));
                }
                Ok(ca)
            }
            // A key without certificate: the first start was interrupted between the two.
            (None, key) => {
                let key = match key {
                    Some(text) => KeyPair::from_pem(&text)
                        .map_err(|e| Error::Damaged { path: key_path, detail: e.to_string() })?,
                    None => {
                        let key = KeyPair::generate()?;
                        write(&key_path, &key.serialize_pem(), 0o600)?;
                        key
                    }
                };
                let pem = certificate(&key, ids)?;
                write(&cert_path, &pem, 0o644)?;
                Ca::with(pem, key, ids)
            }
            (Some(_), None) => Err(Error::Damaged {
                path: cert_path,
                detail: "its key ca-key.pem is missing; remove ca.pem to make a new authority"
                    .into(),
            }),
        }
    }

    fn with(pem: String, key: KeyPair, ids: &Ids) -> Result<Ca, Error> {
        use rustls_pki_types::pem::PemObject;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| Error::Damaged { path: "ca.pem".into(), detail: e.to_string() })?;
        Ok(Ca {
            pem,
            der,
            issuer: Issuer::new(authority(ids), key),
            leaf_key: KeyPair::generate()?,
            issued: Mutex::default(),
            ids: ids.clone(),
        })
    }

    /// The authority's certificate, for clients to trust.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate for `name` (a host name or an address), issued now or before.
    ///
    /// # Errors
    /// A name that no certificate can carry.
    pub fn leaf(&self, name: &str) -> Result<Arc<CertifiedKey>, Error> {
        if let Some((_, key)) = self.issued.lock().by_name.get(name) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.issue(name)?);
        let mut issued = self.issued.lock();
        if issued.by_name.len() >= KEPT {
            let oldest = issued.count - (KEPT / 2) as u64;
            issued.by_name.retain(|_, (n, _)| *n >= oldest);
        }
        let n = issued.count;
        issued.count += 1;
        issued.by_name.insert(name.to_owned(), (n, Arc::clone(&key)));
        Ok(key)
    }

    fn issue(&self, name: &str) -> Result<CertifiedKey, Error> {
        let mut p = CertificateParams::default();
        p.distinguished_name = DistinguishedName::new();
        // A common name holds 64 characters; the alternative name is what counts.
        p.distinguished_name.push(DnType::CommonName, name.get(..64).unwrap_or(name));
        p.subject_alt_names = match name.parse::<IpAddr>() {
            Ok(_) => ["127.0.0.1", "::1", name]
                .iter()
                .filter_map(|a| a.parse().ok())
                .map(SanType::IpAddress)
                .chain([SanType::DnsName("localhost".try_into()?)])
                .collect(),
            Err(_) => vec![SanType::DnsName(name.try_into()?)],
        };
        p.use_authority_key_identifier_extension = true;
        p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        dates(&mut p, LEAF_DAYS);
        p.serial_number = Some(serial(&self.ids));
        let leaf = p.signed_by(&self.leaf_key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        Ok(CertifiedKey::new(vec![leaf.der().clone(), self.der.clone()], any_ecdsa_type(&key)?))
    }
}

/// What the authority's certificate says. The name is fixed: leaves refer to it after a restart.
fn authority(ids: &Ids) -> CertificateParams {
    let mut p = CertificateParams::default();
    p.distinguished_name = DistinguishedName::new();
    p.distinguished_name.push(DnType::CommonName, "fogbank local CA");
    p.distinguished_name.push(DnType::OrganizationName, "fogbank");
    p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    p.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    dates(&mut p, CA_DAYS);
    p.serial_number = Some(serial(ids));
    p
}

fn certificate(key: &KeyPair, ids: &Ids) -> Result<String, Error> {
    Ok(authority(ids).self_signed(key)?.pem())
}

/// Valid from yesterday, so that a client whose clock lags a little accepts it.
fn dates(p: &mut CertificateParams, days: i64) {
    let date = |t: Timestamp| {
        let d = t.to_zoned(TimeZone::UTC).date();
        // Months and days of a date are positive and small.
        rcgen::date_time_ymd(d.year().into(), d.month().unsigned_abs(), d.day().unsigned_abs())
    };
    let day = 24.hours();
    let now = clock::real_now();
    p.not_before = date(now.saturating_sub(day).unwrap_or(now));
    p.not_after = date(now.saturating_add((24 * days).hours()).unwrap_or(now));
}

/// Each certificate of an authority needs its own number.
fn serial(ids: &Ids) -> SerialNumber {
    let mut b = [0; 16];
    ids.fill(&mut b);
    b[0] &= 0x7f;
    SerialNumber::from_slice(&b)
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(s) => Ok(Some(s)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path: path.into(), source }),
    }
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let tmp = path.with_extension("tmp");
    let go = || {
        let _ = fs::remove_file(&tmp);
        let mut f = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&tmp)?;
        f.write_all(text.as_bytes())?;
        f.sync_all()?;
        fs::rename(&tmp, path)
    };
    go().map_err(|source| Error::File { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_authority_is_made_once_and_keeps_its_key_to_itself() {
        let dir = tempfile::tempdir().unwrap();
        let ids = Ids::seeded(1);
        let a = Ca::open(Some(dir.path()), &ids).unwrap();
        let b = Ca::open(Some(dir.path()), &ids).unwrap();
        assert_eq!(a.pem(), b.pem());
        let mode = fs::metadata(dir.path().join("ca-key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let leaf = b.leaf("s3.us-east-1.amazonaws.com").unwrap();
        assert_eq!(leaf.cert.len(), 2);
        assert!(Arc::ptr_eq(&leaf, &b.leaf("s3.us-east-1.amazonaws.com").unwrap()));
    }

    #[test]
    fn an_interrupted_first_start_is_finished_and_damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let ids = Ids::seeded(2);
        Ca::open(Some(dir.path()), &ids).unwrap();
        fs::remove_file(dir.path().join("ca.pem")).unwrap();
        Ca::open(Some(dir.path()), &ids).unwrap();
        fs::write(dir.path().join("ca-key.pem"), "nonsense").unwrap();
        assert!(matches!(Ca::open(Some(dir.path()), &ids), Err(Error::Damaged { .. })));
        fs::remove_file(dir.path().join("ca-key.pem")).unwrap();
        assert!(matches!(Ca::open(Some(dir.path()), &ids), Err(Error::Damaged { .. })));
    }

    #[test]
    fn the_number_of_leaves_is_bounded() {
        let ca = Ca::open(None, &Ids::seeded(3)).unwrap();
        for n in 0..KEPT + 10 {
            ca.leaf(&format!("b{n}.s3.amazonaws.com")).unwrap();
        }
        assert!(ca.issued.lock().by_name.len() <= KEPT);
        assert!(ca.leaf(&"x".repeat(80)).is_ok());
        assert!(ca.leaf("é").is_err());
    }
}
