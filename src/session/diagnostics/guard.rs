//! Which requests are taken at all.
//!
//! A page of any site can have a browser ask a loopback address, and, by a name of its own that it makes point to
//! 127.0.0.1 after the page has loaded (DNS rebinding), read the answer. The `Host` header then has that name: so only
//! loopback's own names and addresses are answered, with the port that is listened on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, HOST};
use hyper::{HeaderMap, Method, Response, StatusCode};

use super::pages::text;

/// The refusal of what is not taken.
pub(super) fn check(
    method: &Method,
    headers: &HeaderMap,
    port: u16,
) -> Result<(), Box<Response<Full<Bytes>>>> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    if hosts.next().is_some() || !host.is_some_and(|host| is_ours(host, port)) {
        let message =
            format!("the Host header must be localhost:{port} or a loopback address with that port\n");
        return Err(Box::new(text(StatusCode::FORBIDDEN, message)));
    }
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n".to_owned());
        refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return Err(Box::new(refusal));
    }
    Ok(())
}

/// Whether this is a name or an address of loopback, and the port the one that is listened on.
fn is_ours(host: &str, port: u16) -> bool {
    let (name, host_port) = match host.rsplit_once(':') {
        // An IPv6 address without a port ends with its bracket.
        Some((name, digits)) if !digits.ends_with(']') => (name, digits.parse().ok()),
        Some(_) | None => (host, Some(HTTP_PORT)),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let address = match bare {
        Some(address) => address.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => name.parse::<Ipv4Addr>().map(IpAddr::V4),
    };
    let is_loopback =
        name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
    is_loopback && host_port == Some(port)
}

/// The port that a `Host` without one means.
const HTTP_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_with_the_port_is_ours() {
        for host in ["localhost:6060", "LocalHost:6060", "127.0.0.1:6060", "127.9.9.9:6060", "[::1]:6060"] {
            assert!(is_ours(host, 6060), "{host}");
        }
        for host in [
            "evil.example:6060",
            "localhost.evil.example:6060",
            "127.0.0.1.evil.example:6060",
            "localhost:6061",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "10.0.0.1:6060",
            "::1:6060",
            "0.0.0.0:6060",
            "localhost:",
            "",
        ] {
            assert!(!is_ours(host, 6060), "{host}");
        }
        assert!(is_ours("[::1]", 80) && is_ours("localhost", 80));
    }

    #[test]
    fn a_second_host_header_and_a_missing_one_are_refused() {
        let mut headers = HeaderMap::new();
        let status =
            |headers: &HeaderMap, method: &Method| check(method, headers, 6060).map_err(|no| no.status());
        assert_eq!(status(&headers, &Method::GET), Err(StatusCode::FORBIDDEN));
        headers.append(HOST, "localhost:6060".parse().unwrap());
        assert_eq!(status(&headers, &Method::HEAD), Ok(()));
        assert_eq!(status(&headers, &Method::POST), Err(StatusCode::METHOD_NOT_ALLOWED));
        headers.append(HOST, "localhost:6060".parse().unwrap());
        assert_eq!(status(&headers, &Method::GET), Err(StatusCode::FORBIDDEN));
    }
}
