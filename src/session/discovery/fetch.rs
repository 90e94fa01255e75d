//! A .torrent file by its URL.

use super::address::Allowed;
use super::http::{Bounds, Http, HttpError};
use crate::codec::tracker_http::looks_like_html;
use crate::contract::{Untrusted, redact_url};
use crate::limits::TORRENT_BYTES_MAX;

/// Why a URL gave no torrent. The URL is redacted: it may hold a passkey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The server said no.
    #[error("cannot fetch {url}: the server answered with HTTP status {status}; check the URL in a browser")]
    Status {
        /// What was asked.
        url: Untrusted,
        /// 404 and its like.
        status: u16,
    },
    /// A page, most likely one that asks to log in.
    #[error(
        "cannot add {url}: the server answered with a web page, not a torrent; download the .torrent in a browser \
         and give its path"
    )]
    WebPage {
        /// What was asked.
        url: Untrusted,
    },
    /// Neither.
    #[error("cannot add {url}: the server's answer of {bytes} bytes is not a torrent; check the URL")]
    NotATorrent {
        /// What was asked.
        url: Untrusted,
        /// Length of the answer.
        bytes: usize,
    },
    /// There is no answer.
    #[error("cannot fetch {url}: {cause}")]
    Http {
        /// What was asked.
        url: Untrusted,
        /// Why.
        cause: HttpError,
    },
}

/// Gets the bytes of a .torrent. That they are a torrent is for `metainfo` to say; what clearly is none is named here.
pub async fn fetch_torrent(http: &Http, url: &str) -> Result<Vec<u8>, FetchError> {
    let bounds = Bounds {
        body_bytes_max: TORRENT_BYTES_MAX,
        total: http.settings().torrent_total,
        // A person gave the URL, and may well mean a server of their own.
        allowed: Allowed::Any,
    };
    let shown = redact_url(url);
    let page = match http.get(url, bounds).await {
        Ok(page) => page,
        Err(cause) => return Err(FetchError::Http { url: shown, cause }),
    };
    if page.status != 200 {
        return Err(FetchError::Status { url: shown, status: page.status });
    }
    match page.body.first() {
        Some(b'd') => Ok(page.body),
        _ if looks_like_html(&page.body) => Err(FetchError::WebPage { url: shown }),
        _ => Err(FetchError::NotATorrent { url: shown, bytes: page.body.len() }),
    }
}
