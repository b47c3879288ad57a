//! The manifest of the views: the runs of their indexes, and the checkpoint up to which they reach.
//!
//! It is one small file, replaced atomically, so the views are always those of one moment.
//!
//! ```text
//! contents = magic "PCTVIEWS" · format u32 · crc u32 · body
//! body     = seed [16] · digest [32] · position · orders · next run · runs of bills · runs of accounts
//! ```
//!
//! `format` and `crc` are little-endian, and the crc is of the body; the other integers are variable-length, and a
//! list begins with its length.

use std::io;
use std::path::{Path, PathBuf};

use crate::codec::{ByteReader, VIEWS_VERSION, put_varint};
use crate::disk::{Disk, rename_durably, sync_result};
use crate::fingerprint::Seed;
use crate::index::IndexError;
use crate::journal::{Checkpoint, Position};
use crate::random::FillRandom;

const MAGIC: [u8; 8] = *b"PCTVIEWS";
const BODY_AT: usize = 16;

pub(super) struct Manifest {
    pub(super) seed: Seed,
    pub(super) reached: Checkpoint,
    /// Number of the next run; no number is used twice.
    pub(super) next_run: u64,
    /// The runs of each index, newest first.
    pub(super) bills: Vec<u64>,
    pub(super) accounts: Vec<u64>,
}

impl Manifest {
    fn empty(randomness: FillRandom) -> Self {
        Self {
            seed: Seed::random(randomness),
            reached: Checkpoint::START,
            next_run: 0,
            bills: Vec::new(),
            accounts: Vec::new(),
        }
    }

    /// Empty views with the same seed and run numbers, to be rebuilt.
    pub(super) fn reset(self) -> Self {
        Self { reached: Checkpoint::START, bills: Vec::new(), accounts: Vec::new(), ..self }
    }

    fn path(folder: &Path) -> PathBuf {
        folder.join("contents")
    }

    /// Reads the manifest saved last; without one the views are empty.
    pub(super) fn read(folder: &Path, randomness: FillRandom) -> Result<Self, IndexError> {
        let path = Self::path(folder);
        match std::fs::read(&path) {
            Ok(bytes) => Self::decode(&bytes).ok_or(IndexError::Corrupt { file: path, offset: 0 }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::empty(randomness)),
            Err(error) => Err(error.into()),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(BODY_AT)?;
        let is_whole = head[..8] == MAGIC
            && head[8..12] == VIEWS_VERSION.to_le_bytes()
            && head[12..] == crc32fast::hash(body).to_le_bytes();
        let mut reader = ByteReader::new(body);
        let seed = Seed(reader.array()?);
        let digest = reader.array()?;
        let reached = Checkpoint { position: Position(reader.varint()?), orders: reader.varint()?, digest };
        let next_run = reader.varint()?;
        let mut list = || (0..reader.varint()?).map(|_| reader.varint()).collect::<Option<Vec<_>>>();
        let (bills, accounts) = (list()?, list()?);
        is_whole.then_some(Self { seed, reached, next_run, bills, accounts })
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&self.seed.0);
        body.extend_from_slice(&self.reached.digest);
        for number in [self.reached.position.0, self.reached.orders, self.next_run] {
            put_varint(&mut body, number);
        }
        for runs in [&self.bills, &self.accounts] {
            put_varint(&mut body, runs.len() as u64);
            for run in runs {
                put_varint(&mut body, *run);
            }
        }
        let crc = crc32fast::hash(&body).to_le_bytes();
        [&MAGIC[..], &VIEWS_VERSION.to_le_bytes(), &crc, &body].concat()
    }

    /// Replaces the manifest saved before; durable on return. On a full disk the one before is still in place.
    pub(super) fn save(&self, folder: &Path, disk: &dyn Disk) -> Result<(), IndexError> {
        let path = Self::path(folder);
        let unnamed = path.with_extension("new");
        let file = disk.create(&unnamed)?;
        disk.write(&file, &self.encode(), 0)?;
        sync_result(file.sync_all())?;
        Ok(rename_durably(&unnamed, &path)?)
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzzed properties of the manifest.

    use super::{MAGIC, Manifest};
    use crate::codec::VIEWS_VERSION;

    /// A manifest that decodes also round-trips, and no bytes make decoding panic, whether their checksum is right or
    /// wrong.
    pub(in super::super) fn manifest(bytes: &[u8]) {
        let crc = crc32fast::hash(bytes).to_le_bytes();
        let sealed = [&MAGIC[..], &VIEWS_VERSION.to_le_bytes(), &crc, bytes].concat();
        for bytes in [bytes, &sealed] {
            let Some(read) = Manifest::decode(bytes) else { continue };
            let again = Manifest::decode(&read.encode()).expect("it was written as contents are");
            assert_eq!(
                (again.seed.0, again.reached, again.next_run),
                (read.seed.0, read.reached, read.next_run)
            );
            assert_eq!((again.bills, again.accounts), (read.bills, read.accounts));
        }
        if let Some(changed) = sealed.len().checked_sub(1) {
            let mut sealed = sealed;
            sealed[changed] ^= 1;
            assert!(Manifest::decode(&sealed).is_none(), "changed contents are taken");
        }
    }
}
