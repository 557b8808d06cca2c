//! Code: archives as they are uploaded, and the folders that they unpack to.
//!
//! An archive is a blob of the function or layer that it was uploaded for. It is unpacked once,
//! into a folder named by its digest, which every environment of every function with the same code
//! sees read-only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fogbank_core::{ApiError, Blob, Body, Cx, Result, Value, map};
use parking_lot::Mutex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Lambda;
use crate::config::Code;
use crate::error::invalid;
use crate::zip::Archive;

/// The most that an archive in a request may have.
const DIRECT: usize = 50 << 20;
/// The most that code and its layers may unpack to.
pub const UNPACKED: u64 = 250 << 20;

/// Where code comes from: the members that `FunctionCode`, UpdateFunctionCode and layers share.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Source {
    zip_file: Option<Blob>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    s3_object_storage_mode: Option<String>,
    image_uri: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Option<String>,
}

impl Source {
    /// The archive's bytes: from the request, or from S3 with the caller's rights.
    ///
    /// # Errors
    /// `InvalidParameterValueException` for too many or no sources and for what S3 answers.
    pub async fn fetch(self, cx: &Cx) -> Result<Bytes> {
        if self.image_uri.is_some() {
            return Err(cx.refuse_member("ImageUri"));
        }
        if self.s3_object_storage_mode.as_deref() == Some("REFERENCE") {
            return Err(cx.refuse_member("S3ObjectStorageMode REFERENCE"));
        }
        if self.source_kms_key_arn.is_some_and(|k| !k.is_empty()) {
            cx.ignore_member("SourceKMSKeyArn");
        }
        match (self.zip_file, self.s3_bucket, self.s3_key) {
            (Some(Blob(bytes)), None, None) => {
                if bytes.len() > DIRECT {
                    return Err(ApiError::new(
                        "RequestEntityTooLargeException",
                        format!(
                            "Request must be smaller than 70167211 bytes for the {} operation",
                            cx.operation
                        ),
                    )
                    .status(413));
                }
                Ok(bytes)
            }
            (None, Some(bucket), Some(key)) => {
                from_s3(cx, &bucket, &key, self.s3_object_version.as_deref()).await
            }
            (Some(_), ..) => Err(invalid(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            )),
            _ => Err(invalid("Please provide a source for function code.")),
        }
    }
}

async fn from_s3(cx: &Cx, bucket: &str, key: &str, version: Option<&str>) -> Result<Bytes> {
    let mut input = vec![("Bucket".into(), bucket.into()), ("Key".into(), key.into())];
    if let Some(v) = version {
        input.push(("VersionId".into(), Value::from(v)));
    }
    let reply = cx.cloud.call(cx, "s3", "GetObject", Value::Map(input), Body::Empty).await;
    let failed = |e: ApiError| {
        let (code, message) = (e.code(), e.message());
        let told = format!("S3 Error Code: {code}. S3 Error Message: {message}");
        match code {
            "AccessDenied" => ApiError::new(
                "AccessDeniedException",
                format!(
                    "Your access has been denied by S3, please make sure your request credentials \
                     have permission to GetObject for {bucket}/{key}. {told}"
                ),
            )
            .status(403),
            _ => invalid(format!("Error occurred while GetObject. {told}")),
        }
    };
    let body = reply.map_err(failed)?.body.unwrap_or_default();
    body.collect(to_usize(UNPACKED)).await.map_err(|_| too_large_unpacked())
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn too_large_unpacked() -> ApiError {
    invalid(format!("Unzipped size must be smaller than {UNPACKED} bytes"))
}

impl Lambda {
    /// Keeps an archive whose directory makes sense. What is packed in it is looked at when it is
    /// unpacked, which is why functions are `Pending` for a moment.
    ///
    /// # Errors
    /// `InvalidParameterValueException` for what is no archive, is empty or unpacks to too much.
    pub(crate) async fn keep_code(&self, bytes: Bytes) -> Result<Code> {
        let code = self.describe_code(&bytes)?;
        let blob = self.blobs.put(bytes).await.map_err(|e| ApiError::internal(e.to_string()))?;
        Ok(Code { blob, ..code })
    }

    /// What [`Lambda::keep_code`] would keep, for dry runs.
    ///
    /// # Errors
    /// As [`Lambda::keep_code`].
    pub(crate) fn describe_code(&self, bytes: &Bytes) -> Result<Code> {
        let archive = Archive::open(bytes).map_err(|_| {
            invalid(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            )
        })?;
        if archive.is_empty() {
            return Err(invalid("Uploaded file must be a non-empty zip"));
        }
        let unpacked = archive.unpacked();
        if unpacked > UNPACKED {
            return Err(too_large_unpacked());
        }
        Ok(Code {
            blob: NO_BLOB.parse().map_err(|_| ApiError::internal("no blob id"))?,
            sha256: STANDARD.encode(Sha256::digest(bytes)),
            size: bytes.len() as u64,
            unpacked,
        })
    }

    /// Removes an archive that no record names any more. Failing is no harm but a lost file.
    pub(crate) async fn drop_code(&self, code: &Code) {
        if let Err(e) = self.blobs.delete(&code.blob).await {
            tracing::warn!("the archive {} is left behind: {e}", code.blob);
        }
    }

    /// The folder with the unpacked code, made now if it is not there.
    ///
    /// # Errors
    /// A sentence on why it cannot be unpacked.
    pub(crate) async fn unpack(&self, code: &Code) -> Result<PathBuf, String> {
        self.unpacked.folder(code, || self.read_code(code)).await
    }

    pub(crate) async fn read_code(&self, code: &Code) -> Result<Bytes, String> {
        let body = self.blobs.read(&code.blob, ..).await.map_err(|e| e.to_string())?;
        body.collect(to_usize(UNPACKED)).await.map_err(|e| e.to_string())
    }
}

/// Stands where a blob is not written yet.
const NO_BLOB: &str = "00000000000000000000000000000000";

/// The folders of unpacked code.
pub struct Unpacked {
    folder: PathBuf,
    /// One lock per digest, so that nothing is unpacked twice at once.
    known: Mutex<HashMap<String, Arc<tokio::sync::Mutex<bool>>>>,
}

impl Unpacked {
    pub fn new(folder: PathBuf) -> Self {
        // Nothing in it is worth more than the time to unpack it again.
        let _ = std::fs::remove_dir_all(&folder);
        Unpacked { folder, known: Mutex::default() }
    }

    async fn folder<F>(&self, code: &Code, read: impl FnOnce() -> F) -> Result<PathBuf, String>
    where
        F: Future<Output = Result<Bytes, String>>,
    {
        let name = code.sha256.replace('/', "_").replace('+', "-").replace('=', "");
        let path = self.folder.join(&name);
        let once = Arc::clone(self.known.lock().entry(name).or_default());
        let mut done = once.lock().await;
        if *done {
            return Ok(path);
        }
        let bytes = read().await?;
        let (parent, target) = (self.folder.clone(), path.clone());
        let unpacked = tokio::task::spawn_blocking(move || unpack(&bytes, &parent, &target));
        unpacked.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        *done = true;
        Ok(path)
    }
}

/// Unpacks beside the target and moves it there when it is whole.
fn unpack(bytes: &[u8], parent: &Path, target: &Path) -> Result<(), crate::zip::Error> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(parent)?;
    let beside = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(parent)?;
    std::fs::set_permissions(beside.path(), std::fs::Permissions::from_mode(0o755))?;
    Archive::open(bytes)?.unpack(beside.path(), UNPACKED)?;
    std::fs::rename(beside.keep(), target)?;
    Ok(())
}

/// Where a code's archive can be fetched: `GetFunction`'s `Code`.
#[must_use]
pub fn location(url: String) -> Value {
    map! { "RepositoryType" => "S3", "Location" => url }
}

impl Lambda {
    /// Where an archive can be fetched for the next minutes.
    pub(crate) fn code_url(&self, cx: &Cx, code: &Code) -> String {
        let path = self.signer.path(&code.blob.to_string(), cx.now);
        format!("{}{path}", cx.cloud.endpoint())
    }
}
