//! Sealing by itself: a known answer, tampering, and key rotation.

use pactolus_ledger::model::Model;
use pactolus_ledger::{Precondition, PutOutcome, RecordChange, Records as _};
use pactolus_types::UnixMillis;
use pollster::block_on;
use proptest::prelude::*;

use super::*;
use crate::OsRandomness;

const NO_EXPIRY: UnixMillis = UnixMillis::new(u64::MAX >> 1);

fn key(number: u8) -> MasterKey {
    MasterKey::from_bytes(&[number; 32])
}

fn keyring(numbers: &[u8]) -> Keyring {
    Keyring::new(numbers.iter().map(|number| key(*number)).collect()).unwrap()
}

fn name(name: &str) -> RecordKey {
    RecordKey::from_name(name.to_owned())
}

fn record(key: &str, value: RecordValue) -> RecordChange {
    RecordChange { key: name(key), value, expires_at: NO_EXPIRY, precondition: Precondition::Any }
}

/// Bytes 0 to 31.
const COUNTING_HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Made by another program, from the draft of XChaCha20-Poly1305 and RFC 5869. After a change no store opens any
/// more.
#[test]
fn sealed_format_is_stable() {
    let key = MasterKey::new(COUNTING_HEX).unwrap();
    assert_eq!(key.id().to_string(), "ea3137b7");
    let nonce = std::array::from_fn(|index| 0x40 + u8::try_from(index).unwrap());
    let sealed = seal_value(&key, nonce, &name("session/wx1234567/alice"), br#"{"a":1}"#);
    let known = "01ea3137b7404142434445464748494a4b4c4d4e4f5051525354555657\
                 54ac7dd6105d6c8aa5dd0f708c40b08798de0c6bfaddae";
    assert_eq!(sealed.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(), known);
    let ring = Keyring::new(vec![key]).unwrap();
    assert_eq!(*ring.open(&name("session/wx1234567/alice"), &sealed).unwrap(), br#"{"a":1}"#);
}

#[test]
fn master_key_is_32_bytes_in_hex_or_base64() {
    let id = MasterKey::new(COUNTING_HEX).unwrap().id();
    assert_eq!(MasterKey::new(&COUNTING_HEX.to_uppercase()).unwrap().id(), id);
    assert_eq!(MasterKey::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap().id(), id);
    let wrong = [
        "",
        "hunter2",
        &COUNTING_HEX[1..],
        &COUNTING_HEX.replace('0', "g"),
        &COUNTING_HEX.replace("00", "+1"),
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
fn debug_shows_only_the_key_id() {
    let key = MasterKey::new(COUNTING_HEX).unwrap();
    assert_eq!(format!("{key:?}"), "MasterKey(ea3137b7)");
    let ring = Keyring::new(vec![key.clone()]).unwrap();
    assert_eq!(format!("{ring:?}"), "Keyring([MasterKey(ea3137b7)])");
    let twice = Keyring::new(vec![key.clone(), key]).unwrap_err();
    assert_eq!(twice.to_string(), "holds the key with the id ea3137b7 twice; each must be another");
    assert!(!format!("{InvalidMasterKey} {InvalidMasterKey:?}").contains("0001"));
}

#[test]
fn without_keys_values_are_stored_as_plaintext() {
    let none = Keyring::default();
    let RecordValue(stored) = none.seal(&OsRandomness, &name("session/a/b"), b"{}");
    assert_eq!(stored, b"{}");
    assert_eq!(*keyring(&[1]).open(&name("session/a/b"), &stored).unwrap(), b"{}");
}

#[test]
fn unseal_errors_name_the_cause() {
    let at = name("session/a/b");
    let RecordValue(sealed) = keyring(&[1]).seal(&OsRandomness, &at, b"{}");
    let unknown = UnsealError::UnknownKey(key(1).id());
    assert_eq!(keyring(&[2, 3]).open(&at, &sealed).unwrap_err(), unknown);
    assert_eq!(Keyring::default().open(&at, &sealed).unwrap_err(), unknown);
    assert_eq!(keyring(&[1]).open(&name("session/a/c"), &sealed).unwrap_err(), UnsealError::Damaged);
    let mut later = sealed.clone();
    later[0] = 2;
    assert_eq!(keyring(&[1]).open(&at, &later).unwrap_err(), UnsealError::LaterVersion);
    for length in 1..sealed.len() {
        assert_eq!(keyring(&[1]).open(&at, &sealed[..length]).unwrap_err(), UnsealError::Damaged, "{length}");
    }
}

proptest! {
    #[test]
    fn seal_round_trips_at_any_key_position(
        value in proptest::collection::vec(any::<u8>(), 0..300),
        at in "[a-z/]{1,40}",
        before in 0..3_u8,
    ) {
        let at = name(&at);
        let RecordValue(stored) = keyring(&[9]).seal(&OsRandomness, &at, &value);
        let keys: Vec<_> = (0..before).chain([9]).collect();
        prop_assert_eq!(&**keyring(&keys).open(&at, &stored).unwrap(), &*value);
        let RecordValue(again) = keyring(&[9]).seal(&OsRandomness, &at, &value);
        prop_assert_ne!(stored, again, "each time with another nonce");
    }

    #[test]
    fn flipped_bit_fails_to_open(
        value in proptest::collection::vec(any::<u8>(), 0..100),
        at in "[a-z/]{1,40}",
        bit in any::<proptest::sample::Index>(),
    ) {
        let at = name(&at);
        let RecordValue(mut stored) = keyring(&[9]).seal(&OsRandomness, &at, &value);
        // A flip in the first byte can mark the value as not sealed; then it is not JSON either.
        let bit = 8 + bit.index(8 * (stored.len() - 1));
        stored[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(keyring(&[9]).open(&at, &stored).is_err());
    }

    #[test]
    fn value_is_bound_to_its_record_key(
        value in proptest::collection::vec(any::<u8>(), 0..100),
        names in ("[a-z/]{1,20}", "[a-z/]{1,20}"),
    ) {
        prop_assume!(names.0 != names.1);
        let RecordValue(stored) = keyring(&[9]).seal(&OsRandomness, &name(&names.0), &value);
        prop_assert_eq!(keyring(&[9]).open(&name(&names.1), &stored).unwrap_err(), UnsealError::Damaged);
    }

    #[test]
    fn arbitrary_bytes_never_panic(stored in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = keyring(&[9]).open(&name("session/a/b"), &stored);
    }
}

#[test]
fn inspect_classifies_and_reseal_updates() {
    let ring = keyring(&[2, 1]);
    let by = |numbers: &[u8]| self::keyring(numbers).seal(&OsRandomness, &name("session/a/b"), b"{}");
    let moved = record("session/a/c", by(&[2]));
    let cases = [
        (record("session/a/b", by(&[2])), SealStatus::Current),
        (record("session/a/b", by(&[1])), SealStatus::OldKey(key(1).id())),
        (record("session/a/b", by(&[])), SealStatus::Plaintext),
        (record("rejection/a", by(&[])), SealStatus::NoSecret),
        (record("session/a/b", by(&[3])), SealStatus::LostKey(key(3).id())),
        (moved, SealStatus::Damaged),
    ];
    for (record, found) in cases {
        assert_eq!(ring.inspect(&record), found);
        let resealed = ring.reseal(&OsRandomness, record.clone());
        match found {
            SealStatus::LostKey(_) | SealStatus::Damaged => assert!(resealed.is_none()),
            SealStatus::NoSecret | SealStatus::Current | SealStatus::Plaintext | SealStatus::OldKey(_) => {
                let resealed = resealed.unwrap();
                assert_eq!(ring.inspect(&resealed), SealStatus::Current);
                assert!(
                    resealed.precondition.holds(Some(&record.value.0)) && !resealed.precondition.holds(None)
                );
            }
        }
    }
}

#[test]
fn check_keys_rejects_missing_keys() {
    let store = Model::new();
    let check = |numbers: &[u8]| block_on(keyring(numbers).check_keys(&store));
    let missing = |numbers: &[u8]| {
        let ids = numbers.iter().map(|number| key(*number).id()).collect();
        Err(KeyCheckError::MissingKeys(ids))
    };
    assert_eq!(check(&[]), Ok(()), "nothing was ever sealed");
    assert_eq!(check(&[1]), Ok(()));
    assert_eq!(check(&[]), missing(&[1]));
    assert_eq!(check(&[2]), missing(&[1]));
    assert_eq!(check(&[2, 1]), Ok(()));
    assert_eq!(check(&[1]), missing(&[2]));
    assert_eq!(check(&[3]), missing(&[1, 2]));
    assert_eq!(check(&[1, 2]), Ok(()));
    block_on(keyring(&[2, 1]).retire_old_keys(&store)).unwrap();
    assert_eq!(check(&[2]), Ok(()));
    let words = check(&[]).unwrap_err().to_string();
    assert!(words.contains(&key(2).id().to_string()) && words.contains("--drop-unreadable"), "{words}");
    // It outlives every sweep.
    block_on(store.sweep(UnixMillis::new(4_102_444_800_000))).unwrap();
    assert_eq!(check(&[1]), missing(&[2]));
}

#[test]
fn expired_record_is_removed_by_the_next_sweep() {
    let store = Model::new();
    let lost = record("session/a/b", keyring(&[1]).seal(&OsRandomness, &name("session/a/b"), b"{}"));
    assert_eq!(block_on(store.put(vec![lost.clone()])).unwrap(), PutOutcome::Stored);
    assert_eq!(block_on(store.put(vec![expire_record(lost.clone())])).unwrap(), PutOutcome::Stored);
    assert_eq!(
        block_on(store.put(vec![expire_record(lost)])).unwrap(),
        PutOutcome::Conflict,
        "the record has changed already"
    );
    assert_eq!(block_on(store.sweep(UnixMillis::new(1))).unwrap(), 1);
    assert_eq!(block_on(store.get(name("session/a/b"))).unwrap(), None);
}
