//! HTTP requests that plugins want sent (webhooks): durable, at least once, only to targets that the operator lists.
//!
//! ```text
//! plugin call ── Batch::add ──▶ a row for the turn of the call ──▶ journal
//!                     │                                                │ committed
//!                     ▼                                                ▼
//!                  Lane of the target: what waits, what is under way, what was given up
//!                              │
//!                              ▼
//!                  sender, one task a target ── Client ──▶ HTTP ──▶ verdict ──▶ row removed, put back or given up
//! ```
//!
//! - [`Outbound`] is the handle: plugins' requests go in, in one [`Batch`] a call; operators look and decide.
//! - `form` says what a plugin may ask for, and makes the HTTP request of it.
//! - `lane` is the state of one target, pure; `verdict` judges an answer; `backoff` says how long to wait.
//! - `client` speaks HTTP and TLS; `sender` moves rows from the lane to the client and back.
//!
//! What a receiver may rely on: a request is sent until it is answered with 2xx, or given up; the same
//! `idempotency-key` marks the repetitions of one request; requests to one target start in the order in which they were
//! made. With `in_flight_max` above 1 they may arrive side by side, and one that is tried again may be overtaken. While
//! the target cannot be reached, or says 429 or 503, everything for it waits, so that nothing is overtaken then.

mod backoff;
mod batch;
mod client;
mod form;
mod handle;
mod lane;
mod sender;
#[cfg(test)]
mod tests;
mod verdict;

pub(crate) use batch::Batch;
pub(crate) use client::Client;
#[cfg(test)]
use handle::StartError;
pub(crate) use handle::{EnqueueError, OperatorError, Outbound};
pub(crate) use lane::{GivenUp, TargetState};
