//! Sealing by itself: a known answer, what does not open, and what becomes of a store when keys change.

use pactolus_ledger::model::Model;
use pactolus_ledger::{Precondition, PutOutcome, RecordChange, Records as _};
use pactolus_types::UnixMillis;
use pollster::block_on;
use proptest::prelude::*;

use super::*;
use crate::OsRandomness;

const NEVER: UnixMillis = UnixMillis::new(u64::MAX >> 1);

fn key(number: u8) -> MasterKey {
    MasterKey::of(&[number; 32])
}

fn ring(numbers: &[u8]) -> Keyring {
    Keyring::new(numbers.iter().map(|number| key(*number)).collect()).unwrap()
}

fn name(name: &str) -> RecordKey {
    RecordKey::from_name(name.to_owned())
}

fn record(key: &str, value: RecordValue) -> RecordChange {
    RecordChange { key: name(key), value, expires_at: NEVER, precondition: Precondition::Any }
}

/// 0, 1, 2 and so on to 31.
const COUNTING: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Made by another program, from the draft of XChaCha20-Poly1305 and RFC 5869. If it changes, no store opens any more.
#[test]
fn a_value_is_sealed_as_it_always_was() {
    let key = MasterKey::new(COUNTING).unwrap();
    assert_eq!(key.id().to_string(), "ea3137b7");
    let nonce = std::array::from_fn(|index| 0x40 + u8::try_from(index).unwrap());
    let sealed = sealed(&key, nonce, &name("session/wx1234567/alice"), br#"{"a":1}"#);
    let known = "01ea3137b7404142434445464748494a4b4c4d4e4f5051525354555657\
                 54ac7dd6105d6c8aa5dd0f708c40b08798de0c6bfaddae";
    assert_eq!(sealed.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(), known);
    let ring = Keyring::new(vec![key]).unwrap();
    assert_eq!(*ring.open(&name("session/wx1234567/alice"), &sealed).unwrap(), br#"{"a":1}"#);
}

#[test]
fn a_master_key_is_32_bytes_in_hex_or_base64() {
    let id = MasterKey::new(COUNTING).unwrap().id();
    assert_eq!(MasterKey::new(&COUNTING.to_uppercase()).unwrap().id(), id);
    assert_eq!(MasterKey::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap().id(), id);
    let wrong = [
        "",
        "hunter2",
        &COUNTING[1..],
        &COUNTING.replace('0', "g"),
        &COUNTING.replace("00", "+1"),
        // 31 bytes and 33.
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8-",
    ];
    for text in wrong {
        assert_eq!(MasterKey::new(text).unwrap_err(), InvalidMasterKey, "{text}");
    }
}

#[test]
fn of_a_key_only_its_id_is_shown() {
    let key = MasterKey::new(COUNTING).unwrap();
    assert_eq!(format!("{key:?}"), "MasterKey(ea3137b7)");
    let ring = Keyring::new(vec![key.clone()]).unwrap();
    assert_eq!(format!("{ring:?}"), "Keyring([MasterKey(ea3137b7)])");
    let twice = Keyring::new(vec![key.clone(), key]).unwrap_err();
    assert_eq!(twice.to_string(), "holds the key with the id ea3137b7 twice; each must be another");
    assert!(!format!("{InvalidMasterKey} {InvalidMasterKey:?}").contains("0001"));
}

#[test]
fn without_a_key_values_are_kept_as_they_are_and_read_when_there_is_one() {
    let none = Keyring::default();
    let RecordValue(stored) = none.seal(&OsRandomness, &name("session/a/b"), b"{}");
    assert_eq!(stored, b"{}");
    assert_eq!(*ring(&[1]).open(&name("session/a/b"), &stored).unwrap(), b"{}");
}

#[test]
fn what_does_not_open_says_why() {
    let at = name("session/a/b");
    let RecordValue(sealed) = ring(&[1]).seal(&OsRandomness, &at, b"{}");
    let unknown = NotOpened::UnknownKey(key(1).id());
    assert_eq!(ring(&[2, 3]).open(&at, &sealed).unwrap_err(), unknown);
    assert_eq!(Keyring::default().open(&at, &sealed).unwrap_err(), unknown);
    assert_eq!(ring(&[1]).open(&name("session/a/c"), &sealed).unwrap_err(), NotOpened::Damaged);
    let mut later = sealed.clone();
    later[0] = 2;
    assert_eq!(ring(&[1]).open(&at, &later).unwrap_err(), NotOpened::LaterVersion);
    for length in 1..sealed.len() {
        assert_eq!(ring(&[1]).open(&at, &sealed[..length]).unwrap_err(), NotOpened::Damaged, "{length}");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_with_its_key_wherever_that_stands(
        value in proptest::collection::vec(any::<u8>(), 0..300),
        at in "[a-z/]{1,40}",
        before in 0..3_u8,
    ) {
        let at = name(&at);
        let RecordValue(stored) = ring(&[9]).seal(&OsRandomness, &at, &value);
        let keys: Vec<_> = (0..before).chain([9]).collect();
        prop_assert_eq!(&**ring(&keys).open(&at, &stored).unwrap(), &*value);
        let RecordValue(again) = ring(&[9]).seal(&OsRandomness, &at, &value);
        prop_assert_ne!(stored, again, "each time with another nonce");
    }

    #[test]
    fn a_bit_that_flipped_does_not_open(
        value in proptest::collection::vec(any::<u8>(), 0..100),
        at in "[a-z/]{1,40}",
        bit in any::<proptest::sample::Index>(),
    ) {
        let at = name(&at);
        let RecordValue(mut stored) = ring(&[9]).seal(&OsRandomness, &at, &value);
        // Those of the first byte can say that it is not sealed at all; then it is no JSON either.
        let bit = 8 + bit.index(8 * (stored.len() - 1));
        stored[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(ring(&[9]).open(&at, &stored).is_err());
    }

    #[test]
    fn a_value_opens_under_no_other_name(
        value in proptest::collection::vec(any::<u8>(), 0..100),
        names in ("[a-z/]{1,20}", "[a-z/]{1,20}"),
    ) {
        prop_assume!(names.0 != names.1);
        let RecordValue(stored) = ring(&[9]).seal(&OsRandomness, &name(&names.0), &value);
        prop_assert_eq!(ring(&[9]).open(&name(&names.1), &stored).unwrap_err(), NotOpened::Damaged);
    }

    #[test]
    fn whatever_is_stored_is_read_without_a_panic(stored in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = ring(&[9]).open(&name("session/a/b"), &stored);
    }
}

#[test]
fn a_record_is_found_to_be_what_it_is_and_sealed_anew() {
    let ring = ring(&[2, 1]);
    let by = |numbers: &[u8]| self::ring(numbers).seal(&OsRandomness, &name("session/a/b"), b"{}");
    let moved = record("session/a/c", by(&[2]));
    let cases = [
        (record("session/a/b", by(&[2])), Found::Current),
        (record("session/a/b", by(&[1])), Found::Older(key(1).id())),
        (record("session/a/b", by(&[])), Found::Open),
        (record("rejection/a", by(&[])), Found::NoSecret),
        (record("session/a/b", by(&[3])), Found::Lost(key(3).id())),
        (moved, Found::Damaged),
    ];
    for (record, found) in cases {
        assert_eq!(ring.look(&record), found);
        let anew = ring.sealed_anew(&OsRandomness, record.clone());
        match found {
            Found::Lost(_) | Found::Damaged => assert!(anew.is_none()),
            Found::NoSecret | Found::Current | Found::Open | Found::Older(_) => {
                let anew = anew.unwrap();
                assert_eq!(ring.look(&anew), Found::Current);
                assert!(anew.precondition.holds(Some(&record.value.0)) && !anew.precondition.holds(None));
            }
        }
    }
}

#[test]
fn a_store_takes_no_bank_that_lacks_a_key_of_it() {
    let store = Model::new();
    let admit = |numbers: &[u8]| block_on(ring(numbers).admit(&store));
    let missing = |numbers: &[u8]| {
        let ids = numbers.iter().map(|number| key(*number).id()).collect();
        Err(NotAdmitted::KeysMissing(ids))
    };
    assert_eq!(admit(&[]), Ok(()), "nothing was ever sealed");
    assert_eq!(admit(&[1]), Ok(()));
    assert_eq!(admit(&[]), missing(&[1]));
    assert_eq!(admit(&[2]), missing(&[1]));
    assert_eq!(admit(&[2, 1]), Ok(()));
    assert_eq!(admit(&[1]), missing(&[2]));
    assert_eq!(admit(&[3]), missing(&[1, 2]));
    assert_eq!(admit(&[1, 2]), Ok(()));
    block_on(ring(&[2, 1]).settle(&store)).unwrap();
    assert_eq!(admit(&[2]), Ok(()));
    let words = admit(&[]).unwrap_err().to_string();
    assert!(words.contains(&key(2).id().to_string()) && words.contains("--forget-lost"), "{words}");
    // It outlasts every sweep.
    block_on(store.sweep(UnixMillis::new(4_102_444_800_000))).unwrap();
    assert_eq!(admit(&[1]), missing(&[2]));
}

#[test]
fn what_is_to_be_forgotten_is_gone_with_the_next_sweep() {
    let store = Model::new();
    let lost = record("session/a/b", ring(&[1]).seal(&OsRandomness, &name("session/a/b"), b"{}"));
    assert_eq!(block_on(store.put(vec![lost.clone()])).unwrap(), PutOutcome::Stored);
    assert_eq!(block_on(store.put(vec![forgotten(lost.clone())])).unwrap(), PutOutcome::Stored);
    assert_eq!(
        block_on(store.put(vec![forgotten(lost)])).unwrap(),
        PutOutcome::Conflict,
        "it is another already"
    );
    assert_eq!(block_on(store.sweep(UnixMillis::new(1))).unwrap(), 1);
    assert_eq!(block_on(store.get(name("session/a/b"))).unwrap(), None);
}
