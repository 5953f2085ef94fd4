//! The dialect as transcripts: what applications send, what is submitted for it, and what they are told, byte for byte;
//! and the platform's own examples.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod http;
mod large;
mod messages;
mod refused;
mod sharing;
mod stage;
