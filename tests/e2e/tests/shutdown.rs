//! SIGTERM while a call waits for its device.

use anyhow::Context;
use dragoman_e2e::devices::{self, METER};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Answer, Daemon, World};
use dragoman_simulators::{Behaviour, Device};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A call that waits, and the topic on which the device was asked.
async fn waiting_call(
    world: &World,
    device: &mut Device,
) -> anyhow::Result<(JoinHandle<anyhow::Result<Answer>>, String)> {
    let huawei = world.huawei.clone();
    let call = tokio::spawn(async move { huawei.command(METER, "ON_OFF", &json!({ "value": "ON" })).await });
    let (topic, _) = devices::received(device).await?;
    Ok((call, topic))
}

/// Nobody is let in any more.
async fn stopped_accepting(daemon: &Daemon) -> anyhow::Result<()> {
    let address = daemon.listeners().http.clone();
    wait::until("the listener is closed", SOON, || async {
        Ok(tokio::net::TcpStream::connect(&address).await.is_err().then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_under_way_still_gets_its_answer() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let mut device = world.device(METER, Behaviour::Silent).await?;
    let (call, topic) = waiting_call(&world, &mut device).await?;
    world.daemon.terminate().await?;
    stopped_accepting(&world.daemon).await?;
    device
        .publish(&topic.replace("/commands/", "/commands/response/"), json!({ "result_code": 0 }).to_string())
        .await?;
    let answer = call.await??.expect(200)?;
    assert_eq!(answer["response"]["result_code"], 0, "{answer}");
    world.daemon.ended().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_too_long_is_told_its_execution_which_goes_on() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let mut device = world.device(METER, Behaviour::Silent).await?;
    let (call, topic) = waiting_call(&world, &mut device).await?;
    world.daemon.terminate().await?;
    let answer = call.await??.expect(503)?;
    assert_eq!(answer["error"]["code"], "$RESTARTING", "{answer}");
    let id = answer["error"]["executions"][0].as_str().context("no execution id")?.to_owned();
    world.daemon.ended().await?;

    world.daemon.start_again().await?;
    let open: Value = world.admin.execution(&id).await?.context("the execution is gone")?;
    assert_eq!(open["state"], "SENT", "{open}");
    // The device comes back and answers what it was asked before.
    devices::ready(&mut device).await?;
    device
        .publish(&topic.replace("/commands/", "/commands/response/"), json!({ "result_code": 0 }).to_string())
        .await?;
    let ended = world.admin.ended(&id).await?;
    assert_eq!(ended["state"], "SUCCEEDED", "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_waiting() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    world.daemon.terminate().await?;
    world.daemon.ended().await?;
    // Longer than anything here is waited for.
    world.daemon.reconfigure("shutdown_grace_ms = 3000", "shutdown_grace_ms = 600000")?;
    world.daemon.start_again().await?;
    let mut device = world.device(METER, Behaviour::Silent).await?;
    let (call, _) = waiting_call(&world, &mut device).await?;
    world.daemon.terminate().await?;
    stopped_accepting(&world.daemon).await?;
    assert!(!call.is_finished(), "the first signal lets it wait");
    world.daemon.terminate().await?;
    let answer = call.await??.expect(503)?;
    assert_eq!(answer["error"]["code"], "$RESTARTING", "{answer}");
    world.daemon.ended().await
}
