//! The website server: documents, folders, error documents and redirects, for everybody.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock, Weak};

use fogbank_core::cx::CxParts;
use fogbank_core::value::from_value;
use fogbank_core::{
    ApiError, Body, BoxFuture, Cloud, Cx, Http, Peer, Plane, Principal, Reply, Result, Value,
};
use futures_util::FutureExt;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::answer::{self, Ids};
use super::host::{bucket_of_host, may_be_a_domain};
use super::routing::{Location, Visit, folder};
use super::{Website, page};
use crate::S3;
use crate::authz;
use crate::config;
use crate::cors::Cors;
use crate::error::{no_such_key, not_configured};
use crate::object::get::get_object;
use crate::record::BucketRecord;

/// The website endpoint: `GET` and `HEAD` without signatures, on hosts that name a bucket.
///
/// Documents are read by `s3:GetObject` as the anonymous principal, so that bucket policies, ACLs
/// and public access blocks decide as they do on the API.
pub struct Websites {
    s3: Arc<S3>,
    cloud: OnceLock<Weak<dyn Cloud>>,
}

impl Websites {
    #[must_use]
    pub fn new(s3: Arc<S3>) -> Self {
        Websites { s3, cloud: OnceLock::new() }
    }

    /// Tells it which cloud it serves; until then it answers 503. The cloud holds its planes, so
    /// they do not hold it.
    pub fn connect(&self, cloud: &Arc<dyn Cloud>) {
        let _ = self.cloud.set(Arc::downgrade(cloud));
    }
}

impl Plane for Websites {
    /// Website endpoints, and domains that a bucket with a website is named after. Only a store
    /// that answers at once is asked about those.
    fn serves(&self, host: &str) -> bool {
        bucket_of_host(host).is_some()
            || may_be_a_domain(host)
                && self
                    .s3
                    .bucket(host)
                    .now_or_never()
                    .is_some_and(|b| b.is_ok_and(|b| b.has.website))
    }

    fn serve(&self, request: Request<Body>, peer: Peer) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move {
            let (parts, _) = request.into_parts();
            let head = parts.method == Method::HEAD;
            let Some(cloud) = self.cloud.get().and_then(Weak::upgrade) else {
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return response;
            };
            let mut response = self.answer(cloud, &parts, peer).await;
            if head {
                answer::drop_body(&mut response);
            }
            response
        })
    }
}

/// One request to a website.
struct Get<'a> {
    s3: &'a S3,
    cx: Cx,
    bucket: &'a str,
    site: Website,
    visit: Visit<'a>,
    headers: &'a HeaderMap,
    ids: &'a Ids,
}

impl Websites {
    async fn answer(
        &self,
        cloud: Arc<dyn Cloud>,
        parts: &http::request::Parts,
        peer: Peer,
    ) -> Response<Body> {
        let ids = Ids::new(cloud.ids());
        let named = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
        let host = parts.uri.authority().map(http::uri::Authority::as_str).or(named);
        let host = host.unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(h, _)| h).to_ascii_lowercase();
        let bucket = bucket_of_host(&name).unwrap_or(&name);
        let path = parts.uri.path();
        let result = async {
            let record = self.s3.bucket(bucket).await?;
            let site: Website = match record.has.website {
                true => config::load(&self.s3, bucket, "website").await?,
                false => None,
            }
            .ok_or_else(|| {
                let text = "The specified bucket does not have a website configuration";
                not_configured("NoSuchWebsiteConfiguration", text, bucket)
            })?;
            let key = percent_decode_str(path.strip_prefix('/').unwrap_or(path))
                .decode_utf8()
                .map_err(|_| {
                    ApiError::new("InvalidURI", "Couldn't parse the specified URI.").status(400)
                })?;
            let cx = cx(cloud, parts, host, peer, &record);
            Ok::<_, ApiError>((site, key, cx, record.has.cors))
        }
        .await;
        let (site, key, cx, has_cors) = match result {
            Ok(found) => found,
            Err(e) => {
                return ids.stamp(answer::page(&e, page::error(&e, None, &ids.request, &ids.host)));
            }
        };
        let cors: Option<Cors> = match has_cors && parts.headers.contains_key(header::ORIGIN) {
            true => config::load(&self.s3, bucket, "cors").await.ok().flatten(),
            false => None,
        };
        let visit = Visit { tls: peer.tls, host, key: &key, query: parts.uri.query() };
        let get = Get { s3: &self.s3, cx, bucket, site, visit, headers: &parts.headers, ids: &ids };
        let mut response = match parts.method {
            Method::GET | Method::HEAD => get.respond().await,
            Method::OPTIONS if parts.headers.contains_key(header::ORIGIN) => {
                match Cors::preflight(cors.as_ref(), &parts.headers, "OBJECT") {
                    Ok(headers) => {
                        let mut r = Response::new(Body::Empty);
                        *r.headers_mut() = headers;
                        r
                    }
                    Err(e) => get.page(&e, None),
                }
            }
            _ => get.page(&method_not_allowed(&parts.method), None),
        };
        if let Some(cors) = cors.filter(|_| parts.method != Method::OPTIONS) {
            let cors = cors.actual(parts.method.as_str(), &parts.headers);
            response.headers_mut().extend(cors);
        }
        ids.stamp(response)
    }
}

/// The context of a visit: nobody, in the bucket's account.
fn cx(
    cloud: Arc<dyn Cloud>,
    parts: &http::request::Parts,
    host: &str,
    peer: Peer,
    bucket: &BucketRecord,
) -> Cx {
    let ip = peer.address.ip().to_canonical();
    let request_id = cloud.ids().s3_request_id();
    Cx::new(
        cloud,
        CxParts {
            account: bucket.owner.clone(),
            region: Cow::Owned(bucket.region.clone()),
            principal: Arc::new(Principal::anonymous()),
            access_key: None,
            service: "s3",
            operation: "GetObject",
            request_id,
            source_ip: ip,
            secure: peer.tls || ip.is_loopback(),
            http: Some(Http {
                method: parts.method.clone(),
                uri: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
                host: host.to_owned(),
                tls: peer.tls,
                headers: Arc::new(parts.headers.clone()),
            }),
            source: None,
            body: Body::Empty,
        },
    )
}

impl Get<'_> {
    async fn respond(&self) -> Response<Body> {
        if let Some(to) = self.site.moved(self.visit).or_else(|| self.site.route(self.visit, None))
        {
            return redirect(&to);
        }
        let key = self.visit.key;
        let index = self.site.index_document.as_ref().map_or("", |i| i.suffix.as_str());
        let is_folder = key.is_empty() || key.ends_with('/');
        let document = if is_folder { format!("{key}{index}") } else { key.to_owned() };
        let error = match self.object(&document, true).await {
            Ok(reply) => return self.document(reply),
            Err(e) => e,
        };
        let status = answer::status_of(&error);
        if !is_folder && matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
            // A key that nobody may read is answered with 403, whether or not it exists.
            if self.exists(&format!("{key}/{index}")).await {
                return redirect(&Location { status: 302, url: folder(key) });
            }
        }
        if status.is_redirection() || status == StatusCode::PRECONDITION_FAILED {
            return answer::bare(&error);
        }
        if let Some(to) = self.site.route(self.visit, Some(status.as_u16())) {
            return redirect(&to);
        }
        let Some(custom) = self.site.error_document.as_ref().filter(|_| status.is_client_error())
        else {
            return self.page(&error, None);
        };
        match self.object(&custom.key, false).await {
            Ok(reply) => {
                let mut response = self.document(reply);
                if response.status().is_success() {
                    *response.status_mut() = status;
                    answer::describe(response.headers_mut(), &error);
                }
                response
            }
            Err(e) => self.page(&error, Some(&e)),
        }
    }

    /// Reads an object; the visitor's range and conditions count for the document asked for, not
    /// for an error document.
    async fn object(&self, key: &str, conditions: bool) -> Result<Reply> {
        let mut input =
            vec![("Bucket".into(), Value::from(self.bucket)), ("Key".into(), Value::from(key))];
        if conditions {
            answer::conditions(self.headers, &mut input);
        }
        let input = Value::Map(input);
        for check in authz::check(self.s3, &self.cx, &input).await? {
            self.cx.authorize(check).await?;
        }
        let reply = get_object(self.s3, &self.cx, from_value(input)?).await;
        // Who may read a key learns here that it does not exist, whether or not they may list:
        // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteAccessPermissionsReqd.html>
        reply.map_err(|e| if e.code() == "AccessDenied" { no_such_key(key) } else { e })
    }

    async fn exists(&self, key: &str) -> bool {
        self.object(key, false).await.is_ok()
    }

    fn document(&self, reply: Reply) -> Response<Body> {
        match reply.value.str("WebsiteRedirectLocation") {
            Some(url) => redirect(&Location { status: 301, url: url.to_owned() }),
            None => answer::document(reply),
        }
    }

    fn page(&self, error: &ApiError, custom: Option<&ApiError>) -> Response<Body> {
        let html = page::error(error, custom, &self.ids.request, &self.ids.host);
        answer::page(error, html)
    }
}

fn redirect(to: &Location) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::from_u16(to.status).unwrap_or(StatusCode::FOUND);
    if let Ok(url) = to.url.parse() {
        response.headers_mut().insert(header::LOCATION, url);
    }
    response.headers_mut().insert(header::CONTENT_LENGTH, 0.into());
    response
}

fn method_not_allowed(method: &Method) -> ApiError {
    ApiError::new("MethodNotAllowed", "The specified method is not allowed against this resource.")
        .status(405)
        .field("Method", method.as_str())
        .field("ResourceType", "OBJECT")
}
