//! The only place that wires the parts together: inputs in, turns, effects out.
//!
//! Data flows one way. [`events`] (broker) and [`conversation`] (applications) call a plugin and pass what it wrote to
//! [`writes`]; [`engine`] applies it in a turn and appends it to the journal; what the turn asks for comes back to
//! [`gateway`], which lets [`planner`] plan attempts and hands committed messages to the broker. What happened is told by
//! [`notices`] to the dialect that asked for it, what devices say by [`device_events`]; both end in [`writes`] again, and
//! what they publish leaves by [`publisher`]. Which version of a plugin is called is said by [`versions`]. [`network`] makes the embedded broker and those that others run look like
//! one.

mod admission;
mod again;
mod asks;
pub mod clock;
mod contexts;
pub mod control;
pub mod conversation;
pub mod dead_letters;
pub mod device_events;
pub mod engine;
pub mod events;
pub mod gateway;
pub mod inbound;
pub mod keys;
mod last_good;
pub mod network;
pub mod notes;
pub mod notices;
pub mod numbers;
mod places;
pub mod planner;
pub mod plugin_changes;
pub mod presence;
pub mod publisher;
pub mod reads;
pub mod recovery;
pub mod retention;
pub mod sequencer;
pub mod settings;
pub mod submit;
pub mod versions;
pub mod waits;
pub mod writes;

#[cfg(test)]
mod tests;
