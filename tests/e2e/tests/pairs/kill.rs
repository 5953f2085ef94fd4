//! One pair, with the daemon killed between the command and the answer.

use crate::callers::{App, Said, Stage};
use crate::words::{self, End};
use anyhow::{Context, ensure};
use dragoman_e2e::Site;
use dragoman_e2e::lamps::Side;
use serde_json::json;

/// Longer than a restart takes on a busy machine, in seconds.
const PATIENCE_S: u32 = 300;

/// The device has the command, the daemon is killed and started again, and then the device answers.
pub(crate) async fn is_survived(app: App, side: Side) -> anyhow::Result<()> {
    let settings = format!(
        "[plugin.huawei-iotda.settings]\nsync-time-out-s = {PATIENCE_S}\n\
         [plugin.connio.settings]\noutcome-wait-s = {PATIENCE_S}\nttl-s = {PATIENCE_S}\n"
    );
    let mut stage = Stage::open_with(app, side, &settings).await?;
    let mut lamp = side.start(&stage.world.daemon).await?;
    let way = *app.ways().first().context("an application without a way")?;
    lamp.behave("withhold").await?;
    let said = stage.say(way, 42, PATIENCE_S).await?;
    lamp.event("received").await?;
    // What the device has not acknowledged yet would be sent to it once more. Another's broker does not pass that on.
    let passed_on = side.site(&stage.world.daemon) == Site::Embedded;
    let acknowledges = passed_on && matches!(side, Side::Fleets | Side::Connio);
    let is_with_the_device =
        |state: &str| if acknowledges { state == "ACKED" } else { matches!(state, "SENT" | "ACKED") };
    stage.record("with the device", |record| record["state"].as_str().is_some_and(is_with_the_device)).await?;

    // A call to a device of Connio itself is answered when the value is stored.
    let said = match said {
        Said::Call(call) if app == App::Connio && side == Side::Connio => {
            let receipt = call.await??.expect(200)?;
            ensure!(receipt == json!({ "accepted": 1, "rejected": 0 }), "another receipt: {receipt}");
            None
        }
        said => Some(said),
    };
    stage.world.daemon.kill().await?;
    stage.world.daemon.start_again().await?;
    side.back(&stage.world.daemon, &mut lamp).await?;
    stage.ready().await?;
    lamp.behave("answer").await?;

    let level = json!(42);
    lamp.has("level", &level).await?;
    let record = stage.record("its end", |record| !record["ended_ms"].is_null()).await?;
    ensure!(record["state"] == "SUCCEEDED", "the command did not succeed: {record}");
    let expected = words::heard(way, side, End::Succeeded);
    match said {
        None => {
            let value = stage.connio.value(&side.connio_id(), "level").await?;
            ensure!(value == level, "Connio shows {value} instead of {level}");
        }
        // The connection went with the daemon, and these platforms have no call that asks what became of the one
        // before. Who asks again hears it.
        Some(Said::Call(call)) => {
            ensure!(call.await?.is_err(), "a call was answered by a daemon that was killed");
            let heard = stage.set(way, 42, PATIENCE_S).await?;
            ensure!(words::is_part(&expected, &heard), "expected {expected}\n   heard {heard}");
        }
        Some(Said::Downlink(id)) => {
            let told = stage.hear(Said::Downlink(id)).await?;
            let kinds = told["kinds"].as_array().cloned().unwrap_or_default();
            ensure!(kinds.last() == Some(&json!("ack")), "the downlink was not acknowledged: {told}");
        }
        Some(said) => {
            let heard = stage.hear(said).await?;
            ensure!(words::is_part(&expected, &heard), "expected {expected}\n   heard {heard}");
        }
    }
    Ok(())
}
