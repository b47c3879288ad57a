//! Disk: sync latency, file system, and size of a folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::tempfile_in;

/// Bytes of one appended record, the size of a lone order in the journal: a frame header of 56 bytes and some 100 for
/// the order.
pub const RECORD_BYTES: usize = 160;

/// Measures appends to a temporary file on the disk. The file is deleted when this is dropped.
pub struct SyncProbe(File);

impl SyncProbe {
    /// A new file on the disk that holds `folder`.
    pub fn new(folder: &Path) -> io::Result<Self> {
        tempfile_in(folder).map(Self)
    }

    /// Appends a record and syncs it. Returns the duration, the lower bound of a durable order's latency.
    pub fn append(&mut self) -> io::Result<Duration> {
        let begun = Instant::now();
        self.0.write_all(&[0x5a; RECORD_BYTES])?;
        self.0.sync_data()?;
        Ok(begun.elapsed())
    }
}

/// Name of the file system that holds `folder`.
pub fn file_system(folder: &Path) -> io::Result<String> {
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(find_file_system(&mounts, &folder).unwrap_or("an unknown file system").to_owned())
}

/// The deepest mount that holds the folder wins; of several at one mount point, the last.
///
/// Format of `mountinfo`: the fifth field is the mount point; the text after ` - ` starts with the type.
fn find_file_system<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (mount, kind) = line.split_once(" - ")?;
        let mount_point = mount.split(' ').nth(4)?;
        folder.starts_with(mount_point).then_some((mount_point.len(), kind.split(' ').next()?))
    };
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// Total size of the files in a folder and its subfolders, in bytes.
pub fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        bytes += if kind.is_dir() { folder_bytes(&entry.path())? } else { kind.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deepest_mount_wins() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:5 / /tmp rw shared:1 - tmpfs tmpfs rw\n\
                      3 1 8:2 / /tmp/x rw - xfs /dev/b rw\n";
        let of = |folder| find_file_system(mounts, Path::new(folder));
        assert_eq!(of("/home"), Some("ext4"));
        assert_eq!(of("/tmp/y"), Some("tmpfs"));
        assert_eq!(of("/tmp/x/y"), Some("xfs"));
        assert_eq!(of("/tmpx"), Some("ext4"));
    }

    #[test]
    fn folder_bytes_sums_nested_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), [0; 10]).unwrap();
        fs::write(folder.path().join("c"), [0; 5]).unwrap();
        assert_eq!(folder_bytes(folder.path()).unwrap(), 15);
    }

    #[test]
    fn probe_appends_whole_records() {
        let folder = tempfile::tempdir().unwrap();
        let mut probe = SyncProbe::new(folder.path()).unwrap();
        probe.append().unwrap();
        probe.append().unwrap();
        assert_eq!(probe.0.metadata().unwrap().len(), 2 * RECORD_BYTES as u64);
    }
}
