//! Bad input over every way in, as a table: what is answered, byte for byte; which metric moved; and that everything
//! else stands as it stood.

mod cast;
mod chirpstack;
mod connio;
mod connio_mqtt;
mod devicehive;
mod devicehive_topics;
mod fleets;
mod golden;
mod http_row;
mod huawei;
mod mqtt_rows;
mod mqtt_table;
mod standing;
mod table;
mod the_things_stack;
mod the_things_stack_mqtt;
mod wire;

use anyhow::Context;
use dragoman_e2e::devices::{FLEETS_BOX, METER};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Answer, World, http};
use golden::masked;
use http_row::Who;
use mqtt_rows::LoginRow;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeReasonCode};
use serde_json::json;
use standing::{Places, standing};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests() -> anyhow::Result<()> {
    let world = World::start().await?;
    let places = Places::prepare(&world).await?;
    let client = http::client()?;
    let mut wrong = Vec::new();
    for row in fleets::rows().into_iter().chain(huawei::rows()) {
        let standing_before = standing(&world).await?;
        let before = world.admin.metrics().await?;
        let answer =
            ask(&client, &world, &places.fill(row.request), row.who, (row.body)()).await.with_context(|| row.what)?;
        let answered = (answer.status, masked(&places.hide(&answer.text)));
        if answered != (row.status, row.answer.to_owned()) {
            wrong.push(format!("{}\n    {} {}\n    {} {}", row.what, row.status, row.answer, answered.0, answered.1));
        }
        // The same row may be counted by two requests at once only if another test shared the daemon; none does.
        let after = world.admin.metrics().await?;
        let status = answer.status.to_string();
        let labels = [("dialect", row.dialect), ("status", status.as_str())];
        let counted = |metrics: &dragoman_e2e::metrics::Metrics| metrics.sum("dragoman_http_responses_total", &labels);
        assert_eq!(counted(&after) - counted(&before), 1.0, "{}: {labels:?}", row.what);
        assert_eq!(standing(&world).await?, standing_before, "{}", row.what);
    }
    assert!(wrong.is_empty(), "what, expected, answered:\n{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_logins() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut wrong = Vec::new();
    for row in mqtt_rows::logins() {
        let standing_before = standing(&world).await?;
        let before = world.admin.metrics().await?;
        let mut connection = connect(&world, &row)?;
        let answered = refusal(&mut connection).await;
        if answered != row.answer {
            wrong.push(format!("{}\n    {}\n    {answered}", row.what, row.answer));
        }
        let counted = moved(&world, &before, "dragoman_mqtt_connects_refused_total", row.cause).await;
        counted.with_context(|| row.what)?;
        assert_eq!(standing(&world).await?, standing_before, "{}", row.what);
    }
    assert!(wrong.is_empty(), "what, expected, answered:\n{}", wrong.join("\n"));
    Ok(())
}

/// A device that sends what it may not, or what means nothing: the command that it was sent stays open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages() -> anyhow::Result<()> {
    let world = World::start().await?;
    let places = Places::prepare(&world).await?;
    for row in mqtt_rows::messages() {
        let standing_before = standing(&world).await?;
        let before = world.admin.metrics().await?;
        let payload: Vec<u8> = (row.payload)();
        let speaker = match row.by {
            METER => &places.meter,
            _ => &places.thermostat,
        };
        speaker.publish(&places.fill(row.topic), payload).await?;
        let (name, labels) = row.counted;
        wait::until(&format!("{}: {name} {labels:?} moves", row.what), SOON, || async {
            let now = world.admin.metrics().await?;
            Ok((now.sum(name, labels) > before.sum(name, labels)).then_some(()))
        })
        .await?;
        assert_eq!(standing(&world).await?, standing_before, "{}", row.what);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_subscriptions() -> anyhow::Result<()> {
    let world = World::start().await?;
    for filter in ["#", "$oc/devices/+/sys/#", "$emqx/commands/things/+/executions/+/request", "$SYS/#", "other/topic"]
    {
        let before = world.admin.metrics().await?;
        let row = LoginRow::thermostat();
        let (client, mut connection) = AsyncClient::new(options(&world, &row)?, 10);
        client.subscribe(filter, QoS::AtLeastOnce).await?;
        let codes = packet(&mut connection, |packet| match packet {
            Packet::SubAck(ack) => Some(ack.return_codes.clone()),
            _ => None,
        })
        .await?;
        assert_eq!(codes, [SubscribeReasonCode::Failure], "{filter}");
        moved(&world, &before, "dragoman_mqtt_subscriptions_refused_total", "policy").await?;
    }
    Ok(())
}

/// A full queue refuses the newest, names the limit, and keeps what it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_the_newest() -> anyhow::Result<()> {
    let world = World::start().await?;
    let mut accepted = 0;
    let refused = loop {
        let answer = world.fleets.command(FLEETS_BOX, "reboot", &json!({}), 600).await?;
        if answer.status != 201 {
            break answer;
        }
        accepted += 1;
        anyhow::ensure!(accepted <= 10_000, "the queue of a thing that is away has no bound");
    };
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert_eq!(refused.json()["code"], "TOO_MANY_REQUESTS", "{}", refused.text);
    let open = world.fleets.get("/api/v1/commands?status=SENT&limit=1").await?.expect(200)?;
    assert_eq!(open["meta"]["count"], accepted);
    Ok(())
}

/// Sends a request, method and path, to the dialects' listener.
async fn ask(
    client: &reqwest::Client,
    world: &World,
    request: &str,
    who: Who,
    body: Vec<u8>,
) -> anyhow::Result<Answer> {
    let (method, path) = request.split_once(' ').context("a request is a method and a path")?;
    let listeners = world.daemon.listeners();
    let url = format!("http://{}{path}", listeners.http);
    let request = client.request(method.parse()?, url).body(body);
    http::send(match who {
        Who::Nobody => request,
        Who::Basic(key, secret) => request.basic_auth(key, Some(secret)),
        Who::Bearer(key) => request.bearer_auth(key),
        Who::Header(name, value) => request.header(name, value),
    })
    .await
}

fn options(world: &World, row: &LoginRow) -> anyhow::Result<MqttOptions> {
    let mut options = MqttOptions::new(&row.client_id, "127.0.0.1", world.daemon.mqtt_port()?);
    options.set_credentials(&row.username, &row.password).set_keep_alive(Duration::from_secs(row.keep_alive_s));
    Ok(options)
}

fn connect(world: &World, row: &LoginRow) -> anyhow::Result<EventLoop> {
    Ok(AsyncClient::new(options(world, row)?, 10).1)
}

/// The code with which the broker refused, or that it did not.
async fn refusal(connection: &mut EventLoop) -> String {
    match tokio::time::timeout(SOON, connection.poll()).await {
        Ok(Err(rumqttc::ConnectionError::ConnectionRefused(code))) => format!("{code:?}"),
        other => format!("{other:?}"),
    }
}

async fn packet<T>(connection: &mut EventLoop, wanted: impl Fn(&Packet) -> Option<T>) -> anyhow::Result<T> {
    tokio::time::timeout(SOON, async {
        loop {
            if let Event::Incoming(packet) = connection.poll().await?
                && let Some(found) = wanted(&packet)
            {
                return Ok(found);
            }
        }
    })
    .await
    .context("the broker did not answer")?
}

async fn moved(world: &World, before: &dragoman_e2e::metrics::Metrics, name: &str, cause: &str) -> anyhow::Result<()> {
    let labels = [("cause", cause)];
    wait::until(&format!("{name} {labels:?} moves by one"), SOON, || async {
        let now = world.admin.metrics().await?;
        Ok((now.sum(name, &labels) - before.sum(name, &labels) == 1.0).then_some(()))
    })
    .await
}
