//! Ten thousand LoRaWAN devices with five downlinks each behind one ChirpStack, uplinks at a fixed rate, and the gateway
//! killed in the middle: nothing is lost, and each device's downlinks are first tried in order. Runs alone: see
//! `.config/nextest.toml`.

mod network;

use anyhow::{Context, ensure};
use dragoman_e2e::{Admin, Daemon, http};
use network::{Network, eui};
use serde_json::json;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const MIB: u64 = 1024 * 1024;
/// Devices; another number for a quick look while developing.
const DEVICES_VARIABLE: &str = "DRAGOMAN_LOAD_DEVICES";
const DEVICES: usize = 10_000;
const DOWNLINKS: u8 = 5;
/// Uplinks a second, all devices together.
const UPLINKS_PER_S: usize = 1_000;
/// Calls under way at once while the downlinks are pushed.
const CALLERS: usize = 16;
/// Everything is sent and has ended by then.
const PATIENCE: Duration = Duration::from_secs(240);
/// Resident memory with everything queued, and afterwards.
const MEMORY_MAX: u64 = 384 * MIB;

const KEY: &str = "NNSXS.the-key-of-the-load-test";
const PASSWORD: &str = "secret-of-the-network";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_devices_get_every_downlink_in_order_over_a_kill() -> anyhow::Result<()> {
    let devices = std::env::var(DEVICES_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(DEVICES);
    let mut daemon = Daemon::start("").await?;
    let admin = Admin::of(&daemon)?;
    register(&daemon, &admin, devices).await?;
    let network = Network::connect(daemon.mqtt_port()?, "chirpstack", PASSWORD, devices);

    let began = Instant::now();
    push_downlinks(&daemon, devices).await?;
    let all = devices * usize::from(DOWNLINKS);
    eprintln!("{all} downlinks were pushed in {} s, {} MiB", began.elapsed().as_secs(), daemon.resident_bytes()? / MIB);

    let began = Instant::now();
    let mut killed = false;
    let mut most = 0;
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut next = 0;
    let mut sent_after = None;
    // Devices go on speaking when all is sent by radio: a receipt that was lost with the gateway is only missed then.
    while sent_after.is_none() || next != 0 || is_open(&admin).await? {
        pace.tick().await;
        for _ in 0..UPLINKS_PER_S / 100 {
            network.uplink(next).await?;
            next = (next + 1) % devices;
        }
        if !killed && network.sent() > all / 2 {
            killed = true;
            most = most.max(daemon.resident_bytes()?);
            daemon.kill().await?;
            daemon.start_again().await?;
        }
        if network.sent() == all {
            sent_after.get_or_insert_with(|| began.elapsed());
        }
        if next == 0 {
            most = most.max(daemon.resident_bytes()?);
        }
        ensure!(began.elapsed() < PATIENCE, "{}", standstill(&network, devices, all));
    }
    eprintln!(
        "all were sent by radio after {} s, in {} commands, and had ended after {} s; {} MiB at most",
        sent_after.unwrap_or_default().as_secs(),
        network.commands(),
        began.elapsed().as_secs(),
        most / MIB
    );
    ensure!(killed, "the gateway was never killed, so nothing is shown about it");
    ensure!(most <= MEMORY_MAX, "{} MiB", most / MIB);
    ensure!(network.strange().is_empty(), "the network was asked for what it does not know: {:?}", network.strange());
    let in_order: Vec<u8> = (0..DOWNLINKS).collect();
    for number in 0..devices {
        let first = network.first_attempts(number);
        ensure!(first == in_order, "device {number} was first asked in the order {first:?}");
    }
    Ok(())
}

/// The network server, its devices, and the key of an application that knows them.
async fn register(daemon: &Daemon, admin: &Admin, devices: usize) -> anyhow::Result<()> {
    let rights = json!({ "application": "app1", "rights": ["RIGHT_APPLICATION_ALL"] });
    admin.add_token("the-things-stack", "app1", KEY, &rights).await?;
    let network = json!({
        "id": "ns-1", "dialect": "chirpstack", "aliases": { "chirpstack.server": "chirpstack" },
        "labels": { "chirpstack.application-id": "ca739e26-7b67-4f14-b69e-d568c22a5a75" },
        "credential": { "kind": "password", "secret": PASSWORD },
    });
    admin.add_device(&network).await?;
    let file = daemon.folder().join("lamps.jsonl");
    let mut lines = std::io::BufWriter::new(std::fs::File::create(&file)?);
    for number in 0..devices {
        let device = json!({
            "id": format!("lamp-{number}"), "dialect": "chirpstack", "parent": "ns-1",
            "aliases": { "lorawan.dev-eui": eui(number), "tts.id": format!("app1.lamp-{number}") },
        });
        writeln!(lines, "{device}")?;
    }
    lines.flush()?;
    daemon.cli(&["device", "import", file.to_str().context("the path is not UTF-8")?]).await?;
    Ok(())
}

/// One call for each device, with all of its downlinks.
async fn push_downlinks(daemon: &Daemon, devices: usize) -> anyhow::Result<()> {
    use base64::Engine as _;
    let base = format!("http://{}/api/v3/as/applications/app1/devices", daemon.listeners().http);
    let next = Arc::new(AtomicUsize::new(0));
    let downlinks: Vec<_> = (0..DOWNLINKS)
        .map(|payload| {
            let bytes = base64::engine::general_purpose::STANDARD.encode([payload]);
            json!({ "f_port": 10, "frm_payload": bytes })
        })
        .collect();
    let body = json!({ "downlinks": downlinks }).to_string();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, base, next, body) = (http::client()?, base.clone(), next.clone(), body.clone());
        callers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= devices {
                    return anyhow::Ok(());
                }
                let request = client.post(format!("{base}/lamp-{number}/down/push")).bearer_auth(KEY);
                http::send(request.body(body.clone())).await?.expect(200)?;
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

/// Whether some command has not come to its end at the gateway.
async fn is_open(admin: &Admin) -> anyhow::Result<bool> {
    let open = admin.get("/v1/executions?state=queued&state=sent&state=acked&limit=1").await?.expect(200)?;
    Ok(!open["items"].as_array().is_some_and(Vec::is_empty))
}

fn standstill(network: &Network, devices: usize, all: usize) -> String {
    let missing = (0..devices)
        .flat_map(|number| (0..DOWNLINKS).map(move |payload| (number, payload)))
        .find(|(number, payload)| !network.has_sent(*number, *payload));
    format!("only {} of {all} were sent by radio; the first that is missing is {missing:?}", network.sent())
}
