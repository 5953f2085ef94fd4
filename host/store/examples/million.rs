//! Measures the store with many devices: import, start, look-ups, memory.
//!
//! ```text
//! cargo run --release -p dragoman-store --example million -- FOLDER [DEVICES]
//! ```

use dragoman_core::DeviceId;
use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{DeviceRecord, Journal, JournalOptions};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Devices that are made up at once.
const BATCH: u64 = 50_000;
const LOOKUPS: u64 = 20_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a folder for the store")?;
    let devices: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let path = Path::new(&folder).join("million.db");

    let journal = open(&path)?;
    let started = Instant::now();
    for first in (0..devices).step_by(usize::try_from(BATCH)?) {
        let batch = (first..devices.min(first + BATCH)).map(made_up).collect();
        journal.import_devices(batch).await?;
    }
    println!(
        "import    {devices} devices in {:.1} s, {} MiB resident",
        started.elapsed().as_secs_f64(),
        resident_mib()
    );
    journal.close().await?;
    drop(journal);
    println!("file      {} MiB", path.metadata()?.len() >> 20);

    let started = Instant::now();
    let journal = open(&path)?;
    journal.load_open(drop).await?;
    println!("start     {:.3} s", started.elapsed().as_secs_f64());

    let started = Instant::now();
    for n in 0..LOOKUPS {
        let n = scatter(n) % devices;
        let found = journal.resolve("initech.id", &format!("initech-{n:012}")).await?.ok_or("a device is missing")?;
        if found.id != id(n) {
            return Err(format!("{} instead of {}", found.id, id(n)).into());
        }
    }
    let each_us = started.elapsed().as_secs_f64() * 1e6 / LOOKUPS as f64;
    println!("look-up   {each_us:.0} us each over all devices, {} MiB resident", resident_mib());
    journal.close().await?;
    Ok(())
}

fn open(path: &Path) -> Result<Journal, Box<dyn Error>> {
    let backend = SqliteBackend::open(path, &SqliteOptions::default())?;
    Ok(Journal::start(Arc::new(backend), JournalOptions::default())?)
}

/// As random as the UUIDs that a dialect makes.
fn id(n: u64) -> DeviceId {
    DeviceId::new(format!("{:016x}-{n:08x}", scatter(n)))
}

fn made_up(n: u64) -> DeviceRecord {
    DeviceRecord {
        id: id(n),
        dialect: Arc::from("initech-things"),
        handler: None,
        parent: None,
        aliases: vec![
            ("initech.id".to_owned(), format!("initech-{n:012}")),
            ("globex.name".to_owned(), format!("thing-{:016x}", scatter(n))),
        ],
        labels: vec![("site".to_owned(), format!("site-{}", n % 100))],
        disabled: false,
        created_ms: 1_700_000_000_000 + n,
        updated_ms: 1_700_000_000_000 + n,
    }
}

fn scatter(n: u64) -> u64 {
    let mixed = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// Resident memory of this process as Linux tells it; 0 elsewhere.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1_024
}
