//! The five application sides: each command is said in the platform's own way, and what is heard of it is given as it
//! came.

use anyhow::Context;
use dragoman_e2e::lamps::Side;
use dragoman_e2e::tokens::{CONNIO_KEY, DEVICEHIVE_USER, TTS_APPLICATION, TTS_KEY};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Answer, Connio, DeviceHive, Tts, World};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Seconds after which a command has failed that nobody answers, where the platform has a setting for that.
const PATIENCE_S: u32 = 5;
/// Attempts of a confirmed downlink of The Things Stack.
const ATTEMPTS: u32 = 2;

/// An application side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    Huawei,
    Fleets,
    TheThingsStack,
    DeviceHive,
    Connio,
}

/// One call of an application side that sets the level of a lamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A synchronous command.
    HuaweiCommand,
    /// A set of properties.
    HuaweiProperties,
    /// A command that is followed by its execution id.
    FleetsCommand,
    /// A push by MQTT of an object of properties.
    TtsPush,
    /// A push by HTTP of a command.
    TtsHttpPush,
    /// A command by MQTT.
    DeviceHiveInsert,
    /// A write of a property, with a receipt.
    ConnioProperty,
    /// A call of a method.
    ConnioMethod,
}

impl App {
    pub(crate) fn ways(self) -> &'static [Way] {
        match self {
            Self::Huawei => &[Way::HuaweiCommand, Way::HuaweiProperties],
            Self::Fleets => &[Way::FleetsCommand],
            Self::TheThingsStack => &[Way::TtsPush, Way::TtsHttpPush],
            Self::DeviceHive => &[Way::DeviceHiveInsert],
            Self::Connio => &[Way::ConnioProperty, Way::ConnioMethod],
        }
    }
}

/// A daemon with one lamp and one application side, connected where it keeps a connection.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) connio: Connio,
    side: Side,
    tts: Option<Tts>,
    hive: Option<DeviceHive>,
    said: u32,
}

/// A command that was said and of which the end was not heard yet.
pub(crate) enum Said {
    /// A call that waits for its answer.
    Call(JoinHandle<anyhow::Result<Answer>>),
    /// An execution of Fleets.
    Execution(String),
    /// A correlation id of The Things Stack.
    Downlink(String),
    /// A command id of DeviceHive.
    Command(i64),
}

impl Stage {
    pub(crate) async fn open(app: App, side: Side) -> anyhow::Result<Self> {
        // A call that waits in vain should not wait long, and nobody is so slow that he would be cut off.
        let settings = format!(
            "[plugin.huawei-iotda.settings]\nsync-time-out-s = {PATIENCE_S}\n\
             [plugin.the-things-stack.settings]\nttl-s = {PATIENCE_S}\n\
             [plugin.connio.settings]\noutcome-wait-s = {PATIENCE_S}\nttl-s = {PATIENCE_S}\n"
        );
        Self::open_with(app, side, &settings).await
    }

    pub(crate) async fn open_with(app: App, side: Side, settings: &str) -> anyhow::Result<Self> {
        let world = World::start_with(settings).await?;
        for record in side.records() {
            world.admin.add_device(&record).await?;
        }
        let daemon = &world.daemon;
        let tts = match app {
            App::TheThingsStack => Some(Tts::connect(daemon, TTS_APPLICATION, TTS_KEY).await?),
            _ => None,
        };
        let hive = match app {
            App::DeviceHive => Some(DeviceHive::connect(daemon, DEVICEHIVE_USER.0, DEVICEHIVE_USER.1).await?),
            _ => None,
        };
        let connio = Connio::new(daemon, CONNIO_KEY.0, CONNIO_KEY.1)?;
        Ok(Self { world, connio, side, tts, hive, said: 0 })
    }

    /// Waits until the application is connected again, where it keeps a connection.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        if let Some(tts) = &mut self.tts {
            tts.ready().await?;
        }
        if let Some(hive) = &mut self.hive {
            hive.ready().await?;
        }
        Ok(())
    }

    /// Sets the level of the lamp and gives what was heard in the end.
    pub(crate) async fn set(&mut self, way: Way, level: u32, ttl_s: u32) -> anyhow::Result<Value> {
        let said = self.say(way, level, ttl_s).await?;
        self.hear(said).await
    }

    /// Says that the lamp is to have that level. `ttl_s`: time to live, where the platform's call says it.
    pub(crate) async fn say(&mut self, way: Way, level: u32, ttl_s: u32) -> anyhow::Result<Said> {
        let lamp = self.side.id();
        let params = json!({ "level": level });
        self.said += 1;
        Ok(match way {
            Way::HuaweiCommand => {
                let app = self.world.huawei.clone();
                Said::Call(tokio::spawn(async move { app.command(lamp, "set", &params).await }))
            }
            Way::HuaweiProperties => {
                let app = self.world.huawei.clone();
                Said::Call(tokio::spawn(async move { app.set(lamp, &params).await }))
            }
            Way::FleetsCommand => Said::Execution(self.world.fleets.accepted(lamp, "set", &params, ttl_s).await?),
            Way::TtsPush | Way::TtsHttpPush => {
                let id = format!("pairs:{}", self.said);
                let object = match way {
                    Way::TtsPush => params,
                    _ => json!({ "command": "set", "params": params }),
                };
                let downlinks = json!([{
                    "decoded_payload": object,
                    "confirmed": true,
                    "confirmed_retry": { "max_attempts": ATTEMPTS },
                    "correlation_ids": [id],
                }]);
                let tts = self.tts.as_ref().context("The Things Stack is not on this stage")?;
                match way {
                    Way::TtsPush => tts.push(lamp, &downlinks).await?,
                    _ => {
                        let answer = tts.push_by_http(lamp, &downlinks).await?.expect(200)?;
                        assert_eq!(answer, json!({}));
                    }
                }
                Said::Downlink(id)
            }
            Way::DeviceHiveInsert => {
                let hive = self.hive.as_mut().context("DeviceHive is not on this stage")?;
                Said::Command(hive.insert(lamp, "set", &params, ttl_s).await?)
            }
            Way::ConnioProperty | Way::ConnioMethod => {
                let (app, id) = (self.connio.clone(), self.side.connio_id());
                Said::Call(tokio::spawn(async move {
                    match way {
                        Way::ConnioProperty => app.write(&id, "level", &params["level"]).await,
                        _ => app.call(&id, "set", &params).await,
                    }
                }))
            }
        })
    }

    /// What is heard of a command in the end: for a call `{"status", "body"}`, for The Things Stack `{"kinds", "last"}`,
    /// for the others the execution or the command as the platform shows it.
    pub(crate) async fn hear(&mut self, said: Said) -> anyhow::Result<Value> {
        Ok(match said {
            Said::Call(call) => {
                let answer = call.await??;
                json!({ "status": answer.status, "body": answer.json() })
            }
            Said::Execution(id) => self.world.fleets.ended(&id, SOON).await?,
            Said::Downlink(id) => {
                let tts = self.tts.as_mut().context("The Things Stack is not on this stage")?;
                let told = tts.hear_to_the_end(&id).await?;
                json!({ "kinds": told.kinds, "last": told.last })
            }
            Said::Command(id) => {
                let hive = self.hive.as_mut().context("DeviceHive is not on this stage")?;
                hive.updated(id).await?
            }
        })
    }

    /// The command as DeviceHive shows it to who asks.
    pub(crate) async fn devicehive_command(&mut self, id: i64) -> anyhow::Result<Value> {
        let hive = self.hive.as_mut().context("DeviceHive is not on this stage")?;
        hive.command(self.side.id(), id).await
    }

    /// The newest command to the lamp in the gateway's own record, once that is true of it.
    pub(crate) async fn record(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let path = format!("/v1/executions?device={}&limit=1", self.side.id());
        wait::until(&format!("the record of the command: {what}"), SOON, || async {
            let newest = self.world.admin.get(&path).await?.expect(200)?["items"][0].clone();
            Ok(is_so(&newest).then_some(newest))
        })
        .await
    }
}
