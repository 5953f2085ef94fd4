//! The listener that applications speak to.

pub mod answer;
pub mod endpoint;
pub mod server;
