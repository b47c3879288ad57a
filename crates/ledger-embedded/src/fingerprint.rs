//! Fingerprints: 16-byte keyed hashes of account names and bill numbers.
//!
//! Each store draws its own key, so a caller cannot choose two names with one fingerprint. The odds that any two of
//! ten thousand million names collide by chance are one in 10^18.
//! A reader compares the name in the order that it finds. On a mismatch the store fails rather than give one player
//! another's coins.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use pactolus_ledger::{AccountKey, BillKey, Holder};
use pactolus_types::{AppId, Environment};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::random::FillRandom;

/// What a store's fingerprints are keyed with.
#[derive(Clone, Copy)]
pub(crate) struct Seed(pub(crate) [u8; 16]);

impl Seed {
    /// An unpredictable seed.
    pub(crate) fn random(randomness: FillRandom) -> Self {
        let mut seed = [0; 16];
        randomness(&mut seed);
        Self(seed)
    }

    /// The fingerprint of an account's name.
    pub(crate) fn account(self, key: &AccountKey) -> Fingerprint {
        self.fingerprint(
            key.app,
            key.environment,
            [key.offer.as_bytes(), key.player.as_bytes(), key.zone.as_bytes()],
        )
    }

    /// The fingerprint of a bill number in its space. One of an account has four names, so it is never the input of
    /// an account (three) or of an app's number (one).
    pub(crate) fn bill(self, bill: &BillKey) -> Fingerprint {
        let BillKey { app, environment, holder, bill_no } = bill;
        match holder {
            None => self.fingerprint(*app, *environment, [bill_no.as_bytes()]),
            Some(Holder { offer, player, zone }) => {
                let names = [offer.as_bytes(), player.as_bytes(), zone.as_bytes(), bill_no.as_bytes()];
                self.fingerprint(*app, *environment, names)
            }
        }
    }

    /// The fingerprint of names, each ended by a zero byte, which no name can hold.
    fn fingerprint<const N: usize>(
        self,
        app: AppId,
        environment: Environment,
        names: [&[u8]; N],
    ) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(app.as_bytes());
        hasher.write(match environment {
            Environment::Live => &[0, 0],
            Environment::Sandbox => &[0, 1],
        });
        for name in names {
            hasher.write(name);
            hasher.write(&[0]);
        }
        let hash = hasher.finish128();
        Fingerprint { high: hash.h1, low: hash.h2 }
    }
}

/// What stands for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint {
    /// The half that orders; spread evenly, so that a place in a sorted row can be guessed from it.
    pub(crate) high: u64,
    pub(crate) low: u64,
}

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.low);
    }
}

/// A map by fingerprint, which needs no hashing: a fingerprint is a hash already.
pub(crate) type FingerprintMap<T> = HashMap<Fingerprint, T, BuildHasherDefault<IdentityHasher>>;

/// Takes a fingerprint's bits as they are.
#[derive(Default)]
pub(crate) struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a fingerprint is written as one integer");
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
