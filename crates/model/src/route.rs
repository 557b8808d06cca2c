//! Which operation a REST request is: its method, path and query against the URI templates.

use crate::{Location, Operation, Protocol, Service};

/// The URI templates of a service, most specific first.
#[derive(Debug, Default)]
pub struct Router {
    groups: Vec<Group>,
}

/// Operations that share method and path; S3 has three dozen on `GET /{Bucket}`.
#[derive(Debug)]
struct Group {
    method: &'static str,
    segments: Vec<Segment>,
    /// The most demanding first.
    candidates: Vec<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    operation: u32,
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

impl Router {
    /// Reads the templates of a REST service; empty for other protocols.
    #[must_use]
    pub fn new(s: &Service) -> Self {
        if !s.protocols.iter().any(|p| matches!(p, Protocol::RestJson | Protocol::RestXml)) {
            return Router::default();
        }
        let mut groups: Vec<Group> = Vec::new();
        for (operation, o) in (0u32..).zip(&s.operations) {
            let (path, query) = o.uri.split_once('?').unwrap_or((o.uri, ""));
            let segments: Vec<_> = segments(path).collect();
            let members = o.input.iter().flat_map(|i| &s.shape(*i).members);
            let outside = |l| matches!(l, Location::Query | Location::Header);
            let required = members.filter(|m| m.required && outside(m.location));
            let candidate = Candidate {
                operation,
                literals: literals(query),
                required: required.map(|m| (m.location, m.wire())).collect(),
            };
            let same = |g: &&mut Group| g.method == o.method && alike(&g.segments, &segments);
            match groups.iter_mut().find(same) {
                Some(g) => g.candidates.push(candidate),
                None => {
                    let candidates = vec![candidate];
                    groups.push(Group { method: o.method, segments, candidates });
                }
            }
        }
        for group in &mut groups {
            group.candidates.sort_by_key(|c| {
                let valued = c.literals.iter().filter(|l| l.1.is_some()).count();
                std::cmp::Reverse((c.literals.len(), valued, c.required.len()))
            });
        }
        groups.sort_by_key(|g| {
            let literal = g.segments.iter().filter(|s| matches!(s, Segment::Literal(_))).count();
            let greedy = g.segments.iter().any(|s| matches!(s, Segment::Greedy(_)));
            std::cmp::Reverse((!greedy, literal, g.segments.len()))
        });
        Router { groups }
    }

    /// The number of the operation a request is. `path` is percent-encoded and without the query;
    /// `query` asks for a parameter's value (`Some("")` when it has none), `header` whether a
    /// header is there.
    pub fn find<'q>(
        &self,
        method: &str,
        path: &str,
        query: impl Fn(&str) -> Option<&'q str>,
        header: impl Fn(&str) -> bool,
    ) -> Option<usize> {
        let literal = |(k, v): &(&str, Option<&str>)| match (query(k), v) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(got), Some(want)) => got == *want,
        };
        let present = |(l, name): &(Location, &str)| match l {
            Location::Query => query(name).is_some(),
            _ => header(name),
        };
        for group in self.groups.iter().filter(|g| g.method == method) {
            if !matches(&group.segments, path, &mut |_, _| {}) {
                continue;
            }
            let mut fitting = group.candidates.iter().filter(|c| c.literals.iter().all(literal));
            let Some(first) = fitting.next() else { continue };
            // What the most demanding ones lack in required members is for validation to say,
            // unless an equal fits better; one with fewer literals is another operation.
            let complete = |c: &&Candidate| c.required.iter().all(present);
            if complete(&first) {
                return Some(first.operation as usize);
            }
            let equals = fitting.take_while(|c| c.literals.len() == first.literals.len());
            let chosen = std::iter::once(first).chain(equals).fold(None, |best, c| match best {
                Some(b) if complete(&b) => Some(b),
                _ => Some(c),
            });
            return chosen.map(|c| c.operation as usize);
        }
        None
    }
}

/// Gives `found` the labels of a path by the template of `operation`: name and text, still
/// percent-encoded.
pub fn labels<'r>(
    operation: &Operation,
    path: &'r str,
    mut found: impl FnMut(&'static str, &'r str),
) {
    let template = operation.uri.split_once('?').map_or(operation.uri, |(path, _)| path);
    let segments: Vec<_> = segments(template).collect();
    matches(&segments, path, &mut found);
}

fn literals(query: &'static str) -> Vec<(&'static str, Option<&'static str>)> {
    let pairs = query.split('&').filter(|q| !q.is_empty());
    pairs.map(|q| q.split_once('=').map_or((q, None), |(k, v)| (k, Some(v)))).collect()
}

fn segments(path: &'static str) -> impl Iterator<Item = Segment> {
    let parts = path.split('/').filter(|s| !s.is_empty());
    parts.map(|s| match s.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
        Some(l) => l.strip_suffix('+').map_or(Segment::Label(l), Segment::Greedy),
        None => Segment::Literal(s),
    })
}

/// Whether two templates take the same paths, whatever their labels are called.
fn alike(a: &[Segment], b: &[Segment]) -> bool {
    let same = |pair: (&Segment, &Segment)| match pair {
        (Segment::Literal(a), Segment::Literal(b)) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// Whether the path fits; `found` gets the labels on the way. A greedy label takes what is left, be
/// it `a//b/`; literals may follow it.
fn matches<'r>(
    segments: &[Segment],
    path: &'r str,
    found: &mut dyn FnMut(&'static str, &'r str),
) -> bool {
    let mut rest = path.strip_prefix('/').unwrap_or(path);
    for (i, segment) in segments.iter().enumerate() {
        if let Segment::Greedy(name) = segment {
            let mut taken = rest;
            for after in segments[i + 1..].iter().rev() {
                let trimmed = taken.trim_end_matches('/');
                let Some((before, last)) = trimmed.rsplit_once('/') else { return false };
                match after {
                    Segment::Literal(l) if *l == last => {}
                    Segment::Label(l) => found(l, last),
                    _ => return false,
                }
                taken = before;
            }
            found(name, taken);
            return !taken.is_empty();
        }
        let end = rest.bytes().position(|b| b == b'/');
        let (head, tail) = end.map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
        match segment {
            Segment::Literal(l) if *l == head => {}
            Segment::Label(name) if !head.is_empty() => found(name, head),
            _ => return false,
        }
        rest = tail;
    }
    // A trailing slash does not make another resource.
    rest.bytes().all(|b| b == b'/')
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
        let Some(at) = s.router.find(method, path, find, |h| headers.contains(&h)) else {
            return (String::new(), vec![]);
        };
        let mut labels = Vec::new();
        super::labels(&s.operations[at], path, |k, v| labels.push((k.to_owned(), v.to_owned())));
        (s.operations[at].name.to_owned(), labels)
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
            ("GET", "/b?list-type=1", &[], "ListObjects"),
            ("GET", "/b?lifecycle", &[], "GetBucketLifecycleConfiguration"),
            ("PUT", "/b?lifecycle", &[], "PutBucketLifecycleConfiguration"),
            ("GET", "/b?notification", &[], "GetBucketNotificationConfiguration"),
            ("GET", "/b?analytics", &[], "ListBucketAnalyticsConfigurations"),
            ("GET", "/b?analytics&id=1", &[], "GetBucketAnalyticsConfiguration"),
            ("POST", "/b", &[], ""),
            ("PATCH", "/b", &[], ""),
            ("GET", "/b/k?attributes", &[], "GetObjectAttributes"),
            ("GET", "/b/k?uploadId=1&max-parts=2&x-id=ListParts", &[], "ListParts"),
            ("GET", "/b/k?partNumber=1", &[], "GetObject"),
            ("PUT", "/b/k?x-id=PutObject", &[], "PutObject"),
            ("PUT", "/b/k?partNumber=1&uploadId=2", copy, "UploadPartCopy"),
            ("DELETE", "/b/k?versionId=1", &[], "DeleteObject"),
            ("POST", "/b/k?select&select-type=2", &[], "SelectObjectContent"),
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

    /// A request written from each template is routed back to the operation it was written from.
    #[test]
    fn every_rest_operation_is_reachable() {
        let mut lost = Vec::new();
        for head in crate::heads() {
            let s = head.service();
            if s.router.groups.is_empty() {
                continue;
            }
            for op in &s.operations {
                let (path, query) = op.uri.split_once('?').unwrap_or((op.uri, ""));
                let label = |s: &'static str| if s.starts_with('{') { "x" } else { s };
                let path: Vec<_> = path.split('/').map(label).collect();
                let members = op.input.iter().flat_map(|i| &s.shape(*i).members);
                let mut query = query.to_owned();
                let mut headers = Vec::new();
                for m in members.filter(|m| m.required) {
                    match m.location {
                        crate::Location::Query => query = format!("{query}&{}=x", m.wire()),
                        crate::Location::Header => headers.push(m.wire()),
                        _ => {}
                    }
                }
                let target = format!("{}?{query}", path.join("/"));
                let found = route(head.id, op.method, &target, &headers).0;
                if found != op.name {
                    lost.push(format!("{}:{} -> {found}", head.id, op.name));
                }
            }
        }
        // Only the host tells them apart.
        assert_eq!(lost, ["s3:ListDirectoryBuckets -> ListBuckets"]);
    }
}
