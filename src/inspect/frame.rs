//! Named parts of a task's future: the stack in which it waits.
//!
//! A stackless future keeps no list of who awaits whom. [`frame`] gives a part of it a name, and while that part is polled
//! whatever it waits for is said to be waited for in it. Places are kept once for each way that leads to them, so a wait
//! carries one pointer, and entering a frame costs two moves of one.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::pin;

use parking_lot::Mutex;

use super::waits::in_frame;
use crate::contract::FrameReport;
use crate::limits::{FRAMES_DEEP_MAX, FRAMES_MAX};

/// A place in the tree of frames.
#[derive(Debug)]
pub(super) struct Frame {
    outer: Option<&'static Self>,
    name: &'static str,
    site: &'static Location<'static>,
    depth: usize,
}

/// Awaits a part of a task under a name that says what it does.
#[track_caller]
pub fn frame<F: Future>(name: &'static str, future: F) -> impl Future<Output = F::Output> {
    let site = Location::caller();
    async move {
        let mut future = pin!(future);
        let mut place: Option<(Option<&'static Frame>, &'static Frame)> = None;
        poll_fn(move |context| {
            in_frame(
                |outer| match place {
                    Some((known, inner)) if same(known, outer) => inner,
                    _ => {
                        let inner = place_of(outer, name, site);
                        place = Some((outer, inner));
                        inner
                    }
                },
                || future.as_mut().poll(context),
            )
        })
        .await
    }
}

impl Frame {
    /// How many it and those around it are.
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// It and those around it, the innermost first.
    pub(super) fn reports(&'static self) -> Vec<FrameReport> {
        std::iter::successors(Some(self), |frame| frame.outer)
            .map(|frame| FrameReport {
                name: frame.name.into(),
                site: format!("{}:{}", frame.site.file(), frame.site.line()),
            })
            .collect()
    }
}

fn same(one: Option<&'static Frame>, other: Option<&'static Frame>) -> bool {
    address(one) == address(other)
}

fn address(frame: Option<&'static Frame>) -> usize {
    frame.map_or(0, |frame| std::ptr::from_ref(frame).addr())
}

/// The place of a frame within another. Where the tree is full, or the frame too deep, it is the other one.
fn place_of(
    outer: Option<&'static Frame>,
    name: &'static str,
    site: &'static Location<'static>,
) -> &'static Frame {
    let mut places = PLACES.lock();
    let key = (address(outer), std::ptr::from_ref(site).addr());
    if let Some(known) = places.get(&key) {
        return known;
    }
    let depth = outer.map_or(1, |outer| outer.depth + 1);
    match outer {
        Some(outer) if depth > FRAMES_DEEP_MAX || places.len() >= FRAMES_MAX => outer,
        Some(_) | None => {
            let frame: &'static Frame = Box::leak(Box::new(Frame { outer, name, site, depth }));
            places.insert(key, frame);
            frame
        }
    }
}

/// By the frame around and the line that awaits.
static PLACES: Mutex<BTreeMap<(usize, usize), &'static Frame>> = Mutex::new(BTreeMap::new());

#[cfg(test)]
mod tests {
    use super::super::{sleep, spawn, tasks};
    use super::*;
    use std::time::Duration;

    async fn inner() {
        frame("wait for the end", sleep(Duration::from_secs(60))).await;
    }

    /// Frames of a task that has been polled once.
    async fn frames_of(task: impl Future<Output = ()> + Send + 'static) -> Vec<(String, String)> {
        let task = spawn("frames: a task", task);
        tokio::task::yield_now().await;
        let report = tasks().into_iter().find(|report| report.id == task.id()).expect("registered");
        task.abort();
        report.frames.into_iter().map(|frame| (frame.name.into_owned(), frame.site)).collect()
    }

    #[tokio::test]
    async fn a_wait_is_told_with_the_frames_around_it() {
        let frames = frames_of(async { frame("look for the end", inner()).await }).await;
        let names: Vec<_> = frames.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["wait for the end", "look for the end"]);
        assert!(frames.iter().all(|(_, site)| site.starts_with("src/inspect/frame.rs:")), "{frames:?}");
        assert_eq!(
            frames_of(sleep(Duration::from_secs(60))).await,
            [],
            "none are left over from another task"
        );
    }

    #[tokio::test]
    async fn the_same_way_is_kept_once_and_one_that_is_endless_does_not_fill_the_tree() {
        fn nested(depth: usize) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(frame("deeper", async move {
                if depth == 0 { sleep(Duration::from_secs(60)).await } else { nested(depth - 1).await }
            }))
        }
        assert_eq!(frames_of(nested(100)).await.len(), FRAMES_DEEP_MAX);
        let places = || {
            let places = PLACES.lock();
            places.values().filter(|frame| frame.name == "deeper").count()
        };
        let before = places();
        assert_eq!(frames_of(nested(100)).await.len(), FRAMES_DEEP_MAX);
        assert_eq!(places(), before);
    }

    #[tokio::test]
    async fn of_a_choice_each_wait_has_its_own() {
        let frames = frames_of(async {
            tokio::select! {
                () = frame("one way", sleep(Duration::from_secs(60))) => {}
                () = frame("the other way", inner()) => {}
            }
        })
        .await;
        assert_eq!(frames.first().map(|(name, _)| name.as_str()), Some("wait for the end"), "the deepest");
    }
}
