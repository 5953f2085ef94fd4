//! The demonstration: a gateway, simulated devices of every platform, real commands through each platform's own API, and
//! at last every application side to every device side.

mod applications;
mod cast;
mod exchange;
mod http;
mod lamps;
mod mqtt;
mod pairs;
mod scenes;
mod stage;
mod tryout;

use crate::plugins;
use crate::process::{self, say};
use crate::workspace::Workspace;
use anyhow::bail;
use stage::Stage;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the demonstration looks after its processes while it stays up.
const LOOK_AFTER_EVERY: Duration = Duration::from_millis(500);

/// Builds everything, shows the exchange, and stays up unless told to end after it.
pub(crate) fn run(workspace: &Workspace, once: bool) -> anyhow::Result<()> {
    plugins::build(workspace)?;
    say("building the gateway and the simulated devices (the first time takes some minutes)");
    process::run(&mut workspace.cargo(["build", "--workspace", "--bins"]))?;

    let stage = Arc::new(Mutex::new(None));
    end_on_interrupt(&stage)?;
    let shown = show(workspace, once, &stage);
    end(&stage);
    shown
}

fn show(workspace: &Workspace, once: bool, stage: &Mutex<Option<Stage>>) -> anyhow::Result<()> {
    say("starting the gateway with its embedded broker and store");
    // Each process is put on the stage before the next step can fail or be interrupted.
    let addresses = lock(stage).insert(Stage::open(workspace)?).addresses().clone();
    say("registering devices and credentials through the admin API");
    cast::register(&addresses)?;
    lamps::register(&addresses)?;
    say("starting the simulated devices, each a process of its own");
    if let Some(stage) = lock(stage).as_mut() {
        for device in cast::DEVICES {
            stage.start_device(workspace, device)?;
        }
        for lamp in &lamps::LAMPS {
            stage.start_lamp(workspace, lamp)?;
        }
    }
    scenes::play(&addresses)?;
    pairs::play(&addresses, |id, level| match lock(stage).as_mut() {
        Some(stage) => stage.wait_for_level(id, level),
        None => bail!("the demonstration was interrupted"),
    })?;
    say("every answer was right");
    if once {
        return Ok(());
    }
    println!("{}", tryout::text(&addresses));
    loop {
        std::thread::sleep(LOOK_AFTER_EVERY);
        match lock(stage).as_mut() {
            Some(stage) => stage.check()?,
            None => return Ok(()),
        }
    }
}

/// Ctrl-C, or a request to end, ends every process that the demonstration started before it ends itself.
fn end_on_interrupt(stage: &Arc<Mutex<Option<Stage>>>) -> anyhow::Result<()> {
    let stage = stage.clone();
    ctrlc::set_handler(move || {
        eprintln!();
        say("ending the gateway and the devices");
        end(&stage);
        std::process::exit(130);
    })?;
    Ok(())
}

fn end(stage: &Mutex<Option<Stage>>) {
    // Dropping the stage ends its processes and removes its folder.
    drop(lock(stage).take());
}

fn lock(stage: &Mutex<Option<Stage>>) -> std::sync::MutexGuard<'_, Option<Stage>> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}
