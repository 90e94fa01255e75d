//! What people do with webseeds.

use super::super::Torrent;
use crate::contract::{WebseedAction, WebseedKind, WebseedOrigin};
use crate::engine::io::{Effect, HostAsk};
use crate::engine::webseeds::NamedWebseed;
use crate::engine::webseeds::source::Webseed;
use crate::limits;
use crate::units::{FetchId, Time, WebseedKey};

impl Torrent {
    /// A person does something with webseeds.
    pub(in crate::engine::torrent) fn webseed_command(&mut self, now: Time, action: WebseedAction) {
        match action {
            WebseedAction::Add(url) => {
                let (kind, origin) = (WebseedKind::UrlList, WebseedOrigin::Manual);
                let key = self.webseeds.add(&self.info, &NamedWebseed { url, kind, origin });
                key.into_iter().for_each(|key| self.ask_again(key));
            }
            WebseedAction::Remove(key) => {
                self.end_fetches_of(now, key);
                self.webseeds.remove(key);
            }
            WebseedAction::Retry(key) => self.ask_again(key),
            WebseedAction::Disable(key) => {
                self.end_fetches_of(now, key);
                self.with_webseed(key, |webseed| webseed.enabled = false);
            }
            WebseedAction::Enable(key) => self.with_webseed(key, |webseed| {
                (webseed.enabled, webseed.allowed) = (true, true);
                webseed.starved_at = None;
            }),
            WebseedAction::Limit(key, requests) => self.with_webseed(key, |webseed| {
                webseed.requests_max = requests.clamp(1, limits::WEBSEED_REQUESTS_CAP);
            }),
        }
        self.storing.mark_dirty(now);
    }

    fn with_webseed(&mut self, key: WebseedKey, act: impl FnOnce(&mut Webseed)) {
        if let Some(webseed) = self.webseeds.get_mut(key) {
            act(webseed);
        }
    }

    /// Forgets what failed: it is asked again at once.
    fn ask_again(&mut self, key: WebseedKey) {
        let Some(webseed) = self.webseeds.get_mut(key) else { return };
        webseed.forgive(&self.info);
        (webseed.enabled, webseed.allowed) = (true, true);
        let host = webseed.host.clone();
        self.webseeds.host_mut(&host).forgive();
        self.effects.push_back(Effect::Host { host, ask: HostAsk::Wake });
    }

    /// A limit begins: requests that may bring all they were asked for at once end, and begin again at its pace.
    pub(in crate::engine::torrent) fn end_unpaced_fetches(&mut self, now: Time) {
        let unpaced = self.webseeds.underway.values().filter(|fetch| fetch.credit.is_none());
        let ids: Vec<FetchId> = unpaced.map(|fetch| fetch.id).collect();
        ids.into_iter().for_each(|id| self.end_fetch(now, id));
    }
}
