//! The only place that wires the parts together: inputs in, turns, effects out.
//!
//! Data flows one way. [`events`] (broker) and [`northbound`] (HTTP) call a plugin and pass what it wrote to
//! [`writes`]; [`engine`] applies it in a turn and appends it to the journal; what the turn asks for comes back to
//! [`gateway`], which lets [`planner`] plan attempts and hands committed messages to the broker.

pub mod clock;
pub mod control;

pub mod engine;
pub mod events;
pub mod gateway;
pub mod keys;
pub mod northbound;
pub mod planner;
pub mod presence;
pub mod reads;
pub mod recovery;
pub mod retention;
pub mod sequencer;
pub mod settings;
pub mod submit;
pub mod waits;
pub mod writes;
