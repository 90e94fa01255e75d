//! Places at hosts, and the pace of requests under a rate limit.

use std::collections::BTreeMap;

use super::super::Torrent;
use crate::engine::io::{Effect, HostAsk, HostKey, HostNews};
use crate::engine::webseeds::underway::Underway;
use crate::limits;
use crate::units::Time;

impl Torrent {
    /// Places at a host were granted, or another torrent saw it fail.
    pub(in crate::engine::torrent) fn hear_of_host(&mut self, now: Time, host: &HostKey, news: HostNews) {
        let places = self.webseeds.host_mut(host);
        match news {
            HostNews::Places(count) => {
                places.free += count;
                places.asked = places.asked.saturating_sub(count);
            }
            HostNews::Rests(rest) => {
                places.asked = 0;
                places.rest(now, rest);
            }
        }
    }

    /// Gives places back that nothing is fetched with, and says how many are waited for where that changed.
    pub(super) fn settle_places(&mut self) {
        let mut wanted: BTreeMap<HostKey, u32> = BTreeMap::new();
        for webseed in self.webseeds.iter().filter(|webseed| webseed.waits) {
            let room = webseed.requests_max.saturating_sub(self.webseeds.count_of(webseed.key));
            *wanted.entry(webseed.host.clone()).or_default() += room;
        }
        for (key, host) in &mut self.webseeds.hosts {
            let count = std::mem::take(&mut host.free) + std::mem::take(&mut host.over);
            if count > 0 {
                self.effects.push_back(Effect::Host { host: key.clone(), ask: HostAsk::Return(count) });
            }
            let wanted = wanted.get(key).copied().unwrap_or(0);
            if wanted != host.asked {
                host.asked = wanted;
                self.effects.push_back(Effect::Host { host: key.clone(), ask: HostAsk::Want(wanted) });
            }
        }
    }

    /// Under a rate limit requests bring what they are allowed to, a little at a time.
    pub(super) fn credit_fetches(&mut self) {
        if self.allowance.down_bytes.is_none() {
            for fetch in self.webseeds.underway.values_mut() {
                fetch.skip_bytes = 0;
                if fetch.credit.take().is_some() {
                    self.effects.push_back(Effect::FetchCredit { fetch: fetch.id, bytes: u64::MAX });
                }
            }
            return;
        }
        for fetch in self.webseeds.underway.values_mut() {
            let left = fetch.bytes - fetch.received_bytes;
            let due = limits::FETCH_CREDIT_BYTES.min(left);
            let credit = fetch.credit.get_or_insert(0);
            // Bytes come in whole blocks: the last ones must be covered to their end, however little that is.
            let enough = *credit >= due || *credit * 2 >= limits::FETCH_CREDIT_BYTES;
            if enough && fetch.skip_bytes == 0 {
                continue;
            }
            let more = self.allowance.take_down(due.saturating_sub(*credit) + fetch.skip_bytes);
            if more > 0 {
                let skipped = more.min(fetch.skip_bytes);
                fetch.skip_bytes -= skipped;
                *credit += more - skipped;
                self.effects.push_back(Effect::FetchCredit { fetch: fetch.id, bytes: more });
            }
        }
    }

    pub(super) fn refund_credit(&mut self, fetch: &Underway) {
        self.allowance.refund_down(fetch.credit.unwrap_or(0));
    }
}
