//! Requests under way: they travel while the engine goes on with other work, and are met in the order they are answered.

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::task::Poll;

/// Requests that were begun, and answers that nobody took yet. Dropped, it breaks them off, as a process that dies does.
pub(crate) struct UnderWay<T> {
    travelling: FuturesUnordered<BoxFuture<'static, T>>,
    landed: VecDeque<T>,
}

impl<T> Default for UnderWay<T> {
    fn default() -> Self {
        Self {
            travelling: FuturesUnordered::new(),
            landed: VecDeque::new(),
        }
    }
}

impl<T> UnderWay<T> {
    /// Begins a request: it is on its way when this returns.
    pub(crate) async fn begin(&mut self, request: impl Future<Output = T> + Send + 'static) {
        self.travelling.push(Box::pin(request));
        while let Poll::Ready(Some(answer)) = futures::poll!(self.travelling.next()) {
            self.landed.push_back(answer);
        }
    }

    /// The next answer; none where nothing is under way.
    pub(crate) async fn next(&mut self) -> Option<T> {
        match self.landed.pop_front() {
            Some(answer) => Some(answer),
            None => self.travelling.next().await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_request_travels_before_anyone_waits_for_it() {
        let mut under_way = UnderWay::default();
        let left = Arc::new(AtomicBool::new(false));
        let (answer, answered) = oneshot::channel();
        let leaves = Arc::clone(&left);
        under_way
            .begin(async move {
                leaves.store(true, Ordering::Relaxed);
                answered.await.unwrap()
            })
            .await;
        assert!(left.load(Ordering::Relaxed), "it was begun");
        under_way.begin(async { 2 }).await;
        assert_eq!(
            under_way.next().await,
            Some(2),
            "what is answered first is met first"
        );
        answer.send(1).unwrap();
        assert_eq!(under_way.next().await, Some(1));
        assert_eq!(under_way.next().await, None);
    }
}
