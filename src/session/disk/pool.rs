//! The threads that do the jobs.
//!
//! Syncs have threads and a queue of their own: a device may take half a minute over one, and reads and writes of
//! other torrents must not stand behind it.

use std::io;
use std::num::NonZero;
use std::sync::Arc;

use super::budget::DiskBudget;
use super::handles::Handles;
use super::job::{Job, Lane};
use crate::inspect::{self, PushError, WorkQueue};
use crate::limits::{DISK_JOBS_MAX, DISK_SYNC_THREADS, DISK_THREADS_MAX, DISK_THREADS_MIN};

/// A fixed number of threads behind bounded queues. When it is dropped they finish what is queued and end.
#[derive(Debug)]
pub struct DiskPool {
    work: WorkQueue<Job>,
    syncs: WorkQueue<Job>,
    budget: Arc<DiskBudget>,
    handles: Arc<Handles>,
}

impl DiskPool {
    /// Starts the threads (at least one), and those for syncs.
    pub fn start(threads: usize) -> io::Result<Self> {
        let pool = Self {
            work: inspect::work_queue("disk jobs", DISK_JOBS_MAX),
            syncs: inspect::work_queue("disk syncs", DISK_JOBS_MAX),
            budget: Arc::new(DiskBudget::new()),
            handles: Arc::new(Handles::new()),
        };
        let work = (0..threads.max(1)).map(|number| (format!("disk {number}"), &pool.work));
        let syncs = (0..DISK_SYNC_THREADS).map(|number| (format!("disk sync {number}"), &pool.syncs));
        for (name, queue) in work.chain(syncs) {
            Worker { name, queue: queue.clone(), budget: Arc::clone(&pool.budget) }.start()?;
        }
        Ok(pool)
    }

    /// How many threads this machine is given: one for each core, within bounds.
    pub fn default_threads() -> usize {
        std::thread::available_parallelism().map_or(0, NonZero::get).clamp(DISK_THREADS_MIN, DISK_THREADS_MAX)
    }

    /// Queues a job, never waiting. Gives it back where the queue is full or closed: keep it for later or
    /// [`Job::refuse`] it.
    pub fn submit(&self, job: Job) -> Result<(), Job> {
        let bytes = job.queued_bytes();
        let storage = Arc::clone(job.storage());
        storage.queue(bytes);
        self.budget.add(bytes);
        let queue = match job.lane() {
            Lane::Work => &self.work,
            Lane::Sync => &self.syncs,
        };
        queue.try_push(job).map_err(|error| {
            storage.unqueue(bytes);
            self.budget.remove(bytes);
            match error {
                PushError::Full(job) | PushError::Closed(job) => job,
            }
        })
    }

    /// The bytes that wait, for the sockets to go by.
    pub const fn budget(&self) -> &Arc<DiskBudget> {
        &self.budget
    }

    /// The open files, for new storages.
    pub const fn handles(&self) -> &Arc<Handles> {
        &self.handles
    }
}

impl Drop for DiskPool {
    fn drop(&mut self) {
        self.work.close();
        self.syncs.close();
    }
}

/// One thread. If a job panics the thread ends, so that the panic is seen, and another takes its place.
struct Worker {
    name: String,
    queue: WorkQueue<Job>,
    budget: Arc<DiskBudget>,
}

impl Worker {
    fn start(self) -> io::Result<()> {
        inspect::spawn_thread(self.name.clone(), move || self.work()).map(drop)
    }

    fn work(self) {
        let mut chunk = Vec::new();
        while let Some(job) = self.queue.pop_blocking() {
            let bytes = job.queued_bytes();
            let storage = Arc::clone(job.storage());
            job.run(&mut chunk, || {
                storage.unqueue(bytes);
                self.budget.remove(bytes);
            });
            // A check keeps all of these threads busy for minutes, and most of that within the system.
            inspect::give_way();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let next =
                Self { name: self.name.clone(), queue: self.queue.clone(), budget: Arc::clone(&self.budget) };
            // Where the system gives no thread the others of the pool go on.
            drop(next.start());
        }
    }
}
