//! One pair: every way of the application, every behaviour of the device.

use crate::callers::{App, Said, Stage, Way};
use crate::words::{self, End};
use anyhow::{Context, ensure};
use dragoman_e2e::Simulator;
use dragoman_e2e::lamps::Side;
use serde_json::{Value, json};

/// The last leaves something behind that nobody will answer.
const BEHAVIOURS: [&str; 4] = ["answer", "fail", "refuse", "silent"];
/// Time to live of a command that is answered, and of one that is not, in seconds.
const TTL_S: (u32, u32) = (30, 3);

/// Says each command in each way and compares what is heard, what the gateway recorded and what the device has.
pub(crate) async fn are_heard(app: App, side: Side) -> anyhow::Result<()> {
    let mut stage = Stage::open(app, side).await?;
    let mut lamp = side.start(&stage.world.daemon).await?;
    let mut level = 10;
    for behaviour in BEHAVIOURS {
        lamp.behave(behaviour).await?;
        for way in app.ways() {
            level += 1;
            let heard = one(&mut stage, &mut lamp, (*way, side), words::end(side, behaviour), level).await;
            heard.with_context(|| {
                let log = stage.world.daemon.log_tail();
                format!("{way:?} to {side:?}, which was to {behaviour}; the daemon's log ends with:\n{log}")
            })?;
        }
    }
    Ok(())
}

async fn one(
    stage: &mut Stage,
    lamp: &mut Simulator,
    (way, side): (Way, Side),
    end: End,
    level: u32,
) -> anyhow::Result<()> {
    let ttl_s = if end == End::TimedOut { TTL_S.1 } else { TTL_S.0 };
    let said = stage.say(way, level, ttl_s).await?;
    let is_unheard = way == Way::DeviceHiveInsert && side == Side::DeviceHive && end == End::TimedOut;
    let heard = match said {
        // The platform never says that a command of a device of its own was not answered.
        Said::Command(id) if is_unheard => {
            stage.record("its end", |record| !record["ended_ms"].is_null()).await?;
            let command = stage.devicehive_command(id).await?;
            ensure!(command.get("status").is_none(), "a status out of nowhere: {command}");
            None
        }
        said => Some(stage.hear(said).await?),
    };
    if let Some(heard) = heard {
        let expected = words::heard(way, side, end);
        ensure!(words::is_part(&expected, &heard), "expected {expected}\n   heard {heard}");
    }

    let (state, code) = end.recorded();
    let record = stage.record("its end", |record| !record["ended_ms"].is_null()).await?;
    ensure!(record["state"] == state, "the record says {} instead of {state}: {record}", record["state"]);
    let reasons = [&record["outcome"]["reason"]["code"], &record["reason"]["code"]];
    ensure!(code == Value::Null || reasons.contains(&&code), "another reason than {code}: {record}");

    let level = json!(level);
    match end {
        End::Succeeded => lamp.has("level", &level).await,
        _ if lamp.value("level") == level => anyhow::bail!("the lamp has a level that it did not take"),
        _ => Ok(()),
    }
}
