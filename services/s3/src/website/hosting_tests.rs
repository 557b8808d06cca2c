//! Websites as a browser sees them.

use fogbank_core::{Peer, Plane, Principal, Value, map};
use http::{Request, Response};

use super::Websites;
use crate::policed::{ME, World};
use fogbank_core::Body;

const READ: &str =
    r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}"#;

async fn site(extra: Vec<(fogbank_core::Str, Value)>) -> (World, Websites) {
    let w = World::new();
    w.open_bucket().await;
    let mut config = vec![
        ("IndexDocument".into(), map! {"Suffix" => "index.html"}),
        ("ErrorDocument".into(), map! {"Key" => "error.html"}),
    ];
    config.extend(extra);
    let input = map! {"Bucket" => "bkt", "WebsiteConfiguration" => Value::Map(config)};
    w.call(&Principal::root(ME), "PutBucketWebsite", input).await.unwrap();
    w.put("index.html", "<h1>home</h1>").await;
    w.put("docs/index.html", "docs").await;
    let websites = Websites::new(w.s3.clone());
    websites.connect(&w.dyn_cloud());
    (w, websites)
}

async fn get(site: &Websites, path: &str) -> (u16, String, Response<()>) {
    visit(site, Request::get(path)).await
}

async fn visit(site: &Websites, request: http::request::Builder) -> (u16, String, Response<()>) {
    let host = "bkt.s3-website-us-east-1.amazonaws.com";
    let request = request.header("host", host).body(Body::Empty).unwrap();
    let peer = Peer { address: ([127, 0, 0, 1], 1).into(), tls: false };
    let (parts, body) = site.serve(request, peer).await.into_parts();
    let text = String::from_utf8(body.collect(1 << 20).await.unwrap().to_vec()).unwrap();
    (parts.status.as_u16(), text, Response::from_parts(parts, ()))
}

#[tokio::test]
async fn documents_folders_and_errors() {
    let (w, site) = site(Vec::new()).await;
    let (status, page, _) = get(&site, "/").await;
    assert_eq!(status, 403, "nothing is public yet");
    assert!(page.contains("<li>Code: AccessDenied</li>"), "{page}");
    w.policy(READ).await.unwrap();
    let (status, page, head) = get(&site, "/").await;
    assert_eq!((status, page.as_str()), (200, "<h1>home</h1>"));
    assert_eq!(head.headers()["content-type"], "text/html");
    assert!(head.headers().contains_key("etag") && head.headers().contains_key("last-modified"));
    assert_eq!(get(&site, "/docs/").await.1, "docs");
    let (status, _, head) = get(&site, "/docs").await;
    assert_eq!((status, head.headers()["location"].as_bytes()), (302, &b"/docs/"[..]));

    let (status, page, _) = get(&site, "/none").await;
    assert_eq!(status, 404, "at a website, who may read learns that it is missing");
    assert!(page.contains("Retrieve a Custom Error Document"), "{page}");
    w.put("error.html", "sorry").await;
    let (status, page, head) = get(&site, "/none").await;
    assert_eq!((status, page.as_str()), (404, "sorry"));
    assert_eq!(head.headers()["x-amz-error-code"], "NoSuchKey");
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/none"}"#;
    w.policy(&format!("{READ},{deny}")).await.unwrap();
    let (status, page, _) = get(&site, "/none").await;
    assert_eq!((status, page.as_str()), (403, "sorry"), "who may not read does not");
}

#[tokio::test]
async fn methods_conditions_and_ranges() {
    let (w, site) = site(Vec::new()).await;
    w.policy(READ).await.unwrap();
    let (status, page, head) = visit(&site, Request::head("/")).await;
    assert_eq!((status, page.as_str()), (200, ""));
    assert_eq!(head.headers()["content-length"], "13");
    let etag = head.headers()["etag"].clone();
    let (status, ..) = visit(&site, Request::get("/").header("if-none-match", etag)).await;
    assert_eq!(status, 304);
    let (status, page, _) = visit(&site, Request::get("/").header("range", "bytes=0-3")).await;
    assert_eq!((status, page.as_str()), (206, "<h1>"));
    let (status, page, _) = visit(&site, Request::post("/")).await;
    assert_eq!(status, 405);
    assert!(page.contains("Code: MethodNotAllowed"), "{page}");
    let (status, page, _) = get(&site, "/%ff").await;
    assert_eq!((status, page.contains("InvalidURI")), (400, true), "{page}");
}

#[tokio::test]
async fn redirects() {
    let rule = map! {
        "Condition" => map! {"KeyPrefixEquals" => "old/"},
        "Redirect" => map! {"ReplaceKeyPrefixWith" => "docs/"},
    };
    let missing = map! {
        "Condition" => map! {"HttpErrorCodeReturnedEquals" => "404"},
        "Redirect" => map! {"HostName" => "example.com", "HttpRedirectCode" => "307"},
    };
    let (w, site) = site(vec![("RoutingRules".into(), vec![rule, missing].into())]).await;
    w.policy(READ).await.unwrap();
    let to = |r: &Response<()>| r.headers()["location"].to_str().unwrap().to_owned();
    let (status, _, head) = get(&site, "/old/a?x=1").await;
    let host = "http://bkt.s3-website-us-east-1.amazonaws.com";
    assert_eq!((status, to(&head)), (301, format!("{host}/docs/a?x=1")));
    let (status, _, head) = get(&site, "/none").await;
    assert_eq!((status, to(&head)), (307, "http://example.com/none".into()));

    let input = map! {"Bucket" => "bkt", "Key" => "moved", "WebsiteRedirectLocation" => "/new"};
    w.call(&Principal::root(ME), "PutObject", input).await.unwrap();
    let (status, _, head) = get(&site, "/moved").await;
    assert_eq!((status, to(&head)), (301, "/new".into()));
}

#[tokio::test]
async fn buckets_that_are_no_websites() {
    let w = World::new();
    let site = Websites::new(w.s3.clone());
    site.connect(&w.dyn_cloud());
    let (status, page, head) = get(&site, "/").await;
    assert_eq!(status, 404);
    assert!(page.contains("Code: NoSuchBucket"), "{page}");
    assert!(head.headers().contains_key("x-amz-request-id"));
    w.open_bucket().await;
    let (status, page, _) = get(&site, "/").await;
    assert_eq!(status, 404);
    assert!(page.contains("<li>Code: NoSuchWebsiteConfiguration</li>"), "{page}");
    assert!(!site.serves("www.example.com"));
    assert!(site.serves("bkt.s3-website.localhost"));
}
