use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::contract::Snapshot;

/// An answer on loopback comes long before this.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of an engine that answers nothing: what it published is all there is.
fn server() -> (Diagnostics, crate::session::EngineEnds) {
    let (handle, ends) = Handle::new(7);
    ends.snapshots.set(Arc::new(Snapshot::default()));
    (bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap().serve(handle).unwrap(), ends)
}

fn connect(server: &Diagnostics) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Status and all that was sent.
fn ask(server: &Diagnostics, method: &str, path: &str, host: &str) -> (u16, Vec<u8>) {
    let mut stream = connect(server);
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer)
}

fn get(server: &Diagnostics, path: &str) -> (u16, String) {
    let (status, answer) = ask(server, "GET", path, &server.address().to_string());
    (status, String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn an_address_that_others_reach_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "192.0.2.1:6060"] {
        let error = bind(address.parse().unwrap()).unwrap_err();
        assert!(matches!(error, DiagnosticsError::NotLoopback(_)), "{error}");
    }
    let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    assert!(matches!(bind(taken.address).unwrap_err(), DiagnosticsError::Bind { .. }));
}

#[test]
fn pages_are_given_and_nothing_else() {
    let (server, _ends) = server();
    for (path, expected, has) in [
        ("/", 200, "/debug/status"),
        ("/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total "),
        ("/debug/pprof/goroutine?debug=2", 200, "thread "),
        ("/debug/pprof/lockHolders?debug=1", 200, "lockHolders profile: total "),
        ("/debug/pprof/lockBlockers?debug=2", 200, "lockBlockers profile: total "),
        ("/debug/status", 200, "\"control\" HAS NOT ANSWERED"),
        ("/metrics", 200, "# TYPE unchoke_tasks gauge\n"),
        ("/debug/pprof/goroutine?debug=3", 400, "debug must be"),
        ("/debug/pprof/heap", 404, "no such page"),
        ("/../etc/passwd", 404, "no such page"),
    ] {
        let (status, text) = get(&server, path);
        assert_eq!(status, expected, "{path}: {text}");
        assert!(text.contains(has), "{path}: {text}");
    }
    let (status, answer) = ask(&server, "GET", "/debug/pprof/goroutine", &server.address().to_string());
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!((status, &answer[body..body + 2]), (200, &[0x1f, 0x8b][..]), "gzip");
}

#[test]
fn what_a_page_of_some_site_or_a_writer_asks_is_refused() {
    let (server, _ends) = server();
    let port = server.address().port();
    let own = format!("localhost:{port}");
    for (method, host, expected) in [
        ("GET", own.as_str(), 200),
        ("GET", &format!("rebound.example:{port}"), 403),
        ("GET", "127.0.0.1", 403),
        ("POST", own.as_str(), 405),
        ("PUT", own.as_str(), 405),
        ("POST", "rebound.example", 403),
    ] {
        assert_eq!(ask(&server, method, "/", host).0, expected, "{method} {host}");
    }
    let (status, head) = ask(&server, "HEAD", "/", &own);
    assert_eq!(status, 200);
    assert!(head.ends_with(b"\r\n\r\n"), "a HEAD has no body");
    let mut stream = connect(&server);
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 403 "), "{answer}");
}

#[test]
fn clients_that_never_read_or_never_ask_stop_no_other() {
    let (server, _ends) = server();
    let host = server.address();
    let mut slow = Vec::new();
    // More than are served at once: those that ask and never read, those that begin to ask, and those that say nothing.
    for number in 0..3 * DIAGNOSTICS_CLIENTS_MAX {
        let mut stream = connect(&server);
        let said = match number % 3 {
            0 => format!("GET /debug/pprof/goroutine?debug=2 HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            1 => "GET /metr".to_owned(),
            _ => String::new(),
        };
        stream.write_all(said.as_bytes()).unwrap();
        slow.push(stream);
    }
    let asked = Instant::now();
    assert_eq!(get(&server, "/metrics").0, 200);
    assert!(asked.elapsed() < DIAGNOSTICS_HEAD_MAX, "{:?}", asked.elapsed());
    // The first of them were cut off.
    let mut rest = Vec::new();
    let first = slow[2].read_to_end(&mut rest);
    assert!(first.is_ok_and(|read| read == 0) || rest.is_empty());
    drop(slow);
}

#[test]
fn nobody_listens_once_it_is_dropped() {
    let (server, _ends) = server();
    let address = server.address();
    drop(server);
    let until = Instant::now() + PATIENCE;
    while let Ok(stream) = TcpStream::connect(address) {
        let _ = stream.shutdown(Shutdown::Both);
        assert!(Instant::now() < until, "it still listens");
        std::thread::sleep(Duration::from_millis(5));
    }
}
