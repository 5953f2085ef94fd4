//! What is counted, once for [`BrokerStats`] and once for the metrics of the process.

use crate::broker::{BrokerStats, Receipt};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug, Default)]
pub(super) struct Counters {
    refused_connects: AtomicU64,
    inbound: AtomicU64,
    refused_publishes: AtomicU64,
    refused_subscriptions: AtomicU64,
    delivered: AtomicU64,
    acked: AtomicU64,
    lost: AtomicU64,
}

impl Counters {
    pub(super) fn refused_connect(&self, cause: &'static str) {
        self.refused_connects.fetch_add(1, Relaxed);
        metrics::counter!("dragoman_mqtt_connects_refused_total", "cause" => cause).increment(1);
    }

    pub(super) fn inbound(&self) {
        self.inbound.fetch_add(1, Relaxed);
        metrics::counter!("dragoman_mqtt_inbound_total").increment(1);
    }

    pub(super) fn refused_publish(&self, cause: &'static str) {
        self.refused_publishes.fetch_add(1, Relaxed);
        metrics::counter!("dragoman_mqtt_publishes_refused_total", "cause" => cause).increment(1);
    }

    pub(super) fn refused_subscription(&self, cause: &'static str) {
        self.refused_subscriptions.fetch_add(1, Relaxed);
        metrics::counter!("dragoman_mqtt_subscriptions_refused_total", "cause" => cause).increment(1);
    }

    pub(super) fn delivered(&self) {
        self.delivered.fetch_add(1, Relaxed);
        metrics::counter!("dragoman_mqtt_delivered_total").increment(1);
    }

    /// A message that was meant for a client and does not reach it.
    pub(super) fn dropped(&self, cause: &'static str) {
        metrics::counter!("dragoman_mqtt_dropped_total", "cause" => cause).increment(1);
    }

    pub(super) fn receipt(&self, receipt: &Receipt) {
        let kind = match receipt {
            Receipt::Acked => {
                self.acked.fetch_add(1, Relaxed);
                "acked"
            }
            Receipt::Lost(_) => {
                self.lost.fetch_add(1, Relaxed);
                "lost"
            }
        };
        metrics::counter!("dragoman_mqtt_receipts_total", "kind" => kind).increment(1);
    }

    pub(super) fn connected(&self, sessions: usize) {
        #[allow(clippy::cast_precision_loss)] // A gauge is a float; below 2^53 nothing is lost.
        metrics::gauge!("dragoman_mqtt_connections").set(sessions as f64);
    }

    /// The counts; the levels are left at 0.
    pub(super) fn counts(&self) -> BrokerStats {
        BrokerStats {
            refused_connects: self.refused_connects.load(Relaxed),
            inbound: self.inbound.load(Relaxed),
            refused_publishes: self.refused_publishes.load(Relaxed),
            refused_subscriptions: self.refused_subscriptions.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            acked: self.acked.load(Relaxed),
            lost: self.lost.load(Relaxed),
            ..BrokerStats::default()
        }
    }
}
