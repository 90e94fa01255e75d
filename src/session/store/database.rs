//! The redb file: opening it whatever state it is in, changing it, reading it back.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition};

use super::error::StoreError;
use super::record::{
    Damaged, DamagedPart, SavedLimits, SavedResume, SavedTorrent, Stored, Unreadable, Value, decode, encode,
};
use crate::limits::{DAMAGED_FILES_MAX, STORE_CACHE_BYTES};
use crate::units::TorrentId;

const FILE_NAME: &str = "unchoke.redb";
const TORRENTS: TableDefinition<'_, &[u8; 20], &[u8]> = TableDefinition::new("torrents");
const RESUME: TableDefinition<'_, &[u8; 20], &[u8]> = TableDefinition::new("resume");
const SETTINGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("settings");
/// Values that could not be read, under the name of their table and their key.
const DAMAGED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("damaged");
const LIMITS_KEY: &str = "limits";

/// A change of the store.
#[derive(Clone, Debug)]
pub enum Change {
    /// Adds a torrent to the list, or replaces what it was added from. Its progress stays.
    PutTorrent(TorrentId, Box<SavedTorrent>),
    /// Replaces the progress of a torrent. Everything it claims must be synced before.
    SaveResume(TorrentId, Box<SavedResume>),
    /// Takes a torrent off the list, its progress too.
    Remove(TorrentId),
    /// Replaces the limits set by hand.
    PutLimits(SavedLimits),
}

/// The state store. Every call blocks; [`super::StoreHandle`] is for tasks.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// Closed after an IO error, because redb refuses all work on a handle that saw one.
    database: Option<Database>,
    set_aside: Option<Damaged>,
}

impl Store {
    /// Opens the store of a state directory, which the caller has locked. A file that cannot be read is renamed and a
    /// new one begun; [`Store::load_all`] tells of it.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join(FILE_NAME);
        let mut store = Self { path, database: None, set_aside: None };
        match open_database(&store.path, Missing::Create) {
            Ok(database) => store.database = Some(database),
            Err(OpenError::Store(error)) => return Err(error),
            Err(OpenError::Unreadable(why)) => {
                let kept = set_aside(&store.path)?;
                let message = format!(
                    "the saved list {} could not be read ({why}); it is kept as {} and the list begins anew: add the \
                     torrents again, their data is checked",
                    store.path.display(),
                    kept.display()
                );
                store.set_aside = Some(Damaged { torrent: None, part: DamagedPart::Database, message });
                store.reopen(Missing::Create)?;
            }
        }
        store.make_tables()?;
        // The file's name in the directory must last as its bytes do.
        let synced = File::open(state_dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| StoreError::failed("opening", &store.path, StorageError::Io(error)))?;
        Ok(store)
    }

    /// Makes all changes in order, or none of them. They are on the disk when it returns.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.guarded("saving", |database| {
            let transaction = database.begin_write()?;
            {
                let mut torrents = transaction.open_table(TORRENTS)?;
                let mut resume = transaction.open_table(RESUME)?;
                let mut settings = transaction.open_table(SETTINGS)?;
                for change in changes {
                    match change {
                        Change::PutTorrent(id, torrent) => {
                            torrents.insert(&id.0, encode(&id.0, torrent.as_ref()).as_slice())?;
                        }
                        Change::SaveResume(id, saved) => {
                            resume.insert(&id.0, encode(&id.0, saved.as_ref()).as_slice())?;
                        }
                        Change::Remove(id) => {
                            torrents.remove(&id.0)?;
                            resume.remove(&id.0)?;
                        }
                        Change::PutLimits(limits) => {
                            settings.insert(LIMITS_KEY, encode(LIMITS_KEY.as_bytes(), limits).as_slice())?;
                        }
                    }
                }
            }
            transaction.commit()?;
            Ok(())
        })
    }

    /// The whole list in the order it was added, and what had to be set aside.
    pub fn load_all(&mut self) -> Result<(Vec<Stored>, Vec<Damaged>), StoreError> {
        let mut finds = Finds::default();
        let mut stored = self.guarded("loading", |database| {
            finds = Finds::default();
            let transaction = database.begin_read()?;
            let torrents = transaction.open_table(TORRENTS)?;
            let resume = transaction.open_table(RESUME)?;
            let mut stored = Vec::new();
            for entry in torrents.iter()? {
                let (key, value) = entry?;
                let id = TorrentId(*key.value());
                let torrent = finds.read(TORRENTS_NAME, id, value.value());
                let value = resume.get(&id.0)?;
                let resume = value.and_then(|value| finds.read(RESUME_NAME, id, value.value()));
                stored.extend(torrent.map(|torrent| Stored { id, torrent, resume }));
            }
            Ok(stored)
        })?;
        stored.sort_by_key(|stored| (stored.torrent.added_unix_ms, stored.id));
        let mut damaged = self.move_aside(finds)?;
        damaged.extend(self.set_aside.take());
        Ok((stored, damaged))
    }

    /// The saved progress of one torrent, on the list or not.
    pub fn load_resume(&mut self, id: TorrentId) -> Result<(Option<SavedResume>, Vec<Damaged>), StoreError> {
        let mut finds = Finds::default();
        let resume = self.guarded("loading", |database| {
            finds = Finds::default();
            let value = database.begin_read()?.open_table(RESUME)?.get(&id.0)?;
            Ok(value.and_then(|value| finds.read(RESUME_NAME, id, value.value())))
        })?;
        Ok((resume, self.move_aside(finds)?))
    }

    /// The limits set by hand; none where they were never saved or cannot be read.
    pub fn load_limits(&mut self) -> Result<SavedLimits, StoreError> {
        self.guarded("loading", |database| {
            let value = database.begin_read()?.open_table(SETTINGS)?.get(LIMITS_KEY)?;
            let limits = value.and_then(|value| decode(LIMITS_KEY.as_bytes(), value.value()).ok());
            Ok(limits.unwrap_or_default())
        })
    }

    /// Moves unreadable values out of the way, bytes and all, so that a later version may still read them.
    fn move_aside(&mut self, finds: Finds) -> Result<Vec<Damaged>, StoreError> {
        if !finds.values.is_empty() {
            self.guarded("setting damaged records aside", |database| {
                let transaction = database.begin_write()?;
                {
                    let mut aside = transaction.open_table(DAMAGED)?;
                    for (table, id, bytes) in &finds.values {
                        aside.insert(format!("{table}/{id}").as_str(), bytes.as_slice())?;
                        let table = if *table == TORRENTS_NAME { TORRENTS } else { RESUME };
                        transaction.open_table(table)?.remove(&id.0)?;
                    }
                }
                transaction.commit()?;
                Ok(())
            })?;
        }
        Ok(finds.damaged)
    }

    fn make_tables(&mut self) -> Result<(), StoreError> {
        self.guarded("opening", |database| {
            let transaction = database.begin_write()?;
            transaction.open_table(TORRENTS)?;
            transaction.open_table(RESUME)?;
            transaction.open_table(SETTINGS)?;
            transaction.open_table(DAMAGED)?;
            transaction.commit()?;
            Ok(())
        })
    }

    /// Runs work on the open database, opening it again where an earlier call failed.
    fn guarded<T>(
        &mut self,
        attempt: &'static str,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        if self.database.is_none() {
            // Not made anew here: a list that vanished must not be replaced by an empty one in silence.
            self.reopen(Missing::Refuse)?;
        }
        let database = self.database.as_ref().expect("it was opened just now");
        let result = work(database);
        if result.is_err() {
            self.database = None;
        }
        result.map_err(|error| StoreError::failed(attempt, &self.path, error))
    }

    fn reopen(&mut self, missing: Missing) -> Result<(), StoreError> {
        let opened = open_database(&self.path, missing);
        self.database = Some(opened.map_err(|error| match error {
            OpenError::Store(error) => error,
            OpenError::Unreadable(why) => StoreError::Failed {
                attempt: "opening",
                path: self.path.clone(),
                kind: crate::engine::io::DiskErrorKind::Other,
                message: why,
            },
        })?);
        Ok(())
    }
}

const TORRENTS_NAME: &str = "torrents";
const RESUME_NAME: &str = "resume";

/// Values met while reading that cannot be read.
#[derive(Default)]
struct Finds {
    values: Vec<(&'static str, TorrentId, Vec<u8>)>,
    damaged: Vec<Damaged>,
}

impl Finds {
    fn read<T: Value>(&mut self, table: &'static str, id: TorrentId, bytes: &[u8]) -> Option<T> {
        let why = match decode(&id.0, bytes) {
            Ok(value) => return Some(value),
            Err(why) => why,
        };
        self.values.push((table, id, bytes.to_vec()));
        self.damaged.push(damaged(table, id, why));
        None
    }
}

fn damaged(table: &str, id: TorrentId, why: Unreadable) -> Damaged {
    let (part, what, then) = if table == TORRENTS_NAME {
        (DamagedPart::Torrent, "the saved torrent", "add it again, its data is checked")
    } else {
        (DamagedPart::Resume, "the saved progress of torrent", "its data is checked instead")
    };
    let message = format!("{what} {id} could not be read: {why}; it was set aside in the store, {then}");
    Damaged { torrent: Some(id), part, message }
}

enum OpenError {
    Store(StoreError),
    Unreadable(String),
}

/// What becomes of a file that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Create,
    Refuse,
}

fn open_database(path: &Path, missing: Missing) -> Result<Database, OpenError> {
    // The check reads the whole file, so that damage is met here and not, as a panic, in the middle of a run.
    // The file is this user's alone: .torrent files hold passkeys.
    let open = || {
        OpenOptions::new()
            .write(true)
            .create(missing == Missing::Create)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Database::builder().set_cache_size(STORE_CACHE_BYTES).set_check_integrity_on_open(true).create(path)
    };
    let opened = catch_unwind(AssertUnwindSafe(open))
        .map_err(|_| OpenError::Unreadable("it is damaged".to_owned()))?;
    opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::Store(StoreError::InUse { path: path.to_owned() })
        }
        DatabaseError::UpgradeRequired(version) => {
            OpenError::Unreadable(format!("it has file format {version}, which this unchoke does not know"))
        }
        DatabaseError::Storage(StorageError::Corrupted(why)) => OpenError::Unreadable(why),
        DatabaseError::Storage(StorageError::Io(error)) if is_damage(&error) => {
            OpenError::Unreadable(error.to_string())
        }
        error => OpenError::Store(StoreError::failed("opening", path, error)),
    })
}

fn is_damage(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

/// Renames the file to the first free name of a row.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let names = (1..=DAMAGED_FILES_MAX).map(|number| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    });
    let failed = |error: std::io::Error| StoreError::failed("setting aside", path, StorageError::Io(error));
    for name in names {
        if !name.try_exists().map_err(failed)? {
            std::fs::rename(path, &name).map_err(failed)?;
            return Ok(name);
        }
    }
    Err(failed(std::io::Error::other("too many damaged files lie there already: remove some")))
}

#[cfg(test)]
mod tests;
