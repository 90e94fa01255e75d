//! Bytes of a file for front ends while it is downloaded.
//!
//! Each read is a task that ends with its answer, or takes the read back when whoever asked is gone: what a torrent
//! fetches first is never decided by somebody who is not there.

use bytes::Bytes;

use super::{Control, Reply, no_such_torrent};
use crate::contract::{Answer, FileBytes, Refusal};
use crate::engine::io::{ReadError, ReadRequest, ReaderId};
use crate::inspect::{self, TrySendError};
use crate::session::driver::ToDriver;
use crate::units::TorrentId;

/// The reader that an asker calls by a number: no two askers share one.
pub(super) fn reader_id(asker: u32, reader: u32) -> ReaderId {
    ReaderId(u64::from(asker) << 32 | u64::from(reader))
}

impl Control {
    pub(super) fn read(&self, torrent: TorrentId, request: ReadRequest, mut reply: Reply) {
        let Some(member) = self.directory.member(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        if member.storage.is_none() {
            let message = "the files are not known until the metadata is here; try again when it is";
            reply.send(Err(Refusal::new(message)));
            return;
        }
        let (reader, (sender, answer)) = (request.reader, inspect::reply("bytes of a file"));
        // From here, so that reads go out in the order in which they are asked for: of one reader the last one counts.
        let unsent = match member.inbox.try_send(ToDriver::Read(request, sender)) {
            Ok(()) => None,
            Err(TrySendError::Full(read)) => Some(read),
            Err(TrySendError::Closed(_)) => return reply.send(Err(ended())),
        };
        let reading = async move {
            if let Some(read) = unsent {
                tokio::select! {
                    sent = member.inbox.send(read) => if sent.is_err() { return reply.send(Err(ended())) },
                    () = reply.closed() => return,
                }
            }
            read(&member.inbox, reader, answer, reply).await;
        };
        inspect::spawn(format!("read from {torrent}"), reading).detach();
    }
}

impl Control {
    pub(super) fn recording(&self, torrent: TorrentId, reply: Reply) {
        let Some(member) = self.directory.member(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        let asking = async move { reply.send(recording(&member.inbox).await) };
        inspect::spawn_for(torrent, format!("recording of {torrent}"), asking).detach();
    }
}

/// The file is put together here, so that the owner goes on.
async fn recording(inbox: &inspect::Sender<ToDriver>) -> Result<Answer, Refusal> {
    let (reply, answer) = inspect::reply("a recording");
    let gone = || {
        Refusal::new(
            "nobody answers for the torrent: it is being removed, its metadata just came, or a bug ended it; try again, \
             and see its row",
        )
    };
    inbox.send(ToDriver::Recording(reply)).await.map_err(|_| gone())?;
    let recording = answer.await.map_err(|_| gone())?.map_err(|why| Refusal::new(why.to_string()))?;
    let bytes = inspect::aside(|| recording.to_bytes());
    let bytes = bytes.map_err(|_| Refusal::new("the recording could not be encoded"))?;
    Ok(Answer::Bytes(FileBytes(bytes.into())))
}

/// Passes the answer on, or takes the read back.
async fn read(
    inbox: &inspect::Sender<ToDriver>,
    reader: ReaderId,
    answer: inspect::ReplyReceiver<Result<Bytes, ReadError>>,
    mut reply: Reply,
) {
    tokio::select! {
        answer = answer => reply.send(match answer {
            Ok(Ok(bytes)) => Ok(Answer::Bytes(FileBytes(bytes))),
            Ok(Err(error)) => Err(Refusal::new(error.to_string())),
            Err(_) => Err(ended()),
        }),
        () = reply.closed() => {
            let _ = inbox.send(ToDriver::EndRead(reader)).await;
        }
    }
}

fn ended() -> Refusal {
    Refusal::new("the read was ended: the torrent is going, or the same reader reads elsewhere")
}
