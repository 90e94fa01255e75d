//! Redirects, followed by hand: where the next may lead depends on the address that answered, and who may see secrets
//! on where it leads.

use reqwest::{RequestBuilder, Response, StatusCode, header};
use url::Url;

use super::address::{Allowed, is_public, literal_ip};
use super::clients::Clients;
use super::http::HttpError;
use crate::limits::HTTP_REDIRECTS_MAX;

/// Where a request goes next.
///
/// The user and password of the first URL go along while the origin (scheme, host, port) stays, and are forgotten once
/// it changes; those that a redirect names are not used. From https to http is a change of origin like any other: what
/// is fetched is checked by its own hashes, so it may lead there, without secrets.
#[derive(Clone, Debug)]
pub(in crate::session) struct Route {
    url: Url,
    allowed: Allowed,
    /// URLs that may go to public addresses only, whatever `allowed` says.
    public_only: fn(&Url) -> bool,
}

impl Route {
    /// Begins at a URL.
    pub(in crate::session) fn new(
        url: &str,
        allowed: Allowed,
        public_only: fn(&Url) -> bool,
    ) -> Result<Self, HttpError> {
        let url = Url::parse(url).map_err(|error| HttpError::BadUrl(format!("not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(HttpError::BadUrl(format!("{} is not http or https", url.scheme())));
        }
        let route = Self { url, allowed, public_only };
        if route.allowed().permits_url(&route.url) {
            return Ok(route);
        }
        let host = route.url.host_str().unwrap_or_default();
        Err(HttpError::BadUrl(format!("blocked by policy: {host} must not be asked")))
    }

    fn allowed(&self) -> Allowed {
        if (self.public_only)(&self.url) { Allowed::PublicOnly } else { self.allowed }
    }

    /// Goes on to where a redirect leads.
    fn redirected(&mut self, mut next: Url, answered: Answered) -> Result<(), HttpError> {
        let stays = next.origin() == self.url.origin();
        let (user, password) =
            if stays { (self.url.username(), self.url.password()) } else { (Default::default(), None) };
        // Both only fail on URLs without a host, which http and https have.
        let _ = next.set_username(user);
        let _ = next.set_password(password);
        self.url = next;
        if answered == Answered::FromPublic {
            self.allowed = Allowed::PublicOnly;
        }
        if self.allowed().permits_url(&self.url) {
            return Ok(());
        }
        let host = self.url.host_str().unwrap_or_default();
        Err(HttpError::Blocked(format!("a redirect to {host}")))
    }
}

/// Who gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    FromPublic,
    FromPrivate,
}

/// Asks, and goes where redirects lead; each request is as `prepare` makes it.
pub(in crate::session) async fn follow(
    clients: &Clients,
    mut route: Route,
    prepare: impl Fn(RequestBuilder) -> RequestBuilder,
) -> Result<Response, HttpError> {
    for _ in 0..=HTTP_REDIRECTS_MAX {
        let request = clients.client(&route.url, route.allowed())?.get(route.url.clone());
        let response = prepare(request).send().await.map_err(|error| clients.network(&error))?;
        match redirect_target(&route.url, &response)? {
            None => return Ok(response),
            Some(next) => route.redirected(next, answered(&route.url, &response))?,
        }
    }
    Err(HttpError::TooManyRedirects(HTTP_REDIRECTS_MAX))
}

/// The URL a redirect leads to; `None` for any other answer.
fn redirect_target(from: &Url, response: &Response) -> Result<Option<Url>, HttpError> {
    let is_redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let Some(location) = response.headers().get(header::LOCATION).filter(|_| is_redirect) else {
        return Ok(None);
    };
    let target = location.to_str().ok().and_then(|location| from.join(location).ok());
    let target = target.ok_or_else(|| HttpError::Blocked("a redirect to what is not a URL".to_owned()))?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err(HttpError::Blocked(format!("a redirect to {}", target.scheme())));
    }
    Ok(Some(target))
}

/// Behind a proxy the address seen is the proxy's, whose own rules then decide where names may lead.
fn answered(url: &Url, response: &Response) -> Answered {
    let from = literal_ip(url).or_else(|| response.remote_addr().map(|address| address.ip()));
    if from.is_none_or(is_public) { Answered::FromPublic } else { Answered::FromPrivate }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(url: &str, public_only: fn(&Url) -> bool) -> Result<Route, HttpError> {
        Route::new(url, Allowed::Any, public_only)
    }

    fn after(route: &Route, next: &str, answered: Answered) -> Result<Url, HttpError> {
        let mut route = route.clone();
        route.redirected(Url::parse(next).unwrap(), answered).map(|()| route.url)
    }

    #[test]
    fn a_public_host_leads_to_no_private_one() {
        let route = route("http://seed.example/a", |_| false).unwrap();
        for private in
            ["http://127.0.0.1/", "http://localhost/", "http://10.0.0.1/", "http://169.254.169.254/"]
        {
            let blocked = after(&route, private, Answered::FromPublic);
            assert!(matches!(blocked, Err(HttpError::Blocked(_))), "{private}: {blocked:?}");
        }
        assert!(after(&route, "http://10.0.0.1/", Answered::FromPrivate).is_ok());
        assert!(after(&route, "http://169.254.169.254/", Answered::FromPrivate).is_err());
        let mut hops = route;
        hops.redirected(Url::parse("https://b.example/").unwrap(), Answered::FromPublic).unwrap();
        assert!(
            after(&hops, "http://10.0.0.1/", Answered::FromPrivate).is_err(),
            "once public, always public"
        );
    }

    #[test]
    fn secrets_stay_with_the_origin_they_were_named_for() {
        let route = route("https://user:pass@seed.example/a", |_| false).unwrap();
        let url = |next| after(&route, next, Answered::FromPublic).unwrap().to_string();
        assert_eq!(url("https://seed.example/b"), "https://user:pass@seed.example/b");
        assert_eq!(url("https://seed.example:443/b"), "https://user:pass@seed.example/b");
        assert_eq!(url("http://seed.example/b"), "http://seed.example/b", "https to http");
        assert_eq!(url("https://seed.example:444/b"), "https://seed.example:444/b");
        assert_eq!(url("https://x:y@other.example/b"), "https://other.example/b");
        let mut back = route.clone();
        back.redirected(Url::parse("https://other.example/").unwrap(), Answered::FromPublic).unwrap();
        let back = after(&back, "https://seed.example/b", Answered::FromPublic).unwrap();
        assert_eq!(back.as_str(), "https://seed.example/b", "not again once they were left behind");
    }

    #[test]
    fn what_is_for_public_addresses_only_is_so_at_each_step() {
        let with_query: fn(&Url) -> bool = |url| url.query().is_some();
        assert!(matches!(route("http://10.0.0.1/a?b", with_query), Err(HttpError::BadUrl(_))));
        assert!(route("http://8.8.8.8/a?b", with_query).is_ok());
        let plain = route("http://10.0.0.1/a", with_query).unwrap();
        assert!(after(&plain, "http://10.0.0.1/b", Answered::FromPrivate).is_ok());
        assert!(after(&plain, "http://10.0.0.1/b?c", Answered::FromPrivate).is_err());
    }
}
