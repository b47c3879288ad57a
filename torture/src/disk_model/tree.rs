//! Files and folders, each in its current and its synced state, and their state after a power cut.
//!
//! The model follows the letter of POSIX. The sync of a file makes its bytes and length durable, but not its name.
//! The sync of a folder makes the names in it durable. A rename within a folder is atomic.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::content::{Change, ChangeKind, Content};
use super::survival::Survival;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u32);

pub(super) struct Tree {
    nodes: BTreeMap<NodeId, TreeNode>,
    next: u32,
}

pub(super) struct TreeNode {
    /// Last path, for messages; kept after the node is removed.
    pub(super) path: PathBuf,
    pub(super) kind: NodeKind,
}

pub(super) enum NodeKind {
    File(File),
    Folder(Folder),
}

#[derive(Default)]
pub(super) struct File {
    pub(super) current: Content,
    synced: Content,
    /// Changes since the last sync.
    changes: Vec<Change>,
}

#[derive(Default)]
pub(super) struct Folder {
    pub(super) current: Entries,
    synced: Entries,
    changes: Vec<NameChange>,
}

type Entries = BTreeMap<OsString, NodeId>;

/// An unsynced change of a folder's names: an addition, a removal, or both.
struct NameChange {
    at: u64,
    removed: Option<OsString>,
    added: Option<(OsString, NodeId)>,
}

impl NameChange {
    fn apply(&self, entries: &mut Entries) {
        if let Some(gone) = &self.removed {
            entries.remove(gone);
        }
        if let Some((name, node)) = &self.added {
            // If the first of two renames is lost, the file must not appear under two names.
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
        self.nodes.insert(id, TreeNode { path, kind });
        id
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&TreeNode> {
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

    /// Creates a file or folder in `folder`, which has no such name yet.
    pub(super) fn create(&mut self, at: u64, folder: NodeId, name: &OsStr, kind: NodeKind) -> Option<NodeId> {
        let path = self.node(folder)?.path.join(name);
        let id = self.add(path, kind);
        self.apply_name_change(folder, NameChange { at, removed: None, added: Some((name.to_owned(), id)) })?;
        Some(id)
    }

    /// Removes a name from a folder. An open file stays readable.
    pub(super) fn remove(&mut self, at: u64, folder: NodeId, name: &OsStr) -> Option<()> {
        self.apply_name_change(folder, NameChange { at, removed: Some(name.to_owned()), added: None })
    }

    /// Renames a file within its folder and replaces the target.
    pub(super) fn rename(&mut self, at: u64, folder: NodeId, from: &OsStr, to: &OsStr) -> Option<()> {
        let node = *self.folder(folder)?.current.get(from)?;
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
        let name_change =
            NameChange { at, removed: Some(from.to_owned()), added: Some((to.to_owned(), node)) };
        self.apply_name_change(folder, name_change)
    }

    fn apply_name_change(&mut self, folder: NodeId, name_change: NameChange) -> Option<()> {
        let folder = self.folder_mut(folder)?;
        name_change.apply(&mut folder.current);
        folder.changes.push(name_change);
        Some(())
    }

    pub(super) fn apply_change(&mut self, at: u64, file: NodeId, kind: ChangeKind) -> Option<()> {
        let file = self.file_mut(file)?;
        file.current.apply_change(&kind);
        file.changes.push(Change { at, kind });
        Some(())
    }

    /// Flips a bit in both the current and the synced state.
    pub(super) fn flip_bit(&mut self, file: NodeId, offset: u64, bit: u32) -> Option<()> {
        let file = self.file_mut(file)?;
        file.current.flip_bit(offset, bit);
        file.synced.flip_bit(offset, bit);
        Some(())
    }

    /// Makes the current state of a file or folder durable.
    pub(super) fn sync(&mut self, id: NodeId) -> Option<()> {
        match &mut self.nodes.get_mut(&id)?.kind {
            NodeKind::File(file) => {
                for Change { kind, .. } in file.changes.drain(..) {
                    file.synced.apply_change(&kind);
                }
            }
            NodeKind::Folder(folder) => {
                folder.synced = folder.current.clone();
                folder.changes.clear();
            }
        }
        Some(())
    }

    /// A failed sync of a file, as on Linux: each unsynced change may or may not reach the disk, and no later sync
    /// writes it again, although it stays readable until the power cut.
    pub(super) fn fail_sync(&mut self, id: NodeId, survival: &mut Survival) -> Option<()> {
        let file = self.file_mut(id)?;
        let changes = std::mem::take(&mut file.changes);
        file.synced = std::mem::take(&mut file.synced).after_power_cut(&changes, survival);
        Some(())
    }

    /// The existing files by path.
    pub(super) fn files(&self) -> Vec<(PathBuf, NodeId)> {
        let mut files = Vec::new();
        self.walk(Self::ROOT, Path::new(""), &mut |path, id| files.push((path.to_owned(), id)));
        files
    }

    fn walk(&self, folder: NodeId, path: &Path, visit: &mut impl FnMut(&Path, NodeId)) {
        for (name, id) in self.folder(folder).into_iter().flat_map(|folder| &folder.current) {
            let path = path.join(name);
            if self.file(*id).is_some() {
                visit(&path, *id);
            } else {
                self.walk(*id, &path, visit);
            }
        }
    }

    pub(super) fn allocated_bytes(&self) -> u64 {
        self.files()
            .iter()
            .filter_map(|(_, id)| self.file(*id))
            .map(|file| file.current.allocated_bytes())
            .sum()
    }

    /// The tree after a power cut, all of it synced.
    pub(super) fn after_power_cut(&self, survival: &mut Survival) -> Self {
        self.map_nodes(&mut |kind| match kind {
            NodeKind::File(file) => {
                SurvivingNode::File(file.synced.clone().after_power_cut(&file.changes, survival))
            }
            NodeKind::Folder(folder) => {
                let mut entries = folder.synced.clone();
                for name_change in &folder.changes {
                    if survival.survives(name_change.at) {
                        name_change.apply(&mut entries);
                    }
                }
                SurvivingNode::Folder(entries)
            }
        })
    }

    /// A tree with the same files, all synced.
    pub(super) fn synced_copy(&self) -> Self {
        self.map_nodes(&mut |kind| match kind {
            NodeKind::File(file) => SurvivingNode::File(file.current.clone()),
            NodeKind::Folder(folder) => SurvivingNode::Folder(folder.current.clone()),
        })
    }

    fn map_nodes(&self, left: &mut impl FnMut(&NodeKind) -> SurvivingNode) -> Self {
        let mut tree = Self { nodes: BTreeMap::new(), next: 0 };
        self.map_node(Self::ROOT, PathBuf::new(), left, &mut tree);
        tree
    }

    fn map_node(
        &self,
        id: NodeId,
        path: PathBuf,
        left: &mut impl FnMut(&NodeKind) -> SurvivingNode,
        into: &mut Self,
    ) -> NodeId {
        let node = &self.nodes[&id];
        match left(&node.kind) {
            SurvivingNode::File(content) => {
                let file = File { current: content.clone(), synced: content, changes: Vec::new() };
                into.add(path, NodeKind::File(file))
            }
            SurvivingNode::Folder(entries) => {
                let folder = into.add(path.clone(), NodeKind::Folder(Folder::default()));
                let entries: Entries = entries
                    .into_iter()
                    .map(|(name, id)| {
                        let node = self.map_node(id, path.join(&name), left, into);
                        (name, node)
                    })
                    .collect();
                into.nodes.insert(
                    folder,
                    TreeNode {
                        path,
                        kind: NodeKind::Folder(Folder {
                            current: entries.clone(),
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

/// Surviving state of a file or folder.
enum SurvivingNode {
    File(Content),
    Folder(Entries),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distinct outcomes of a power cut over 300 seeds.
    fn distinct_outcomes<T: Ord>(tree: &Tree, tell: impl Fn(&Tree) -> T) -> Vec<T> {
        let mut all: Vec<T> =
            (0..300).map(|seed| tell(&tree.after_power_cut(&mut Survival::new(seed, 100)))).collect();
        all.sort();
        all.dedup();
        all
    }

    fn file_names(tree: &Tree) -> Vec<String> {
        tree.files().iter().map(|(path, _)| path.display().to_string()).collect()
    }

    fn file(tree: &mut Tree, name: &str, bytes: &[u8]) -> NodeId {
        let made = tree.create(1, Tree::ROOT, name.as_ref(), NodeKind::File(File::default())).unwrap();
        tree.apply_change(2, made, ChangeKind::Write { offset: 0, bytes: bytes.to_vec() }).unwrap();
        made
    }

    #[test]
    fn synced_file_in_unsynced_folder_is_whole_or_gone() {
        let mut tree = Tree::new();
        let a = file(&mut tree, "a", b"coins");
        tree.sync(a).unwrap();
        let read = |tree: &Tree| match tree.files().as_slice() {
            [] => String::new(),
            [(_, id)] => String::from_utf8(tree.file(*id).unwrap().current.read(0, 9)).unwrap(),
            _ => panic!("there is one file"),
        };
        assert_eq!(distinct_outcomes(&tree, read), ["", "coins"]);
        tree.sync(Tree::ROOT).unwrap();
        assert_eq!(distinct_outcomes(&tree, read), ["coins"]);
    }

    #[test]
    fn rename_is_atomic() {
        let mut tree = Tree::new();
        for name in ["a.new", "a"] {
            let made = file(&mut tree, name, name.as_bytes());
            tree.sync(made).unwrap();
        }
        tree.sync(Tree::ROOT).unwrap();
        tree.rename(50, Tree::ROOT, "a.new".as_ref(), "a".as_ref()).unwrap();
        let read = |tree: &Tree| {
            let (_, id) = &tree.files()[0];
            (file_names(tree), tree.file(*id).unwrap().current.read(0, 9))
        };
        let [lost, kept] =
            distinct_outcomes(&tree, read).try_into().unwrap_or_else(|_| panic!("there are two"));
        assert_eq!(lost, (vec!["a".to_owned()], b"a.new".to_vec()));
        assert_eq!(kept, (vec!["a".to_owned(), "a.new".to_owned()], b"a".to_vec()));
    }

    #[test]
    fn retried_sync_does_not_recover_a_failed_one() {
        let after = |seed| {
            let mut tree = Tree::new();
            let a = file(&mut tree, "a", b"");
            tree.sync(Tree::ROOT).unwrap();
            tree.apply_change(3, a, ChangeKind::Write { offset: 0, bytes: b"coins".to_vec() }).unwrap();
            tree.fail_sync(a, &mut Survival::new(seed, 3)).unwrap();
            assert_eq!(tree.file(a).unwrap().current.read(0, 9), b"coins");
            tree.sync(a).unwrap();
            let left = tree.after_power_cut(&mut Survival::new(seed, 3));
            left.file(left.files()[0].1).unwrap().current.read(0, 9)
        };
        let all: Vec<_> = (0..100).map(after).collect();
        assert!(all.contains(&b"coins".to_vec()) && all.contains(&b"".to_vec()));
    }
}
