//! Between the torrent and the disk threads. A full queue keeps jobs here, in order, never the driver.

use std::sync::Arc;

use super::{Driver, ToDriver};
use crate::engine::io::{Input, TorrentCommand};
use crate::session::disk::{Gathered, Job, PieceWork, Wanted};
use crate::units::FileIndex;

impl Driver {
    pub(super) fn piece_job(&mut self, work: PieceWork) {
        let inbox = self.outside.inbox.clone();
        // Blocks a disk thread for moments when the inbox is full: the driver always comes back to it.
        let done = move |input| drop(inbox.send_blocking(ToDriver::Input(input)));
        let job = Job::piece(Arc::clone(&self.storage), work, done);
        self.submit(job);
    }

    pub(super) fn submit(&mut self, job: Job) {
        if !self.waiting_jobs.is_empty() {
            self.waiting_jobs.push_back(job);
        } else if let Err(job) = self.outside.shared.disk.submit(job) {
            self.waiting_jobs.push_back(job);
        }
    }

    pub(super) fn submit_waiting(&mut self) {
        while let Some(job) = self.waiting_jobs.pop_front() {
            if let Err(job) = self.outside.shared.disk.submit(job) {
                self.waiting_jobs.push_front(job);
                return;
            }
        }
    }

    /// What no piece brings: files without a byte, and bytes that were kept apart of files that are wanted by now.
    pub(super) fn gather_at_start(&mut self) {
        let info = self.torrent.info();
        if self.storage.keeps_apart() || info.files.iter().any(|file| file.bytes == 0 && !file.pad) {
            self.gather(info.file_indices().collect());
        }
    }

    /// Which files get their bytes changed: new ones go where they belong from now on, old ones follow.
    pub(super) fn files_wanted(&mut self, wanted: Vec<FileIndex>, unwanted: &[FileIndex]) {
        unwanted.iter().for_each(|file| self.storage.set_wanted(*file, Wanted::No));
        wanted.iter().for_each(|file| self.storage.set_wanted(*file, Wanted::Yes));
        if !wanted.is_empty() {
            self.gather(wanted);
        }
    }

    fn gather(&mut self, files: Vec<FileIndex>) {
        let inbox = self.outside.inbox.clone();
        let done = move |result| {
            let said = match result {
                Ok(Gathered::Whole) => return,
                Ok(Gathered::SomeLost) => ToDriver::Input(Input::Command(TorrentCommand::Recheck)),
                Err(error) => ToDriver::DiskNotice(error),
            };
            drop(inbox.send_blocking(said));
        };
        self.submit(Job::gather(Arc::clone(&self.storage), files, done));
    }
}
