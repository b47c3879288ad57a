//! Checks of permissions: a store that the bank cannot write, and one that other users can read.

use std::path::Path;

use rustix::fs::Access;

use super::CheckResult;
use crate::cli::i18n::{Lang, tr};
use crate::config::StoreUrl;

/// Permission bits of a file's group.
pub(super) const GROUP: u32 = 0o070;

/// Permission bits of users who are neither the owner nor of the group.
pub(super) const OTHERS: u32 = 0o007;

/// The permission bits of a file or folder; 0 if they cannot be read.
#[cfg(unix)]
pub(super) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).map_or(0, |file| file.permissions().mode() & 0o777)
}

/// Other systems have no such bits.
#[cfg(not(unix))]
pub(super) fn mode(_: &Path) -> u32 {
    0
}

/// Checks that this user can write the store's folder, or create it.
pub(super) fn check_writable(folder: &Path, url: &StoreUrl, lang: Lang) -> Option<CheckResult> {
    let existing = folder.ancestors().find(|folder| folder.exists() || folder.as_os_str().is_empty())?;
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let subfolders = ["journal", "views", "records"].map(|name| folder.join(name));
    let mut needed = subfolders.iter().map(|path| &**path).filter(|path| path.exists()).chain([existing]);
    let refused = needed.find(|path| !path.is_dir() || !can_write(path))?.display();
    Some(CheckResult::error(
        "store",
        tr!(
            lang,
            "{url} cannot be written: this user may not write {refused}, or it is not a folder",
            "{url} 不可写入：当前用户无权写入 {refused}，或它不是目录"
        ),
        tr!(
            lang,
            "run doctor as the bank's user; make that user the owner: chown -R USER {refused}",
            "请以运行服务的用户运行 doctor，并将其设为所有者：chown -R USER {refused}"
        ),
    ))
}

fn can_write(folder: &Path) -> bool {
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Checks that only the owner can read the store: it holds logins, and every player's orders.
pub(super) fn check_private(folder: &Path, url: &StoreUrl, lang: Lang) -> Option<CheckResult> {
    is_loose(folder).then(|| {
        CheckResult::warning(
            "store",
            tr!(lang, "{url} is accessible to other users of this machine", "本机其他用户可以访问 {url}"),
            format!("chmod -R go= {}", folder.display()),
        )
    })
}

/// Whether group or others have any permission on the folder, or on a file in it. A private folder hides its files.
fn is_loose(folder: &Path) -> bool {
    folder.is_dir() && mode(folder) & (GROUP | OTHERS) != 0
}
