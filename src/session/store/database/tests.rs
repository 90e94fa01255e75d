//! The store on real files, whole and damaged.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use super::super::record::SavedSource;
use super::*;
use crate::engine::io::ResumeRecord;
use crate::session::disk::FileStamp;
use crate::units::Rate;

fn id(number: u8) -> TorrentId {
    TorrentId([number; 20])
}

fn torrent(number: u8) -> SavedTorrent {
    SavedTorrent {
        source: SavedSource::Torrent(vec![number; 300].into()),
        save_dir: "/save".into(),
        added_unix_ms: 1000 - u64::from(number),
        trackers: Vec::new(),
    }
}

fn resume(number: u8) -> SavedResume {
    let record =
        ResumeRecord { have: vec![number; 40], downloaded_bytes: u64::from(number), ..Default::default() };
    let stamp = FileStamp { bytes: 7, modified_s: -1, modified_ns: 999_999_999 };
    SavedResume { record, stamps: vec![None, Some(stamp)] }
}

fn filled(dir: &Path) -> Store {
    let mut store = Store::open(dir).unwrap();
    let changes: Vec<Change> = (1..=3)
        .flat_map(|number| {
            [
                Change::PutTorrent(id(number), Box::new(torrent(number))),
                Change::SaveResume(id(number), Box::new(resume(number))),
            ]
        })
        .collect();
    store.apply(&changes).unwrap();
    store
}

/// Puts bytes where a value should be.
fn spoil(store: &Store, table: TableDefinition<'_, &[u8; 20], &[u8]>, id: TorrentId, bytes: &[u8]) {
    let transaction = store.database.as_ref().unwrap().begin_write().unwrap();
    transaction.open_table(table).unwrap().insert(&id.0, bytes).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn the_list_comes_back_in_the_order_it_was_added() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let mut store = Store::open(dir.path()).unwrap();
    let (stored, damaged) = store.load_all().unwrap();
    assert_eq!(damaged, []);
    assert_eq!(store.path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let ids: Vec<_> = stored.iter().map(|stored| stored.id).collect();
    assert_eq!(ids, [id(3), id(2), id(1)]);
    assert_eq!(stored[2].torrent, torrent(1));
    assert_eq!(stored[2].resume, Some(resume(1)));
}

#[test]
fn a_removed_torrent_leaves_nothing_and_a_replaced_one_keeps_its_progress() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path());
    let replaced = SavedTorrent { save_dir: "/elsewhere".into(), ..torrent(2) };
    let changes = [Change::Remove(id(1)), Change::PutTorrent(id(2), Box::new(replaced.clone()))];
    store.apply(&changes).unwrap();
    let (stored, _) = store.load_all().unwrap();
    assert_eq!(stored.len(), 2);
    assert_eq!((&stored[1].torrent, &stored[1].resume), (&replaced, &Some(resume(2))));
    assert_eq!(store.load_resume(id(1)).unwrap(), (None, vec![]));
    assert_eq!(store.load_resume(id(2)).unwrap(), (Some(resume(2)), vec![]));
}

#[test]
fn limits_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.load_limits().unwrap(), SavedLimits::default());
    let limits = SavedLimits { down: Some(Rate(5)), up: None };
    store.apply(&[Change::PutLimits(limits)]).unwrap();
    assert_eq!(store.load_limits().unwrap(), limits);
}

#[test]
fn a_damaged_record_is_set_aside_and_harms_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path());
    spoil(&store, RESUME, id(1), &encode(&id(1).0, &resume(1))[..20]);
    spoil(&store, RESUME, id(2), &encode(&id(3).0, &resume(3)));
    spoil(&store, TORRENTS, id(3), &[9, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let (stored, damaged) = store.load_all().unwrap();
    let left: Vec<_> = stored.iter().map(|stored| (stored.id, stored.resume.is_some())).collect();
    assert_eq!(left, [(id(2), false), (id(1), false)]);
    let parts: Vec<_> = damaged.iter().map(|damaged| (damaged.torrent, damaged.part)).collect();
    let expected = [(1, DamagedPart::Resume), (2, DamagedPart::Resume), (3, DamagedPart::Torrent)];
    assert_eq!(parts, expected.map(|(number, part)| (Some(id(number)), part)));
    assert!(damaged[2].message.contains("newer unchoke"), "{}", damaged[2].message);
    assert_eq!(store.load_all().unwrap().1, [], "set aside once");
    let transaction = store.database.as_ref().unwrap().begin_read().unwrap();
    let aside = transaction.open_table(DAMAGED).unwrap();
    assert!(aside.get(format!("torrents/{}", id(3)).as_str()).unwrap().is_some());
}

#[test]
fn a_file_that_is_no_store_is_kept_under_another_name_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    for round in 1..=2 {
        fs::write(&path, vec![round; 100_000]).unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let (stored, damaged) = store.load_all().unwrap();
        assert!(stored.is_empty());
        assert_eq!(damaged.len(), 1);
        assert_eq!(damaged[0].part, DamagedPart::Database);
        let kept = dir.path().join(format!("{FILE_NAME}.damaged-{round}"));
        assert!(damaged[0].message.contains(kept.to_str().unwrap()), "{}", damaged[0].message);
        assert_eq!(fs::read(kept).unwrap(), vec![round; 100_000]);
    }
}

#[test]
fn wherever_a_store_is_cut_or_spoiled_a_store_opens_and_invents_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = {
        drop(filled(dir.path()));
        fs::read(dir.path().join(FILE_NAME)).unwrap()
    };
    let known = [torrent(1), torrent(2), torrent(3)];
    let mut random = fastrand::Rng::with_seed(3);
    for round in 0..24 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let at = random.usize(..whole.len());
        if round % 2 == 0 {
            fs::write(&path, &whole[..at]).unwrap();
        } else {
            fs::write(&path, &whole).unwrap();
            let at = random.usize(..16 * 1024);
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .write_all_at(&[0xA5; 64], at as u64)
                .unwrap();
        }
        let mut store = Store::open(dir.path()).unwrap();
        let (stored, damaged) = store.load_all().unwrap();
        assert!(stored.iter().all(|stored| known.contains(&stored.torrent)), "round {round} at {at}");
        assert!(stored.len() == 3 || !damaged.is_empty() || at == 0, "round {round} at {at}: silent loss");
        store.apply(&[Change::PutTorrent(id(9), Box::new(torrent(9)))]).unwrap();
    }
}

#[test]
fn after_a_failure_the_old_state_is_there_and_saving_works_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = filled(dir.path());
    let away = dir.path().join("away");
    // As after an IO error: closed, and the next call opens it again.
    store.database = None;
    fs::rename(&store.path, &away).unwrap();
    let change = [Change::PutTorrent(id(9), Box::new(torrent(9)))];
    let error = store.apply(&change).unwrap_err();
    assert_eq!(error.as_disk_error().kind, crate::engine::io::DiskErrorKind::Missing, "{error}");
    assert!(!store.path.exists(), "no empty list in place of the lost one");
    fs::rename(&away, &store.path).unwrap();
    store.apply(&change).unwrap();
    assert_eq!(store.load_all().unwrap().0.len(), 4);
}

#[test]
fn a_store_in_use_is_not_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let _first = filled(dir.path());
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(!dir.path().join(format!("{FILE_NAME}.damaged-1")).exists());
}
