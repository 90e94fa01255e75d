//! The threads that do disk jobs, and whose turn it is.
//!
//! A call into a device that does not answer (a server that is gone, a bus that hangs) cannot be ended and keeps its
//! thread for good. So no thread belongs to everybody: each device has turns of its own, and threads are started as
//! turns are given out. What holds by that:
//!
//! - Whatever hangs on one device, another gets its whole number of turns at once, until all threads that there may be
//!   are used up: by [`DISK_THREADS_TOTAL`](crate::limits::DISK_THREADS_TOTAL), six devices that hang with all of
//!   their turns on a machine with sixteen processors, and more on smaller ones.
//! - Torrents of one device are served in turn, a job each. One alone gets all turns but the last, which costs it
//!   nothing, as the last one is beyond the number of threads that a device has use for: so one torrent whose jobs do
//!   not end, by whatever fault, holds up no other on its device. Two that hang may hold up that device.
//! - Until a torrent's folder was seen its device is not known. There is one turn for each such folder, and no more
//!   than a share of all threads for them together.
//!
//! The jobs of one torrent begin in the order in which they were submitted.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::job::Job;
use super::storage::Storage;
use crate::inspect::{self, Lock, WorkQueue};
use crate::limits::{DISK_JOBS_MAX, DISK_THREADS_TOTAL};

/// Where jobs go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A device (`st_dev`).
    Device(u64),
    /// A save folder whose device is not known.
    Folder(PathBuf),
}

/// How many jobs may run at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// Of one torrent.
    pub(super) storage: usize,
    /// Of one device: more than of one torrent.
    pub(super) device: usize,
    /// Of all folders together whose device is not known.
    pub(super) unknown: usize,
}

/// Threads and the jobs that wait for them.
#[derive(Debug)]
pub(super) struct Crew {
    name: &'static str,
    bounds: Turns,
    state: Lock<State>,
    /// Each a right to do one job of that device.
    turns: WorkQueue<Place>,
}

#[derive(Debug, Default)]
struct State {
    lanes: BTreeMap<Place, Lane>,
    /// Jobs that wait.
    jobs: usize,
    /// Turns given out and not given back, of all lanes.
    turns: usize,
    /// Those of folders among them.
    unknown: usize,
    threads: usize,
    closed: bool,
}

/// The jobs of one device.
#[derive(Debug, Default)]
struct Lane {
    /// The torrents whose jobs wait, the next one first.
    waiting: VecDeque<(u64, VecDeque<Job>)>,
    /// How many jobs of each torrent run.
    running: BTreeMap<u64, usize>,
    turns: usize,
}

impl Lane {
    fn running(&self, storage: u64) -> usize {
        self.running.get(&storage).copied().unwrap_or_default()
    }

    fn holds(&self, storage: u64) -> bool {
        self.waiting.iter().any(|(waits, _)| *waits == storage)
    }

    fn push(&mut self, storage: u64, job: Job) {
        match self.waiting.iter_mut().find(|(waits, _)| *waits == storage) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.waiting.push_back((storage, VecDeque::from([job]))),
        }
    }

    /// Which torrent may begin a job now.
    fn next(&self, of_one: usize) -> Option<usize> {
        self.waiting.iter().position(|(storage, _)| self.running(*storage) < of_one)
    }

    /// The next job; its torrent goes behind the others.
    fn take(&mut self, of_one: usize) -> Option<(u64, Job)> {
        let (storage, mut jobs) = self.next(of_one).and_then(|at| self.waiting.remove(at))?;
        let job = jobs.pop_front()?;
        if !jobs.is_empty() {
            self.waiting.push_back((storage, jobs));
        }
        *self.running.entry(storage).or_default() += 1;
        Some((storage, job))
    }

    fn end(&mut self, storage: u64) {
        if let Some(running) = self.running.get_mut(&storage) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&storage);
            }
        }
    }
}

impl Turns {
    const fn of_one(self, place: &Place) -> usize {
        match place {
            Place::Device(_) => self.storage,
            Place::Folder(_) => 1,
        }
    }

    /// Whether there is another turn for a place that has `turns`, while all folders have `unknown`.
    const fn has_another(self, place: &Place, turns: usize, unknown: usize) -> bool {
        match place {
            Place::Device(_) => turns < self.device,
            Place::Folder(_) => turns < 1 && unknown < self.unknown,
        }
    }
}

impl Crew {
    /// Starts the first `threads`; others come when they are needed.
    pub(super) fn start(name: &'static str, threads: usize, bounds: Turns) -> io::Result<Arc<Self>> {
        let crew = Arc::new(Self {
            name,
            bounds,
            state: Lock::new(format!("whose turn it is: {name}"), State::default()),
            // Each turn is of a job that waits.
            turns: inspect::work_queue(format!("turns of {name} jobs"), DISK_JOBS_MAX),
        });
        for _ in 0..threads {
            crew.state.lock().threads += 1;
            crew.start_thread()?;
        }
        Ok(crew)
    }

    /// Queues a job, never waiting. Gives it back where there are too many, or they are ending.
    pub(super) fn submit(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let storage = Arc::clone(job.storage());
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if state.closed || state.jobs >= DISK_JOBS_MAX {
            return Err(job);
        }
        state.jobs += 1;
        let place = state.place_of(&storage);
        let lane = state.lanes.entry(place.clone()).or_default();
        lane.push(storage.id, job);
        let may_begin = lane.running(storage.id) < self.bounds.of_one(&place);
        if !may_begin || !self.bounds.has_another(&place, lane.turns, state.unknown) {
            return Ok(());
        }
        state.count(&place);
        let is_short = state.turns > state.threads && state.threads < DISK_THREADS_TOTAL;
        state.threads += usize::from(is_short);
        drop(guard);
        self.give(place);
        // Where the system gives no thread the others do it later.
        if is_short && self.start_thread().is_err() {
            self.state.lock().threads -= 1;
        }
        Ok(())
    }

    /// Takes no more jobs. What waits is done, then the threads end.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        if state.turns == 0 {
            self.turns.close();
        }
    }

    /// How many threads there are.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.state.lock().threads
    }

    fn give(&self, place: Place) {
        let given = self.turns.try_push(place);
        debug_assert!(given.is_ok(), "each turn is of a job that waits, and it is closed after the last");
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let worker = Worker { crew: Arc::clone(self) };
        inspect::spawn_thread(self.name, move || worker.work()).map(drop)
    }

    /// The job that a turn is for. A turn that finds none is given back.
    fn take(&self, place: Place) -> Option<(Taken<'_>, Job)> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        match state.lanes.get_mut(&place)?.take(self.bounds.of_one(&place)) {
            Some((storage, job)) => {
                state.jobs -= 1;
                Some((Taken { crew: self, place, storage }, job))
            }
            None => {
                self.give_back(state, &place);
                None
            }
        }
    }

    /// A job is done: its turn goes to the next one of that place, behind those of the others.
    fn end(&self, place: &Place, storage: u64) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Some(lane) = state.lanes.get_mut(place) else { return };
        lane.end(storage);
        if lane.next(self.bounds.of_one(place)).is_some() {
            self.give(place.clone());
        } else {
            self.give_back(state, place);
        }
    }

    fn give_back(&self, state: &mut State, place: &Place) {
        state.discount(place);
        if matches!(place, Place::Folder(_))
            && let Some(next) = state.folder_without_turn()
        {
            state.count(&next);
            self.give(next);
        }
        if state.closed && state.turns == 0 {
            self.turns.close();
        }
    }
}

impl State {
    /// Where the jobs of a torrent go now: those that came before its device was known begin before later ones.
    fn place_of(&self, storage: &Storage) -> Place {
        if let Some(device) = storage.device().filter(|_| self.unknown == 0) {
            return Place::Device(device);
        }
        let folder = Place::Folder(storage.save_dir().to_owned());
        match storage.device() {
            Some(device) if !self.lanes.get(&folder).is_some_and(|lane| lane.holds(storage.id)) => {
                Place::Device(device)
            }
            Some(_) | None => folder,
        }
    }

    fn count(&mut self, place: &Place) {
        if let Some(lane) = self.lanes.get_mut(place) {
            lane.turns += 1;
        }
        self.turns += 1;
        self.unknown += usize::from(matches!(place, Place::Folder(_)));
    }

    fn discount(&mut self, place: &Place) {
        if let Some(lane) = self.lanes.get_mut(place) {
            lane.turns -= 1;
            if lane.turns == 0 && lane.waiting.is_empty() {
                self.lanes.remove(place);
            }
        }
        self.turns -= 1;
        self.unknown -= usize::from(matches!(place, Place::Folder(_)));
    }

    /// A folder whose jobs found all turns of folders given out.
    fn folder_without_turn(&self) -> Option<Place> {
        let is_one = |(place, lane): &(&Place, &Lane)| matches!(place, Place::Folder(_)) && lane.turns == 0;
        self.lanes.iter().find(is_one).map(|(place, _)| place.clone())
    }
}

/// A turn that is used; it ends when this is dropped.
struct Taken<'a> {
    crew: &'a Crew,
    place: Place,
    storage: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.crew.end(&self.place, self.storage);
    }
}

/// One thread. If a job panics the thread ends, so that the panic is seen, and another takes its place.
struct Worker {
    crew: Arc<Crew>,
}

impl Worker {
    fn work(self) {
        let mut chunk = Vec::new();
        while let Some(place) = self.crew.turns.pop_blocking() {
            let Some((taken, job)) = self.crew.take(place) else { continue };
            let bytes = job.queued_bytes();
            let storage = Arc::clone(job.storage());
            job.run(&mut chunk, || storage.budget().remove(bytes));
            // The last one of a torrent closes its files, which is a call into the device as well.
            drop(storage);
            drop(taken);
            // A check keeps all of these threads busy for minutes, and most of that within the system.
            inspect::give_way();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Where the system gives no thread the others go on.
            drop(self.crew.start_thread());
        }
    }
}
