//! The signing certificate, at its URL: `https://sns.us-east-1.amazonaws.com/SimpleNotificationService-….pem`.

use std::sync::Arc;

use fogbank_core::{Body, BoxFuture, Peer, Plane};
use http::{HeaderValue, Request, Response, StatusCode, header};

use crate::Sns;

/// Serves it.
pub struct Certificates(pub Arc<Sns>);

fn id_of(path: &str) -> Option<&str> {
    path.strip_prefix("/SimpleNotificationService-")?.strip_suffix(".pem")
}

impl Plane for Certificates {
    fn serves(&self, _: &str) -> bool {
        false
    }

    fn serves_at(&self, host: &str, path: &str) -> bool {
        host.starts_with("sns.") && id_of(path).is_some()
    }

    fn serves_path(&self, path: &str, signed: Option<&str>) -> bool {
        signed.is_none() && id_of(path).is_some()
    }

    fn serve(&self, request: Request<Body>, _: Peer) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move {
            let id = id_of(request.uri().path()).unwrap_or_default();
            let found = self.0.signer.certificate(id).await;
            let mut response = Response::new(Body::Empty);
            match found {
                Ok(Some(pem)) => {
                    *response.body_mut() = Body::Full(pem.into());
                    let kind = HeaderValue::from_static("application/x-pem-file");
                    response.headers_mut().insert(header::CONTENT_TYPE, kind);
                }
                Ok(None) => *response.status_mut() = StatusCode::NOT_FOUND,
                Err(e) => {
                    tracing::error!("the signing certificate cannot be read: {e}");
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                }
            }
            response
        })
    }
}
