//! Blueprint 05, tenant isolation: the same leaky function plain, and with an environment per tenant.

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::expect;
use super::stage::Stage;

const HANDLER: &str = include_str!("../../../../blueprints/05-tenant-isolation/fn/handler.py");
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const FUNCTIONS: &str = "/2015-03-31/functions";
const ROLE: &str = "arn:aws:iam::000000000000:role/tenant-demo";

/// Deploys both functions and shows what each tells the second tenant of the first.
pub fn show(client: &Client, stage: &mut Stage) -> anyhow::Result<String> {
    stage.step("Create the role", || {
        let answer = client.form(
            "iam",
            &[
                ("Action", "CreateRole"),
                ("Version", "2010-05-08"),
                ("RoleName", "tenant-demo"),
                ("AssumeRolePolicyDocument", TRUST),
            ],
        )?;
        let there = answer.body.contains("EntityAlreadyExists");
        expect(answer.status == 200 || there, "a role", &answer.summary())?;
        Ok("tenant-demo".into())
    })?;
    stage.step("1 A plain function", || create(client, "tenant-shared", false))?;
    stage.step("  Tenant A leaves a secret", || {
        invoke(client, "tenant-shared", None, &json!({ "secret": "A-secret" }))?;
        Ok("in a global and in /tmp".into())
    })?;
    stage.step("  The next caller finds it", || {
        let seen = invoke(client, "tenant-shared", None, &json!({}))?;
        let found = &seen["found"];
        expect(found["memory"] == "A-secret", "the leak", &found.to_string())?;
        Ok(format!("LEAK: {found}"))
    })?;
    stage.step("2 The same code, PER_TENANT", || create(client, "tenant-isolated", true))?;
    let first = invoke(client, "tenant-isolated", Some("a"), &json!({ "secret": "A-secret" }));
    let first = first.context("tenant A")?;
    stage.step("  Tenant A leaves a secret", || {
        expect(first["tenant"] == "a", "context.tenant_id", &first["tenant"].to_string())?;
        Ok("in a global and in /tmp".into())
    })?;
    stage.step("  Tenant B finds nothing", || {
        let seen = invoke(client, "tenant-isolated", Some("b"), &json!({}))?;
        let nothing = json!({ "memory": null, "tmp": null });
        expect(seen["found"] == nothing, "nothing", &seen["found"].to_string())?;
        expect(seen["env"] != first["env"], "another environment", &seen["env"].to_string())?;
        Ok("another environment".into())
    })?;
    stage.step("  Tenant A is warm again", || {
        let seen = invoke(client, "tenant-isolated", Some("a"), &json!({}))?;
        expect(seen["env"] == first["env"], "the same environment", &seen["env"].to_string())?;
        Ok("the same environment".into())
    })?;
    stage.step("3 Without a tenant it is refused", || {
        let path = format!("{FUNCTIONS}/tenant-isolated/invocations");
        let answer = client.rest("lambda", "POST", &path, b"{}", &[])?;
        expect(answer.status == 400, "400", &answer.summary())?;
        Ok("400 InvalidParameterValueException".into())
    })?;
    stage.step("  and so is a function URL", || {
        let path = "/2021-10-31/functions/tenant-isolated/url";
        let answer = client.rest("lambda", "POST", path, br#"{"AuthType":"NONE"}"#, &[])?;
        expect(answer.status == 400, "400", &answer.summary())?;
        Ok("400 InvalidParameterValueException".into())
    })?;
    Ok(format!("http://{}/_fogbank/status", client.instance.address))
}

/// Creates a function, unless it is there, and waits until it is active.
#[expect(clippy::disallowed_methods, reason = "a client that polls, as AWS's waiters do")]
fn create(client: &Client, name: &str, isolated: bool) -> anyhow::Result<String> {
    let mut input = json!({
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "handler.handler",
        "Role": ROLE,
        "Timeout": 15,
        "Code": { "ZipFile": BASE64_STANDARD.encode(zip("handler.py", HANDLER.as_bytes())) },
    });
    if isolated {
        input["TenancyConfig"] = json!({ "TenantIsolationMode": "PER_TENANT" });
    }
    let answer = client.rest("lambda", "POST", FUNCTIONS, input.to_string().as_bytes(), &[])?;
    if answer.status == 409 {
        return Ok(format!("{name}, which was there"));
    }
    expect(answer.status == 201, "201", &format!("{} {}", answer.status, answer.body))?;
    for _ in 0..200 {
        let path = format!("{FUNCTIONS}/{name}/configuration");
        let answer = client.rest("lambda", "GET", &path, b"", &[])?.ok()?;
        if json_of(&answer)?["State"] == "Active" {
            return Ok(name.to_owned());
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    anyhow::bail!("{name} does not become active")
}

fn invoke(
    client: &Client,
    name: &str,
    tenant: Option<&str>,
    event: &Value,
) -> anyhow::Result<Value> {
    let path = format!("{FUNCTIONS}/{name}/invocations");
    let tenant: Vec<(&str, &str)> = tenant.map(|t| ("x-amz-tenant-id", t)).into_iter().collect();
    let body = event.to_string();
    let answer = client.rest("lambda", "POST", &path, body.as_bytes(), &tenant)?;
    expect(answer.status == 200, "200", &format!("{} {}", answer.status, answer.body))?;
    let value = json_of(&answer)?;
    expect(value.get("errorType").is_none(), "an answer", &answer.body)?;
    Ok(value)
}

fn json_of(answer: &Answer) -> anyhow::Result<Value> {
    serde_json::from_str(&answer.body).context("an answer that is no JSON")
}

/// An archive of one file, stored as it is.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap_or(0).to_le_bytes();
    let named = u16::try_from(name.len()).unwrap_or(0).to_le_bytes();
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    common.extend(crc32(content).to_le_bytes());
    common.extend([size, size].concat());
    common.extend(named);
    common.extend([0, 0]);
    let mut out = [b"PK\x03\x04".as_slice(), &common, name.as_bytes(), content].concat();
    let start = u32::try_from(out.len()).unwrap_or(0).to_le_bytes();
    // Made on Unix, a regular file that its owner may write.
    let entry = [
        b"PK\x01\x02\x14\x03".as_slice(),
        &common,
        &[0; 6],
        &(0o100_644_u32 << 16).to_le_bytes(),
        &[0; 4],
        name.as_bytes(),
    ]
    .concat();
    let length = u32::try_from(entry.len()).unwrap_or(0).to_le_bytes();
    out.extend(entry);
    out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend([length, start].concat());
    out.extend([0, 0]);
    out
}

/// The checksum of ZIP, a bit at a time: the file is small.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn checksums_are_zips() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
