//! Valid requests, damaged in thousands of ways: no parser may panic, loop or blame the server.

use super::parsers;
use super::properties::Random;

const ROUNDS: usize = 4_000;

#[test]
fn json_bodies() {
    mutate(
        parsers::json,
        &[
            br#"?{"TableName":"t","Item":{"k":{"S":"v"},"n":{"N":"1"},"b":{"B":"AAA="},"l":{"L":[{"BOOL":true},{"NULL":true}]},"m":{"M":{"x":{"SS":["a"]}}}}}"#,
            br#"x{"TableName":"t","KeySchema":[{"AttributeName":"k","KeyType":"HASH"}],"Limit":1e3,"Text":"\u00e9\ud83d\ude00\""}"#,
        ],
    );
}

#[test]
fn cbor_bodies() {
    mutate(
        parsers::cbor,
        &[
            b"\x20\xa2\x69Namespace\x61n\x6aMetricData\x81\xa3\x6aMetricName\x61m\x65Value\xfb\x3f\xf0\0\0\0\0\0\0\x69Timestamp\xc1\x1a\x69\0\0\0",
            b"\x01\xbf\x6aAlarmNames\x9f\x7f\x61a\x61b\xff\xff\x6aMaxRecords\x18\x64\x69StateName\xf6\xff",
        ],
    );
}

#[test]
fn xml_bodies() {
    mutate(
        parsers::xml,
        &[
            b"\x0f<?xml version='1.0'?><Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Object><Key>a&amp;&#xe9;<![CDATA[x]]></Key></Object></Delete>",
            b"\x40<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='Group'><URI>u</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
            b"\x41<LifecycleConfiguration><Rule><ID>i</ID><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>1</Days><Date>2026-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>",
        ],
    );
}

#[test]
fn forms() {
    mutate(
        parsers::form,
        &[
            b"Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=a&Tags.member.1.Value=b",
            b"Action=DescribeInstances&Filter.1.Name=a&Filter.1.Value.1=b&MaxResults=5&DryRun=true&InstanceId.1=i-1",
            b"Action=RunInstances&ImageId=a&MinCount=1&MaxCount=1&TagSpecification.1.Tag.1.Key=k&NetworkInterface.1.DeviceIndex=0",
        ],
    );
}

#[test]
fn request_lines_and_headers() {
    mutate(
        parsers::rest,
        &[
            b"PUT /b/a%20b%2Fc+d?partNumber=2&uploadId=x%2By\nx-amz-meta-a: 1\nif-modified-since: Tue, 29 Apr 2014 18:30:38 GMT\n",
            b"GET /b?list-type=2&max-keys=10&prefix=%C3%A9&encoding-type=url\nx-amz-optional-object-attributes: a,\"b\\\"\", c\n",
            b"POST /2015-03-31/functions/f/invocations?Qualifier=1\nx-amz-client-context: e30=\n\n{}",
            b"POST /2020-05-31/distribution\ncontent-type: application/xml\n\n<DistributionConfig><CallerReference>a</CallerReference><Aliases><Quantity>1</Quantity><Items><CNAME>x</CNAME></Items></Aliases></DistributionConfig>",
        ],
    );
}

#[test]
fn bodies_that_nest_without_end_are_refused() {
    for (f, open) in [
        (parsers::json as fn(&[u8]), &b"{\"Item\":"[..]),
        (parsers::json, b"["),
        (parsers::cbor, b"\x81"),
        (parsers::cbor, b"\xbf\x61a"),
        (parsers::cbor, b"\xc1"),
        (parsers::xml, b"<Delete>"),
        (parsers::form, b"A.1."),
    ] {
        let mut data = vec![0x20];
        data.extend_from_slice(&open.repeat(200_000 / open.len()));
        f(&data);
    }
}

/// Runs `f` on each seed and on what becomes of it.
fn mutate(f: fn(&[u8]), seeds: &[&[u8]]) {
    let mut random = Random::new(1);
    for seed in seeds {
        f(seed);
        for _ in 0..ROUNDS / seeds.len() {
            let mut data = seed.to_vec();
            for _ in 0..=random.below(4) {
                damage(&mut data, seeds, &mut random);
            }
            f(&data);
        }
    }
}

fn damage(data: &mut Vec<u8>, seeds: &[&[u8]], random: &mut Random) {
    const TOKENS: [&[u8]; 18] = [
        b"\0",
        b"%00",
        b"%ff",
        b"\xff\xfe",
        b"&#x0;",
        b"&#x110000;",
        b"<!DOCTYPE a>",
        b"]]>",
        b"\"",
        b"\\ud800",
        b"-9223372036854775809",
        b"1e999",
        b"NaN",
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x5f",
        b".18446744073709551616.",
        b"=&=",
        b"\r\n",
    ];
    let at = random.below(data.len() + 1);
    match random.below(6) {
        0 if at < data.len() => data[at] ^= 1 << random.below(8),
        1 if at < data.len() => data[at] = random.below(256) as u8,
        2 => data.truncate(at),
        3 => {
            let end = (at + random.below(16)).min(data.len());
            data.drain(at..end);
        }
        4 => {
            let other = seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            let end = (from + random.below(32)).min(other.len());
            data.splice(at..at, other[from..end].iter().copied());
        }
        _ => {
            data.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied());
        }
    }
}
