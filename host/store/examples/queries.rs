//! Measures queries over many documents and many lines of histories.
//!
//! ```text
//! cargo run --release -p dragoman-store --example queries -- FOLDER [DOCUMENTS] [LINES]
//! ```

#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use dragoman_core::{Execution, Transition};
use dragoman_store::sqlite::{SqliteBackend, SqliteOptions};
use dragoman_store::{Journal, JournalOptions, Selection, StoreError, TransitionQuery, Write};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use support::*;

/// Writes that are appended at once.
const BATCH: u64 = 5_000;
/// Times that each query is asked.
const ROUNDS: u64 = 200;
const LINES_EACH: u64 = 10;
/// One of so many executions is of the quiet origin.
const QUIET: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name a folder for the store")?;
    let mut number = |or| arguments.next().map_or(Ok(or), |text| text.parse::<u64>());
    let (documents, lines) = (number(100_000)?, number(1_000_000)?);
    let backend = SqliteBackend::open(Path::new(&folder).join("queries.db"), &SqliteOptions::default())?;
    let journal = Journal::start(Arc::new(backend), JournalOptions::default())?;
    measure_documents(&journal, documents).await?;
    measure_lines(&journal, lines).await?;
    journal.close().await?;
    Ok(())
}

async fn measure_documents(journal: &Journal, count: u64) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    for first in (0..count).step_by(BATCH as usize) {
        let batch = (first..count.min(first + BATCH)).map(|n| {
            let json = format!(
                r#"{{"number":{n},"parity":{},"of":"{}","text":"{}"}}"#,
                n % 2,
                n % (count / 10),
                "x".repeat(400)
            );
            Write::Document(document("notes", &format!("{:016x}", scatter(n)), &json, 1))
        });
        let seq = journal.append(batch.collect())?;
        journal.committed(seq).await?;
    }
    println!("{count} documents written in {:.1} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let fields = ["number", "parity", "of"].map(|field| ("notes".to_owned(), field.to_owned()));
    journal.declare_indexes("globex", fields.into()).await?;
    println!("three indexes built in {:.1} s", started.elapsed().as_secs_f64());

    let ask = async |fields: &[(&str, &str)], after, limit| {
        let found = journal.documents("globex", "notes", pairs(fields), after, limit).await?;
        Ok::<_, StoreError>(found.len())
    };
    time("one of all", async |_| ask(&[("number", "7777")], None, 10).await).await?;
    time("ten of all", async |n| ask(&[("of", &(n % (count / 10)).to_string())], None, 100).await).await?;
    time("100 of half", async |n| ask(&[("parity", "1")], Some(format!("{:016x}", scatter(n))), 100).await).await?;
    time("1 000 of half", async |n| ask(&[("parity", "1")], Some(format!("{:016x}", scatter(n) / 2)), 1_000).await)
        .await?;
    time("half and ten", async |n| ask(&[("parity", "1"), ("of", &(n % 1_000).to_string())], None, 100).await).await?;
    time("100 behind a key", async |n| ask(&[], Some(format!("{:016x}", scatter(n))), 100).await).await?;
    time("count of ten", async |n| {
        let of = (n % (count / 10)).to_string();
        Ok(journal.count_documents("globex", "notes", pairs(&[("of", &of)]), 100_000).await? as usize)
    })
    .await?;
    time("count of half", async |_| {
        Ok(journal.count_documents("globex", "notes", pairs(&[("parity", "1")]), 100_000).await? as usize)
    })
    .await
}

async fn measure_lines(journal: &Journal, count: u64) -> Result<(), Box<dyn Error>> {
    let executions = count / LINES_EACH;
    let started = Instant::now();
    for first in (0..executions).step_by(BATCH as usize) {
        let batch = (first..executions.min(first + BATCH)).flat_map(|n| {
            let name = format!("{:016x}", scatter(n));
            let lines = (1..=LINES_EACH)
                .map(|seq| Transition { at_ms: n * LINES_EACH + seq, ..line(seq, dragoman_core::State::Queued) });
            let lines = Write::Transitions { id: id(&name), position: n * LINES_EACH + 1, lines: lines.collect() };
            let origin = if n % QUIET == 0 { "quiet" } else { "busy" };
            let device = (n % 1_000).to_string();
            let execution = labelled(execution(&name, &device), &[("device", &device), ("kind", "test")]);
            [put(Execution { origin: origin.into(), created_ms: n * LINES_EACH, ..execution }), lines]
        });
        let seq = journal.append(batch.collect())?;
        journal.committed(seq).await?;
    }
    println!("{executions} executions with {count} lines written in {:.1} s", started.elapsed().as_secs_f64());

    let ask = async |origin: &str, after, since_ms, labels: &[(&str, &str)]| {
        let labels = pairs(labels);
        let query = TransitionQuery { origin: origin.into(), after, up_to: None, since_ms, labels, limit: 100 };
        Ok::<_, StoreError>(journal.transitions(query).await?.len())
    };
    time("100 busy lines", async |n| ask("busy", scatter(n) % count, None, &[]).await).await?;
    time("busy, behind all", async |_| ask("busy", count, None, &[]).await).await?;
    time("100 quiet lines", async |n| ask("quiet", scatter(n) % count, None, &[]).await).await?;
    time("of no origin", async |_| ask("nobody", 0, None, &[]).await).await?;
    time("busy, by time", async |n| ask("busy", 0, Some(scatter(n) % count), &[]).await).await?;
    time("busy, one device", async |n| {
        ask("busy", 0, Some(count / 2), &[("device", &(n % 999 + 1).to_string())]).await
    })
    .await?;
    time("busy, one kind", async |n| ask("busy", scatter(n) % count, None, &[("kind", "test")]).await).await?;
    time("executions by time", async |n| {
        let since_ms = scatter(n) % count;
        let selection = Selection {
            origin: Some("busy".into()),
            labels: pairs(&[("kind", "test")]),
            since_ms: Some(since_ms),
            before_ms: Some(since_ms + 10_000),
            limit: 100,
            ..Selection::default()
        };
        Ok(journal.executions(selection).await?.items.len())
    })
    .await
}

/// Asks again and again, and prints how long it took and how much was found the last time.
async fn time(what: &str, ask: impl AsyncFn(u64) -> Result<usize, StoreError>) -> Result<(), Box<dyn Error>> {
    let mut took_us = Vec::new();
    let mut found = 0;
    for round in 0..ROUNDS {
        let started = Instant::now();
        found = ask(round).await?;
        took_us.push(started.elapsed().as_micros());
    }
    took_us.sort_unstable();
    let at = |percent: usize| took_us.get(took_us.len() * percent / 100).copied().unwrap_or(0);
    println!("  {what:<20} {:>7} us median, {:>7} us at 99 %, {found} found", at(50), at(99));
    Ok(())
}

fn scatter(n: u64) -> u64 {
    let mixed = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}
