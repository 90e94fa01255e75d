//! Saving a record: payload synced first, file stamps taken, then the record committed.

use std::sync::Arc;

use super::{Driver, TASK_FAILED, ToDriver};
use crate::contract::Untrusted;
use crate::engine::io::{DiskError, DiskErrorKind, Input, ResumeRecord};
use crate::inspect;
use crate::session::disk::{DiskPool, FileStamp, Job, Storage};
use crate::session::store::{SavedResume, StoreHandle};
use crate::units::TorrentId;

impl Driver {
    pub(super) fn save(&mut self, generation: u64, record: ResumeRecord) {
        let id = self.outside.id;
        let owed = self.outside.owe(save_failed(generation));
        let (disk, storage) = (Arc::clone(&self.outside.shared.disk), Arc::clone(&self.storage));
        let store = self.outside.shared.store.clone();
        let saving = async move {
            let result = sync_then_save(&disk, storage, &store, id, record).await;
            owed.pay(ToDriver::Input(Input::ResumeSaved { generation, result })).await;
        };
        self.saving = Some(inspect::spawn(format!("save of {}", self.outside.name), saving));
    }
}

/// The answer of a save whose task panicked.
pub(super) fn save_failed(generation: u64) -> Input {
    let error = DiskError { kind: DiskErrorKind::Other, message: Untrusted::new(TASK_FAILED) };
    Input::ResumeSaved { generation, result: Err(error) }
}

async fn sync_then_save(
    disk: &DiskPool,
    storage: Arc<Storage>,
    store: &StoreHandle,
    id: TorrentId,
    record: ResumeRecord,
) -> Result<(), DiskError> {
    inspect::frame("sync the payload", ask(disk, |done| Job::sync(Arc::clone(&storage), done))).await?;
    let stamps = inspect::frame("look at the files", stamps(disk, storage)).await?;
    let saving = store.save_resume(id, SavedResume { record, stamps });
    inspect::frame("save the record", saving).await.map_err(|error| error.as_disk_error())
}

/// Length and modification time of each file, as the disk threads see them.
pub(in crate::session) async fn stamps(
    disk: &DiskPool,
    storage: Arc<Storage>,
) -> Result<Vec<Option<FileStamp>>, DiskError> {
    ask(disk, |done| Job::stamps(storage, done)).await
}

/// Submits a job and waits for its answer. A full queue is an error: whoever asked tries again.
pub(in crate::session) async fn ask<T: Send + 'static>(
    disk: &DiskPool,
    job: impl FnOnce(Box<dyn FnOnce(Result<T, DiskError>) + Send>) -> Job,
) -> Result<T, DiskError> {
    let (reply, answer) = inspect::reply("answer of a disk thread");
    if let Err(job) = disk.submit(job(Box::new(move |result| reply.send(result)))) {
        job.refuse("it is full");
    }
    answer.await.unwrap_or_else(|_| {
        let message = Untrusted::new("the disk threads have ended");
        Err(DiskError { kind: DiskErrorKind::Other, message })
    })
}
