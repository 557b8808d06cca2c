//! Blueprint 09, a static website on S3: the article's steps as the calls behind its buttons.

use std::fmt::Write as _;

use super::client::Client;
use super::expect;
use super::stage::Stage;

macro_rules! blueprint {
    ($path:literal) => {
        include_str!(concat!("../../../../blueprints/09-static-website/", $path))
    };
}

/// Key, content type and content of each file.
const SITE: &[(&str, &str, &str)] = &[
    ("index.html", "text/html", blueprint!("site/index.html")),
    ("about/index.html", "text/html", blueprint!("site/about/index.html")),
    ("error.html", "text/html", blueprint!("site/error.html")),
    ("css/style.css", "text/css", blueprint!("site/css/style.css")),
];

const POLICY: &str = blueprint!("policy.json");
const BUCKET: &str = "my-aws-website";
const XML: &str = "application/xml";

/// Deploys the site, fetches it as a stranger and returns its address.
pub fn show(client: &Client, stage: &mut Stage) -> anyhow::Result<String> {
    let bucket = format!("/{BUCKET}");
    let host = format!("{BUCKET}.s3-website-us-east-1.amazonaws.com");
    let policy = POLICY.replace("YOUR-BUCKET-NAME", BUCKET);
    let put_policy =
        || client.s3("PUT", &format!("{bucket}?policy"), "application/json", policy.as_bytes());

    let fresh = client.s3("HEAD", &bucket, XML, b"")?.status == 404;
    stage.step("1 Create the bucket", || {
        client.s3("PUT", &bucket, XML, b"")?.ok()?;
        Ok(format!("{BUCKET}{}", if fresh { "" } else { ", which was there: deployed over it" }))
    })?;
    if fresh {
        stage.step("  A public policy is refused at first", || {
            let answer = put_policy()?;
            expect(answer.status == 403, "403, by Block Public Access", &answer.summary())?;
            Ok("403 AccessDenied: Block Public Access".into())
        })?;
    }
    stage.step("  Turn Block Public Access off", || {
        client
            .s3("PUT", &format!("{bucket}?publicAccessBlock"), XML, open_access().as_bytes())?
            .ok()?;
        Ok("all four off".into())
    })?;
    stage.step("2 Upload the files", || {
        let mut bytes = 0;
        for (key, content_type, content) in SITE {
            let content_type = format!("{content_type}; charset=utf-8");
            client
                .s3("PUT", &format!("{bucket}/{key}"), &content_type, content.as_bytes())?
                .ok()?;
            bytes += content.len();
        }
        Ok(format!("{} files, {bytes} bytes", SITE.len()))
    })?;
    stage.step("3 Enable static website hosting", || {
        client.s3("PUT", &format!("{bucket}?website"), XML, WEBSITE.as_bytes())?.ok()?;
        Ok("index.html, error.html".into())
    })?;
    if fresh {
        stage.step("  A stranger is still refused", || {
            let answer = client.browse(&host, "/")?;
            expect(answer.status == 403, "403", &answer.summary())?;
            Ok("403: no policy allows it yet".into())
        })?;
    }
    stage.step("4 Allow everyone to read, by bucket policy", || {
        put_policy()?.ok()?;
        Ok("s3:GetObject for *".into())
    })?;
    let mut fetch = |name, path: &str, status: u16, key: &str| {
        stage.step(name, || {
            let answer = client.browse(&host, path)?;
            let (_, content_type, content) =
                SITE.iter().find(|(k, ..)| *k == key).copied().unwrap_or_default();
            let same = answer.body == content && answer.content_type.starts_with(content_type);
            let expected = format!("{status} with {key}");
            expect(answer.status == status && same, &expected, &answer.summary())?;
            Ok(format!("{path} -> {}", answer.summary()))
        })
    };
    fetch("5 Open the website", "/", 200, "index.html")?;
    fetch("  its style sheet", "/css/style.css", 200, "css/style.css")?;
    fetch("  a folder's index document", "/about/", 200, "about/index.html")?;
    fetch("  a page that does not exist", "/no-such-page", 404, "error.html")?;
    // Browsers resolve every name under `localhost` to this machine.
    let port = client.instance.address.port();
    let local = format!("{BUCKET}.s3-website-us-east-1.localhost:{port}");
    let answer = client.browse(&local, "/")?;
    expect(answer.status == 200, "the page at its local name too", &answer.summary())?;
    Ok(format!("http://{local}/"))
}

const WEBSITE: &str = "<WebsiteConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <IndexDocument><Suffix>index.html</Suffix></IndexDocument>\
    <ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>";

fn open_access() -> String {
    let mut xml = String::from(
        "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    for part in
        ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
    {
        let _ = write!(xml, "<{part}>false</{part}>");
    }
    xml + "</PublicAccessBlockConfiguration>"
}
