//! Work for one key in the order it came, work for different keys at the same time.
//!
//! Calls about one device run in arrival order (law 2). A lock would not do: tasks that are spawned in order need not
//! reach the lock in order. So a job is put into its key's queue while the caller still holds whatever ordered it, and
//! one task per busy key works the queue off. An idle key costs nothing.

use futures::FutureExt;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Queues of jobs by key. Cheap to clone; all clones are one.
pub struct Sequencer<K> {
    queues: Arc<Mutex<HashMap<K, VecDeque<Job>>>>,
    runtime: tokio::runtime::Handle,
}

impl<K> Clone for Sequencer<K> {
    fn clone(&self) -> Self {
        Self { queues: self.queues.clone(), runtime: self.runtime.clone() }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Sequencer<K> {
    /// Empty queues whose jobs run on that runtime.
    pub fn new(runtime: tokio::runtime::Handle) -> Self {
        Self { queues: Arc::default(), runtime }
    }

    /// Puts a job behind those that its key already has. May be called from any thread.
    pub fn push(&self, key: K, job: impl Future<Output = ()> + Send + 'static) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get_mut(&key) {
            queue.push_back(Box::pin(job));
            return;
        }
        queues.insert(key.clone(), VecDeque::from([Box::pin(job) as Job]));
        drop(queues);
        let this = self.clone();
        self.runtime.spawn(async move { this.work_off(key).await });
    }

    async fn work_off(self, key: K) {
        loop {
            let job = {
                let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(queue) = queues.get_mut(&key) else { return };
                match queue.pop_front() {
                    Some(job) => job,
                    None => {
                        // Removed under the lock that `push` takes, so no job can be left behind unseen.
                        queues.remove(&key);
                        return;
                    }
                }
            };
            // A job that panics must not leave its key without a worker: the next ones still run.
            if AssertUnwindSafe(job).catch_unwind().await.is_err() {
                tracing::error!("a job of the sequencer panicked; this is a bug in the daemon, please report it");
            }
        }
    }

    /// Runs a job in its turn and gives its result.
    pub async fn run<T: Send + 'static>(&self, key: K, job: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = tokio::sync::oneshot::channel();
        self.push(key, async move {
            // The caller may be gone; the job counts all the same.
            let _ = done.send(job.await);
        });
        result.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::{Notify, mpsc};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn jobs_of_one_key_run_in_order_and_one_at_a_time() {
        let sequencer = Sequencer::new(tokio::runtime::Handle::current());
        let (tell, mut told) = mpsc::unbounded_channel();
        for number in 0..1_000 {
            let tell = tell.clone();
            sequencer.push("key", async move {
                let _ = tell.send((number, "begin"));
                tokio::task::yield_now().await;
                let _ = tell.send((number, "end"));
            });
        }
        for number in 0..1_000 {
            assert_eq!(told.recv().await, Some((number, "begin")));
            assert_eq!(told.recv().await, Some((number, "end")));
        }
    }

    #[tokio::test]
    async fn a_key_that_waits_does_not_hold_another() {
        let sequencer = Sequencer::new(tokio::runtime::Handle::current());
        let gate = Arc::new(Notify::new());
        let waiting = gate.clone();
        sequencer.push(1, async move { waiting.notified().await });
        assert_eq!(sequencer.run(2, async { "done" }).await, Some("done"));
        gate.notify_one();
        assert_eq!(sequencer.run(1, async { "then" }).await, Some("then"));
    }

    #[tokio::test]
    async fn a_job_that_panics_does_not_stop_its_key() {
        let sequencer = Sequencer::new(tokio::runtime::Handle::current());
        assert_eq!(sequencer.run(1, async { assert!(false_value(), "deliberate") }).await, None);
        assert_eq!(sequencer.run(1, async { 7 }).await, Some(7));
    }

    fn false_value() -> bool {
        false
    }
}
