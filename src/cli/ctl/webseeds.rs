//! `unchoke ctl webseed`: changes the webseeds of a torrent and how they are asked.

use anyhow::Context;

use super::{Call, Changed, Format, choice, unexpected};
use crate::cli::args::{WebseedArgs, WebseedCommand};
use crate::contract::{Answer, Command, TorrentDetail, WebseedAction};
use crate::tui::{Done, WebseedChange};

impl Call {
    /// Does one thing with one webseed; it is looked up first, so a wrong one changes nothing.
    pub(super) async fn webseed(&mut self, wanted: &WebseedArgs) -> anyhow::Result<()> {
        let detail = self.detail(&wanted.id).await?;
        let (action, change) = action(&wanted.action, &detail)?;
        let torrent = detail.row.id;
        let answer = self.client.request(Command::Webseed { torrent, action }).await;
        match answer.with_context(|| format!("{}", detail.row.name))? {
            Answer::Done => self.tell(&detail.row.name, Done::Webseed(change))?,
            other => return Err(unexpected(&other)),
        }
        if self.format == Format::Json {
            self.output.json(&Changed { id: torrent, already: None })?;
        }
        Ok(())
    }
}

fn action(wanted: &WebseedCommand, detail: &TorrentDetail) -> anyhow::Result<(WebseedAction, WebseedChange)> {
    let find = |key: &str| choice::webseed(key, &detail.webseeds);
    Ok(match wanted {
        WebseedCommand::Add { url } => (WebseedAction::Add(url.clone()), WebseedChange::Added),
        WebseedCommand::Remove { key } => (WebseedAction::Remove(find(key)?), WebseedChange::Removed),
        WebseedCommand::Retry { key } => (WebseedAction::Retry(find(key)?), WebseedChange::Retried),
        WebseedCommand::Disable { key } => (WebseedAction::Disable(find(key)?), WebseedChange::Disabled),
        WebseedCommand::Enable { key } => (WebseedAction::Enable(find(key)?), WebseedChange::Enabled),
        WebseedCommand::Limit { key, requests } => {
            (WebseedAction::Limit(find(key)?, *requests), WebseedChange::Limited)
        }
    })
}
