//! Files that are dear to compile: they cost the process that compiles them, within its limits and once, and hold nobody up.

use anyhow::{Context, ensure};
use dragoman_e2e::wait::{self, SOON};
use dragoman_e2e::{Admin, Daemon, harm};
use std::fs;
use std::path::{Path, PathBuf};

const BOMB: &str = "bomb.wasm";
/// A few megabytes as a file, and more than a gigabyte in the compiler.
const FUNCTIONS: u32 = 900_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_takes_too_long_is_refused_once_and_not_at_each_start() -> anyhow::Result<()> {
    let (mut daemon, folder) = daemon("compile_ms = 1000").await?;
    fs::write(folder.join(BOMB), harm::many_functions(FUNCTIONS)).context("dropping the bomb")?;
    let reason = refused(&daemon).await?;
    let expected =
        "bomb.wasm takes more than 1000 ms of processor time to compile; make it smaller, or raise plugins.compile_ms";
    ensure!(reason == expected, "{reason}");

    // The next start has it from the record of the first.
    let record = daemon.folder().join("data/compiled");
    let records = fs::read_dir(&record)?.filter_map(|file| Some(file.ok()?.path()));
    let record = records.into_iter().find(|file| file.extension().is_some_and(|end| end == "refused"));
    let record = record.context("the refusal is not kept")?;
    let kept = fs::read_to_string(&record).context("reading the refusal")?;
    fs::write(&record, kept.replace("takes more", "took more")).context("marking the refusal")?;
    daemon.kill().await?;
    daemon.start_again().await?;
    ensure!(refused(&daemon).await? == expected.replace("takes more", "took more"), "it was compiled again");

    daemon.kill().await?;
    daemon.reconfigure("compile_ms = 1000", "compile_ms = 1001")?;
    daemon.start_again().await?;
    ensure!(refused(&daemon).await? == expected.replace("1000 ms", "1001 ms"), "other limits were not tried");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_takes_too_much_memory_is_refused_for_it() -> anyhow::Result<()> {
    // The least that may be configured; the plugins of the gateway were compiled before.
    let (daemon, folder) = daemon("compile_memory_max_bytes = 67_108_864").await?;
    let before = daemon.resident_bytes()?;
    fs::write(folder.join(BOMB), harm::many_functions(FUNCTIONS)).context("dropping the bomb")?;
    let reason = refused(&daemon).await?;
    let expected = "bomb.wasm needs more than 67108864 bytes of memory to compile; make it smaller, or raise \
                    plugins.compile_memory_max_bytes";
    ensure!(reason == expected, "{reason}");
    let grown = daemon.resident_bytes()?.saturating_sub(before);
    ensure!(grown < 64 << 20, "the daemon itself grew by {grown} bytes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_is_compiled_the_others_come_and_go_and_it_ends_with_its_file_and_with_the_daemon()
-> anyhow::Result<()> {
    let (mut daemon, folder) = daemon("compile_ms = 3_600_000\ncompile_memory_max_bytes = 17_179_869_184").await?;
    // Far more than a test waits for.
    let bomb = harm::many_functions(FUNCTIONS);
    fs::write(folder.join(BOMB), &bomb).context("dropping the bomb")?;
    let compiler = compiler_of(&daemon).await?;
    fs::remove_file(folder.join("lockbox.wasm")).context("removing a plugin")?;
    until_gone(&daemon, "lockbox").await?;
    ensure!(is_there(compiler), "the compiler ended before its time");

    fs::remove_file(folder.join(BOMB)).context("removing the bomb")?;
    wait::until("the end of the compiler", SOON, || async { Ok((!is_there(compiler)).then_some(())) }).await?;
    fs::write(folder.join(BOMB), &bomb).context("dropping it once more")?;
    let compiler = compiler_of(&daemon).await?;
    daemon.kill().await?;
    wait::until("the end of the compiler", SOON, || async { Ok((!is_there(compiler)).then_some(())) }).await
}

/// A daemon with a plugin folder of its own, and with that in the section of plugins.
async fn daemon(plugins: &str) -> anyhow::Result<(Daemon, PathBuf)> {
    let mut daemon = Daemon::start(plugins).await?;
    let folder = daemon.own_plugins()?;
    daemon.kill().await?;
    daemon.start_again().await?;
    Ok((daemon, folder))
}

/// Why the bomb is refused, once it is.
async fn refused(daemon: &Daemon) -> anyhow::Result<String> {
    let admin = Admin::of(daemon)?;
    wait::until("a refusal", SOON * 2, || async {
        let plugins = admin.get("/v1/plugins").await?.expect(200)?;
        let refused = plugins["refused"].as_array().context("there is no list of refused files")?;
        Ok(refused.first().and_then(|file| file["reason"].as_str().map(str::to_owned)))
    })
    .await
}

async fn until_gone(daemon: &Daemon, plugin: &str) -> anyhow::Result<()> {
    let admin = Admin::of(daemon)?;
    wait::until("a plugin is gone", SOON, || async {
        let plugins = admin.get("/v1/plugins").await?.expect(200)?;
        let loaded = plugins["loaded"].as_array().context("there is no list of plugins")?;
        Ok((!loaded.iter().any(|one| one["name"] == plugin)).then_some(()))
    })
    .await
}

/// The process in which the daemon compiles.
async fn compiler_of(daemon: &Daemon) -> anyhow::Result<u32> {
    let pid = daemon.pid().context("the daemon is not running")?;
    wait::until("a compiler", SOON, || async {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).context("reading the daemon's threads")?;
        let children = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
        Ok(children.collect::<String>().split_whitespace().find_map(|child| child.parse().ok()))
    })
    .await
}

/// Whether a process runs: not gone, and not dead.
fn is_there(pid: u32) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    // The state stands behind the name in brackets.
    status.is_ok_and(|status| !status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])))
}
