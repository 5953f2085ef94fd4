//! Hostile plugins in the folder of a real daemon, beside good ones that serve commands all the time.
//!
//! Files that mean harm are dropped in and called; each comes to exactly what it must, in the answer, in the record of the
//! command and in the metrics, and no command of the others fails. The long form, `cargo nextest run --workspace --profile
//! hostile`, also compares how long those commands take with and without them; CONTRIBUTING.md has the whole command.

mod corrupt;
mod den;
mod guests;
mod load;

use anyhow::ensure;
use den::Den;
use dragoman_e2e::devices::{GATEWAY, huawei_record};
use dragoman_e2e::{World, harm};
use dragoman_simulators::Behaviour;
use guests::{Act, Guest};
use load::Load;
use std::time::Duration;

/// The profile of nextest of the long form.
const LONG: &str = "hostile";
/// Devices that serve commands all the time.
const GOOD_DEVICES: usize = 8;

/// How much is shown.
struct Form {
    runs: usize,
    commands_per_s: u32,
    corruptions: usize,
    quiet: Duration,
    /// Of a call. Beside other tests a good one may take long, too.
    deadline_ms: u64,
    is_long: bool,
}

impl Form {
    fn of_this_run() -> Self {
        let is_long = std::env::var("NEXTEST_PROFILE").is_ok_and(|profile| profile == LONG);
        match is_long {
            true => Self {
                runs: 5,
                commands_per_s: 500,
                corruptions: 200,
                quiet: Duration::from_secs(20),
                deadline_ms: 250,
                is_long,
            },
            false => Self {
                runs: 1,
                commands_per_s: 50,
                corruptions: 24,
                quiet: Duration::from_secs(1),
                deadline_ms: 1000,
                is_long,
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hostile_plugins_do_reaches_no_other() -> anyhow::Result<()> {
    let form = Form::of_this_run();
    let built = harm::build()?;
    let guests: Vec<_> = guests::all(&built)?.into_iter().filter(|guest| form.is_long || guest.is_quick).collect();
    let mut world = world(&form, &guests).await?;
    let den = Den::new(&mut world).await?;
    let mut good_devices = Vec::new();
    for number in 0..GOOD_DEVICES {
        good_devices.push(world.device(&good(number), Behaviour::Answer).await?);
    }
    let _gateway = world.device(GATEWAY, Behaviour::Answer).await?;

    let (mut quiet, mut beside) = (Vec::new(), Vec::new());
    for run in 0..form.runs {
        let load = Load::start(&world.huawei, (0..GOOD_DEVICES).map(good), form.commands_per_s);
        tokio::time::sleep(form.quiet).await;
        quiet.push(load.stop().await?.p99_ms());
        let load = Load::start(&world.huawei, (0..GOOD_DEVICES).map(good), form.commands_per_s);
        den.meets(&world, &guests).await?;
        den.meets_corruptions(&built, form.corruptions).await?;
        let took = load.stop().await?;
        eprintln!(
            "run {run}: {} commands, p99 {:?} ms beside {:?} ms in quiet",
            took.count(),
            took.p99_ms(),
            quiet[run]
        );
        beside.push(took.p99_ms());
    }
    let (quiet, beside) = (median(quiet), median(beside));
    eprintln!("p99 {beside:.1} ms beside hostile plugins, {quiet:.1} ms without");
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let allowed = quiet + form.deadline_ms as f64 / 2.0;
    ensure!(
        !form.is_long || beside <= allowed,
        "p99 {beside} ms beside hostile plugins, at most {allowed} are allowed"
    );
    Ok(())
}

/// A daemon with a plugin folder of its own, the good devices, and one below a gateway for each handler that means harm.
async fn world(form: &Form, guests: &[Guest]) -> anyhow::Result<World> {
    let mut world = World::start().await?;
    for number in 0..GOOD_DEVICES {
        world.admin.add_device(&huawei_record(&good(number))).await?;
    }
    for guest in guests.iter().filter(|guest| matches!(guest.act, Act::Command(_))) {
        let mut record = huawei_record(&guest.name);
        record["parent"] = GATEWAY.into();
        record["handler"] = guest.name.clone().into();
        if let Some(record) = record.as_object_mut() {
            record.remove("credential");
        }
        world.admin.add_device(&record).await?;
    }
    let limits = format!("deadline_ms = {}\ncompile_ms = 15_000", form.deadline_ms);
    world.daemon.reconfigure("deadline_ms = 5000", &limits)?;
    Ok(world)
}

fn good(number: usize) -> String {
    format!("good_{number}")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
