//! EMQX Fleets from the application to the thing and back.

use anyhow::Context;
use dragoman_e2e::devices::{self, THERMOSTAT};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Fleets, Site, World};
use dragoman_simulators::Behaviour;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde_json::{Value, json};
use std::time::Duration;

/// Long enough for a command with the shortest time to live to end.
const AFTER_TTL: Duration = Duration::from_secs(20);

/// The flow of the platform's page "Send Commands".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thing_does_what_it_is_told() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let accepted =
        world.fleets.command(THERMOSTAT, "setTemperature", &json!({ "value": 24 }), 30).await?.expect(201)?;
    assert_eq!(accepted["status"], "SENT");
    assert_eq!(accepted["action"], "setTemperature");
    assert_eq!(accepted["ttl"], 30);
    let id = accepted["executionId"].as_str().unwrap_or_default();

    let (topic, request) = devices::received(&mut thing).await?;
    assert_eq!(topic, format!("$emqx/commands/things/{THERMOSTAT}/executions/{id}/request"));
    assert_eq!(request["commandId"], accepted["commandId"]);
    assert_eq!(request["action"], "setTemperature");
    assert_eq!(request["params"], json!({ "value": 24 }));
    assert!(request["timestamp"].is_u64(), "{request}");
    assert!(request["ttl"].as_u64().is_some_and(|ttl| (25..=30).contains(&ttl)), "{request}");

    let ended = world.fleets.ended(id, SOON).await?;
    assert_eq!(ended["status"], "SUCCEEDED");
    assert_eq!(ended["result"], json!({ "currentTemperature": 24 }));
    assert_eq!(ended["statusReason"], Value::Null);
    assert!(ended["sentAt"].is_string() && ended["completedAt"].is_string(), "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_things_refusal_and_failure_reach_the_caller() -> anyhow::Result<()> {
    let world = World::start().await?;
    let thing = world.thing(THERMOSTAT, Behaviour::Refuse).await?;
    for (behaviour, status, code) in
        [(Behaviour::Refuse, "REJECTED", "not_now"), (Behaviour::Fail, "FAILED", "motor_blocked")]
    {
        thing.behave(behaviour);
        let id = world.fleets.accepted(THERMOSTAT, "open", &json!({}), 30).await?;
        let ended = world.fleets.ended(&id, SOON).await?;
        assert_eq!(ended["status"], status);
        assert_eq!(ended["statusReason"]["reasonCode"], code, "{ended}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_nobody_answers_times_out() -> anyhow::Result<()> {
    let world = World::start().await?;
    let absent = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 1).await?;
    let ended = world.fleets.ended(&absent, AFTER_TTL).await?;
    assert_eq!((&ended["status"], &ended["sentAt"]), (&json!("TIMED_OUT"), &Value::Null));

    let mut thing = world.thing(THERMOSTAT, Behaviour::Silent).await?;
    let silent = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 1).await?;
    let (topic, _) = devices::received(&mut thing).await?;
    // The command that expired while the thing was away never reaches it.
    assert!(topic.contains(&silent), "{topic}");
    let ended = world.fleets.ended(&silent, AFTER_TTL).await?;
    assert_eq!(ended["status"], "TIMED_OUT");
    assert!(ended["sentAt"].is_string(), "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thing_that_comes_back_is_given_what_has_not_expired() -> anyhow::Result<()> {
    let world = World::start().await?;
    let waiting = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": 19 }), 300).await?;
    assert_eq!(world.fleets.execution(&waiting).await?["status"], "SENT");
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    let ended = world.fleets.ended(&waiting, SOON).await?;
    assert_eq!((&ended["status"], &ended["result"]), (&json!("SUCCEEDED"), &json!({ "currentTemperature": 19 })));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_recorded_and_changes_nothing() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut thing = world.thing(THERMOSTAT, Behaviour::Silent).await?;
    let id = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 1).await?;
    let (topic, _) = devices::received(&mut thing).await?;
    let before = world.fleets.ended(&id, AFTER_TTL).await?;
    assert_eq!(before["status"], "TIMED_OUT");

    let answer = topic.replace("/request", "/response");
    thing.publish(&answer, r#"{"status":"SUCCEEDED","result":{"late":true}}"#).await?;
    let late = dragoman_e2e::wait::until("the late answer in the history", SOON, || async {
        let execution = world.admin.execution(&id).await?.unwrap_or_default();
        Ok(execution["history"].to_string().contains("late").then_some(execution))
    })
    .await?;
    assert_eq!(late["state"], "TIMED_OUT", "{late}");
    assert_eq!(world.fleets.execution(&id).await?["status"], "TIMED_OUT");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_can_be_taken_back_until_it_ended() -> anyhow::Result<()> {
    let world = World::start().await?;
    let id = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 60).await?;
    let canceled = world.fleets.post(&format!("/api/v1/commands/{id}/cancel"), "").await?.expect(200)?;
    assert_eq!(canceled["status"], "CANCELED");
    assert_eq!(world.fleets.execution(&id).await?["status"], "CANCELED");
    let again = world.fleets.post(&format!("/api/v1/commands/{id}/cancel"), "").await?;
    assert_eq!(again.status, 409, "{}", again.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_listed_by_thing_action_and_status_page_by_page() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _thing = world.thing(THERMOSTAT, Behaviour::Answer).await?;
    for number in 0..5 {
        let id = world.fleets.accepted(THERMOSTAT, "setTemperature", &json!({ "value": number }), 60).await?;
        world.fleets.ended(&id, SOON).await?;
    }
    let rebooted = world.fleets.accepted(THERMOSTAT, "reboot", &json!({}), 60).await?;
    world.fleets.ended(&rebooted, SOON).await?;
    let open = world.fleets.accepted(devices::FLEETS_BOX, "reboot", &json!({}), 60).await?;

    for (query, count, first) in [
        ("", 7, Some(&open)),
        ("?thingId=thermostat-001", 6, Some(&rebooted)),
        ("?action=reboot", 2, Some(&open)),
        ("?status=SENT", 1, Some(&open)),
        ("?status=SUCCEEDED&action=reboot", 1, Some(&rebooted)),
        ("?status=SUCCEEDED&action=setTemperature&thingId=thermostat-001", 5, None),
        ("?status=CANCELED", 0, None),
        ("?thingId=nobody", 0, None),
    ] {
        let list = world.fleets.get(&format!("/api/v1/commands{query}")).await?.expect(200)?;
        assert_eq!(list["meta"]["count"], count, "{query}: {list}");
        if let Some(first) = first {
            assert_eq!(&list["data"][0]["executionId"], first, "{query}: {list}");
        }
    }

    let mut values = Vec::new();
    for page in 1..=3 {
        let path = format!("/api/v1/commands?action=setTemperature&limit=2&page={page}");
        let list = world.fleets.get(&path).await?.expect(200)?;
        assert_eq!(list["meta"], json!({ "page": page, "limit": 2, "count": 5, "hasnext": page < 3 }));
        values.extend(list["data"].as_array().into_iter().flatten().map(|item| item["params"]["value"].clone()));
    }
    assert_eq!(values, [4, 3, 2, 1, 0], "newest first, none twice, none left out");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn things_are_created_found_and_commanded_by_id_or_name() -> anyhow::Result<()> {
    let world = World::start().await?;
    let thing = json!({ "name": "lamp-1", "mqttClientId": "lamp-client", "tags": ["hall"] });
    let created = world.fleets.post("/api/v1/things", thing.to_string()).await?.expect(201)?;
    let id = created["id"].as_str().unwrap_or_default();
    let found = world.fleets.get(&format!("/api/v1/things/{id}")).await?.expect(200)?;
    // At another's broker nobody tells whether it is there.
    let status = if world.daemon.site() == Site::Embedded { "offline" } else { "online" };
    assert_eq!((&found["name"], &found["status"]), (&json!("lamp-1"), &json!(status)));
    let listed = world.fleets.get("/api/v1/things?tagName=hall").await?.expect(200)?;
    assert_eq!(listed["data"][0]["id"], id, "{listed}");
    for name in [id, "lamp-1"] {
        let accepted = world.fleets.command(name, "on", &json!({}), 60).await?.expect(201)?;
        assert_eq!((&accepted["thingId"], &accepted["thingName"]), (&json!(id), &json!("lamp-1")));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_reaches_the_paths_it_was_granted() -> anyhow::Result<()> {
    let world = World::start().await?;
    let rights = json!({ "GET": ["/api/v1/commands"] });
    world.admin.add_token("emqx-fleets", "ak_reader", "reader-secret-of-the-tests", &rights).await?;
    let reader = Fleets::new(&world.daemon, "ak_reader", "reader-secret-of-the-tests")?;
    reader.get("/api/v1/commands").await?.expect(200)?;
    reader.get("/api/v1/things").await?.expect(403)?;
    reader.command(THERMOSTAT, "reboot", &json!({}), 60).await?.expect(403)?;
    let stranger = Fleets::new(&world.daemon, "ak_reader", "wrong")?;
    stranger.get("/api/v1/commands").await?.expect(401)?;
    Ok(())
}

/// The thing takes one message at a time and has not acknowledged the first, so the second waits in the broker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_command_is_taken_back_from_the_broker() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut options = MqttOptions::new(THERMOSTAT, "127.0.0.1", world.daemon.mqtt_port()?);
    options.set_credentials(THERMOSTAT, devices::secret(THERMOSTAT));
    options.set_receive_maximum(Some(1));
    options.set_manual_acks(true);
    let (client, mut events) = AsyncClient::new(options, 16);
    client.subscribe(format!("$emqx/commands/things/{THERMOSTAT}/executions/+/request"), QoS::AtLeastOnce).await?;
    while !matches!(next_packet(&mut events).await?, Packet::SubAck(_)) {}

    let first = world.fleets.accepted(THERMOSTAT, "open", &json!({}), 30).await?;
    let message = next_message(&mut events).await?;
    assert!(String::from_utf8_lossy(&message.topic).contains(&first), "{message:?}");
    let second = world.fleets.accepted(THERMOSTAT, "close", &json!({}), 30).await?;
    wait::until("the second is with the broker", SOON, || async {
        let sent = world.admin.metrics().await?.sum("dragoman_deliveries_total", &[("result", "sent")]);
        Ok((sent >= 2.0).then_some(()))
    })
    .await?;
    world.fleets.post(&format!("/api/v1/commands/{second}/cancel"), "").await?.expect(200)?;
    let third = world.fleets.accepted(THERMOSTAT, "stop", &json!({}), 30).await?;
    client.ack(&message).await?;
    let message = next_message(&mut events).await?;
    assert!(String::from_utf8_lossy(&message.topic).contains(&third), "{second} was canceled: {message:?}");
    Ok(())
}

async fn next_message(events: &mut EventLoop) -> anyhow::Result<Publish> {
    loop {
        if let Packet::Publish(message) = next_packet(events).await? {
            return Ok(message);
        }
    }
}

async fn next_packet(events: &mut EventLoop) -> anyhow::Result<Packet> {
    let incoming = async {
        loop {
            if let Event::Incoming(packet) = events.poll().await? {
                return anyhow::Ok(packet);
            }
        }
    };
    tokio::time::timeout(SOON, incoming).await.context("nothing came from the broker in time")?
}
