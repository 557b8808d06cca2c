//! Tests of `acl`.

use super::*;
use crate::owner::canonical_id;

const ME: &str = "111111111111";
const OTHER: &str = "222222222222";

fn user(account: &str) -> Principal {
    let mut p = Principal::root(account);
    p.kind = fogbank_core::Kind::User { name: "u".into() };
    p
}

#[test]
fn canned_lists_reach_whom_they_name() {
    use Permission::{FullControl, Read, Write};
    let (anon, me, other) = (Principal::anonymous(), Principal::root(ME), Principal::root(OTHER));
    for (name, who, wanted, want) in [
        ("private", &me, FullControl, true),
        ("private", &user(ME), Read, false), // IAM decides within the account
        ("private", &other, Read, false),
        ("private", &anon, Read, false),
        ("public-read", &anon, Read, true),
        ("public-read", &user(ME), Read, true),
        ("public-read", &anon, Write, false),
        ("public-read-write", &anon, Write, true),
        ("authenticated-read", &anon, Read, false),
        ("authenticated-read", &other, Read, true),
    ] {
        let acl = Acl::canned(name, ME, ME).unwrap();
        assert_eq!(
            acl.allows(ME, who, wanted, false).is_some(),
            want,
            "{name} {wanted:?} {}",
            who.arn
        );
    }
    let public = Acl::canned("public-read", ME, ME).unwrap();
    assert!(public.allows(ME, &anon, Read, true).is_none(), "IgnorePublicAcls");
    assert!(
        Acl::canned("bucket-owner-read", OTHER, ME)
            .unwrap()
            .allows(OTHER, &me, Read, false)
            .is_some()
    );
    assert_eq!(Acl::canned("public", ME, ME).unwrap_err().code(), "InvalidArgument");
}

#[test]
fn header_grants() {
    let id = canonical_id(OTHER);
    let input = AclInput {
        read: Some(format!("id=\"{id}\", uri=http://acs.amazonaws.com/groups/global/AllUsers")),
        ..AclInput::default()
    };
    let acl = input.resolve(ME, ME).unwrap().unwrap();
    assert_eq!(acl.grants.len(), 2);
    assert!(acl.allows(ME, &Principal::root(OTHER), Permission::Read, true).is_some());
    for (header, code) in [
        ("id=_foo", "InvalidArgument"),
        ("uri=http://example.com", "InvalidArgument"),
        ("emailAddress=a@b.c", "UnresolvableGrantByEmailAddress"),
        ("nonsense", "InvalidArgument"),
        ("", "InvalidArgument"),
    ] {
        let input = AclInput { write: Some(header.into()), ..AclInput::default() };
        assert_eq!(input.resolve(ME, ME).unwrap_err().code(), code, "{header}");
    }
    let both = AclInput { canned: Some("private".into()), ..input };
    assert_eq!(both.resolve(ME, ME).unwrap_err().code(), "InvalidRequest");
}

#[test]
fn bodies_are_checked() {
    let policy = |owner: &str, ty: &str, id: &str, permission: &str| AccessControlPolicy {
        owner: Some(OwnerInput { id: Some(owner.into()) }),
        grants: Some(vec![GrantInput {
            grantee: Some(GranteeShape {
                r#type: Some(ty.into()),
                id: Some(id.into()),
                ..GranteeShape::default()
            }),
            permission: Some(permission.into()),
        }]),
    };
    let (me, other) = (canonical_id(ME), canonical_id(OTHER));
    assert!(policy(&me, "CanonicalUser", &other, "READ").resolve(ME).is_ok());
    for (p, code) in [
        (policy(&other, "CanonicalUser", &other, "READ"), "AccessDenied"),
        (policy("x", "CanonicalUser", &other, "READ"), "InvalidArgument"),
        (policy(&me, "CanonicalUser", "_foo", "READ"), "InvalidArgument"),
        (policy(&me, "CanonicalUser", &other, "EVERYTHING"), "MalformedACLError"),
        (policy(&me, "Group", &other, "READ"), "MalformedACLError"),
        (AccessControlPolicy::default(), "MalformedACLError"),
    ] {
        assert_eq!(p.resolve(ME).unwrap_err().code(), code);
    }
}
