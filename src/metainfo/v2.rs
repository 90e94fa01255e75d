//! The file tree of a v2 torrent (BEP 52), read in one pass, and its piece layers.

use std::ops::ControlFlow;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};

use super::error::MetainfoError;
use super::info::{File, Info, Name};
use super::merkle::Hash;
use super::path::safe_part;
use super::read::{self, Raw};
use super::v1::{Attributes, file_bytes, read_target};
use crate::limits::FILES_MAX;
use crate::units::FileIndex;

/// What a tree of one file, at its top, means: it cannot say by itself whether there is a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoneFile {
    /// The file is the torrent, and gives it its name.
    IsTheTorrent,
    /// It is in the torrent's folder, as the v1 half says.
    IsInAFolder,
}

/// The files of `file tree` in its order. Offsets are not set yet.
pub(super) fn read_tree(raw: &[u8], name: Name<'_>, lone: LoneFile) -> Result<Vec<File>, MetainfoError> {
    let mut tree = Tree { name, folders: Vec::new(), files: Vec::new(), single: None, failed: None };
    let whole = read::visit(raw, Folder(&mut tree)).is_some();
    match tree.failed {
        Some(error) => Err(error),
        None if !whole => Err(MetainfoError::InvalidFileEntry { what: "'file tree' is not a tree" }),
        None if tree.files.is_empty() => Err(MetainfoError::NoFiles),
        None => {
            if let (LoneFile::IsTheTorrent, Some(part), [file]) =
                (lone, tree.single, tree.files.as_mut_slice())
            {
                let own = File::below(Name { safe: &safe_part(part), spelled: part }, std::iter::empty());
                (file.path, file.spelled) = (own.path, own.spelled);
            }
            Ok(tree.files)
        }
    }
}

/// Reads `piece layers`. Files whose layer is absent keep none; it is asked of peers.
pub(super) fn read_layers(whole: &Bytes, raw: &[u8], info: &mut Info) -> Result<(), MetainfoError> {
    let mut roots: Vec<(Hash, FileIndex)> = info
        .file_indices()
        .filter_map(|index| info.files[index.at()].pieces_root.map(|root| (root, index)))
        .collect();
    roots.sort_unstable();
    let mut outcome = Ok(());
    let is_dictionary = read::entries(raw, |root, layer| {
        outcome = read_layer(whole, root, layer, &roots, info);
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    if is_dictionary {
        outcome
    } else {
        Err(MetainfoError::InvalidPieceLayer { what: "it is not a dictionary" })
    }
}

fn read_layer(
    whole: &Bytes,
    root: &[u8],
    layer: &[u8],
    roots: &[(Hash, FileIndex)],
    info: &mut Info,
) -> Result<(), MetainfoError> {
    let invalid = |what| MetainfoError::InvalidPieceLayer { what };
    let root: Hash = root.try_into().map_err(|_| invalid("its key is not a SHA-256"))?;
    let layer = read::string(layer).ok_or_else(|| invalid("it is not a string"))?;
    let first = roots.partition_point(|(other, _)| *other < root);
    let holders: Vec<FileIndex> =
        roots[first..].iter().take_while(|(other, _)| *other == root).map(|(_, index)| *index).collect();
    info.add_layer_of(&root, &holders, &whole.slice_ref(layer))
}

/// What is known while the tree is walked.
struct Tree<'n, 'a> {
    name: Name<'n>,
    folders: Vec<&'a [u8]>,
    files: Vec<File>,
    /// The name of a file at the top, while it is the only entry there.
    single: Option<&'a [u8]>,
    failed: Option<MetainfoError>,
}

impl<'a> Tree<'_, 'a> {
    fn add(&mut self, raw: &'a [u8]) -> Result<(), MetainfoError> {
        let at = self.files.len();
        if at >= FILES_MAX {
            return Err(MetainfoError::TooManyFiles { files_max: FILES_MAX });
        }
        if self.folders.is_empty() || !read::is_dictionary(raw) {
            return Err(MetainfoError::InvalidFileEntry {
                what: "a file has no name, or is not a dictionary",
            });
        }
        let keys: [&[u8]; 4] = [b"attr", b"length", b"pieces root", b"symlink path"];
        let [attr, length, root, target] = read::fields(raw, keys);
        let attributes = Attributes::read(attr);
        if attributes.pad {
            return Err(MetainfoError::InvalidPadFile);
        }
        let bytes = if attributes.symlink { 0 } else { file_bytes(length)? };
        let root = root.and_then(read::string).and_then(|root| Hash::try_from(root).ok());
        let pieces_root = root.filter(|root| bytes > 0 && *root != [0; 32]);
        if bytes > 0 && pieces_root.is_none() {
            return Err(MetainfoError::MissingPiecesRoot);
        }
        let symlink = match target.filter(|_| attributes.symlink) {
            Some(target) => Some(read_target(target, self.name.safe, at)?),
            None => None,
        };
        let (executable, hidden) = (attributes.executable, attributes.hidden);
        self.files.push(File {
            bytes,
            executable,
            hidden,
            symlink,
            pieces_root,
            ..File::below(self.name, self.folders.iter().copied())
        });
        self.single = if at == 0 && self.folders.len() == 1 { self.folders.first().copied() } else { None };
        Ok(())
    }
}

/// A folder of the tree: names to folders, and under the empty name what makes it a file.
struct Folder<'t, 'n, 'a>(&'t mut Tree<'n, 'a>);

impl<'de> DeserializeSeed<'de> for Folder<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Folder<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a folder of the file tree")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<&'de [u8]>()? {
            if name.is_empty() {
                let file = map.next_value::<Raw<'de>>()?;
                if let Err(error) = self.0.add(file.0) {
                    self.0.failed = Some(error);
                    return Err(A::Error::custom("refused"));
                }
            } else {
                self.0.folders.push(name);
                map.next_value_seed(Folder(&mut *self.0))?;
                self.0.folders.pop();
            }
        }
        Ok(())
    }
}
