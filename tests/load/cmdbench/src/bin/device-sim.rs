//! A crowd of fast devices: --devices N, each with its own MQTT connection.
//! Each answers every command at once, echoing paras.value so that the load
//! generator can prove each answer went to the call that asked for it.
//! --secret TEXT signs in as devices of the platform do, all with that secret; without it a device has its id only.
use anyhow::{Context, Result, bail};
use cmdbench::{connect_with, qos};
use hmac::{Hmac, Mac};
use rumqttc::{Event, MqttOptions, Packet, SubscribeReasonCode};
use sha2::Sha256;
use std::time::Duration;

/// The hour in a client id. Its form ("0") is the one whose hour the platform does not compare with the clock.
const HOUR: &str = "2025010100";

/// Client id and password as the platform's device SDKs make them: the password is the HMAC-SHA-256 of the secret with
/// the hour as key, in lower-case hex.
fn options(device: &str, host: &str, port: u16, secret: Option<&str>) -> Result<MqttOptions> {
    let Some(secret) = secret else { return Ok(MqttOptions::new(device, host, port)) };
    let mut mac = Hmac::<Sha256>::new_from_slice(HOUR.as_bytes())?;
    mac.update(secret.as_bytes());
    let password: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut options = MqttOptions::new(format!("{device}_0_0_{HOUR}"), host, port);
    options.set_credentials(device, password);
    Ok(options)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    use lexopt::prelude::*;
    let (mut host, mut port, mut devices, mut q, mut nodelay, mut delay_ms, mut secret) =
        ("127.0.0.1".to_string(), 28830u16, 64usize, 0u8, true, 0u64, None::<String>);
    let mut p = lexopt::Parser::from_env();
    while let Some(a) = p.next()? {
        match a {
            Long("host") => host = p.value()?.string()?,
            Long("port") => port = p.value()?.parse()?,
            Long("devices") => devices = p.value()?.parse()?,
            Long("qos") => q = p.value()?.parse()?,
            Long("nodelay") => nodelay = p.value()?.parse()?,
            Long("secret") => secret = Some(p.value()?.string()?),
            Long("delay-ms") => delay_ms = p.value()?.parse()?,
            _ => return Err(a.unexpected().into()),
        }
    }
    let (tx, mut rx) = tokio::sync::mpsc::channel::<bool>(devices);
    for i in 0..devices {
        let tx = tx.clone();
        let options = options(&format!("dev-{i}"), &host, port, secret.as_deref())?;
        tokio::spawn(async move {
            let (c, mut e) = connect_with(options, nodelay, 8192);
            let sub = format!("$oc/devices/dev-{i}/sys/commands/+");
            // A device that connects again subscribes again, but is one device.
            let mut ready = Some(tx);
            loop {
                match e.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let _ = c.try_subscribe(&sub, qos(q));
                    }
                    Ok(Event::Incoming(Packet::SubAck(ack))) => {
                        if let Some(tx) = ready.take() {
                            let granted = |code| matches!(code, &SubscribeReasonCode::Success(_));
                            let _ = tx.try_send(ack.return_codes.iter().all(granted));
                        }
                    }
                    Ok(Event::Incoming(Packet::Publish(m))) => {
                        let Some((_, id)) = m.topic.rsplit_once("request_id=") else { continue };
                        let v: serde_json::Value = serde_json::from_slice(&m.payload).unwrap_or_default();
                        let body = serde_json::json!({
                            "result_code": 0, "response_name": "COMMAND_RESPONSE",
                            "paras": { "result": "success", "value": v["paras"]["value"] }
                        });
                        let topic = format!("$oc/devices/dev-{i}/sys/commands/response/request_id={id}");
                        let body = body.to_string().into_bytes();
                        if delay_ms == 0 {
                            if c.try_publish(topic, qos(q), false, body).is_err() {
                                eprintln!("dev-{i}: dropped an answer");
                            }
                        } else {
                            let c = c.clone();
                            tokio::spawn(async move {
                                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                                let _ = c.publish(topic, qos(q), false, body).await;
                            });
                        }
                    }
                    Ok(_) => {}
                    Err(err) => {
                        eprintln!("dev-{i}: {err}");
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                }
            }
        });
    }
    for _ in 0..devices {
        if !rx.recv().await.context("a device ended before it was subscribed")? {
            bail!("the broker refused the subscription of a device");
        }
    }
    println!("ready {devices}");
    std::future::pending::<()>().await;
    Ok(())
}
