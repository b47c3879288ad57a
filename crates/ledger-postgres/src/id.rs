//! Ids: 16-byte hashes of an account's key, or of a bill number with its scope.
//!
//! An account's key has five parts, and every order needs it in two tables and three indexes. An id takes 16 bytes.
//! It is a BLAKE3 digest, truncated, and stable across nodes and versions, so that a node computes it locally.
//! A collision takes some 2^64 tries to find. Every reader of a row still compares the full key, and the engine fails
//! rather than give a player another player's coins.
//!
//! The first byte is the partition, the first column of every primary key.

use std::error::Error;
use std::fmt;

use bytes::{BufMut as _, BytesMut};
use pactolus_ledger::{AccountKey, BillKey, RecordKey};
use pactolus_types::{AppId, Environment};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// Number of partitions. It is part of the stored format: a bank with another number is incompatible.
pub(crate) const PARTITIONS: i16 = 256;

pub(crate) fn record_partition(key: &RecordKey) -> i16 {
    i16::from(blake3::hash(key.as_str().as_bytes()).as_bytes()[0])
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name([u8; 16]);

        impl $name {
            /// The partition of the id, 0 to 255.
            pub(crate) fn part(self) -> i16 {
                i16::from(self.0[0])
            }
        }

        /// As PostgreSQL reads it.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl ToSql for $name {
            fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
                out.put_slice(&self.0);
                Ok(IsNull::No)
            }

            fn accepts(kind: &Type) -> bool {
                *kind == Type::UUID
            }

            to_sql_checked!();
        }

        impl FromSql<'_> for $name {
            fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
                Ok(Self(raw.try_into()?))
            }

            fn accepts(kind: &Type) -> bool {
                *kind == Type::UUID
            }
        }
    };
}

id! {
    /// Id of an account.
    AccountId
}

id! {
    /// Id of a bill number.
    BillId
}

impl AccountId {
    pub(crate) const MIN: Self = Self([0; 16]);

    /// The next id; `None` after the last.
    pub(crate) fn next(self) -> Option<Self> {
        u128::from_be_bytes(self.0).checked_add(1).map(|next| Self(next.to_be_bytes()))
    }

    pub(crate) fn derive(key: &AccountKey) -> Self {
        let names = [key.offer.as_bytes(), key.player.as_bytes(), key.zone.as_bytes()];
        Self(digest(key.app, key.environment, names))
    }
}

impl BillId {
    /// A number of an account has the partition of the account, so that its order is written in one partition. Its
    /// digest has four names, so it is never that of an account (three) or of an app's number (one).
    pub(crate) fn derive(bill: &BillKey) -> Self {
        let BillKey { app, environment, bill_no, .. } = bill;
        let Some(account) = bill.account() else {
            return Self(digest(*app, *environment, [bill_no.as_bytes()]));
        };
        let AccountKey { offer, player, zone, .. } = &account;
        let names = [offer.as_bytes(), player.as_bytes(), zone.as_bytes(), bill_no.as_bytes()];
        let mut id = digest(*app, *environment, names);
        id[0] = AccountId::derive(&account).0[0];
        Self(id)
    }
}

/// Hashes names, each terminated by a zero byte, which no name contains.
fn digest<const N: usize>(app: AppId, environment: Environment, names: [&[u8]; N]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(app.as_bytes());
    hasher.update(match environment {
        Environment::Live => &[0, 0],
        Environment::Sandbox => &[0, 1],
    });
    for name in names {
        hasher.update(name);
        hasher.update(&[0]);
    }
    let [digest @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *hasher.finalize().as_bytes();
    digest
}

#[cfg(test)]
mod tests {
    use pactolus_ledger::Numbering;

    use super::*;

    #[test]
    fn ids_are_stable() {
        let account = AccountKey {
            app: "wx1234567".parse().unwrap(),
            environment: Environment::Live,
            offer: "12345678".parse().unwrap(),
            player: "odkx20ENSNa2w5y3g_qOkOvBNM1g".parse().unwrap(),
            zone: "1".parse().unwrap(),
        };
        let sandbox = AccountKey { environment: Environment::Sandbox, ..account };
        assert_ne!(AccountId::derive(&account), AccountId::derive(&sandbox));
        let bill = BillKey::of_app(account.app, account.environment, "BillNo_123".parse().unwrap());
        let bill_of_account = Numbering::OfAccount.key(&account, bill.bill_no);
        assert_eq!(BillId::derive(&bill_of_account).part(), AccountId::derive(&account).part());
        assert_ne!(BillId::derive(&bill_of_account), BillId::derive(&bill));
        let hex = |id: [u8; 16]| id.map(|byte| format!("{byte:02x}")).concat();
        // The ids in existing banks.
        assert_eq!(hex(AccountId::derive(&account).0), "1b27af822985aae2e604c042ed1feed7");
        assert_eq!(hex(BillId::derive(&bill).0), "95fd45cb8dbb62a10dfb322258e7ea47");
    }
}
