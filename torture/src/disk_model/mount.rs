//! The FUSE requests of the kernel, answered by a [`DiskState`].
//!
//! The kernel may cache attributes and data for the whole of a start, because only it changes the files meanwhile.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::tree::{File, Folder, NodeId, NodeKind, Tree};
use super::{ChangeKind, DiskState, Fault, Operation, OperationOutcome, Survival, lock};

const ATTRIBUTE_TTL: Duration = Duration::from_secs(24 * 3600);
const BLOCK_BYTES: u32 = 4096;

/// The file system of a disk.
pub(super) struct Mount(pub(super) Arc<Mutex<DiskState>>);

/// Inode number: the start in the upper 32 bits, the node in the lower. The mount point itself is 1.
fn inode(start: u32, node: NodeId) -> INodeNo {
    INodeNo((u64::from(start) << 32) | u64::from(node.0))
}

impl DiskState {
    /// The node of an inode number; `EIO` after a power cut or for an earlier start.
    fn resolve_node(&self, inode: INodeNo) -> Result<NodeId, Errno> {
        let [start, node] = [inode.0 >> 32, inode.0 & u64::from(u32::MAX)];
        if self.power_cut.is_some() || start != u64::from(self.generation) {
            return Err(Errno::EIO);
        }
        Ok(NodeId(u32::try_from(node).expect("32 bits")))
    }

    fn resolve_file(&self, inode: INodeNo) -> Result<(NodeId, &File), Errno> {
        let id = self.resolve_node(inode)?;
        Ok((id, self.tree.file(id).ok_or(Errno::EISDIR)?))
    }

    fn resolve_folder(&self, inode: INodeNo) -> Result<(NodeId, &Folder), Errno> {
        let id = self.resolve_node(inode)?;
        Ok((id, self.tree.folder(id).ok_or(Errno::ENOTDIR)?))
    }

    fn file_attributes(&self, id: NodeId) -> Result<FileAttr, Errno> {
        let (kind, size) = match &self.tree.node(id).ok_or(Errno::EIO)?.kind {
            NodeKind::File(file) => (FileType::RegularFile, file.current.length()),
            NodeKind::Folder(_) => (FileType::Directory, 0),
        };
        Ok(attributes(inode(self.generation, id), kind, size))
    }

    fn look_up(&self, parent: INodeNo, name: &OsStr) -> Result<FileAttr, Errno> {
        if parent == INodeNo::ROOT {
            let is_now = name.to_str() == Some(&self.generation.to_string());
            return if is_now { self.file_attributes(Tree::ROOT) } else { Err(Errno::ENOENT) };
        }
        let (_, folder) = self.resolve_folder(parent)?;
        self.file_attributes(*folder.current.get(name).ok_or(Errno::ENOENT)?)
    }

    fn create_node(&mut self, parent: INodeNo, name: &OsStr, kind: NodeKind) -> Result<FileAttr, Errno> {
        let (folder, entries) = self.resolve_folder(parent)?;
        if entries.current.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let outcome = self.next_outcome(Operation::Make, folder);
        let at = self.operations;
        let mut made = None;
        if outcome != OperationOutcome::Failed {
            made = self.tree.create(at, folder, name, kind);
        }
        Self::into_result(outcome)?;
        self.file_attributes(made.ok_or(Errno::EIO)?)
    }

    fn into_result(outcome: OperationOutcome) -> Result<(), Errno> {
        match outcome {
            OperationOutcome::Applied => Ok(()),
            OperationOutcome::Failed | OperationOutcome::AppliedButUnreported => Err(Errno::EIO),
        }
    }

    fn remove(&mut self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let (folder, entries) = self.resolve_folder(parent)?;
        let node = *entries.current.get(name).ok_or(Errno::ENOENT)?;
        if self.tree.folder(node).is_some_and(|folder| !folder.current.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        let outcome = self.next_outcome(Operation::Remove, node);
        if outcome != OperationOutcome::Failed {
            self.tree.remove(self.operations, folder, name).ok_or(Errno::EIO)?;
        }
        Self::into_result(outcome)
    }

    fn rename(&mut self, parent: INodeNo, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        let (folder, entries) = self.resolve_folder(parent)?;
        let node = *entries.current.get(from).ok_or(Errno::ENOENT)?;
        if entries.current.get(to).is_some_and(|there| self.tree.folder(*there).is_some()) {
            return Err(Errno::EISDIR);
        }
        let outcome = self.next_outcome(Operation::Rename, node);
        if outcome != OperationOutcome::Failed {
            self.tree.rename(self.operations, folder, from, to).ok_or(Errno::EIO)?;
        }
        Self::into_result(outcome)
    }

    fn read(&self, inode: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let (_, file) = self.resolve_file(inode)?;
        Ok(file.current.read(offset, usize::try_from(size).map_err(|_| Errno::EINVAL)?))
    }

    fn write(&mut self, inode: INodeNo, offset: u64, bytes: &[u8]) -> Result<u32, Errno> {
        let (id, file) = self.resolve_file(inode)?;
        if self.is_limited() && file.current.bytes_to_allocate(offset, bytes.len()) > self.free_bytes() {
            return Err(Errno::ENOSPC);
        }
        // The kernel splits a long write. If a later part fails after an earlier one succeeded, it reports a short
        // write and hides the error. So only the first part can fail a whole write.
        let begins = self.unsynced_write_ends.insert(id, offset + bytes.len() as u64) != Some(offset);
        if begins && self.fault_triggers(Fault::Write, Operation::Write, id) {
            return Err(Errno::EIO);
        }
        let mut count = bytes.len();
        if count > 1 && self.fault_triggers(Fault::ShortWrite, Operation::Write, id) {
            count = self.random.usize(1..count);
        }
        self.apply_change(
            Operation::Write,
            id,
            ChangeKind::Write { offset, bytes: bytes[..count].to_vec() },
        )?;
        u32::try_from(count).map_err(|_| Errno::EINVAL)
    }

    fn apply_change(&mut self, operation: Operation, id: NodeId, change: ChangeKind) -> Result<(), Errno> {
        let outcome = self.next_outcome(operation, id);
        if outcome != OperationOutcome::Failed {
            self.tree.apply_change(self.operations, id, change).ok_or(Errno::EIO)?;
        }
        Self::into_result(outcome)
    }

    fn sync(&mut self, inode: INodeNo) -> Result<(), Errno> {
        let id = self.resolve_node(inode)?;
        self.unsynced_write_ends.remove(&id);
        if self.tree.file(id).is_some() && self.fault_triggers(Fault::Sync, Operation::Sync, id) {
            let mut survival = Survival::new(self.random.u64(..), self.operations);
            self.tree.fail_sync(id, &mut survival).ok_or(Errno::EIO)?;
            return Err(Errno::EIO);
        }
        let outcome = self.next_outcome(Operation::Sync, id);
        if outcome != OperationOutcome::Failed {
            self.tree.sync(id).ok_or(Errno::EIO)?;
        }
        Self::into_result(outcome)
    }

    /// Directory entries of a folder.
    fn list_folder(
        &self,
        inode_of_folder: INodeNo,
    ) -> Result<Vec<(INodeNo, FileType, std::ffi::OsString)>, Errno> {
        if inode_of_folder == INodeNo::ROOT {
            let now = inode(self.generation, Tree::ROOT);
            return Ok(vec![(now, FileType::Directory, self.generation.to_string().into())]);
        }
        let (_, folder) = self.resolve_folder(inode_of_folder)?;
        let entry = |(name, id): (&std::ffi::OsString, &NodeId)| {
            let attributes = self.file_attributes(*id)?;
            Ok((attributes.ino, attributes.kind, name.clone()))
        };
        folder.current.iter().map(entry).collect()
    }
}

fn attributes(ino: INodeNo, kind: FileType, size: u64) -> FileAttr {
    let then = SystemTime::UNIX_EPOCH;
    FileAttr {
        ino,
        size,
        blocks: size.div_ceil(512),
        atime: then,
        mtime: then,
        ctime: then,
        crtime: then,
        kind,
        perm: 0o700,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    }
}

fn reply_entry(reply: ReplyEntry, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attributes) => reply.entry(&ATTRIBUTE_TTL, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn reply_empty(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn reply_attributes(reply: ReplyAttr, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attributes) => reply.attr(&ATTRIBUTE_TTL, &attributes),
        Err(error) => reply.error(error),
    }
}

/// Requests that are not implemented are handled by the kernel itself, such as locks, or fail with `ENOSYS`.
impl Filesystem for Mount {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        reply_entry(reply, lock(&self.0).look_up(parent, name));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        if ino == INodeNo::ROOT {
            return reply.attr(&ATTRIBUTE_TTL, &attributes(ino, FileType::Directory, 0));
        }
        let state = lock(&self.0);
        reply_attributes(reply, state.resolve_node(ino).and_then(|id| state.file_attributes(id)));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = lock(&self.0);
        let id = match state.resolve_node(ino) {
            Ok(id) => id,
            Err(error) => return reply.error(error),
        };
        let changed = match size {
            Some(size) => state.apply_change(Operation::Length, id, ChangeKind::SetLength(size)),
            None => Ok(()),
        };
        reply_attributes(reply, changed.and_then(|()| state.file_attributes(id)));
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        reply_entry(reply, lock(&self.0).create_node(parent, name, NodeKind::Folder(Folder::default())));
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let file = NodeKind::File(File::default());
        match lock(&self.0).create_node(parent, name, file) {
            Ok(made) => {
                reply.created(
                    &ATTRIBUTE_TTL,
                    &made,
                    Generation(0),
                    FileHandle(0),
                    FopenFlags::FOPEN_KEEP_CACHE,
                );
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(reply, lock(&self.0).remove(parent, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(reply, lock(&self.0).remove(parent, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        // The store never moves a file between folders, so the model leaves out that case of a power cut.
        if parent != newparent || !flags.is_empty() {
            return reply.error(Errno::EXDEV);
        }
        reply_empty(reply, lock(&self.0).rename(parent, name, newname));
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match lock(&self.0).resolve_node(ino) {
            Ok(_) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match lock(&self.0).read(ino, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match lock(&self.0).write(ino, offset, data) {
            Ok(count) => reply.written(count),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // `ENOSYS` stops further flush requests. Otherwise this process, on exit, would wait for its own answer: a
        // deadlock.
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        reply_empty(reply, lock(&self.0).sync(ino));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        // The entries of the mount point itself are never lost.
        let synced = if ino == INodeNo::ROOT { Ok(()) } else { lock(&self.0).sync(ino) };
        reply_empty(reply, synced);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let list = match lock(&self.0).list_folder(ino) {
            Ok(list) => list,
            Err(error) => return reply.error(error),
        };
        let own = [".", ".."].map(|name| (ino, FileType::Directory, name.into()));
        for (next, (ino, kind, name)) in (1..).zip(own.into_iter().chain(list)) {
            if next > offset && reply.add(ino, next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let state = lock(&self.0);
        let [all, free] =
            [state.capacity_bytes, state.free_bytes()].map(|bytes| bytes / u64::from(BLOCK_BYTES));
        reply.statfs(all, free, free, u64::MAX, u64::MAX, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}
