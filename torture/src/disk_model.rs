//! Fault-injecting disk: an in-memory file system, mounted through FUSE, that tracks what was synced.
//!
//! A power cut comes after a number of operations. From then on every request fails, until the disk restarts with the
//! surviving changes ([`tree`], [`content`], [`survival`]). The disk keeps every promise of POSIX and no other. An
//! operation is any change of a file or folder, and every sync.
//!
//! Each start has a folder of its own under the mount point. So neither the kernel nor a leftover thread of an
//! earlier store can mistake an old file for a current one.
//!
//! Read next: `mount`, the requests of the kernel.

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

/// Capacity of an unlimited disk, in bytes.
const CAPACITY_BYTES: u64 = 1 << 40;

/// A disk, unmounted on drop.
pub(crate) struct FuseDisk {
    state: Arc<Mutex<DiskState>>,
    mount_point: PathBuf,
    session: Option<BackgroundSession>,
}

/// Faults of single operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A write fails and changes nothing.
    Write,
    /// A sync of a file fails. Unsynced changes may be lost, although reads still return them.
    Sync,
    /// A short write.
    ShortWrite,
}

/// The disk's contents and its planned faults; requests of the kernel change it.
struct DiskState {
    tree: Tree,
    /// Starts of the disk.
    generation: u32,
    /// Operations so far.
    operations: u64,
    /// End of the last write of each file with unsynced writes.
    unsynced_write_ends: BTreeMap<NodeId, u64>,
    /// The operation at which the power is cut.
    cut_at_operation: Option<u64>,
    /// The operation that the power cut interrupted.
    power_cut: Option<Injection>,
    planned_fault: Option<PlannedFault>,
    /// Operations that a fault failed.
    injections: Vec<Injection>,
    capacity_bytes: u64,
    random: fastrand::Rng,
}

struct PlannedFault {
    fault: Fault,
    /// Matching operations that succeed first.
    skip: u64,
    /// Fails every later matching operation too, not just one.
    persistent: bool,
}

/// Operation that a fault or a power cut hit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Injection {
    pub(crate) operation: Operation,
    /// Its file or folder, relative to the disk's root.
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
    /// The disk was idle.
    Nothing,
}

/// Outcome of an operation that changes something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OperationOutcome {
    Applied,
    /// Failed, without an effect.
    Failed,
    /// Applied, but reported as failed.
    AppliedButUnreported,
}

/// A snapshot of the disk's contents.
pub(crate) struct Image(Tree);

impl FuseDisk {
    /// Mounts an empty disk at this folder.
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
            .context("the FUSE file system cannot be mounted: it needs root and /dev/fuse")?;
        Ok(Self { state, mount_point: at.to_owned(), session: Some(session) })
    }

    fn state(&self) -> MutexGuard<'_, DiskState> {
        lock(&self.state)
    }

    /// Folder of the current start.
    pub(crate) fn folder(&self) -> PathBuf {
        self.mount_point.join(self.state().generation.to_string())
    }

    /// Cuts the power after so many further operations.
    pub(crate) fn cut_power_after(&self, operations: u64) {
        let mut state = self.state();
        state.cut_at_operation = Some(state.operations + operations);
    }

    /// Cancels a power cut that has not happened yet.
    pub(crate) fn cancel_power_cut(&self) {
        self.state().cut_at_operation = None;
    }

    /// Cuts the power now, if it is still on.
    pub(crate) fn cut_power(&self) {
        let nothing = Injection { operation: Operation::Nothing, path: PathBuf::new() };
        self.state().power_cut.get_or_insert(nothing);
    }

    /// The operation that the power cut interrupted, if there was a cut.
    pub(crate) fn power_cut(&self) -> Option<Injection> {
        self.state().power_cut.clone()
    }

    /// Operations so far.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Restarts with the changes that survive a power cut, chosen by the seed.
    pub(crate) fn restart_after_power_cut(&self, seed: u64) {
        let mut state = self.state();
        let mut survival = Survival::new(seed, state.operations);
        state.tree = state.tree.after_power_cut(&mut survival);
        state.restart();
    }

    /// Restarts as after a kill of the process alone: every write is still readable, synced or not.
    pub(crate) fn restart_after_kill(&self) {
        self.state().restart();
    }

    /// Fails one matching operation after `after` others, or every later one if `lasting`.
    pub(crate) fn inject_fault(&self, fault: Fault, after: u64, lasting: bool) {
        self.state().planned_fault = Some(PlannedFault { fault, skip: after, persistent: lasting });
    }

    /// Clears planned faults, and returns the operations that failed.
    pub(crate) fn clear_faults(&self) -> Vec<Injection> {
        let mut state = self.state();
        state.planned_fault = None;
        std::mem::take(&mut state.injections)
    }

    /// Limits the free space to so many bytes; `None` removes the limit.
    pub(crate) fn set_free_bytes(&self, more: Option<u64>) {
        let mut state = self.state();
        state.capacity_bytes = more.map_or(CAPACITY_BYTES, |more| state.tree.allocated_bytes() + more);
    }

    /// Snapshot for [`FuseDisk::restart_from_image`].
    pub(crate) fn image(&self) -> Image {
        Image(self.state().tree.synced_copy())
    }

    /// Restarts with a snapshot.
    pub(crate) fn restart_from_image(&self, image: &Image) {
        let mut state = self.state();
        state.tree = image.0.synced_copy();
        state.restart();
    }

    /// Every file with its allocated ranges.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<std::ops::Range<u64>>)> {
        let state = self.state();
        let files = state.tree.files().into_iter();
        files.filter_map(|(path, id)| Some((path, state.tree.file(id)?.current.allocated_ranges()))).collect()
    }

    /// Flips a bit of a file that has not been opened since the restart.
    pub(crate) fn flip_bit(&self, path: &Path, offset: u64, bit: u32) {
        let mut state = self.state();
        let id = state.tree.files().into_iter().find(|(other, _)| other == path).map(|(_, id)| id);
        let _ = id.and_then(|id| state.tree.flip_bit(id, offset, bit));
    }
}

impl Image {
    /// Copies all files to a folder of another disk, for inspection.
    pub(crate) fn export(&self, folder: &Path) -> io::Result<()> {
        for (path, id) in self.0.files() {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            let file = std::fs::File::create(path)?;
            let Some(content) = self.0.file(id).map(|file| &file.current) else { continue };
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
        // Another process in a folder of the mount keeps it busy. A lazy unmount removes it once that process leaves.
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

    /// Counts an operation and decides its outcome.
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

    /// Whether the planned fault hits this operation.
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

    /// Whether the free space is limited.
    fn is_limited(&self) -> bool {
        self.capacity_bytes < CAPACITY_BYTES
    }

    fn free_bytes(&self) -> u64 {
        self.capacity_bytes.saturating_sub(self.tree.allocated_bytes())
    }
}

fn lock(state: &Mutex<DiskState>) -> MutexGuard<'_, DiskState> {
    state.lock().expect("nothing panics while it holds the disk")
}
