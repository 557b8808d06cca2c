//! Browser forms: verified by the policy that they carry, then handed to the service's edge.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>

use std::sync::Arc;

use fogbank_core::{ApiError, Body, Result, Trailers};
use fogbank_model::Service as Model;
use fogbank_sigv4::post::{PostAuth, PostPolicy};
use fogbank_sigv4::{Dialect, Error};
use fogbank_wire::multipart;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderMap, Method, Response, header};

use crate::authenticate::Caller;
use crate::pipeline::{Trace, unimplemented};
use crate::understand::{Arrived, Content};
use crate::{Gateway, browser, incoming};

/// The operation as the journal and the handlers know it; the models have none.
const OPERATION: &str = "PostObject";

/// Whether a request is a browser's form rather than an operation.
pub fn is_form(parts: &Parts) -> bool {
    parts.method == Method::POST
        && parts.headers.get(header::CONTENT_TYPE).is_some_and(|t| {
            let t = t.as_bytes();
            const TYPE: &[u8] = b"multipart/form-data";
            t.get(..TYPE.len()).is_some_and(|t| t.eq_ignore_ascii_case(TYPE))
        })
}

impl Gateway {
    /// Verifies a form and has it carried out.
    ///
    /// # Errors
    /// What is wrong with the form, its signature or its policy; the service's own.
    pub(crate) async fn form(
        self: &Arc<Self>,
        model: &'static Model,
        mut arrived: Arrived,
        trace: &mut Trace,
    ) -> Result<Response<Body>> {
        let edge = self.edges.get(model.id).ok_or_else(|| unimplemented(model.id, OPERATION))?;
        let raw = match std::mem::take(&mut arrived.content) {
            Content::Unread(b) => incoming::stream(b, Trailers::default()),
            Content::Read(b) => b.into(),
        };
        let content_type = arrived.parts.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|t| t.to_str().ok()).unwrap_or_default();
        let (mut form, file) = multipart::read(content_type, raw).await?;
        let path = arrived.parts.uri.path().to_owned();
        let bucket = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let caller = match PostAuth::parse(&form.fields)? {
            None => self.anonymous(&arrived),
            Some(auth) => {
                let caller = self.signer(&auth, &arrived.parts.headers).await?;
                let policy = PostPolicy::parse(auth.policy())?;
                policy.check(&form.fields, bucket, fogbank_core::clock::real_now())?;
                form.length = policy.length_range();
                caller
            }
        };
        trace.principal = Some(Arc::clone(&caller.principal));
        let cx = self.cx(model.id, OPERATION, &mut arrived, caller, &trace.request_id);
        let cx = trace.cx.insert(cx.with_body(within(file, form.length)));
        edge.form(cx, &path, form).await
    }

    /// Who signed a form.
    async fn signer(&self, auth: &PostAuth<'_>, headers: &HeaderMap) -> Result<Caller> {
        let access_key = auth.access_key();
        let unknown = || Error::UnknownKey { access_key: access_key.to_owned() };
        let credential = self
            .identities
            .credential(access_key, auth.token)
            .await?
            .ok_or_else(|| unknown().api(Dialect::S3))?;
        browser::check(headers, &credential)?;
        auth.verify(&credential.secret, &self.keys)?;
        let token = || auth.token.unwrap_or_default().to_owned();
        if credential.session_token.as_deref() != auth.token {
            return Err(Error::Token { token: token() }.api(Dialect::S3));
        }
        if credential.expires.is_some_and(|e| e <= self.clock.now()) {
            return Err(Error::TokenExpired { token: token() }.api(Dialect::S3));
        }
        Ok(Caller::of(&credential, ""))
    }
}

/// The file, ending in an error when it is shorter or longer than the form's policy allows.
fn within(file: Body, length: Option<(u64, u64)>) -> Body {
    let Some((least, most)) = length else { return file };
    let checked = stream::unfold(Some((file, 0)), move |state| async move {
        let (mut file, mut seen) = state?;
        let error = match file.next().await {
            Some(Ok(bytes)) => {
                seen += bytes.len() as u64;
                if seen <= most {
                    return Some((Ok(bytes), Some((file, seen))));
                }
                wrong_size("EntityTooLarge", "exceeds the maximum", seen, most)
            }
            Some(Err(e)) => e,
            None if seen < least => {
                wrong_size("EntityTooSmall", "is smaller than the minimum", seen, least)
            }
            None => return None,
        };
        Some((Err(error), None))
    });
    Body::stream(None, checked)
}

fn wrong_size(code: &'static str, how: &str, size: u64, allowed: u64) -> ApiError {
    let limit = if code == "EntityTooLarge" { "MaxSizeAllowed" } else { "MinSizeAllowed" };
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    ApiError::new(code, format!("Your proposed upload {how} allowed size"))
        .status(400)
        .field("ProposedSize", count(size))
        .field(limit, count(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt;

    #[test]
    fn a_file_must_have_an_allowed_size() {
        let run = |n: usize, length| {
            let pieces = (0..n).map(|_| Ok(Bytes::from_static(b"x")));
            let file = Body::stream(None, stream::iter(pieces.collect::<Vec<_>>()));
            let all = within(file, length).collect(100).now_or_never().unwrap();
            all.map(|b| b.len()).map_err(|e| e.code().to_owned())
        };
        assert_eq!(run(3, None), Ok(3));
        assert_eq!(run(3, Some((3, 3))), Ok(3));
        assert_eq!(run(3, Some((4, 9))), Err("EntityTooSmall".into()));
        assert_eq!(run(3, Some((0, 2))), Err("EntityTooLarge".into()));
    }
}
