//! Walk and copy of a folder, such as a store's.

use std::fs;
use std::path::{Path, PathBuf};

/// All files under `folder`, at any depth, sorted by path.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Whether a file under `folder` contains `text`, which must not be empty.
pub fn any_file_contains(folder: &Path, text: &str) -> bool {
    files_in(folder).iter().any(|file| {
        let bytes = fs::read(file).expect("a readable file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a writable folder");
    for entry in from.read_dir().expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(path, target).expect("a copied file");
        }
    }
}
