//! A disk that can be told to fail: a file system in memory, mounted by FUSE, that knows what was synced.
//!
//! The power is cut after a number of operations: from then on every request fails, until the disk is started again
//! with what survived ([`tree`], [`content`], [`survival`]). It keeps no promise that POSIX does not make, and each
//! that it makes. What an operation is that counts: whatever changes a file or a folder, and every sync.
//!
//! Each start has a folder of its own under the mount point, so that neither the kernel nor a thread of the store
//! that was open before can take a file for one of now.
//!
//! Read next: `mount`, what the kernel asks.

mod content;
mod mount;
mod survival;
mod tree;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Context as _;
use fuser::{BackgroundSession, Config, MountOption, Session};
use rustix::mount::{UnmountFlags, unmount};

use self::content::ChangeKind;
use self::mount::Mount;
use self::survival::Survival;
use self::tree::{NodeId, Tree};

/// How many bytes a disk has that was not told.
const CAPACITY_BYTES: u64 = 1 << 40;

/// A disk, mounted as long as this lives.
pub(crate) struct FuseDisk {
    state: Arc<Mutex<DiskState>>,
    mount_point: PathBuf,
    session: Option<BackgroundSession>,
}

/// What goes wrong after so many operations that it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A write fails and changes nothing.
    Write,
    /// A sync of a file fails; what was not synced may be lost, though it can be read.
    Sync,
    /// A write takes fewer bytes than it was given.
    ShortWrite,
}

/// What a disk is made to do, and how it is; what the kernel asks changes it.
struct DiskState {
    tree: Tree,
    /// How often it was started.
    generation: u32,
    /// How many operations there were.
    operations: u64,
    /// Of files that were written and not synced since, where the last write ended.
    unsynced_write_ends: BTreeMap<NodeId, u64>,
    /// At which operation the power is cut.
    cut_at_operation: Option<u64>,
    /// Where the power was cut.
    power_cut: Option<Injection>,
    planned_fault: Option<PlannedFault>,
    /// Where a fault struck.
    injections: Vec<Injection>,
    capacity_bytes: u64,
    random: fastrand::Rng,
}

struct PlannedFault {
    fault: Fault,
    /// How many operations that it concerns go well before.
    skip: u64,
    /// Once, or from then on.
    persistent: bool,
}

/// What the disk was doing when it was struck.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Injection {
    /// What was asked of it.
    pub(crate) operation: Operation,
    /// Of which file or folder, from the disk's root.
    pub(crate) path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Write,
    Sync,
    Make,
    Rename,
    Remove,
    Length,
    /// None: it was idle.
    Nothing,
}

/// How an operation that changes something ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OperationOutcome {
    Applied,
    /// It fails and nothing is done.
    Failed,
    /// It is done, and nobody is told.
    AppliedButUnreported,
}

/// What lies on a disk, to come back to.
pub(crate) struct Image(Tree);

impl FuseDisk {
    /// An empty disk, mounted at this folder.
    pub(crate) fn mount(at: &Path, seed: u64) -> anyhow::Result<Self> {
        let state = DiskState {
            tree: Tree::new(),
            generation: 1,
            operations: 0,
            unsynced_write_ends: BTreeMap::new(),
            cut_at_operation: None,
            power_cut: None,
            planned_fault: None,
            injections: Vec::new(),
            capacity_bytes: CAPACITY_BYTES,
            random: fastrand::Rng::with_seed(seed),
        };
        let state = Arc::new(Mutex::new(state));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("pactolus-torture".into()), MountOption::NoAtime];
        let session = Session::new(Mount(Arc::clone(&state)), at, &config)
            .and_then(Session::spawn)
            .context("a file system of this program cannot be mounted: that takes root and /dev/fuse")?;
        Ok(Self { state, mount_point: at.to_owned(), session: Some(session) })
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        lock(&self.state)
    }

    /// Where its files are, until it is started again.
    pub(crate) fn folder(&self) -> PathBuf {
        self.mount_point.join(self.state().generation.to_string())
    }

    /// Cuts the power at the operation after so many more.
    pub(crate) fn cut_power_after(&self, operations: u64) {
        let mut state = self.state();
        state.cut_at_operation = Some(state.operations + operations);
    }

    /// Cuts no power that is not cut yet.
    pub(crate) fn cancel_power_cut(&self) {
        self.state().cut_at_operation = None;
    }

    /// Cuts the power now, if it is not.
    pub(crate) fn cut_power(&self) {
        let nothing = Injection { operation: Operation::Nothing, path: PathBuf::new() };
        self.state().power_cut.get_or_insert(nothing);
    }

    /// Where the power was cut, if it is.
    pub(crate) fn power_cut(&self) -> Option<Injection> {
        self.state().power_cut.clone()
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Starts with what a power cut leaves, chosen by a seed.
    pub(crate) fn restart_after_power_cut(&self, seed: u64) {
        let mut state = self.state();
        let mut survival = Survival::new(seed, state.operations);
        state.tree = state.tree.after_power_cut(&mut survival);
        state.restart();
    }

    /// Starts as a machine goes on whose program was killed: what was written can be read, synced or not.
    pub(crate) fn restart_after_kill(&self) {
        self.state().restart();
    }

    /// Lets an operation fail, after so many others that could; once, or from then on.
    pub(crate) fn inject_fault(&self, fault: Fault, after: u64, lasting: bool) {
        self.state().planned_fault = Some(PlannedFault { fault, skip: after, persistent: lasting });
    }

    /// Fails no more; says where it did.
    pub(crate) fn clear_faults(&self) -> Vec<Injection> {
        let mut state = self.state();
        state.planned_fault = None;
        std::mem::take(&mut state.injections)
    }

    /// Has room for so many bytes more than there are; or as much as one may want.
    pub(crate) fn set_free_bytes(&self, more: Option<u64>) {
        let mut state = self.state();
        state.capacity_bytes = more.map_or(CAPACITY_BYTES, |more| state.tree.allocated_bytes() + more);
    }

    /// What lies on it, for [`FuseDisk::restart_from_image`].
    pub(crate) fn image(&self) -> Image {
        Image(self.state().tree.synced_copy())
    }

    /// Starts with what once lay on it.
    pub(crate) fn restart_from_image(&self, image: &Image) {
        let mut state = self.state();
        state.tree = image.0.synced_copy();
        state.restart();
    }

    /// The files, with the ranges of each that take room.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<std::ops::Range<u64>>)> {
        let state = self.state();
        let files = state.tree.files().into_iter();
        files
            .filter_map(|(path, id)| Some((path, state.tree.create_file(id)?.current.allocated_ranges())))
            .collect()
    }

    /// Turns a bit of a file that nobody has open since the disk was started.
    pub(crate) fn flip_bit(&self, path: &Path, offset: u64, bit: u32) {
        let mut state = self.state();
        let id = state.tree.files().into_iter().find(|(other, _)| other == path).map(|(_, id)| id);
        let _ = id.and_then(|id| state.tree.flip_bit(id, offset, bit));
    }
}

impl Image {
    /// Writes all of it into a folder of another disk, to be looked at.
    pub(crate) fn export(&self, folder: &Path) -> io::Result<()> {
        for (path, id) in self.0.files() {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            let file = std::fs::File::create(path)?;
            let Some(content) = self.0.create_file(id).map(|file| &file.current) else { continue };
            file.set_len(content.length())?;
            for range in content.allocated_ranges() {
                let count = usize::try_from(range.end - range.start).expect("a page");
                std::os::unix::fs::FileExt::write_all_at(
                    &file,
                    &content.read(range.start, count),
                    range.start,
                )?;
            }
        }
        Ok(())
    }
}

impl Drop for FuseDisk {
    fn drop(&mut self) {
        // Somebody who looks at a folder there, as a search of all files does, keeps it busy; then it goes when they do.
        if self.session.take().is_some_and(|session| session.umount_and_join().is_err())
            && let Err(error) = unmount(&self.mount_point, UnmountFlags::DETACH)
        {
            eprintln!("{} cannot be unmounted: {error}", self.mount_point.display());
        }
    }
}

impl DiskState {
    fn restart(&mut self) {
        self.generation += 1;
        self.power_cut = None;
        self.cut_at_operation = None;
    }

    /// What becomes of an operation on a file or folder.
    fn next_outcome(&mut self, operation: Operation, node: NodeId) -> OperationOutcome {
        if self.power_cut.is_some() {
            return OperationOutcome::Failed;
        }
        self.operations += 1;
        let is_cut = self.cut_at_operation.is_some_and(|at| at < self.operations);
        if is_cut {
            self.power_cut = Some(self.injection(operation, node));
            return if self.random.bool() {
                OperationOutcome::AppliedButUnreported
            } else {
                OperationOutcome::Failed
            };
        }
        OperationOutcome::Applied
    }

    fn injection(&self, operation: Operation, node: NodeId) -> Injection {
        let path = self.tree.node(node).map(|node| node.path.clone()).unwrap_or_default();
        Injection { operation, path }
    }

    /// Whether a fault of this kind strikes now.
    fn fault_triggers(&mut self, fault: Fault, operation: Operation, node: NodeId) -> bool {
        let Some(planned) = self.planned_fault.as_mut().filter(|planned| planned.fault == fault) else {
            return false;
        };
        if planned.skip > 0 {
            planned.skip -= 1;
            return false;
        }
        if !planned.persistent {
            self.planned_fault = None;
        }
        let injection = self.injection(operation, node);
        self.injections.push(injection);
        true
    }

    /// Whether there is less room than one may want.
    fn is_limited(&self) -> bool {
        self.capacity_bytes < CAPACITY_BYTES
    }

    /// How many bytes fit on the disk.
    fn free_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.tree.allocated_bytes())
    }
}

fn lock(state: &Mutex<DiskState>) -> MutexGuard<'_, DiskState> {
    state.lock().expect("nothing panics while it holds the disk")
}
