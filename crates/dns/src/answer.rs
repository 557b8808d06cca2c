//! One question, one answer: a pure function over the bytes of a DNS message (RFC 1035).

use std::net::IpAddr;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{RData, Record, RecordType};

/// How long clients may keep an answer, in seconds: short, since the cloud may move.
const TTL: u32 = 5;

/// The names we answer for, and with what.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Lower-case suffixes without a leading dot: `amazonaws.com` covers itself and all below it.
    pub suffixes: Vec<String>,
    pub address: IpAddr,
}

impl Zone {
    /// The names of AWS's own hosts, and the local names that its emulators have made customary.
    #[must_use]
    pub fn aws(address: IpAddr) -> Self {
        const NAMES: [&str; 9] = [
            "amazonaws.com",
            "api.aws",
            "on.aws",
            "awsapps.com",
            "cloudfront.net",
            "amplifyapp.com",
            "amazoncognito.com",
            "localhost",
            "localhost.localstack.cloud",
        ];
        Zone { suffixes: NAMES.iter().map(|s| (*s).to_owned()).collect(), address }
    }

    /// Whether `name` (any case, with or without the final dot) is ours.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').as_bytes();
        self.suffixes.iter().any(|s| {
            let s = s.as_bytes();
            let Some(start) = name.len().checked_sub(s.len()) else { return false };
            name[start..].eq_ignore_ascii_case(s) && (start == 0 || name[start - 1] == b'.')
        })
    }
}

/// What to do with a query.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send this back.
    Reply(Vec<u8>),
    /// Not our name: ask upstream, or send `refusal` when there is none.
    Forward { refusal: Vec<u8> },
    /// Not a DNS query at all.
    Ignore,
}

/// Answers one query message.
#[must_use]
pub fn answer(zone: &Zone, query: &[u8]) -> Answer {
    let Ok(q) = Message::from_vec(query) else { return malformed(query) };
    if q.metadata.message_type != hickory_proto::op::MessageType::Query {
        return Answer::Ignore;
    }
    let mut reply = Message::response(q.metadata.id, q.metadata.op_code);
    reply.metadata.recursion_desired = q.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    let [question] = q.queries.as_slice() else {
        reply.metadata.response_code = ResponseCode::FormErr;
        return encode(&reply);
    };
    if q.metadata.op_code != OpCode::Query {
        reply.metadata.response_code = ResponseCode::NotImp;
        return encode(&reply);
    }
    reply.add_query(question.clone());
    if !zone.holds(&question.name().to_ascii()) {
        reply.metadata.response_code = ResponseCode::Refused;
        return match encode(&reply) {
            Answer::Reply(refusal) => Answer::Forward { refusal },
            other => other,
        };
    }
    reply.metadata.authoritative = true;
    // Any other type of one of our names exists but is empty: no records and no error.
    let data = match (question.query_type(), zone.address) {
        (RecordType::A | RecordType::ANY, IpAddr::V4(a)) => Some(RData::A(A(a))),
        (RecordType::AAAA | RecordType::ANY, IpAddr::V6(a)) => Some(RData::AAAA(AAAA(a))),
        _ => None,
    };
    if let Some(data) = data {
        reply.add_answer(Record::from_rdata(question.name().clone(), TTL, data));
    }
    encode(&reply)
}

/// A query whose head can be read but whose rest can't gets FORMERR, as RFC 1035 asks.
fn malformed(query: &[u8]) -> Answer {
    match query {
        [a, b, flags, ..] if query.len() >= 12 && flags & 0x80 == 0 => {
            let id = u16::from_be_bytes([*a, *b]);
            encode(&Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
        }
        _ => Answer::Ignore,
    }
}

fn encode(m: &Message) -> Answer {
    m.to_vec().map_or(Answer::Ignore, Answer::Reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;

    fn zone() -> Zone {
        Zone::aws(IpAddr::from([127, 0, 0, 1]))
    }

    fn ask(name: &str, t: RecordType) -> Vec<u8> {
        let mut m = Message::query();
        m.add_query(Query::query(Name::from_ascii(name).unwrap(), t));
        m.to_vec().unwrap()
    }

    fn reply(name: &str, t: RecordType) -> Message {
        match answer(&zone(), &ask(name, t)) {
            Answer::Reply(b) | Answer::Forward { refusal: b } => Message::from_vec(&b).unwrap(),
            Answer::Ignore => panic!("no answer"),
        }
    }

    #[test]
    fn aws_names_resolve_whatever_stands_before_them() {
        for name in [
            "s3.us-east-1.amazonaws.com.",
            "my.bucket.s3.amazonaws.com.",
            "sync-states.us-east-1.amazonaws.com.",
            "123456789012.s3-control.us-east-1.amazonaws.com.",
            "S3.AmazonAWS.com.",
            "bucket.localhost.",
            "localhost.",
        ] {
            let r = reply(name, RecordType::A);
            assert_eq!(r.answers.len(), 1, "{name}");
            assert!(r.metadata.authoritative);
        }
    }

    #[test]
    fn other_types_are_empty_and_other_names_are_not_ours() {
        let r = reply("iam.amazonaws.com.", RecordType::AAAA);
        assert_eq!((r.answers.len(), r.metadata.response_code), (0, ResponseCode::NoError));
        for name in ["example.com.", "notamazonaws.com.", "amazonaws.com.evil.org."] {
            let a = answer(&zone(), &ask(name, RecordType::A));
            assert!(matches!(a, Answer::Forward { .. }), "{name}");
            assert_eq!(reply(name, RecordType::A).metadata.response_code, ResponseCode::Refused);
        }
    }

    #[test]
    fn garbage_gets_formerr_or_silence_never_a_panic() {
        let good = ask("s3.amazonaws.com.", RecordType::A);
        for n in 0..good.len() {
            let _ = answer(&zone(), &good[..n]);
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[n] ^= 1 << bit;
                let _ = answer(&zone(), &bad);
            }
        }
        assert_eq!(answer(&zone(), b"x"), Answer::Ignore);
        // A compression pointer that points at itself.
        let mut looped = good[..12].to_vec();
        looped.extend([0xc0, 0x0c, 0, 1, 0, 1]);
        assert!(matches!(answer(&zone(), &looped), Answer::Reply(_)));
        // Our own reply is not a query: two servers must not talk to each other for ever.
        if let Answer::Reply(r) = answer(&zone(), &good) {
            assert_eq!(answer(&zone(), &r), Answer::Ignore);
        }
    }
}
