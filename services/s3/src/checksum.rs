//! Checksums of object bytes: the algorithms, what clients send and what they get back.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use fogbank_core::value::Members;
use fogbank_core::{ApiError, Cx, Result};
use serde::{Deserialize, Serialize};

use crate::error::invalid_request;
use crate::record::{Algorithm, Checksum, ChecksumType};

mod hasher;
pub(crate) use hasher::Hasher;

impl Algorithm {
    /// All of them, in the order of the model.
    pub const ALL: [Algorithm; 7] = [
        Algorithm::Crc32,
        Algorithm::Crc32C,
        Algorithm::Crc64Nvme,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::Md5,
    ];

    /// `CRC64NVME`, as members and listings spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32C => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 => "SHA512",
            Algorithm::Md5 => "MD5",
        }
    }

    /// `x-amz-checksum-crc64nvme`.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "x-amz-checksum-crc32",
            Algorithm::Crc32C => "x-amz-checksum-crc32c",
            Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Algorithm::Sha1 => "x-amz-checksum-sha1",
            Algorithm::Sha256 => "x-amz-checksum-sha256",
            Algorithm::Sha512 => "x-amz-checksum-sha512",
            Algorithm::Md5 => "x-amz-checksum-md5",
        }
    }

    /// The length of its digest in bytes.
    pub(crate) fn length(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32C => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Md5 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }

    /// From the value of a `ChecksumAlgorithm` member.
    pub(crate) fn parse(cx: &Cx, name: &str) -> Result<Algorithm> {
        if let Some(a) = Algorithm::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name)) {
            return Ok(a);
        }
        if name.starts_with("XXHASH") {
            return Err(cx.refuse_member(&format!("ChecksumAlgorithm={name}")));
        }
        Err(invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid \
             types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        ))
    }

    /// The CRC behind it, if it is one: those can be combined.
    pub(crate) fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Algorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            _ => None,
        }
    }
}

impl ChecksumType {
    /// `FULL_OBJECT` or `COMPOSITE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ChecksumType::FullObject => "FULL_OBJECT",
            ChecksumType::Composite => "COMPOSITE",
        }
    }

    /// The type of a multipart upload's checksum: the one asked for, if the algorithm allows it.
    pub(crate) fn for_upload(algorithm: Algorithm, asked: Option<&str>) -> Result<ChecksumType> {
        let composite_only = algorithm.crc().is_none();
        match asked {
            None if algorithm == Algorithm::Crc64Nvme => Ok(ChecksumType::FullObject),
            None => Ok(ChecksumType::Composite),
            Some("COMPOSITE") if algorithm != Algorithm::Crc64Nvme => Ok(ChecksumType::Composite),
            Some("FULL_OBJECT") if !composite_only => Ok(ChecksumType::FullObject),
            Some(t @ ("COMPOSITE" | "FULL_OBJECT")) => Err(invalid_request(format!(
                "The {t} checksum type cannot be used with the {} checksum algorithm.",
                algorithm.name().to_ascii_lowercase()
            ))),
            Some(_) => Err(invalid_request("Value for x-amz-checksum-type header is invalid.")),
        }
    }
}

/// The checksum members of a request.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ChecksumInput {
    #[serde(rename = "ChecksumAlgorithm")]
    pub algorithm: Option<String>,
    #[serde(rename = "ChecksumCRC32")]
    crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1")]
    sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    sha256: Option<String>,
    #[serde(rename = "ChecksumSHA512")]
    sha512: Option<String>,
    #[serde(rename = "ChecksumMD5")]
    md5: Option<String>,
    #[serde(rename = "ChecksumXXHASH64")]
    xxhash64: Option<String>,
    #[serde(rename = "ChecksumXXHASH3")]
    xxhash3: Option<String>,
    #[serde(rename = "ChecksumXXHASH128")]
    xxhash128: Option<String>,
}

impl ChecksumInput {
    /// The one value among the members, checked to be a digest of its algorithm.
    /// `suffix`: a composite value (`…-3`) is allowed, as in CompleteMultipartUpload.
    pub fn value(&self, cx: &Cx, suffix: bool) -> Result<Option<(Algorithm, String)>> {
        for (value, name) in [
            (&self.xxhash64, "ChecksumXXHASH64"),
            (&self.xxhash3, "ChecksumXXHASH3"),
            (&self.xxhash128, "ChecksumXXHASH128"),
        ] {
            if value.is_some() {
                return Err(cx.refuse_member(name));
            }
        }
        let mut found = None;
        for (a, value) in self.members() {
            let Some(value) = value else { continue };
            if found.is_some() {
                return Err(invalid_request(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                ));
            }
            check_value(a, value, suffix)?;
            found = Some((a, value.clone()));
        }
        Ok(found)
    }

    fn members(&self) -> [(Algorithm, &Option<String>); 7] {
        [
            (Algorithm::Crc32, &self.crc32),
            (Algorithm::Crc32C, &self.crc32c),
            (Algorithm::Crc64Nvme, &self.crc64nvme),
            (Algorithm::Sha1, &self.sha1),
            (Algorithm::Sha256, &self.sha256),
            (Algorithm::Sha512, &self.sha512),
            (Algorithm::Md5, &self.md5),
        ]
    }
}

/// Whether `value` is base64 of a digest of the algorithm's length.
pub(crate) fn check_value(a: Algorithm, value: &str, suffix: bool) -> Result<()> {
    let digest = match value.split_once('-') {
        Some((d, n)) if suffix && n.parse::<u32>().is_ok() => d,
        _ => value,
    };
    match BASE64.decode(digest) {
        Ok(d) if d.len() == a.length() => Ok(()),
        _ => Err(invalid_request(format!("Value for {} header is invalid.", a.header()))),
    }
}

/// The checksum members of a reply; none unless there is a checksum to show.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ChecksumOutput {
    #[serde(rename = "ChecksumCRC32")]
    crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1")]
    sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    sha256: Option<String>,
    #[serde(rename = "ChecksumSHA512")]
    sha512: Option<String>,
    #[serde(rename = "ChecksumMD5")]
    md5: Option<String>,
    #[serde(rename = "ChecksumType")]
    kind: Option<&'static str>,
}

impl ChecksumOutput {
    /// With the type, as for whole objects.
    pub fn object(c: Option<&Checksum>) -> Self {
        let mut out = ChecksumOutput::part(c);
        out.kind = c.map(|c| c.kind.name());
        out
    }

    /// Without the type, as for parts.
    pub fn part(c: Option<&Checksum>) -> Self {
        let mut out = ChecksumOutput::default();
        if let Some(c) = c {
            out.set(c.algorithm, c.value.clone());
        }
        out
    }

    /// Adds the members that are there.
    pub fn put(self, all: &mut Members) {
        all.put("ChecksumCRC32", self.crc32);
        all.put("ChecksumCRC32C", self.crc32c);
        all.put("ChecksumCRC64NVME", self.crc64nvme);
        all.put("ChecksumSHA1", self.sha1);
        all.put("ChecksumSHA256", self.sha256);
        all.put("ChecksumSHA512", self.sha512);
        all.put("ChecksumMD5", self.md5);
        all.put("ChecksumType", self.kind);
    }

    /// Sets one member.
    pub fn set(&mut self, a: Algorithm, value: String) {
        let member = match a {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32C => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
            Algorithm::Sha1 => &mut self.sha1,
            Algorithm::Sha256 => &mut self.sha256,
            Algorithm::Sha512 => &mut self.sha512,
            Algorithm::Md5 => &mut self.md5,
        };
        *member = Some(value);
    }
}

/// What the client says about the bytes it sends: to be compared once they have arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// From `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// The algorithm to compute: the client's, or CRC64NVME.
    pub algorithm: Option<Algorithm>,
    /// Another algorithm to compute.
    pub also: Option<Algorithm>,
    /// From a header; a trailer's value comes with the end of the body.
    pub value: Option<String>,
    /// The value comes as a trailer.
    pub trailer: bool,
}

impl Expected {
    /// Reads `Content-MD5`, `x-amz-checksum-…` and the announcement of a trailer.
    pub fn read(cx: &Cx, content_md5: Option<&str>, input: &ChecksumInput) -> Result<Expected> {
        let md5 = content_md5.map(parse_content_md5).transpose()?;
        let value = input.value(cx, false)?;
        let trailer = announced(cx)?;
        let named = input.algorithm.as_deref().map(|n| Algorithm::parse(cx, n)).transpose()?;
        let (algorithm, value, trailer) = match (value, trailer) {
            (Some((a, v)), None) => (Some(a), Some(v), false),
            (None, Some(a)) => (Some(a), None, true),
            (Some(_), Some(_)) => {
                return Err(invalid_request(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                ));
            }
            (None, None) if named.is_some() && cx.http.is_some() => {
                return Err(invalid_request(
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* \
                     or x-amz-trailer headers were found.",
                ));
            }
            (None, None) => (named, None, false),
        };
        if let (Some(named), Some(sent)) = (named, algorithm)
            && named != sent
        {
            return Err(invalid_request(
                "Value for x-amz-sdk-checksum-algorithm header is invalid.",
            ));
        }
        Ok(Expected { md5, algorithm, also: None, value, trailer })
    }

    /// Whether the client says nothing that its bytes could be compared with.
    pub fn is_empty(&self) -> bool {
        self.md5.is_none() && self.value.is_none() && !self.trailer
    }

    /// Compares with what arrived. Call it once the body has been read to its end.
    pub fn verify(&self, cx: &Cx, md5: &[u8; 16], sums: &[Checksum]) -> Result<()> {
        if let Some(sent) = &self.md5
            && sent != md5
        {
            return Err(ApiError::new(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            )
            .status(400)
            .field("ExpectedDigest", BASE64.encode(sent))
            .field("CalculatedDigest", BASE64.encode(md5)));
        }
        let Some(a) = self.algorithm else { return Ok(()) };
        let sent = if self.trailer {
            let trailers = cx.trailers();
            let value = trailers.get(a.header()).and_then(|v| v.to_str().ok()).map(str::to_owned);
            let value = value.ok_or_else(|| {
                ApiError::new("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.").status(400)
            })?;
            check_value(a, &value, false)?;
            Some(value)
        } else {
            self.value.clone()
        };
        let Some(sent) = sent else { return Ok(()) };
        match sums.iter().find(|c| c.algorithm == a) {
            Some(c) if c.value == sent => Ok(()),
            _ => Err(bad_digest(a)),
        }
    }
}

/// A checksum that does not match.
pub(crate) fn bad_digest(a: Algorithm) -> ApiError {
    ApiError::new(
        "BadDigest",
        format!("The {} you specified did not match the calculated checksum.", a.name()),
    )
    .status(400)
}

fn parse_content_md5(text: &str) -> Result<[u8; 16]> {
    BASE64.decode(text).ok().and_then(|b| b.try_into().ok()).ok_or_else(|| {
        ApiError::new("InvalidDigest", "The Content-MD5 you specified was invalid.")
            .status(400)
            .field("Content-MD5", text)
    })
}

/// The algorithm of the checksum that `x-amz-trailer` announces.
fn announced(cx: &Cx) -> Result<Option<Algorithm>> {
    let Some(names) = cx.header("x-amz-trailer") else { return Ok(None) };
    for name in names.split(',').map(str::trim) {
        let Some(a) = name.to_ascii_lowercase().strip_prefix("x-amz-checksum-").map(str::to_owned)
        else {
            continue;
        };
        return Algorithm::parse(cx, &a).map(Some);
    }
    Ok(None)
}

/// The checksum of a multipart object from those of its parts.
///
/// `parts`: the base64 checksum and the size of each part, in order.
pub(crate) fn combine(a: Algorithm, kind: ChecksumType, parts: &[(&str, u64)]) -> Option<Checksum> {
    let value = match kind {
        ChecksumType::Composite => {
            let mut h = Hasher::new(a);
            for (value, _) in parts {
                h.update(&BASE64.decode(value).ok()?);
            }
            format!("{}-{}", BASE64.encode(h.finish()), parts.len())
        }
        ChecksumType::FullObject => {
            let crc = a.crc()?;
            let mut all: Option<u64> = None;
            for (value, size) in parts {
                let bytes = BASE64.decode(value).ok()?;
                let n = bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
                all = Some(match all {
                    None => n,
                    Some(before) => crc_fast::checksum_combine(crc, before, n, *size),
                });
            }
            let all = all?.to_be_bytes();
            BASE64.encode(&all[8 - a.length()..])
        }
    };
    Some(Checksum { algorithm: a, kind, value })
}

#[cfg(test)]
mod tests;
