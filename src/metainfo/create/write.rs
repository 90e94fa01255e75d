//! From a plan and its hashes to the bytes of a .torrent: v1 file list, v2 file tree, or both.

use super::bencode::{Dictionary, Value};
use super::hash::{FileTree, Hashed};
use super::tree::{Plan, Shape, Source};
use super::{Options, Privacy};
use crate::metainfo::info::Kind;

/// The whole .torrent file.
pub(super) fn torrent(plan: &Plan, hashed: &Hashed, piece_length: u32, options: &Options) -> Vec<u8> {
    let mut outer = Dictionary::new();
    put(&mut outer, "info", Value::Dictionary(info(plan, hashed, piece_length, options)));
    if options.kind != Kind::V1 {
        let layers = hashed.trees.iter().flatten().filter(|tree| !tree.layer.is_empty());
        let layers = layers.map(|tree| (tree.root.to_vec(), Value::Bytes(tree.layer.clone()))).collect();
        put(&mut outer, "piece layers", Value::Dictionary(layers));
    }
    if let Some(first) = options.trackers.first() {
        put(&mut outer, "announce", Value::text(first));
    }
    if options.trackers.len() > 1 {
        let tiers = options.trackers.iter().map(|url| Value::List(vec![Value::text(url)])).collect();
        put(&mut outer, "announce-list", Value::List(tiers));
    }
    if !options.webseeds.is_empty() {
        put(&mut outer, "url-list", Value::texts(&options.webseeds));
    }
    if let Some(comment) = &options.comment {
        put(&mut outer, "comment", Value::text(comment));
    }
    if let Some(program) = &options.created_by {
        put(&mut outer, "created by", Value::text(program));
    }
    if let Some(date) = options.creation_date {
        put(&mut outer, "creation date", Value::Integer(date));
    }
    let mut bytes = Vec::new();
    Value::Dictionary(outer).write(&mut bytes);
    bytes
}

fn info(plan: &Plan, hashed: &Hashed, piece_length: u32, options: &Options) -> Dictionary {
    let mut info = Dictionary::new();
    put(&mut info, "name", Value::text(&plan.name));
    put(&mut info, "piece length", Value::count(piece_length.into()));
    if options.privacy == Privacy::Private {
        put(&mut info, "private", Value::Integer(1));
    }
    if options.kind != Kind::V1 {
        put(&mut info, "meta version", Value::Integer(2));
        put(&mut info, "file tree", Value::Dictionary(file_tree(plan, hashed)));
    }
    if options.kind != Kind::V2 {
        put(&mut info, "pieces", Value::Bytes(hashed.pieces.clone()));
        match plan.shape {
            Shape::Single => put(&mut info, "length", Value::count(plan.payload_bytes())),
            Shape::Folder => put(&mut info, "files", Value::List(file_list(plan, hashed))),
        }
    }
    info
}

/// The v1 list, with pad files (BEP 47) where the next file is to start a piece.
fn file_list(plan: &Plan, hashed: &Hashed) -> Vec<Value> {
    let mut list = Vec::new();
    for (source, padding_bytes) in plan.files.iter().zip(&hashed.padding_bytes) {
        let mut entry = Dictionary::new();
        put(&mut entry, "length", Value::count(source.bytes));
        put(&mut entry, "path", Value::texts(&source.parts));
        list.push(Value::Dictionary(entry));
        if *padding_bytes > 0 {
            let mut pad = Dictionary::new();
            put(&mut pad, "attr", Value::text("p"));
            put(&mut pad, "length", Value::count(*padding_bytes));
            put(&mut pad, "path", Value::texts(&[".pad".to_owned(), padding_bytes.to_string()]));
            list.push(Value::Dictionary(pad));
        }
    }
    list
}

/// The v2 tree: a dictionary for each folder, and under the empty name what makes a file of it.
fn file_tree(plan: &Plan, hashed: &Hashed) -> Dictionary {
    let mut root = Dictionary::new();
    for (source, tree) in plan.files.iter().zip(&hashed.trees) {
        let mut folder = &mut root;
        for part in &source.parts {
            let below = folder
                .entry(part.as_bytes().to_vec())
                .or_insert_with(|| Value::Dictionary(Dictionary::new()));
            let Value::Dictionary(below) = below else { unreachable!("the tree holds dictionaries only") };
            folder = below;
        }
        folder.insert(Vec::new(), Value::Dictionary(leaf(source, tree.as_ref())));
    }
    root
}

fn leaf(source: &Source, tree: Option<&FileTree>) -> Dictionary {
    let mut leaf = Dictionary::new();
    put(&mut leaf, "length", Value::count(source.bytes));
    if let Some(tree) = tree {
        put(&mut leaf, "pieces root", Value::Bytes(tree.root.to_vec()));
    }
    leaf
}

fn put(dictionary: &mut Dictionary, key: &str, value: Value) {
    dictionary.insert(key.as_bytes().to_vec(), value);
}
