//! QoS 0 messages of one client on their way through the daemon.
//!
//! Nobody waits for an acknowledgement of them, so one need not wait for the verdict of the one before: with a verdict
//! that takes 2 ms a client could send 500 in a second. They are handed to the daemon one after another as they come, and
//! their verdicts count in that order. The library asks about one message of a client at a time, so what is not decided
//! at once goes on in a task of its own.

use super::live::lock;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// What may be on its way of one client, in places: a message takes one, and one more for each KiB. Past it the client
/// waits.
const PLACES: u32 = 1024;

/// The messages of one client that are not decided yet, in their order.
pub(super) struct Line {
    places: Arc<Semaphore>,
    /// Resolves when the last of them is done with.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

/// What was handed over.
pub(super) enum Handed<T> {
    /// It is decided, and so is all that came before.
    Now(T),
    /// It goes on by itself.
    Later,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES as usize)), last: Mutex::default() }
    }

    /// Waits until all that came before is done with.
    pub(super) async fn clear(&self) {
        let last = lock(&self.last).take();
        if let Some(last) = last {
            // An error says that its task is gone, which is as good.
            let _ = last.await;
        }
    }

    /// Asks for a verdict on a message of so many bytes, and where that is not there at once, goes on in a task that does
    /// `act` with it when it is this message's turn. The question is begun before this returns, so questions are begun
    /// in the order of the calls. Only one call at a time.
    pub(super) async fn hand_over<T, V, A, F>(&self, bytes: usize, verdict: V, act: A) -> Handed<T>
    where
        T: Send + 'static,
        V: Future<Output = T> + Send + 'static,
        A: FnOnce(T) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let place = self.place(bytes).await;
        let mut verdict = Box::pin(verdict);
        let first = begin(verdict.as_mut()).await;
        let mut before = lock(&self.last).take();
        if before.as_mut().is_some_and(|last| last.try_recv() != Err(oneshot::error::TryRecvError::Empty)) {
            before = None;
        }
        if before.is_none()
            && let Poll::Ready(verdict) = first
        {
            return Handed::Now(verdict);
        }
        let (done, last) = oneshot::channel();
        *lock(&self.last) = Some(last);
        tokio::spawn(async move {
            let verdict = match first {
                Poll::Ready(verdict) => verdict,
                Poll::Pending => verdict.await,
            };
            if let Some(before) = before {
                let _ = before.await;
            }
            act(verdict).await;
            drop(place);
            // Nobody may be waiting.
            let _ = done.send(());
        });
        Handed::Later
    }

    async fn place(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let places = u32::try_from(bytes / 1024).unwrap_or(PLACES).saturating_add(1).min(PLACES);
        // It is never closed.
        self.places.clone().acquire_many_owned(places).await.ok()
    }
}

/// Polls a future once.
async fn begin<T>(mut future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn verdicts_count_in_the_order_of_the_messages() {
        let line = Line::new();
        let (tell, mut told) = mpsc::unbounded_channel();
        let (decide, first) = oneshot::channel();
        let act = |tell: &mpsc::UnboundedSender<u8>| {
            let tell = tell.clone();
            move |verdict| async move { tell.send(verdict).unwrap() }
        };
        let late = async move { first.await.unwrap() };
        assert!(matches!(line.hand_over(1, late, act(&tell)).await, Handed::Later));
        // This one is decided at once, and waits for the one before.
        assert!(matches!(line.hand_over(1, async { 2 }, act(&tell)).await, Handed::Later));
        assert!(told.try_recv().is_err());
        decide.send(1).unwrap();
        line.clear().await;
        assert_eq!((told.recv().await, told.recv().await), (Some(1), Some(2)));
        assert!(matches!(line.hand_over(1, async { 3 }, act(&tell)).await, Handed::Now(3)));
    }

    #[tokio::test]
    async fn a_client_waits_when_too_much_is_on_its_way() {
        let line = Line::new();
        let (decide, first) = oneshot::channel::<()>();
        let all = PLACES as usize * 1024;
        assert!(matches!(line.hand_over(all, async { first.await.unwrap() }, |()| async {}).await, Handed::Later));
        let mut next = Box::pin(line.hand_over(0, async {}, |()| async {}));
        assert!(begin(next.as_mut()).await.is_pending());
        decide.send(()).unwrap();
        next.await;
    }
}
