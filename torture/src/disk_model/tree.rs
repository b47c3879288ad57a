//! Files and folders, each as it is and as it was synced last; and what of them a power cut leaves.
//!
//! By the letter of POSIX: the sync of a file keeps its bytes and its length, and not its name. A name is kept by
//! the sync of the folder that it is in. A rename within a folder is there as a whole or not at all.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::content::{Change, ChangeKind, Content};
use super::survival::Survival;

/// The number of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u32);

/// All files and folders.
pub(super) struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: u32,
}

pub(super) struct Node {
    /// Where it is, or was before it was removed; for people.
    pub(super) path: PathBuf,
    pub(super) kind: NodeKind,
}

pub(super) enum NodeKind {
    File(File),
    Folder(Folder),
}

#[derive(Default)]
pub(super) struct File {
    pub(super) now: Content,
    synced: Content,
    /// What was changed since.
    changes: Vec<Change>,
}

#[derive(Default)]
pub(super) struct Folder {
    pub(super) now: Entries,
    synced: Entries,
    changes: Vec<Renaming>,
}

type Entries = BTreeMap<OsString, NodeId>;

/// A change of names that is not synced: one comes, or one goes, or both.
struct Renaming {
    at: u64,
    gone: Option<OsString>,
    come: Option<(OsString, NodeId)>,
}

impl Renaming {
    fn apply(&self, entries: &mut Entries) {
        if let Some(gone) = &self.gone {
            entries.remove(gone);
        }
        if let Some((name, node)) = &self.come {
            // Of two renames in a row the first may be lost: the file is not there twice.
            entries.retain(|_, other| other != node);
            entries.insert(name.clone(), *node);
        }
    }
}

impl Tree {
    pub(super) const ROOT: NodeId = NodeId(0);

    pub(super) fn new() -> Self {
        let mut tree = Self { nodes: BTreeMap::new(), next: 0 };
        tree.add(PathBuf::new(), NodeKind::Folder(Folder::default()));
        tree
    }

    fn add(&mut self, path: PathBuf, kind: NodeKind) -> NodeId {
        let id = NodeId(self.next);
        self.next += 1;
        self.nodes.insert(id, Node { path, kind });
        id
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    pub(super) fn file(&self, id: NodeId) -> Option<&File> {
        match &self.nodes.get(&id)?.kind {
            NodeKind::File(file) => Some(file),
            NodeKind::Folder(_) => None,
        }
    }

    pub(super) fn folder(&self, id: NodeId) -> Option<&Folder> {
        match &self.nodes.get(&id)?.kind {
            NodeKind::Folder(folder) => Some(folder),
            NodeKind::File(_) => None,
        }
    }

    fn file_mut(&mut self, id: NodeId) -> Option<&mut File> {
        match &mut self.nodes.get_mut(&id)?.kind {
            NodeKind::File(file) => Some(file),
            NodeKind::Folder(_) => None,
        }
    }

    fn folder_mut(&mut self, id: NodeId) -> Option<&mut Folder> {
        match &mut self.nodes.get_mut(&id)?.kind {
            NodeKind::Folder(folder) => Some(folder),
            NodeKind::File(_) => None,
        }
    }

    /// Makes a file or folder in `folder`, which has none of this name.
    pub(super) fn make(&mut self, at: u64, folder: NodeId, name: &OsStr, kind: NodeKind) -> Option<NodeId> {
        let path = self.node(folder)?.path.join(name);
        let id = self.add(path, kind);
        self.rename_in(folder, Renaming { at, gone: None, come: Some((name.to_owned(), id)) })?;
        Some(id)
    }

    /// Takes a name out of a folder; what had it can be read as long as it is open.
    pub(super) fn remove(&mut self, at: u64, folder: NodeId, name: &OsStr) -> Option<()> {
        self.rename_in(folder, Renaming { at, gone: Some(name.to_owned()), come: None })
    }

    /// Gives a file another name in the same folder, in the place of what had it.
    pub(super) fn rename(&mut self, at: u64, folder: NodeId, from: &OsStr, to: &OsStr) -> Option<()> {
        let node = *self.folder(folder)?.now.get(from)?;
        let path = self.node(folder)?.path.join(to);
        let before = std::mem::replace(&mut self.nodes.get_mut(&node)?.path, path.clone());
        if self.folder(node).is_some() {
            for within in self.nodes.values_mut() {
                if let Ok(rest) = within.path.strip_prefix(&before)
                    && !rest.as_os_str().is_empty()
                {
                    within.path = path.join(rest);
                }
            }
        }
        let renaming = Renaming { at, gone: Some(from.to_owned()), come: Some((to.to_owned(), node)) };
        self.rename_in(folder, renaming)
    }

    fn rename_in(&mut self, folder: NodeId, renaming: Renaming) -> Option<()> {
        let folder = self.folder_mut(folder)?;
        renaming.apply(&mut folder.now);
        folder.changes.push(renaming);
        Some(())
    }

    /// Changes a file.
    pub(super) fn change(&mut self, at: u64, file: NodeId, kind: ChangeKind) -> Option<()> {
        let file = self.file_mut(file)?;
        file.now.change(&kind);
        file.changes.push(Change { at, kind });
        Some(())
    }

    /// Turns a bit of a file, on disk.
    pub(super) fn flip(&mut self, file: NodeId, offset: u64, bit: u32) -> Option<()> {
        let file = self.file_mut(file)?;
        file.now.flip(offset, bit);
        file.synced.flip(offset, bit);
        Some(())
    }

    /// Makes durable what a file or folder is now.
    pub(super) fn sync(&mut self, id: NodeId) -> Option<()> {
        match &mut self.nodes.get_mut(&id)?.kind {
            NodeKind::File(file) => {
                for Change { kind, .. } in file.changes.drain(..) {
                    file.synced.change(&kind);
                }
            }
            NodeKind::Folder(folder) => {
                folder.synced = folder.now.clone();
                folder.changes.clear();
            }
        }
        Some(())
    }

    /// A sync of a file that fails: what was not synced may be on disk or not, and no later sync writes it again,
    /// though it can be read until the power is cut. That is what Linux does.
    pub(super) fn fail_to_sync(&mut self, id: NodeId, survival: &mut Survival) -> Option<()> {
        let file = self.file_mut(id)?;
        let changes = std::mem::take(&mut file.changes);
        file.synced = std::mem::take(&mut file.synced).survive(&changes, survival);
        Some(())
    }

    /// The files that there are, by their paths.
    pub(super) fn files(&self) -> Vec<(PathBuf, NodeId)> {
        let mut files = Vec::new();
        self.walk(Self::ROOT, Path::new(""), &mut |path, id| files.push((path.to_owned(), id)));
        files
    }

    fn walk(&self, folder: NodeId, path: &Path, visit: &mut impl FnMut(&Path, NodeId)) {
        for (name, id) in self.folder(folder).into_iter().flat_map(|folder| &folder.now) {
            let path = path.join(name);
            if self.file(*id).is_some() {
                visit(&path, *id);
            } else {
                self.walk(*id, &path, visit);
            }
        }
    }

    /// How much room the files take.
    pub(super) fn room(&self) -> u64 {
        self.files().iter().filter_map(|(_, id)| self.file(*id)).map(|file| file.now.room()).sum()
    }

    /// What a power cut leaves; all of it is synced.
    pub(super) fn survive(&self, survival: &mut Survival) -> Self {
        self.rebuilt(&mut |kind| match kind {
            NodeKind::File(file) => Left::File(file.synced.clone().survive(&file.changes, survival)),
            NodeKind::Folder(folder) => {
                let mut entries = folder.synced.clone();
                for renaming in &folder.changes {
                    if survival.survives(renaming.at) {
                        renaming.apply(&mut entries);
                    }
                }
                Left::Folder(entries)
            }
        })
    }

    /// A tree with the same files, all synced.
    pub(super) fn settled(&self) -> Self {
        self.rebuilt(&mut |kind| match kind {
            NodeKind::File(file) => Left::File(file.now.clone()),
            NodeKind::Folder(folder) => Left::Folder(folder.now.clone()),
        })
    }

    fn rebuilt(&self, left: &mut impl FnMut(&NodeKind) -> Left) -> Self {
        let mut tree = Self { nodes: BTreeMap::new(), next: 0 };
        self.rebuild(Self::ROOT, PathBuf::new(), left, &mut tree);
        tree
    }

    fn rebuild(
        &self,
        id: NodeId,
        path: PathBuf,
        left: &mut impl FnMut(&NodeKind) -> Left,
        into: &mut Self,
    ) -> NodeId {
        let node = &self.nodes[&id];
        match left(&node.kind) {
            Left::File(content) => {
                let file = File { now: content.clone(), synced: content, changes: Vec::new() };
                into.add(path, NodeKind::File(file))
            }
            Left::Folder(entries) => {
                let folder = into.add(path.clone(), NodeKind::Folder(Folder::default()));
                let entries: Entries = entries
                    .into_iter()
                    .map(|(name, id)| {
                        let node = self.rebuild(id, path.join(&name), left, into);
                        (name, node)
                    })
                    .collect();
                into.nodes.insert(
                    folder,
                    Node {
                        path,
                        kind: NodeKind::Folder(Folder {
                            now: entries.clone(),
                            synced: entries,
                            changes: Vec::new(),
                        }),
                    },
                );
                folder
            }
        }
    }
}

/// What is left of a file or folder.
enum Left {
    File(Content),
    Folder(Entries),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a cut by one of many seeds leaves both that are told apart here.
    fn outcomes<T: Ord>(tree: &Tree, tell: impl Fn(&Tree) -> T) -> Vec<T> {
        let mut all: Vec<T> =
            (0..300).map(|seed| tell(&tree.survive(&mut Survival::new(seed, 100)))).collect();
        all.sort();
        all.dedup();
        all
    }

    fn names(tree: &Tree) -> Vec<String> {
        tree.files().iter().map(|(path, _)| path.display().to_string()).collect()
    }

    fn file(tree: &mut Tree, name: &str, bytes: &[u8]) -> NodeId {
        let made = tree.make(1, Tree::ROOT, name.as_ref(), NodeKind::File(File::default())).unwrap();
        tree.change(2, made, ChangeKind::Write { offset: 0, bytes: bytes.to_vec() }).unwrap();
        made
    }

    #[test]
    fn a_synced_file_in_a_folder_that_is_not_may_be_gone_but_is_never_half_there() {
        let mut tree = Tree::new();
        let a = file(&mut tree, "a", b"coins");
        tree.sync(a).unwrap();
        let read = |tree: &Tree| match tree.files().as_slice() {
            [] => String::new(),
            [(_, id)] => String::from_utf8(tree.file(*id).unwrap().now.read(0, 9)).unwrap(),
            _ => panic!("there is one file"),
        };
        assert_eq!(outcomes(&tree, read), ["", "coins"]);
        tree.sync(Tree::ROOT).unwrap();
        assert_eq!(outcomes(&tree, read), ["coins"]);
    }

    #[test]
    fn a_rename_is_there_or_not_and_its_file_is_there_once() {
        let mut tree = Tree::new();
        for name in ["a.new", "a"] {
            let made = file(&mut tree, name, name.as_bytes());
            tree.sync(made).unwrap();
        }
        tree.sync(Tree::ROOT).unwrap();
        tree.rename(50, Tree::ROOT, "a.new".as_ref(), "a".as_ref()).unwrap();
        let read = |tree: &Tree| {
            let (_, id) = &tree.files()[0];
            (names(tree), tree.file(*id).unwrap().now.read(0, 9))
        };
        let [lost, kept] = outcomes(&tree, read).try_into().unwrap_or_else(|_| panic!("there are two"));
        assert_eq!(lost, (vec!["a".to_owned()], b"a.new".to_vec()));
        assert_eq!(kept, (vec!["a".to_owned(), "a.new".to_owned()], b"a".to_vec()));
    }

    #[test]
    fn after_a_sync_that_failed_another_one_proves_nothing() {
        let after = |seed| {
            let mut tree = Tree::new();
            let a = file(&mut tree, "a", b"");
            tree.sync(Tree::ROOT).unwrap();
            tree.change(3, a, ChangeKind::Write { offset: 0, bytes: b"coins".to_vec() }).unwrap();
            tree.fail_to_sync(a, &mut Survival::new(seed, 3)).unwrap();
            assert_eq!(tree.file(a).unwrap().now.read(0, 9), b"coins");
            tree.sync(a).unwrap();
            let left = tree.survive(&mut Survival::new(seed, 3));
            left.file(left.files()[0].1).unwrap().now.read(0, 9)
        };
        let all: Vec<_> = (0..100).map(after).collect();
        assert!(all.contains(&b"coins".to_vec()) && all.contains(&b"".to_vec()));
    }
}
