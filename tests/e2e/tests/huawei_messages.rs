//! Messages of Huawei IoTDA: they wait for their device, the newest 20 of them, and the application is told what became of
//! them.

use anyhow::{Context, ensure};
use dragoman_e2e::devices::{self, METER};
use dragoman_e2e::target::{Act, Seen, Target};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Answer, World};
use dragoman_simulators::Behaviour;
use serde_json::{Value, json};

/// What waits for one device; a newer message pushes the oldest out.
const WAITING_MAX: usize = 20;

fn path(message: &str) -> String {
    format!("/v5/iot/project/devices/{METER}/messages{message}")
}

async fn post(world: &World, message: &Value) -> anyhow::Result<Answer> {
    world.huawei.post(&path(""), message.to_string()).await
}

/// Pushes go to a server of the test: the status of messages, and whether devices are there.
fn configuration(target: &Target) -> String {
    format!(
        "[targets.app]\nurl = \"{}/hook\"\nin_flight_max = 1\n\n\
         [plugin.huawei-iotda.settings.push]\n\
         \"device.message.status\" = {{ target = \"app\", path = \"/messages\" }}\n\
         \"device.status\" = {{ target = \"app\", path = \"/devices\" }}\n",
        target.url()
    )
}

/// PENDING while the device is away, DELIVERED when it came: in the answer, where it is asked for, and as the application
/// is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_waits_for_its_device_and_the_application_is_told() -> anyhow::Result<()> {
    let app = Target::start(|_| Act::Answer(200)).await?;
    let world = World::start_with(&configuration(&app)).await?;
    let message = json!({ "message_id": "m-1", "name": "greeting", "message": "HelloWorld", "ttl": 60 });
    let mut accepted = post(&world, &message).await?.expect(201)?;
    let created = taken_time(&mut accepted["result"]["created_time"])?;
    assert_eq!(accepted, json!({ "message_id": "m-1", "result": { "status": "PENDING", "created_time": null } }));
    let mut shown = json!({
        "message_id": "m-1", "name": "greeting", "message": "HelloWorld", "encoding": "none",
        "payload_format": "standard", "status": "PENDING", "created_time": created,
    });
    assert_eq!(world.huawei.get(&path("/m-1")).await?.expect(200)?, shown);
    let told = told(&app, 1).await?;
    assert_eq!(told, status("PENDING", &created), "the application is told that it waits");

    let mut device = world.device(METER, Behaviour::Answer).await?;
    let (topic, received) = devices::received(&mut device).await?;
    assert_eq!(topic, format!("$oc/devices/{METER}/sys/messages/down"));
    let down = json!({ "object_device_id": METER, "name": "greeting", "id": "m-1", "content": "HelloWorld" });
    assert_eq!(received, down);
    let mut delivered = wait::until("the message is delivered", SOON, || async {
        let shown = world.huawei.get(&path("/m-1")).await?.expect(200)?;
        Ok((shown["status"] != "PENDING").then_some(shown))
    })
    .await?;
    let finished = taken_time(&mut delivered["finished_time"])?;
    (shown["status"], shown["finished_time"]) = (json!("DELIVERED"), json!(null));
    assert_eq!(delivered, shown);
    assert_eq!(self::told(&app, 2).await?, status("DELIVERED", &finished));
    // A second message is not kept waiting, and its answer says so at once.
    let second = post(&world, &json!({ "message_id": "m-2", "message": { "a": 1 } })).await?.expect(201)?;
    assert_eq!(second["result"]["status"], "DELIVERED", "{second}");
    assert_eq!(devices::received(&mut device).await?.1["content"], "{\"a\":1}");

    // Whether the device is there was told too, in the nested shape.
    let seen = app.until("the device's status", |seen| seen.iter().any(|seen| seen.path == "/hook/devices")).await?;
    let online = seen.iter().find(|seen| seen.path == "/hook/devices").context("it was seen")?;
    let data = &online.body["notify_data"];
    assert_eq!((&online.body["resource"], &online.body["event"]), (&json!("device.status"), &json!("update")));
    assert_eq!((&data["header"]["device_id"], &data["body"]["status"]), (&json!(METER), &json!("ONLINE")), "{data}");
    Ok(())
}

/// Of what waits for a device only the newest 20 are kept, and they are sent in the order in which they were given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_newest_twenty_messages_wait() -> anyhow::Result<()> {
    let world = World::start().await?;
    for number in 0..=WAITING_MAX {
        let message = json!({ "message_id": format!("m-{number}"), "message": number.to_string() });
        let accepted = post(&world, &message).await?.expect(201)?;
        assert_eq!(accepted["result"]["status"], "PENDING", "{accepted}");
    }
    let gone = world.huawei.get(&path("/m-0")).await?.expect(404)?;
    assert_eq!(gone["error_code"], "IOTDA.000006", "{gone}");
    let listed = world.huawei.get(&path("")).await?.expect(200)?;
    let ids: Vec<_> =
        listed["messages"].as_array().into_iter().flatten().map(|one| one["message_id"].clone()).collect();
    let newest_first: Vec<_> = (1..=WAITING_MAX).rev().map(|number| json!(format!("m-{number}"))).collect();
    assert_eq!((&listed["device_id"], ids), (&json!(METER), newest_first));
    let twice = post(&world, &json!({ "message_id": "m-7", "message": "again" })).await?.expect(400)?;
    assert_eq!(twice["error_code"], "IOTDA.000006", "an id that the device has already: {twice}");

    let mut device = world.device(METER, Behaviour::Silent).await?;
    for number in 1..=WAITING_MAX {
        let (_, received) = devices::received(&mut device).await?;
        assert_eq!(received["id"], format!("m-{number}"), "{received}");
    }
    Ok(())
}

/// The how manieth status that the application is told of the message.
async fn told(app: &Target, count: usize) -> anyhow::Result<Value> {
    let of_messages = |seen: &[Seen]| -> Vec<Value> {
        seen.iter().filter(|seen| seen.path == "/hook/messages").map(|seen| seen.body.clone()).collect()
    };
    let seen = app.until("a message's status", |seen| of_messages(seen).len() >= count).await?;
    of_messages(&seen).into_iter().nth(count - 1).context("it was seen")
}

/// The flat shape of the platform's page on messages.
fn status(status: &str, at: &str) -> Value {
    json!({
        "resource": "device.message.status",
        "event": "update",
        "notify_data": { "message_id": "m-1", "name": "greeting", "device_id": METER, "status": status, "timestamp": at },
    })
}

/// Takes a time out of what is compared; it must be in the platform's form.
fn taken_time(place: &mut Value) -> anyhow::Result<String> {
    let time = place.take();
    let text = time.as_str().with_context(|| format!("{time} is no time"))?;
    // 20151212T121212Z
    let fits = text.len() == 16 && text.ends_with('Z') && text.as_bytes().get(8) == Some(&b'T');
    ensure!(fits, "{text} is no time of the platform");
    Ok(text.to_owned())
}
