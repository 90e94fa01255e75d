//! The .torrent file that a magnet and the info dictionary of its peers make together.

use super::Magnet;

impl Magnet {
    /// A .torrent file of this magnet: the dictionary byte by byte, its trackers each a tier of its own, its webseeds.
    pub fn torrent_of(&self, raw_info: &[u8]) -> Vec<u8> {
        // Bencode wants keys sorted: announce-list, info, url-list.
        let mut torrent = b"d".to_vec();
        if !self.trackers.is_empty() {
            torrent.extend(b"13:announce-listl");
            for url in &self.trackers {
                torrent.push(b'l');
                write_text(&mut torrent, url);
                torrent.push(b'e');
            }
            torrent.push(b'e');
        }
        torrent.extend(b"4:info");
        torrent.extend(raw_info);
        if !self.webseeds.is_empty() {
            torrent.extend(b"8:url-listl");
            self.webseeds.iter().for_each(|url| write_text(&mut torrent, url));
            torrent.push(b'e');
        }
        torrent.push(b'e');
        torrent
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend(format!("{}:", text.len()).bytes());
    out.extend(text.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{Kind, create, parse};

    #[test]
    fn what_it_makes_is_the_same_torrent_with_the_magnets_trackers_and_webseeds() {
        let original = parse(create::from_memory("a", 32_768, &[("a", &[1; 5])], Kind::V1).unwrap().into());
        let original = original.unwrap();
        let mut magnet = Magnet::of(&original);
        let bare = parse(magnet.torrent_of(original.info.raw()).into()).unwrap();
        assert!(bare.trackers.is_empty() && bare.webseeds.is_empty());
        magnet.trackers = vec!["http://a.example/announce".into(), "udp://b.example:1/announce".into()];
        magnet.webseeds = vec!["http://w.example/".into()];
        let made = parse(magnet.torrent_of(original.info.raw()).into()).unwrap();
        assert_eq!(made.info.id(), original.info.id());
        assert_eq!(made.trackers, magnet.trackers.iter().map(|url| vec![url.clone()]).collect::<Vec<_>>());
        assert_eq!(made.webseeds, magnet.webseeds);
    }
}
