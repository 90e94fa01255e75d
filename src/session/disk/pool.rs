//! All disk threads: those of reads, writes and hashes, and those of syncs.
//!
//! Syncs have threads and turns of their own: a device may take half a minute over one, and its reads and writes must
//! not stand behind it.

use std::io;
use std::num::NonZero;
use std::sync::Arc;

use super::budget::{DiskBudget, Gauge};
use super::crew::{Crew, Turns};
use super::handles::Handles;
use super::job::{Job, Lane};
use crate::limits::{DISK_SYNC_THREADS, DISK_THREADS_MAX, DISK_THREADS_MIN, DISK_UNKNOWN_THREADS};

/// The disk threads. When it is dropped they finish what is queued and end.
#[derive(Debug)]
pub struct DiskPool {
    work: Arc<Crew>,
    syncs: Arc<Crew>,
    queued: Arc<Gauge>,
    handles: Arc<Handles>,
}

impl DiskPool {
    /// Starts the threads (at least one) that one device has use for, and those for syncs.
    pub fn start(threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let bounds = |turns| Turns { storage: turns, device: turns + 1, unknown: DISK_UNKNOWN_THREADS };
        Ok(Self {
            work: Crew::start("disk", threads, bounds(threads))?,
            syncs: Crew::start("disk sync", DISK_SYNC_THREADS, bounds(DISK_SYNC_THREADS))?,
            queued: Arc::new(Gauge::of_all()),
            handles: Arc::new(Handles::new()),
        })
    }

    /// How many threads a device is given on this machine: one for each core, within bounds.
    pub fn default_threads() -> usize {
        std::thread::available_parallelism().map_or(0, NonZero::get).clamp(DISK_THREADS_MIN, DISK_THREADS_MAX)
    }

    /// Queues a job, never waiting. Gives it back where too many wait: keep it for later or [`Job::refuse`] it.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        let bytes = job.queued_bytes();
        let storage = Arc::clone(job.storage());
        storage.budget().add(bytes);
        let crew = match job.lane() {
            Lane::Work => &self.work,
            Lane::Sync => &self.syncs,
        };
        crew.submit(job).inspect_err(|_| storage.budget().remove(bytes))
    }

    /// Payload bytes of all torrents that wait for a disk thread.
    pub fn queued_bytes(&self) -> u64 {
        self.queued.bytes()
    }

    /// The bytes that wait of one torrent, and of all, for its sockets to go by.
    pub fn new_budget(&self) -> Arc<DiskBudget> {
        Arc::new(DiskBudget::beside(Arc::clone(&self.queued)))
    }

    /// The open files, for new storages.
    pub const fn handles(&self) -> &Arc<Handles> {
        &self.handles
    }

    /// How many threads there are for reads, writes and hashes.
    #[cfg(test)]
    pub(super) fn work_threads(&self) -> usize {
        self.work.threads()
    }
}

impl Drop for DiskPool {
    fn drop(&mut self) {
        self.work.close();
        self.syncs.close();
    }
}
