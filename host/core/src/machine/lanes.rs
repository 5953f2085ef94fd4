//! Whose turn it is: the queues of every device, who is online, and who waits for a sign of life.
//!
//! A lane is one queue of one device and one origin. Positions in it are orders of submission, so what comes back after
//! an attempt that came to nothing stands where it stood. Everything here is an index over records that the book keeps.

use crate::execution::{Execution, WhenAway};
use crate::intent::{DeviceId, ExecutionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Origin and name of the queue.
type LaneKey = (Arc<str>, Arc<str>);

/// Where something waits.
type Spot = (DeviceId, LaneKey, u64);

/// The queues of all devices with something open.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    devices: BTreeMap<DeviceId, Device>,
    /// Who is online, with the count of all signs of life when it last gave one.
    online: BTreeMap<DeviceId, u64>,
    signs: u64,
    /// How many open executions of a device go through a holder.
    held: BTreeMap<(DeviceId, DeviceId), usize>,
    /// What waits for a sign of life of a holder.
    parked: BTreeMap<DeviceId, BTreeSet<Spot>>,
    /// What waits in a lane that does not exist.
    nothing: BTreeMap<u64, Waiter>,
}

#[derive(Debug, Default)]
struct Device {
    lanes: BTreeMap<LaneKey, Lane>,
    open: usize,
    /// Executions that had their turn and have not ended or come back.
    out: usize,
    /// The one that the device's handler has begun. It keeps the device until its end, even while it waits again:
    /// its answer may still come.
    engaged: Option<(LaneKey, u64)>,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: BTreeMap<u64, Waiter>,
    open: usize,
    /// Executions that are out and have not got as far as their window asks.
    blocking: usize,
}

#[derive(Debug)]
struct Waiter {
    id: ExecutionId,
    holder: DeviceId,
    handled: bool,
    /// Whether it waits for its holder to come back; else it fails.
    patient: bool,
    parked: bool,
}

impl Lanes {
    /// Open executions of a device.
    pub(super) fn open_of(&self, device: &DeviceId) -> usize {
        self.devices.get(device).map_or(0, |device| device.open)
    }

    pub(super) fn is_online(&self, holder: &DeviceId) -> bool {
        self.online.contains_key(holder)
    }

    /// Grows with each sign of life of the holder; 0 when it is away.
    pub(super) fn signs_of(&self, holder: &DeviceId) -> u64 {
        self.online.get(holder).copied().unwrap_or(0)
    }

    /// What waits in a lane, first to last.
    pub(super) fn waiting(
        &self,
        device: &DeviceId,
        origin: &Arc<str>,
        queue: &Arc<str>,
    ) -> impl ExactSizeIterator<Item = &ExecutionId> {
        let key = (Arc::clone(origin), Arc::clone(queue));
        let lane = self.devices.get(device).and_then(|device| device.lanes.get(&key));
        lane.map_or(&self.nothing, |lane| &lane.waiting).values().map(|waiter| &waiter.id)
    }

    /// A new execution that waits for its turn.
    pub(super) fn enter(&mut self, record: &Execution, order: u64) {
        self.open(record);
        self.queue(record, order, false);
    }

    /// An execution that was out when the process stopped.
    pub(super) fn enter_out(&mut self, record: &Execution, order: u64, blocks: bool) {
        self.open(record);
        self.take_place(record, order, blocks);
    }

    /// Says that the handler of the device has begun this one; for what is restored while it waits.
    pub(super) fn engage(&mut self, record: &Execution, order: u64) {
        if let Some(device) = self.devices.get_mut(&record.device) {
            device.engaged = Some((lane_key(record), order));
        }
    }

    fn open(&mut self, record: &Execution) {
        let device = self.devices.entry(record.device.clone()).or_default();
        device.open += 1;
        device.lanes.entry(lane_key(record)).or_default().open += 1;
        *self.held.entry((record.holder.clone(), record.device.clone())).or_default() += 1;
    }

    fn queue(&mut self, record: &Execution, order: u64, parked: bool) {
        let Some(lane) = self.lane_mut(record) else { return };
        let waiter = Waiter {
            id: record.id.clone(),
            holder: record.holder.clone(),
            handled: record.handler.is_some(),
            patient: record.options.when_away == WhenAway::Queue,
            parked,
        };
        lane.waiting.insert(order, waiter);
        if parked {
            self.parked.entry(record.holder.clone()).or_default().insert(spot(record, order));
        }
    }

    /// Its turn begins.
    pub(super) fn start(&mut self, record: &Execution, order: u64, blocks: bool) {
        self.leave_queue(record, order);
        self.take_place(record, order, blocks);
    }

    fn take_place(&mut self, record: &Execution, order: u64, blocks: bool) {
        let Some(device) = self.devices.get_mut(&record.device) else { return };
        device.out += 1;
        if record.handler.is_some() {
            device.engaged = Some((lane_key(record), order));
        }
        if blocks && let Some(lane) = device.lanes.get_mut(&lane_key(record)) {
            lane.blocking += 1;
        }
    }

    /// It got as far as its window asks.
    pub(super) fn unblock(&mut self, record: &Execution) {
        if let Some(lane) = self.lane_mut(record) {
            lane.blocking -= 1;
        }
    }

    /// Its attempt came to nothing: it waits again, where it stood.
    pub(super) fn come_back(&mut self, record: &Execution, order: u64, blocked: bool, parked: bool) {
        self.leave_place(record, blocked);
        self.queue(record, order, parked);
    }

    /// A late answer ends its waiting.
    pub(super) fn leave_queue(&mut self, record: &Execution, order: u64) {
        let parked = self.lane_mut(record).and_then(|lane| lane.waiting.remove(&order)).is_some_and(|w| w.parked);
        if parked && let Some(spots) = self.parked.get_mut(&record.holder) {
            spots.remove(&spot(record, order));
            if spots.is_empty() {
                self.parked.remove(&record.holder);
            }
        }
    }

    fn leave_place(&mut self, record: &Execution, blocked: bool) {
        let Some(device) = self.devices.get_mut(&record.device) else { return };
        device.out -= 1;
        if blocked && let Some(lane) = device.lanes.get_mut(&lane_key(record)) {
            lane.blocking -= 1;
        }
    }

    /// It ended. `waited` says whether it was waiting for its turn.
    pub(super) fn close(&mut self, record: &Execution, order: u64, waited: bool, blocked: bool) {
        if waited {
            self.leave_queue(record, order);
        } else {
            self.leave_place(record, blocked);
        }
        let key = lane_key(record);
        if let Some(device) = self.devices.get_mut(&record.device) {
            device.open -= 1;
            if device.engaged.as_ref().is_some_and(|(_, engaged)| *engaged == order) {
                device.engaged = None;
            }
            if let Some(lane) = device.lanes.get_mut(&key) {
                lane.open -= 1;
                if lane.open == 0 {
                    device.lanes.remove(&key);
                }
            }
            if device.open == 0 {
                self.devices.remove(&record.device);
            }
        }
        let held = (record.holder.clone(), record.device.clone());
        if let Some(count) = self.held.get_mut(&held) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&held);
            }
        }
    }

    /// A session of the holder opened. Returns the devices whose turn may have come.
    pub(super) fn came_online(&mut self, holder: &DeviceId) -> Vec<DeviceId> {
        self.signs += 1;
        self.online.insert(holder.clone(), self.signs);
        self.unpark(holder);
        self.behind(holder)
    }

    /// The session of the holder closed. Returns what waits for its turn and may not wait for a session.
    pub(super) fn went_offline(&mut self, holder: &DeviceId) -> Vec<ExecutionId> {
        self.online.remove(holder);
        let devices = self.behind(holder);
        let lanes = devices.iter().filter_map(|id| self.devices.get(id)).flat_map(|device| device.lanes.values());
        let waiters = lanes.flat_map(|lane| lane.waiting.values());
        waiters.filter(|waiter| waiter.holder == *holder && !waiter.patient).map(|waiter| waiter.id.clone()).collect()
    }

    /// The holder spoke or subscribed. Returns the devices whose turn may have come.
    pub(super) fn gave_sign(&mut self, holder: &DeviceId) -> BTreeSet<DeviceId> {
        self.signs += 1;
        if let Some(signs) = self.online.get_mut(holder) {
            *signs = self.signs;
        }
        self.unpark(holder)
    }

    fn unpark(&mut self, holder: &DeviceId) -> BTreeSet<DeviceId> {
        let spots = self.parked.remove(holder).unwrap_or_default();
        for (device, key, order) in &spots {
            let lane = self.devices.get_mut(device).and_then(|device| device.lanes.get_mut(key));
            if let Some(waiter) = lane.and_then(|lane| lane.waiting.get_mut(order)) {
                waiter.parked = false;
            }
        }
        spots.into_iter().map(|(device, _, _)| device).collect()
    }

    /// Devices with something open that this holder carries.
    fn behind(&self, holder: &DeviceId) -> Vec<DeviceId> {
        let first = (holder.clone(), DeviceId::new(""));
        let pairs = self.held.range(first..).map(|(pair, _)| pair);
        pairs.take_while(|(of, _)| of == holder).map(|(_, device)| device.clone()).collect()
    }

    /// What of a device goes out next: of the heads of all lanes that may go, the one that was submitted first.
    pub(super) fn next(&self, device: &DeviceId) -> Option<ExecutionId> {
        let device = self.devices.get(device)?;
        if let Some((key, order)) = &device.engaged {
            let waiter = device.lanes.get(key)?.waiting.get(order)?;
            return self.is_ready(waiter).then(|| waiter.id.clone());
        }
        let heads =
            device.lanes.values().filter(|lane| lane.blocking == 0).filter_map(|lane| lane.waiting.iter().next());
        let (_, first) = heads.filter(|(_, waiter)| self.is_ready(waiter)).min_by_key(|(order, _)| **order)?;
        // What needs the device for itself is not overtaken while it waits for that.
        (!first.handled || device.out == 0).then(|| first.id.clone())
    }

    fn is_ready(&self, waiter: &Waiter) -> bool {
        !waiter.parked && self.is_online(&waiter.holder)
    }

    fn lane_mut(&mut self, record: &Execution) -> Option<&mut Lane> {
        self.devices.get_mut(&record.device)?.lanes.get_mut(&lane_key(record))
    }
}

fn lane_key(record: &Execution) -> LaneKey {
    (Arc::clone(&record.origin), Arc::clone(&record.options.queue))
}

fn spot(record: &Execution, order: u64) -> Spot {
    (record.device.clone(), lane_key(record), order)
}
