//! What holds the parts together: the engine, the broker, the plugins, and who does what a turn asks for.

use super::dead_letters::DeadLetters;
use super::device_events::DeviceEvents;
use super::engine::{Actions, Engine, Step, Stopped};
use super::inbound::Turn;
use super::keys::KeyLocks;
use super::notes::Notes;
use super::notices::Notices;
use super::numbers::Numbers;
use super::presence::Presence;
use super::publisher::Publisher;
use super::sequencer::Sequencer;
use crate::config::Config;
use crate::credentials::Vault;
use crate::outbound::Outbound;
use dragoman_core::{Answer, DeviceId, Effect, Execution, ExecutionId, HandOver, Input, Machine, Reply, Transition};
use dragoman_mqtt::{Broker, Delivery, DeliveryToken};
use dragoman_store::{OutboxRow, Seq, Write};
use dragoman_wasm::{CallContext, Catalog, HostReads, IdSource, Plugin, PluginFolder, Presented};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;

/// The running gateway. One per process, behind an [`Arc`].
pub struct Gateway {
    /// The single writer of state.
    pub engine: Arc<Engine>,
    /// Who is connected.
    pub presence: Presence,
    /// The loaded plugins.
    pub plugins: PluginFolder,
    /// Secrets and their checks.
    pub vault: Arc<Vault>,
    /// Requests to the targets that the operator lists.
    pub outbound: Arc<Outbound>,
    /// As read at the start.
    pub config: Arc<Config>,
    /// Calls for one session, and calls about one device.
    pub calls: Sequencer<Turn>,
    /// What must be looked at and written by one call at a time: aliases of executions, revisions.
    pub keyed: KeyLocks,
    /// Held while names of devices are looked up and written.
    pub registry: tokio::sync::Mutex<()>,
    /// Places for requests that begin, those of callers that hung up meanwhile included: as many as may be connected.
    pub beginning: Arc<tokio::sync::Semaphore>,
    /// Places for requests that wait for a device.
    pub waiting: Arc<tokio::sync::Semaphore>,
    /// Places for calls that begin something: admissions and requests. Fewer than there are plugin instances, so that
    /// calls about work that was accepted always find one.
    pub arrivals: tokio::sync::Semaphore,
    /// Turns true when requests that still wait must be answered that the daemon stops.
    pub draining: watch::Sender<bool>,
    /// What dialects noted about sessions.
    pub notes: Notes,
    /// Values of dialects' counters.
    pub numbers: Numbers,
    /// Dialects that are told of transitions.
    pub notices: Notices,
    /// What devices say of their own accord.
    pub device_events: DeviceEvents,
    /// Messages that a plugin failed to read.
    pub dead_letters: DeadLetters,
    /// Messages that are no dispatch.
    pub publisher: Publisher,
    /// Where tasks of the gateway run, also those that begin on a thread of the broker.
    pub runtime: tokio::runtime::Handle,
    deliveries: Sequencer<DeviceId>,
    broker: watch::Sender<Option<Arc<dyn Broker>>>,
    this: Weak<Gateway>,
}

impl Gateway {
    /// Puts the parts together. The broker follows with [`Gateway::attach_broker`], because it needs the gateway to
    /// report to.
    pub fn new(
        engine: Arc<Engine>,
        plugins: PluginFolder,
        vault: Arc<Vault>,
        outbound: Arc<Outbound>,
        config: Arc<Config>,
    ) -> Arc<Self> {
        let runtime = tokio::runtime::Handle::current();
        let broker = watch::Sender::new(None);
        let gateway = Arc::new_cyclic(|this| Self {
            beginning: Arc::new(tokio::sync::Semaphore::new(config.http.connections_max)),
            waiting: Arc::new(tokio::sync::Semaphore::new(config.limits.http_waiting_max)),
            arrivals: tokio::sync::Semaphore::new(arrivals_max(config.plugins.instances_max)),
            draining: watch::Sender::new(false),
            presence: Presence::default(),
            plugins,
            vault,
            outbound,
            dead_letters: DeadLetters::new(config.plugins.dead_letters_max, config.plugins.dead_letters_max_bytes),
            config,
            calls: Sequencer::new(runtime.clone()),
            keyed: KeyLocks::default(),
            registry: tokio::sync::Mutex::new(()),
            notes: Notes::default(),
            numbers: Numbers::default(),
            notices: Notices::default(),
            device_events: DeviceEvents::new(runtime.clone()),
            publisher: Publisher::start(engine.clone(), broker.subscribe()),
            engine,
            deliveries: Sequencer::new(runtime.clone()),
            runtime,
            broker,
            this: this.clone(),
        });
        let actions: Weak<Gateway> = Arc::downgrade(&gateway);
        gateway.engine.attach(actions);
        let in_flight: Weak<Gateway> = Arc::downgrade(&gateway);
        gateway.plugins.attach(in_flight);
        gateway
    }

    /// Itself, while it runs.
    pub(super) fn this(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    /// Names the broker. It may have reported before.
    pub fn attach_broker(&self, broker: Arc<dyn Broker>) {
        self.broker.send_replace(Some(broker));
    }

    /// The broker, once it runs.
    pub fn broker(&self) -> Option<Arc<dyn Broker>> {
        self.broker.borrow().clone()
    }

    /// The broker. A device may be connected a moment before the broker is known here.
    async fn running_broker(&self) -> Option<Arc<dyn Broker>> {
        let mut broker = self.broker.subscribe();
        let running = broker.wait_for(Option::is_some).await.ok()?;
        running.clone()
    }

    /// How many requests may wait for a device.
    pub fn waiting_max(&self) -> usize {
        self.config.limits.http_waiting_max
    }

    /// The plugins as they are now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.plugins.catalog()
    }

    /// The plugin of that name, if it is loaded.
    pub fn plugin(&self, name: &str) -> Option<Arc<Plugin>> {
        self.catalog().get(name).cloned()
    }

    /// Whether devices of a dialect count as present without a session here: because the dialect says so, or because
    /// they are at an external broker, which does not tell.
    pub fn is_always_present(&self, dialect: &str) -> bool {
        let says_so = |plugin: &Arc<Plugin>| plugin.description().always_present;
        self.config.is_outside(dialect) || self.catalog().for_open(dialect).is_some_and(says_so)
    }

    /// What a plugin call needs of its host. Clone it to repeat the call with the same time and ids.
    pub fn call_context(self: &Arc<Self>, presented: Option<Presented>) -> CallContext {
        let now_ms = self.engine.now_ms();
        let host: Arc<dyn HostReads> = self.clone();
        let ids = IdSource::new(uuid::Uuid::new_v4().into_bytes(), now_ms);
        CallContext { host, now_ms, ids, numbers: dragoman_wasm::Numbers::default(), presented }
    }

    /// Hands the messages of one attempt to the broker, once they are committed and if they are still wanted.
    async fn deliver(self: Arc<Self>, rows: Vec<OutboxRow>, seq: Seq) {
        if self.engine.committed(seq).await.is_err() {
            // The rows are on the disk or they are not; the next start decides.
            return;
        }
        let Some(first) = rows.first() else { return };
        let (id, attempt) = (first.execution.clone(), first.attempt);
        let now_ms = self.engine.now_ms();
        let removals = rows.iter().map(|row| Step::Write(Write::OutboxRemove(row.seq)));
        let mut steps: Vec<Step> = removals.collect();
        if self.engine.look(|machine| machine.may_hand_over(&id, attempt, now_ms)) {
            match self.hand_over(&rows).await {
                Handed::Over(result) => steps.push(Step::Input(Input::HandedOver { id, attempt, result })),
                Handed::Lost(why) => steps.push(Step::Input(Input::Lost { id, attempt, why })),
                Handed::NotWanted => {}
                // The rows stay for the next start.
                Handed::Stopped => return,
            }
        }
        // A journal that died has told everybody who must know.
        let _: Result<_, Stopped> = self.engine.turn(steps, None);
    }

    async fn hand_over(&self, rows: &[OutboxRow]) -> Handed {
        let Some(broker) = self.running_broker().await else { return Handed::Over(HandOver::Away) };
        let mut receipts = 0;
        for row in rows {
            match self.publish(&*broker, row).await {
                Published::Sent { receipt } => receipts += u32::from(receipt),
                Published::Away => return Handed::Over(HandOver::Away),
                Published::NoSubscriber => return Handed::Over(HandOver::NoSubscriber),
                Published::Lost(why) => return Handed::Lost(why),
                Published::NotWanted => return Handed::NotWanted,
                Published::Stopped => return Handed::Stopped,
            }
        }
        Handed::Over(HandOver::Accepted { receipts })
    }

    /// Publishes one message. While too many wait for the device's acknowledgement it waits here, with what is behind
    /// it for the same device: the gateway's queue is the only one.
    async fn publish(&self, broker: &dyn Broker, row: &OutboxRow) -> Published {
        loop {
            let now_ms = self.engine.now_ms();
            let wanted = |machine: &Machine| machine.may_hand_over(&row.execution, row.attempt, now_ms);
            if !self.engine.look(wanted) {
                return Published::NotWanted;
            }
            let token = DeliveryToken { execution: row.execution.clone(), attempt: row.attempt, index: row.index };
            let expires_in_ms = row.expires_ms.saturating_sub(now_ms);
            let delivery =
                broker.publish_to(&row.to_device, &row.message, row.subscribed_only, expires_in_ms, token).await;
            count_delivery(&delivery);
            return match delivery {
                Delivery::Sent { receipt } => Published::Sent { receipt },
                Delivery::Away => Published::Away,
                Delivery::NoSubscriber => Published::NoSubscriber,
                Delivery::Invalid => Published::Lost("the broker cannot send a message with this topic or size".into()),
                Delivery::Lost(why) => Published::Lost(why),
                Delivery::Over => Published::NotWanted,
                Delivery::Stopped => Published::Stopped,
                Delivery::Full => {
                    tokio::time::sleep(FULL_AGAIN_AFTER).await;
                    continue;
                }
            };
        }
    }

    /// Has an attempt planned behind the other calls about its device.
    pub fn plan_in_turn(&self, device: &DeviceId, id: ExecutionId, attempt: u32, reply: Option<Reply>) {
        let Some(this) = self.this.upgrade() else { return };
        self.calls
            .push(Turn::Device(device.clone()), async move { super::planner::plan(&this, id, attempt, reply).await });
    }

    /// Applies what the broker tells of a delivery.
    pub fn receipt(&self, token: &DeliveryToken, receipt: dragoman_mqtt::Receipt) {
        let (id, attempt) = (token.execution.clone(), token.attempt);
        let input = match receipt {
            dragoman_mqtt::Receipt::Acked => Input::Puback { id, attempt },
            dragoman_mqtt::Receipt::Lost(why) => Input::Lost { id, attempt, why },
        };
        let _: Result<_, Stopped> = self.engine.turn(vec![Step::Input(input)], None);
    }

    /// Ends an execution as canceled. False where it is not open.
    pub fn cancel(&self, id: &ExecutionId) -> Result<(bool, Seq), Stopped> {
        let turn = self.engine.turn(vec![Step::Input(Input::Cancel { id: id.clone() })], None)?;
        Ok((turn.answers.first() == Some(&Answer::Taken), turn.seq))
    }
}

/// Before a message is tried again for which the device's session had no room.
const FULL_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What became of an attempt at the broker.
enum Handed {
    /// The broker answered for it.
    Over(HandOver),
    /// It can never be sent.
    Lost(String),
    /// It ended, or its time was over, while it waited for room. The machine knows.
    NotWanted,
    /// The daemon stops before a broker has it.
    Stopped,
}

/// What became of one message at the broker.
enum Published {
    Sent { receipt: bool },
    Away,
    NoSubscriber,
    Lost(String),
    NotWanted,
    Stopped,
}

/// Three quarters of the instances, at least one.
fn arrivals_max(instances_max: u32) -> usize {
    usize::try_from(instances_max.saturating_mul(3) / 4).unwrap_or(1).max(1)
}

impl Actions for Gateway {
    fn act(&self, effect: Effect, execution: &Execution) {
        let device = &execution.device;
        match effect {
            Effect::Plan { id, attempt } => self.plan_in_turn(device, id, attempt, None),
            Effect::Resume { id, attempt, reply } => self.plan_in_turn(device, id, attempt, Some(reply)),
            // A delivery that has not begun looks at the machine before it hands over. One that has may still wait in the
            // broker, whose locks are not taken under the engine's.
            Effect::Withdraw { id, attempt } => {
                if let Some(broker) = self.broker() {
                    let holder = execution.holder.clone();
                    self.runtime.spawn(async move { broker.withdraw(&holder, &id, attempt) });
                }
            }
        }
    }

    fn release(&self, rows: Vec<OutboxRow>, seq: Seq) {
        let (Some(this), Some(first)) = (self.this.upgrade(), rows.first()) else { return };
        self.deliveries.push(first.to_device.clone(), this.deliver(rows, seq));
    }

    fn grew(&self, execution: &Arc<Execution>, lines: &[Transition], position: u64) {
        if let Some(this) = self.this.upgrade() {
            self.notices.grew(&this, execution, lines, position);
        }
    }
}

fn count_delivery(delivery: &Delivery) {
    let result = match delivery {
        Delivery::Sent { .. } => "sent",
        Delivery::Away => "away",
        Delivery::NoSubscriber => "no_subscriber",
        Delivery::Full => "full",
        Delivery::Invalid => "invalid",
        Delivery::Lost(_) => "lost",
        Delivery::Over => "over",
        Delivery::Stopped => "stopped",
    };
    metrics::counter!("dragoman_deliveries_total", "result" => result).increment(1);
}
