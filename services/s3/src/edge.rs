//! What S3 does with HTTP itself: preflights, CORS headers, and browser forms.

use fogbank_core::{Body, BoxFuture, Cx, Edge, Form, Result};
use http::{HeaderMap, Response};
use percent_encoding::percent_decode_str;

use crate::cors::Cors;
use crate::{S3, config, form};

impl Edge for S3 {
    fn preflight<'a>(&'a self, cx: &'a Cx, path: &'a str) -> BoxFuture<'a, Result<Response<Body>>> {
        Box::pin(async move {
            let (bucket, key) = split(path);
            let request = cx.http.as_ref().map(|h| &*h.headers);
            let cors = match self.bucket(&bucket).await?.has.cors {
                true => config::load(self, &bucket, "cors").await?,
                false => None::<Cors>,
            };
            let resource = if key.is_empty() { "BUCKET" } else { "OBJECT" };
            let headers =
                Cors::preflight(cors.as_ref(), request.unwrap_or(&HeaderMap::new()), resource)?;
            let mut response = Response::new(Body::Empty);
            *response.headers_mut() = headers;
            Ok(response)
        })
    }

    fn decorate<'a>(
        &'a self,
        cx: &'a Cx,
        path: &'a str,
        headers: &'a mut HeaderMap,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let (Some(http), (bucket, _)) = (&cx.http, split(path)) else { return };
            // Trouble with the store shows in the answer itself; here it means: no rules.
            if let Ok(Some(cors)) = config::load::<Cors>(self, &bucket, "cors").await {
                headers.extend(cors.actual(http.method.as_str(), &http.headers));
            }
        })
    }

    fn form<'a>(
        &'a self,
        cx: &'a Cx,
        path: &'a str,
        form: Form,
    ) -> BoxFuture<'a, Result<Response<Body>>> {
        Box::pin(async move { form::post(self, cx, &split(path).0, form).await })
    }
}

/// The bucket and the key of a path-style path.
fn split(path: &str) -> (String, String) {
    let decode = |s: &str| percent_decode_str(s).decode_utf8_lossy().into_owned();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (decode(bucket), decode(key))
}
