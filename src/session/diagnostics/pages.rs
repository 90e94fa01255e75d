//! What is answered: each page from its path and its query.

use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

use crate::contract::{Answer, Command};
use crate::inspect;
use crate::report::{self, Measured, Stacks, profiles};
use crate::session::Handle;

const INDEX: &str = "\
unchoke diagnostics

/debug/status                        all torrents, those with most bytes left first
/debug/pprof/goroutine?debug=1       tasks and threads, like ones together; debug=2: one block each; else for go tool pprof
/debug/pprof/lockHolders?debug=1     who holds which lock
/debug/pprof/lockBlockers?debug=1    who waits for which lock
/metrics                             for Prometheus
";

/// How a profile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// For `go tool pprof`.
    Protobuf,
    /// Like stacks together.
    Grouped,
    /// One block a task.
    Blocks,
}

/// The page at a path.
pub(super) async fn answer(path: &str, query: Option<&str>, handle: &Handle) -> Response<Full<Bytes>> {
    let Some(form) = form(query) else {
        return text(StatusCode::BAD_REQUEST, "debug must be 0, 1 or 2\n".to_owned());
    };
    match path {
        "/" | "/debug" | "/debug/" | "/debug/pprof" | "/debug/pprof/" => {
            text(StatusCode::OK, INDEX.to_owned())
        }
        "/debug/pprof/goroutine" if form == Form::Blocks => {
            text(StatusCode::OK, report::blocks(&inspect::tasks()))
        }
        "/debug/pprof/goroutine" => profile(&profiles::goroutine(&inspect::tasks()), form),
        "/debug/pprof/lockHolders" => {
            profile(&profiles::lock_holders(&inspect::locks(), &inspect::tasks()), form)
        }
        "/debug/pprof/lockBlockers" => {
            profile(&profiles::lock_blockers(&inspect::locks(), &inspect::tasks()), form)
        }
        "/debug/status" => status(handle).await,
        "/metrics" => metrics(handle),
        _ => text(StatusCode::NOT_FOUND, format!("there is no such page\n\n{INDEX}")),
    }
}

/// What `debug` asks for; `None` where it is nothing known.
fn form(query: Option<&str>) -> Option<Form> {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    match pairs.find(|(key, _)| *key == "debug").map(|(_, value)| value) {
        None | Some("0") => Some(Form::Protobuf),
        Some("1") => Some(Form::Grouped),
        Some("2") => Some(Form::Blocks),
        Some(_) => None,
    }
}

fn profile(stacks: &Stacks, form: Form) -> Response<Full<Bytes>> {
    match form {
        Form::Grouped | Form::Blocks => text(StatusCode::OK, stacks.text()),
        Form::Protobuf => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let body = stacks.encode(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
            let mut answer = page(StatusCode::OK, body, "application/octet-stream");
            let name = HeaderValue::try_from(format!("attachment; filename=\"{}.pb.gz\"", stacks.name));
            answer.headers_mut().extend(name.ok().map(|name| (CONTENT_DISPOSITION, name)));
            answer
        }
    }
}

async fn status(handle: &Handle) -> Response<Full<Bytes>> {
    match handle.request(Command::Report).await {
        Ok(Answer::Report(report)) => text(StatusCode::OK, report::status(&report)),
        Ok(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "something else than a report came\n".to_owned()),
        Err(refusal) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{refusal}\n")),
    }
}

fn metrics(handle: &Handle) -> Response<Full<Bytes>> {
    let page_text = report::metrics(&Measured {
        snapshot: &handle.snapshots().latest(),
        stuck: inspect::stuck().len(),
        tasks: &inspect::tasks(),
        queues: &inspect::queues(),
        locks: &inspect::locks(),
        semaphores: &inspect::semaphores(),
    });
    page(StatusCode::OK, page_text, "text/plain; version=0.0.4; charset=utf-8")
}

/// An answer of plain text.
pub(super) fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    page(status, body, "text/plain; charset=utf-8")
}

fn page(status: StatusCode, body: impl Into<Bytes>, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
