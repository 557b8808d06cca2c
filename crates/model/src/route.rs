//! Which operation a REST request is: its method, path and query against the URI templates.

use crate::{Location, Protocol, Service};

/// The URI templates of a service, most specific first.
#[derive(Debug, Default)]
pub struct Router {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    operation: u32,
    method: &'static str,
    segments: Vec<Segment>,
    /// Query parameters of the template (`uploads`, `list-type=2`) that must be there.
    literals: Vec<(&'static str, Option<&'static str>)>,
    /// Query parameters and headers that the input requires.
    required: Vec<(Location, &'static str)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Label(&'static str),
    /// The rest of the path, slashes included; never empty.
    Greedy(&'static str),
}

/// An operation and the labels of its path, still percent-encoded.
#[derive(Debug)]
pub struct Routed<'r> {
    /// Index into [`Service::operations`].
    pub operation: usize,
    pub labels: Vec<(&'static str, &'r str)>,
}

impl Router {
    /// Reads the templates of a REST service; empty for other protocols.
    #[must_use]
    pub fn new(s: &Service) -> Self {
        if !s.protocols.iter().any(|p| matches!(p, Protocol::RestJson | Protocol::RestXml)) {
            return Router::default();
        }
        let mut routes: Vec<Route> = (0u32..)
            .zip(&s.operations)
            .map(|(operation, o)| {
                let (path, query) = o.uri.split_once('?').unwrap_or((o.uri, ""));
                let segments = segments(path);
                let literals = query
                    .split('&')
                    .filter(|q| !q.is_empty())
                    .map(|q| q.split_once('=').map_or((q, None), |(k, v)| (k, Some(v))))
                    .collect();
                let members = o.input.iter().flat_map(|i| &s.shape(*i).members);
                let required = members
                    .filter(|m| {
                        m.required && matches!(m.location, Location::Query | Location::Header)
                    })
                    .map(|m| (m.location, m.wire()))
                    .collect();
                Route { operation, method: o.method, segments, literals, required }
            })
            .collect();
        routes.sort_by_key(|r| {
            let literal = r.segments.iter().filter(|s| matches!(s, Segment::Literal(_))).count();
            let greedy = r.segments.iter().any(|s| matches!(s, Segment::Greedy(_)));
            let valued = r.literals.iter().filter(|l| l.1.is_some()).count();
            let (all, required) = (r.segments.len(), r.required.len());
            std::cmp::Reverse((!greedy, literal, all, r.literals.len(), valued, required))
        });
        Router { routes }
    }

    /// The operation for a request. `path` is percent-encoded and without the query; `query` asks
    /// for a parameter's value (`Some("")` when it has none), `header` whether a header is there.
    pub fn find<'r, 'q>(
        &self,
        method: &str,
        path: &'r str,
        query: impl Fn(&str) -> Option<&'q str>,
        header: impl Fn(&str) -> bool,
    ) -> Option<Routed<'r>> {
        let mut fallback = None;
        for route in self.routes.iter().filter(|r| r.method == method) {
            let literal = |(k, v): &(&str, Option<&str>)| match (query(k), v) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(got), Some(want)) => got == *want,
            };
            if !route.literals.iter().all(literal) {
                continue;
            }
            let Some(labels) = matches(&route.segments, path) else { continue };
            let present = |(l, name): &(Location, &str)| match l {
                Location::Query => query(name).is_some(),
                _ => header(name),
            };
            let routed = Routed { operation: route.operation as usize, labels };
            if route.required.iter().all(present) {
                return Some(routed);
            }
            // What it lacks is for validation to say, unless another template fits better.
            fallback.get_or_insert(routed);
        }
        fallback
    }
}

fn segments(path: &'static str) -> Vec<Segment> {
    path.trim_start_matches('/')
        .split('/')
        .filter(|s| !s.is_empty())
        .map(|s| match s.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            Some(l) => l.strip_suffix('+').map_or(Segment::Label(l), Segment::Greedy),
            None => Segment::Literal(s),
        })
        .collect()
}

/// The labels, if the path fits. A greedy label takes what is left, be it `a//b/`; literals may
/// follow it.
fn matches<'r>(segments: &[Segment], path: &'r str) -> Option<Vec<(&'static str, &'r str)>> {
    let mut rest = path.strip_prefix('/').unwrap_or(path);
    let mut labels = Vec::new();
    for (i, segment) in segments.iter().enumerate() {
        if let Segment::Greedy(name) = segment {
            let mut taken = rest;
            for after in segments[i + 1..].iter().rev() {
                let (before, last) = taken.trim_end_matches('/').rsplit_once('/')?;
                match after {
                    Segment::Literal(l) if *l == last => {}
                    Segment::Label(l) => labels.push((*l, last)),
                    _ => return None,
                }
                taken = before;
            }
            labels.push((name, taken));
            return (!taken.is_empty()).then_some(labels);
        }
        let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
        match segment {
            Segment::Literal(l) if *l == head => {}
            Segment::Label(name) if !head.is_empty() => labels.push((name, head)),
            _ => return None,
        }
        rest = tail;
    }
    // A trailing slash does not make another resource.
    rest.trim_matches('/').is_empty().then_some(labels)
}

#[cfg(test)]
mod tests {
    fn route(
        id: &str,
        method: &str,
        target: &str,
        headers: &[&str],
    ) -> (String, Vec<(String, String)>) {
        let s = crate::service(id).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let find = |name: &str| {
            let mut q = query.split('&').map(|q| q.split_once('=').unwrap_or((q, "")));
            q.find(|(k, _)| *k == name).map(|(_, v)| v)
        };
        match s.router.find(method, path, find, |h| headers.contains(&h)) {
            Some(r) => (
                s.operations[r.operation].name.to_owned(),
                r.labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            ),
            None => (String::new(), vec![]),
        }
    }

    #[test]
    fn s3_requests_find_their_operations() {
        let copy: &[&str] = &["x-amz-copy-source"];
        let cases: &[(&str, &str, &[&str], &str)] = &[
            ("GET", "/", &[], "ListBuckets"),
            ("PUT", "/b", &[], "CreateBucket"),
            ("GET", "/b", &[], "ListObjects"),
            ("GET", "/b/", &[], "ListObjects"),
            ("GET", "/b?list-type=2", &[], "ListObjectsV2"),
            ("GET", "/b?versions", &[], "ListObjectVersions"),
            ("GET", "/b?uploads", &[], "ListMultipartUploads"),
            ("GET", "/b?policy", &[], "GetBucketPolicy"),
            ("GET", "/b?policyStatus", &[], "GetBucketPolicyStatus"),
            ("HEAD", "/b", &[], "HeadBucket"),
            ("HEAD", "/b/k", &[], "HeadObject"),
            ("GET", "/b/k", &[], "GetObject"),
            ("GET", "/b//k/", &[], "GetObject"),
            ("GET", "/b/k?tagging", &[], "GetObjectTagging"),
            ("GET", "/b/k?attributes", &["x-amz-object-attributes"], "GetObjectAttributes"),
            ("GET", "/b/k?uploadId=1", &[], "ListParts"),
            ("PUT", "/b/k", &[], "PutObject"),
            ("PUT", "/b/k", copy, "CopyObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=2", &[], "UploadPart"),
            ("PUT", "/b/k?partNumber=1&uploadId=2", copy, "UploadPartCopy"),
            ("POST", "/b/k?uploads", &[], "CreateMultipartUpload"),
            ("POST", "/b/k?uploadId=2", &[], "CompleteMultipartUpload"),
            ("DELETE", "/b/k?uploadId=2", &[], "AbortMultipartUpload"),
            ("DELETE", "/b/k", &[], "DeleteObject"),
            ("POST", "/b?delete", &[], "DeleteObjects"),
            ("POST", "/b/k?select&select-type=2", &[], "SelectObjectContent"),
            ("POST", "/b/k?restore", &[], "RestoreObject"),
            ("PATCH", "/b/k", &[], ""),
        ];
        for (method, target, headers, want) in cases {
            assert_eq!(route("s3", method, target, headers).0, *want, "{method} {target}");
        }
        let (_, labels) = route("s3", "GET", "/b//a%2Fb/../c/", &[]);
        assert!(labels.contains(&("Key".into(), "/a%2Fb/../c/".into())), "{labels:?}");
    }

    #[test]
    fn rest_json_requests_find_their_operations() {
        let invoke = "/2015-03-31/functions/f/invocations";
        assert_eq!(route("lambda", "POST", invoke, &[]).0, "Invoke");
        assert_eq!(route("lambda", "GET", "/2015-03-31/functions/", &[]).0, "ListFunctions");
        assert_eq!(route("lambda", "GET", "/2015-03-31/functions/f", &[]).0, "GetFunction");
        assert_eq!(route("apigatewayv2", "POST", "/v2/apis", &[]).0, "CreateApi");
    }
}
