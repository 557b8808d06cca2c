//! Keys: the order of bytes is the order of tuples, and parts come back.

use fogbank_store::{Key, Part, Parts, Range, Store, Table};
use proptest::prelude::*;

/// A part, and how it compares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum P {
    Bytes(Vec<u8>),
    Str(String),
    U64(u64),
    Desc(std::cmp::Reverse<u64>),
}

fn key(parts: &[P]) -> Key {
    parts.iter().fold(Key::new(), |k, p| match p {
        P::Bytes(b) => k.bytes(b),
        P::Str(s) => k.str(s),
        P::U64(n) => k.u64(*n),
        P::Desc(n) => k.u64_desc(n.0),
    })
}

fn part() -> impl Strategy<Value = P> {
    let nasty = prop_oneof![Just('\0'), Just('\u{1}'), Just('/'), Just('\u{ff}'), any::<char>()];
    let byte = prop_oneof![Just(0u8), Just(1), Just(0xFF), any::<u8>()];
    prop_oneof![
        prop::collection::vec(byte, 0..5).prop_map(P::Bytes),
        prop::collection::vec(nasty, 0..5).prop_map(|c| P::Str(c.into_iter().collect())),
        any::<u64>().prop_map(P::U64),
        any::<u64>().prop_map(|n| P::Desc(std::cmp::Reverse(n))),
    ]
}

fn tuple() -> impl Strategy<Value = Vec<P>> {
    prop::collection::vec(part(), 0..4)
}

static T: Table<()> = Table::new("t");

proptest! {
    #[test]
    fn bytes_are_ordered_as_tuples(a in tuple(), b in tuple()) {
        prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        prop_assert_eq!(key(&a).as_bytes().cmp(key(&b).as_bytes()), a.cmp(&b));
    }

    #[test]
    fn parts_come_back(a in tuple()) {
        let k = key(&a);
        let back: Vec<P> = k.parts().map(|p| match p {
            Part::Bytes(b) => P::Bytes(b.into_owned()),
            Part::Str(s) => P::Str(s.into_owned()),
            Part::U64(n) => P::U64(n),
        }).collect();
        let plain: Vec<P> = a.into_iter().map(|p| match p {
            P::Desc(n) => P::U64(n.0),
            p => p,
        }).collect();
        prop_assert_eq!(back, plain);
    }

    #[test]
    fn any_bytes_can_be_asked_for_parts(b in prop::collection::vec(any::<u8>(), 0..40)) {
        Parts::of(&b).for_each(drop);
        let _ = Key::from_bytes(&b).to_string();
    }

    #[test]
    fn ranges_hold_what_they_say(
        all in prop::collection::btree_set(tuple(), 0..30),
        parent in tuple(),
        text in "[a\0/\u{10ffff}]{0,2}",
    ) {
        let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
        rt.block_on(async {
            let store = Store::ephemeral();
            for t in &all {
                store.put(&T, &key(t), &()).await.unwrap();
            }
            let n = parent.len();
            let begins = |t: &Vec<P>| matches!(t.get(n), Some(P::Str(s)) if s.starts_with(&text));
            let holds = async |range, expected: &dyn Fn(&Vec<P>) -> bool| {
                let found = store.scan(&T, range, usize::MAX).await.unwrap();
                let expected = all.iter().filter(|t| expected(t)).map(|t| (key(t), ()));
                assert!(found.iter().cloned().eq(expected), "{found:?}");
            };
            let k = key(&parent);
            holds(Range::prefix(&k), &|t| t.starts_with(&parent)).await;
            holds(Range::starting(&k, &text), &|t| t.starts_with(&parent) && begins(t)).await;
            holds(Range::all().from(&k), &|t| *t >= parent).await;
            holds(Range::all().to(&k), &|t| *t < parent).await;
            holds(Range::all().after(&k), &|t| *t > parent).await;
            holds(Range::all().past(&k), &|t| *t > parent && !t.starts_with(&parent)).await;
            let past = Range::prefix(&k).past_starting(&k, &text);
            let less = |t: &Vec<P>| match t.get(n) {
                None | Some(P::Bytes(_)) => true,
                Some(P::Str(s)) => s.as_str() < &text[..],
                _ => false,
            };
            holds(past, &|t| t.starts_with(&parent) && !begins(t) && !less(t)).await;
        });
    }
}
