//! Whose turn it is: the queues of every device, who is online, and who waits for a sign of life.
//!
//! A lane is one queue of one device and one origin, in the order of [`Execution::queue_position`], so what comes back
//! after an attempt that came to nothing stands where it stood, or behind the others where it was given a new position.
//! Everything here is an index over records that the book keeps.

use super::standing::keeps_device;
use crate::execution::{Execution, Options, Stage, WhenAway};
use crate::intent::{DeviceId, ExecutionId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Origin and name of the queue.
type LaneKey = (Arc<str>, Arc<str>);

/// Where something waits.
type Spot = (DeviceId, LaneKey, u64);

/// The windows that an execution that is out keeps shut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shut {
    /// That of its lane.
    lane: bool,
    /// That of its device, over all lanes.
    device: bool,
}

impl Shut {
    /// What it keeps shut that got so far.
    pub(super) fn of(options: &Options, reached: Stage) -> Self {
        Self { lane: options.window > reached, device: options.device_window > reached }
    }

    /// Without those.
    pub(super) fn and_not(self, other: Self) -> Self {
        Self { lane: self.lane && !other.lane, device: self.device && !other.device }
    }
}

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
    open: BTreeSet<ExecutionId>,
    /// Executions that had their turn and have not ended or come back.
    out: usize,
    /// Those of them that have not got as far as their device's window asks.
    blocking: usize,
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
    /// Whether its failed attempt is too short a time ago.
    resting: bool,
}

impl Device {
    /// Takes the device from the execution at this position, if it is that one's.
    fn disengage(&mut self, position: u64) {
        if self.engaged.as_ref().is_some_and(|(_, engaged)| *engaged == position) {
            self.engaged = None;
        }
    }
}

impl Lanes {
    /// How many executions of a device are open.
    pub(super) fn count_open_of(&self, device: &DeviceId) -> usize {
        self.devices.get(device).map_or(0, |device| device.open.len())
    }

    /// Which they are, in the order of their ids.
    pub(super) fn open_of(&self, device: &DeviceId) -> BTreeSet<ExecutionId> {
        self.devices.get(device).map_or_else(BTreeSet::new, |device| device.open.clone())
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
    pub(super) fn enter(&mut self, record: &Execution) {
        self.open(record);
        self.queue(record, false);
    }

    /// An execution that was out when the process stopped.
    pub(super) fn enter_out(&mut self, record: &Execution, shut: Shut) {
        self.open(record);
        self.take_place(record, shut);
    }

    /// Gives the device to an execution that waits and whose handler has begun it, or takes the device from it.
    pub(super) fn engage_while_waiting(&mut self, record: &Execution) {
        let Some(device) = self.devices.get_mut(&record.device) else { return };
        if keeps_device(record) {
            device.engaged = Some((lane_key(record), record.queue_position));
        } else {
            device.disengage(record.queue_position);
        }
    }

    fn open(&mut self, record: &Execution) {
        let device = self.devices.entry(record.device.clone()).or_default();
        device.open.insert(record.id.clone());
        device.lanes.entry(lane_key(record)).or_default().open += 1;
        *self.held.entry((record.holder.clone(), record.device.clone())).or_default() += 1;
    }

    fn queue(&mut self, record: &Execution, parked: bool) {
        let Some(lane) = self.lane_mut(record) else { return };
        let waiter = Waiter {
            id: record.id.clone(),
            holder: record.holder.clone(),
            handled: record.handler.is_some(),
            patient: record.options.when_away == WhenAway::Queue,
            parked,
            resting: record.not_before_ms.is_some(),
        };
        lane.waiting.insert(record.queue_position, waiter);
        if parked {
            self.parked.entry(record.holder.clone()).or_default().insert(spot(record));
        }
    }

    /// Its turn begins.
    pub(super) fn start(&mut self, record: &Execution, shut: Shut) {
        self.leave_queue(record);
        self.take_place(record, shut);
    }

    fn take_place(&mut self, record: &Execution, shut: Shut) {
        let Some(device) = self.devices.get_mut(&record.device) else { return };
        device.out += 1;
        device.blocking += usize::from(shut.device);
        if record.handler.is_some() {
            device.engaged = Some((lane_key(record), record.queue_position));
        }
        if let Some(lane) = device.lanes.get_mut(&lane_key(record)) {
            lane.blocking += usize::from(shut.lane);
        }
    }

    /// It got as far as these windows ask, or is not out any more.
    pub(super) fn open_windows(&mut self, record: &Execution, opened: Shut) {
        let Some(device) = self.devices.get_mut(&record.device) else { return };
        device.blocking -= usize::from(opened.device);
        if let Some(lane) = device.lanes.get_mut(&lane_key(record)) {
            lane.blocking -= usize::from(opened.lane);
        }
    }

    /// Its attempt came to nothing: it waits again, at its position, which may be a new one.
    pub(super) fn come_back(&mut self, record: &Execution, shut: Shut, parked: bool) {
        self.leave_place(record, shut);
        self.queue(record, parked);
        if record.handler.is_some() {
            // While it was out the device was its own.
            if let Some(device) = self.devices.get_mut(&record.device) {
                device.engaged = None;
            }
            self.engage_while_waiting(record);
        }
    }

    /// Its failed attempt is long enough ago.
    pub(super) fn rested(&mut self, record: &Execution) {
        let waiter = self.lane_mut(record).and_then(|lane| lane.waiting.get_mut(&record.queue_position));
        if let Some(waiter) = waiter {
            waiter.resting = false;
        }
    }

    /// A late answer ends its waiting.
    pub(super) fn leave_queue(&mut self, record: &Execution) {
        let waiter = self.lane_mut(record).and_then(|lane| lane.waiting.remove(&record.queue_position));
        if waiter.is_some_and(|waiter| waiter.parked)
            && let Some(spots) = self.parked.get_mut(&record.holder)
        {
            spots.remove(&spot(record));
            if spots.is_empty() {
                self.parked.remove(&record.holder);
            }
        }
    }

    fn leave_place(&mut self, record: &Execution, shut: Shut) {
        self.open_windows(record, shut);
        if let Some(device) = self.devices.get_mut(&record.device) {
            device.out -= 1;
        }
    }

    /// It ended. `waited` says whether it was waiting for its turn.
    pub(super) fn close(&mut self, record: &Execution, waited: bool, shut: Shut) {
        if waited {
            self.leave_queue(record);
        } else {
            self.leave_place(record, shut);
        }
        let key = lane_key(record);
        if let Some(device) = self.devices.get_mut(&record.device) {
            device.open.remove(&record.id);
            device.disengage(record.queue_position);
            if let Some(lane) = device.lanes.get_mut(&key) {
                lane.open -= 1;
                if lane.open == 0 {
                    device.lanes.remove(&key);
                }
            }
            if device.open.is_empty() {
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

    /// The device does not exist any more. Where it has a session, that is closed and told as gone by itself.
    pub(super) fn forget(&mut self, device: &DeviceId) {
        self.online.remove(device);
    }

    /// The holder subscribed, or may receive more. Returns the devices whose turn may have come.
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

    /// What of a device goes out next, if its window is open: of the heads of all lanes that may go, the one whose
    /// position is the lowest.
    pub(super) fn next(&self, device: &DeviceId) -> Option<ExecutionId> {
        let device = self.devices.get(device).filter(|device| device.blocking == 0)?;
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
        !waiter.parked && !waiter.resting && self.is_online(&waiter.holder)
    }

    fn lane_mut(&mut self, record: &Execution) -> Option<&mut Lane> {
        self.devices.get_mut(&record.device)?.lanes.get_mut(&lane_key(record))
    }
}

fn lane_key(record: &Execution) -> LaneKey {
    (Arc::clone(&record.origin), Arc::clone(&record.options.queue))
}

fn spot(record: &Execution) -> Spot {
    (record.device.clone(), lane_key(record), record.queue_position)
}
