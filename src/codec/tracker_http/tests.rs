use proptest::prelude::*;

use super::*;

fn request() -> AnnounceRequest {
    let mut info_hash = [b'a'; 20];
    info_hash[..5].copy_from_slice(&[0x00, 0xff, b' ', b'%', b'~']);
    AnnounceRequest {
        info_hash,
        peer_id: *b"-UK0010-abcdefghijkl",
        port: 6881,
        uploaded_bytes: 1,
        downloaded_bytes: 2,
        left_bytes: 3,
        event: AnnounceEvent::Started,
        num_want: 200,
        key: 0xbeef,
    }
}

#[test]
fn announce_url_is_byte_exact_and_keeps_the_trackers_query() {
    assert_eq!(
        announce_url("http://t.example/announce?passkey=a%20b#top", &request()),
        "http://t.example/announce?passkey=a%20b&info_hash=%00%FF%20%25~aaaaaaaaaaaaaaa\
         &peer_id=-UK0010-abcdefghijkl&port=6881&uploaded=1&downloaded=2&left=3&compact=1&no_peer_id=1\
         &numwant=200&key=0000BEEF&event=started"
    );
    let plain = AnnounceRequest { event: AnnounceEvent::Periodic, left_bytes: u64::MAX, ..request() };
    let url = announce_url("http://t.example/announce", &plain);
    assert!(url.starts_with("http://t.example/announce?info_hash=%00") && !url.contains("event"));
    assert!(url.contains("&left=16384&"), "a size not known is sent as one block: {url}");
    assert!(announce_url("http://t/a?", &plain).starts_with("http://t/a?info_hash="));
}

#[test]
fn scrape_url_exists_only_where_the_last_path_part_starts_with_announce() {
    let scrape = |url| scrape_url(url, &[b'h'; 20]);
    let hash = "info_hash=hhhhhhhhhhhhhhhhhhhh";
    assert_eq!(scrape("http://t/announce"), Some(format!("http://t/scrape?{hash}")));
    assert_eq!(
        scrape("http://t/x/announce.php?k=/a/1"),
        Some(format!("http://t/x/scrape.php?k=/a/1&{hash}"))
    );
    assert_eq!(scrape("http://t/a"), None);
    assert_eq!(scrape("http://t/announce/x"), None);
    assert_eq!(scrape("http://t/?x=/announce"), None);
}

#[test]
fn compact_peers_are_read_and_bad_ones_dropped() {
    let body = b"d8:completei5e10:incompletei7e8:intervali1800e12:min intervali900e5:peers26:\
        \x0a\x00\x00\x01\x1a\xe1\x0a\x00\x00\x02\x00\x00\x00\x00\x00\x00\x1a\xe1\x0a\x00\x00\x03\x1a\xe2\xff\xfee";
    let answer = decode_announce(body).unwrap();
    assert_eq!(answer.peers, ["10.0.0.1:6881".parse().unwrap(), "10.0.0.3:6882".parse().unwrap()]);
    assert_eq!((answer.interval_s, answer.min_interval_s), (Some(1800), Some(900)));
    assert_eq!((answer.seeds, answer.leeches, answer.downloads), (Some(5), Some(7), None));
}

#[test]
fn peers6_and_dictionary_peers_are_read() {
    let mut body = b"d5:peersld2:ip8:10.0.0.94:porti80eed2:ip9:evil.test4:porti80eed2:ip3:::14:porti70000eee\
        6:peers618:"
        .to_vec();
    body.extend_from_slice(&[0x20, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x1a, 0xe1]);
    body.push(b'e');
    let peers = decode_announce(&body).unwrap().peers;
    assert_eq!(peers, ["10.0.0.9:80".parse().unwrap(), "[2001::7]:6881".parse().unwrap()]);
}

#[test]
fn hostile_numbers_count_as_not_sent() {
    let body = b"d8:completei-1e10:incompletei99999999999e8:intervali-5e12:min interval3:abce";
    assert_eq!(decode_announce(body), Ok(AnnounceAnswer::default()));
    let huge = decode_announce(b"d8:intervali1099511627776ee").unwrap();
    assert_eq!(huge.interval_s, Some(1 << 40));
}

#[test]
fn extras_are_read() {
    let body = b"d11:external ip4:\x01\x02\x03\x0415:warning message4:slowe";
    let answer = decode_announce(body).unwrap();
    assert_eq!(answer.external_address, Some("1.2.3.4".parse().unwrap()));
    assert_eq!(answer.warning.as_deref(), Some("slow"));
}

#[test]
fn refusals_carry_their_words_and_when_to_return() {
    let refused = |body: &[u8]| match decode_announce(body) {
        Err(TrackerError::Refused { reason, retry }) => (reason, retry),
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refused(b"d14:failure reason4:gonee"), ("gone".to_owned(), None));
    let never = refused(b"d14:failure reason4:gone8:retry in5:nevere");
    assert_eq!(never.1, Some(RetryIn::Never));
    assert_eq!(refused(b"d14:failure reason0:8:retry in1:5e").1, Some(RetryIn::Minutes(5)));
    assert_eq!(refused(b"d14:failure reason0:8:retry ini7ee").1, Some(RetryIn::Minutes(7)));
    assert_eq!(refused(b"d14:failure reason0:8:retry ini-7ee").1, None);
    let long = [b"d14:failure reason100000:".as_slice(), &[0x1b; 100_000], b"e"].concat();
    assert!(refused(&long).0.len() <= crate::limits::TRACKER_TEXT_BYTES_MAX);
}

#[test]
fn what_is_no_answer_is_named() {
    let words = |body: &[u8]| decode_announce(body).unwrap_err().to_string();
    assert_eq!(words(b" <!DOCTYPE html><p>hi"), "not a tracker's answer: the answer is a web page");
    assert_eq!(words(b""), "not a tracker's answer: the answer is empty");
    assert_eq!(words(b"i1e"), "not a tracker's answer: bencode is not a dictionary");
}

#[test]
fn scrape_counts_are_read() {
    let body = b"d5:filesd20:hhhhhhhhhhhhhhhhhhhhd8:completei3e10:downloadedi9e10:incompletei1eeee";
    let counts = ScrapeAnswer { seeds: 3, leeches: 1, downloads: 9 };
    assert_eq!(decode_scrape(body, &[b'h'; 20]), Ok(counts));
    assert!(matches!(decode_scrape(body, &[b'x'; 20]), Err(TrackerError::Malformed(_))));
}

#[test]
fn peers_past_the_bound_are_dropped() {
    let count = TRACKER_PEERS_MAX + 5;
    let mut body = format!("d5:peers{}:", 6 * count).into_bytes();
    body.extend((0..count).flat_map(|_| [10, 0, 0, 1, 1, 1]));
    body.push(b'e');
    assert_eq!(decode_announce(&body).unwrap().peers.len(), TRACKER_PEERS_MAX);
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let whole = [b"d5:peers".as_slice(), &body].concat();
        let _ = decode_announce(&whole);
        let _ = decode_scrape(&body, &[0; 20]);
    }
}
