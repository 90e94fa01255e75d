//! Requests that one torrent's owner answers: passed on, and answered when its turn is over.

use std::sync::Arc;

use super::{Control, Reply, no_such_torrent};
use crate::contract::{
    Answer, FileChoice, OrderChange, Priority, PriorityChange, Refusal, TorrentDetail, WebseedAction,
    choose_files, redact_url,
};
use crate::engine::io::{Input, TorrentCommand};
use crate::session::driver::{FetchProgress, ToDriver};
use crate::units::{FileIndex, TorrentId};
use crate::{inspect, limits};

impl Control {
    pub(super) fn tell(&self, torrent: TorrentId, command: TorrentCommand, reply: Reply) {
        self.tell_input(torrent, Input::Command(command), reply);
    }

    pub(super) fn tell_input(&self, torrent: TorrentId, input: Input, reply: Reply) {
        let Some(inbox) = self.directory.inbox(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        let telling = async move { reply.send(apply(&inbox, input).await) };
        inspect::spawn_for(torrent, format!("ask {torrent}"), telling).detach();
    }

    pub(super) fn detail(&self, torrent: TorrentId, reply: Reply) {
        let Some(inbox) = self.directory.inbox(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        let asking = async move {
            let detail = detail_of(&inbox).await;
            reply.send(detail.map(Answer::Detail));
        };
        inspect::spawn_for(torrent, format!("look at {torrent}"), asking).detach();
    }

    pub(super) fn vitals(&self, torrent: TorrentId, reply: Reply) {
        let Some(inbox) = self.directory.inbox(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        let asking = async move {
            let vitals = answer_of(&inbox, "a torrent's vitals", ToDriver::Vitals).await;
            reply.send(vitals.map(|(detail, vitals)| Answer::Vitals(detail, Box::new(vitals))));
        };
        inspect::spawn_for(torrent, format!("look into {torrent}"), asking).detach();
    }

    /// The torrent's detail says which webseeds there are.
    pub(super) fn webseed(&self, torrent: TorrentId, action: WebseedAction, reply: Reply) {
        let Some(inbox) = self.directory.inbox(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        let asking = async move {
            let detail = detail_of(&inbox).await;
            let answer = match detail.and_then(|detail| check_webseed(&detail, &action)) {
                Ok(()) => apply(&inbox, Input::Command(TorrentCommand::Webseed(action))).await,
                Err(refusal) => Err(refusal),
            };
            reply.send(answer);
        };
        inspect::spawn_for(torrent, format!("webseeds of {torrent}"), asking).detach();
    }

    /// The driver knows what the change leaves as it is.
    pub(super) fn set_order(&self, torrent: TorrentId, change: OrderChange, reply: Reply) {
        let Some(inbox) = self.directory.inbox(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        let setting = async move { reply.send(say(&inbox, |done| ToDriver::Order(change, done)).await) };
        inspect::spawn(format!("set the order of {torrent}"), setting).detach();
    }

    /// Files are chosen by paths, which the torrent's detail lists. A magnet has none yet: it remembers the wish.
    pub(super) fn set_priority(&self, torrent: TorrentId, changes: Vec<PriorityChange>, reply: Reply) {
        let Some(member) = self.directory.member(torrent) else {
            reply.send(Err(no_such_torrent(torrent)));
            return;
        };
        let inbox = member.inbox;
        if member.storage.is_none() {
            let wishing = async move { reply.send(wish(&inbox, changes).await) };
            inspect::spawn_for(torrent, format!("remember priorities of {torrent}"), wishing).detach();
            return;
        }
        let setting = async move {
            let detail = detail_of(&inbox).await;
            let answer = match detail.and_then(|detail| resolve(&changes, &detail)) {
                Ok(levels) => apply(&inbox, Input::Command(TorrentCommand::SetPriority(levels))).await,
                Err(refusal) => Err(refusal),
            };
            reply.send(answer);
        };
        inspect::spawn_for(torrent, format!("set priorities of {torrent}"), setting).detach();
    }
}

async fn apply(inbox: &inspect::Sender<ToDriver>, input: Input) -> Result<Answer, Refusal> {
    say(inbox, |done| ToDriver::Do(input, done)).await
}

async fn wish(inbox: &inspect::Sender<ToDriver>, changes: Vec<PriorityChange>) -> Result<Answer, Refusal> {
    say(inbox, |done| ToDriver::Fetch(FetchProgress::Wish(changes, done))).await
}

/// Says something to a driver, and waits until it has taken effect.
async fn say(
    inbox: &inspect::Sender<ToDriver>,
    said: impl FnOnce(inspect::ReplySender<()>) -> ToDriver,
) -> Result<Answer, Refusal> {
    let (reply, done) = inspect::reply("a command's effect");
    inbox.send(said(reply)).await.map_err(|_| gone())?;
    done.await.map_err(|_| gone())?;
    Ok(Answer::Done)
}

async fn detail_of(inbox: &inspect::Sender<ToDriver>) -> Result<Arc<TorrentDetail>, Refusal> {
    answer_of(inbox, "a torrent's detail", ToDriver::Detail).await
}

/// Asks a driver, and waits for what it says; `name` is what the reports call that.
async fn answer_of<T: Send>(
    inbox: &inspect::Sender<ToDriver>,
    name: &'static str,
    question: impl FnOnce(inspect::ReplySender<T>) -> ToDriver,
) -> Result<T, Refusal> {
    let (reply, answer) = inspect::reply(name);
    inbox.send(question(reply)).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())
}

fn gone() -> Refusal {
    Refusal::new("the torrent is just being removed")
}

/// Whether an action names a webseed that is there, or a URL that can be one.
fn check_webseed(detail: &TorrentDetail, action: &WebseedAction) -> Result<(), Refusal> {
    let key = match action {
        WebseedAction::Add(url) => {
            let scheme =
                url::Url::parse(url).ok().filter(url::Url::has_host).map(|url| url.scheme().to_owned());
            return match scheme.as_deref() {
                _ if detail.piece_length == 0 => {
                    Err(Refusal::new("the metadata of this magnet is not here yet; add webseeds when it is"))
                }
                Some("http" | "https") if detail.webseeds.len() < limits::WEBSEEDS_MAX => Ok(()),
                Some("http" | "https") => Err(Refusal::new(format!(
                    "the torrent has {} webseeds; remove one first",
                    limits::WEBSEEDS_MAX
                ))),
                Some(_) | None => {
                    let url = redact_url(url).shown();
                    Err(Refusal::new(format!("'{url}' is not an http or https URL; give that of a webseed")))
                }
            };
        }
        WebseedAction::Remove(key)
        | WebseedAction::Retry(key)
        | WebseedAction::Disable(key)
        | WebseedAction::Enable(key)
        | WebseedAction::Limit(key, _) => *key,
    };
    if detail.webseeds.iter().any(|row| row.key == key) {
        return Ok(());
    }
    Err(Refusal::new(format!("the torrent has no webseed {}; see `ctl webseeds`", key.0)))
}

/// The levels that changes mean for the files of a torrent, in order.
fn resolve(
    changes: &[PriorityChange],
    detail: &TorrentDetail,
) -> Result<Vec<(FileIndex, Priority)>, Refusal> {
    let files = detail.files.iter().map(|file| (file.index, file.path.raw()));
    levels(changes, &files.collect::<Vec<_>>())
}

/// The levels that changes mean for these files (index, ascending, and path), in order. A choice that meets no file is refused.
pub(super) fn levels(
    changes: &[PriorityChange],
    files: &[(FileIndex, &str)],
) -> Result<Vec<(FileIndex, Priority)>, Refusal> {
    let mut levels = Vec::new();
    for change in changes {
        let chosen: Vec<FileIndex> = match &change.files {
            FileChoice::All => files.iter().map(|(index, _)| *index).collect(),
            FileChoice::Indices(indices) => {
                // By halving, as both lists may hold a hundred thousand files.
                let known =
                    |index: &&FileIndex| files.binary_search_by_key(*index, |(file, _)| *file).is_ok();
                if let Some(unknown) = indices.iter().find(|index| !known(index)) {
                    let message = format!("the torrent has no file {}; see `ctl files`", unknown.0);
                    return Err(Refusal::new(message));
                }
                indices.clone()
            }
            FileChoice::Glob(pattern) => {
                let found = choose_files(pattern, files.iter().map(|(_, path)| *path));
                if found.is_empty() {
                    let message = format!("no file matches '{}'; see `ctl files`", pattern.escape_debug());
                    return Err(Refusal::new(message));
                }
                found.into_iter().map(|at| files[at].0).collect()
            }
        };
        levels.extend(chosen.into_iter().map(|file| (file, change.level)));
    }
    Ok(levels)
}
