//! Huawei IoTDA from the application to the device and back, over the synchronous call.

use dragoman_e2e::devices::{self, GATEWAY, METER, SUB_DEVICE};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Site, World};
use dragoman_simulators::{Behaviour, DeviceEvent};
use serde_json::{Value, json};

/// A wait short enough for tests; the platform's 20 s are shown by the test with the platform's own client.
const SHORT_WAIT: &str = "[plugin.huawei-iotda.settings]\nsync-time-out-s = 2\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_never_subscribes_answers_once_and_the_call_has_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut device = world.device(METER, Behaviour::Answer).await?;
    let answer = world.huawei.command(METER, "ON_OFF", &json!({ "value": "ON" })).await?.expect(200)?;
    assert!(answer["command_id"].is_string(), "{answer}");
    let response = json!({ "result_code": 0, "response_name": "COMMAND_RESPONSE", "paras": { "result": "success" } });
    assert_eq!(answer["response"], response);

    let (topic, request) = devices::received(&mut device).await?;
    assert!(topic.starts_with(&format!("$oc/devices/{METER}/sys/commands/request_id=")), "{topic}");
    let expected = json!({
        "object_device_id": METER, "service_id": "Test", "command_name": "ON_OFF", "paras": { "value": "ON" },
    });
    assert_eq!(request, expected);
    // A second command proves that the first was not handed over twice: the next thing received is the second.
    world.huawei.command(METER, "SECOND", &json!({})).await?.expect(200)?;
    let (_, request) = devices::received(&mut device).await?;
    assert_eq!(request["command_name"], "SECOND");
    Ok(())
}

/// The platform passes a device's own error on and does not turn it into one of HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_passed_on_as_the_device_worded_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _device = world.device(METER, Behaviour::Refuse).await?;
    let answer = world.huawei.command(METER, "OPEN", &json!({})).await?.expect(200)?;
    assert_eq!(answer["response"]["result_code"], 2);
    assert_eq!(answer["response"]["paras"]["code"], "not_now", "{answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_not_connected_is_said_to_be_offline_at_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    let answer = world.huawei.command(METER, "ON_OFF", &json!({})).await?.expect(403)?;
    let offline =
        json!({ "error_code": "IOTDA.014016", "error_msg": "Operation not allowed. The device is not online." });
    assert_eq!(answer, offline);

    let device = world.device(METER, Behaviour::Answer).await?;
    world.huawei.command(METER, "ON_OFF", &json!({})).await?.expect(200)?;
    drop(device);
    wait::until("the device is offline again", SOON, || async {
        let answer = world.huawei.command(METER, "ON_OFF", &json!({})).await?;
        Ok((answer.status == 403).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_stays_silent_is_a_time_out_with_status_200() -> anyhow::Result<()> {
    let world = World::start_with(SHORT_WAIT).await?;
    let _device = world.device(METER, Behaviour::Silent).await?;
    let answer = world.huawei.command(METER, "ON_OFF", &json!({})).await?.expect(200)?;
    assert_eq!(answer["error_code"], "IOTDA.014111", "{answer}");
    assert!(
        answer["error_msg"].as_str().is_some_and(|text| text.starts_with("Command request timed out.")),
        "{answer}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sub_device_is_commanded_through_its_gateway() -> anyhow::Result<()> {
    let world = World::start().await?;
    if world.daemon.site() == Site::Embedded {
        let offline = world.huawei.command(SUB_DEVICE, "ON_OFF", &json!({})).await?.expect(403)?;
        assert_eq!(offline["error_code"], "IOTDA.014016");
    }

    let mut gateway = world.device(GATEWAY, Behaviour::Answer).await?;
    let answer = world.huawei.command(SUB_DEVICE, "ON_OFF", &json!({ "value": "ON" })).await?.expect(200)?;
    assert_eq!(answer["response"]["paras"], json!({ "result": "success" }), "{answer}");
    let (topic, request) = devices::received(&mut gateway).await?;
    assert!(topic.starts_with(&format!("$oc/devices/{GATEWAY}/sys/commands/request_id=")), "{topic}");
    assert_eq!(request["object_device_id"], SUB_DEVICE);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn properties_are_asked_of_the_device_and_shown_as_it_told_them() -> anyhow::Result<()> {
    let world = World::start().await?;
    let path = format!("/v5/iot/project/devices/{METER}/properties?service_id=Test");
    if world.daemon.site() == Site::Embedded {
        let offline = world.huawei.get(&path).await?.expect(403)?;
        assert_eq!(offline["error_code"], "IOTDA.014016", "{offline}");
    }

    let mut device = world.device(METER, Behaviour::Answer).await?;
    let mut answer = world.huawei.get(&path).await?.expect(200)?;
    let (topic, request) = devices::received(&mut device).await?;
    assert!(topic.starts_with(&format!("$oc/devices/{METER}/sys/properties/get/request_id=")), "{topic}");
    assert_eq!(request, json!({ "object_device_id": METER, "service_id": "Test" }));
    assert!(answer["request_id"].take().is_string(), "{answer}");
    let told = json!([{ "service_id": "Test", "properties": { "value": 57 }, "event_time": null }]);
    assert_eq!(answer, json!({ "request_id": null, "response": { "services": told } }));
    Ok(())
}

/// The answer to another device's command changes nothing: a request id is no secret, the session is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_answer() -> anyhow::Result<()> {
    let world = World::start_with(SHORT_WAIT).await?;
    let mut device = world.device(METER, Behaviour::Silent).await?;
    let stranger = world.device(GATEWAY, Behaviour::Silent).await?;
    let huawei = world.huawei.clone();
    let call = tokio::spawn(async move { huawei.command(METER, "ON_OFF", &json!({})).await });
    let request = devices::event(&mut device, |event| match event {
        DeviceEvent::Received { topic, .. } => Some(topic.clone()),
        _ => None,
    })
    .await?;
    let request_id = request.rsplit('/').next().unwrap_or_default();
    let forged = json!({ "result_code": 0, "response_name": "FORGED", "paras": {} }).to_string();
    for topic in [
        format!("$oc/devices/{GATEWAY}/sys/commands/response/{request_id}"),
        format!("$oc/devices/{METER}/sys/commands/response/{request_id}"),
    ] {
        stranger.publish(&topic, forged.clone()).await?;
    }
    let answer: Value = call.await??.expect(200)?;
    assert_eq!(answer["error_code"], "IOTDA.014111", "{answer}");
    Ok(())
}
