//! Running other programs: shown before they run, and named when they fail.

use anyhow::{Context, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Prints a step's headline.
pub(crate) fn say(text: &str) {
    eprintln!("==> {text}");
}

/// Runs a program to its end with the terminal's input and output. Prints its command line first.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line_of(command);
    eprintln!("  $ {line}");
    let status = command.status().with_context(|| format!("starting `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed with {status}");
    }
    Ok(())
}

/// Runs a program whose exit code says more than whether it failed, and gives that code.
pub(crate) fn exit_code(command: &mut Command) -> anyhow::Result<ExitCode> {
    let line = line_of(command);
    eprintln!("  $ {line}");
    let status = command.status().with_context(|| format!("starting `{line}`"))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(ExitCode::from(code)),
        None => bail!("`{line}` ended with {status}"),
    }
}

/// The same for a program that ends what it started when it is asked to end: it is asked when this process is, and this
/// process stays until it has ended.
pub(crate) fn exit_code_also_when_ended(command: &mut Command) -> anyhow::Result<ExitCode> {
    let line = line_of(command);
    eprintln!("  $ {line}");
    let child: Arc<OnceLock<u32>> = Arc::default();
    let asked = Arc::clone(&child);
    ctrlc::set_handler(move || {
        // A terminal's Ctrl-C reached the child as well, which minds only the first request. That `kill` fails means
        // that the child has ended.
        if let Some(pid) = asked.get() {
            succeeds(Command::new("kill").arg(pid.to_string()));
        }
    })
    .context("waiting for Ctrl-C")?;
    let mut running = command.spawn().with_context(|| format!("starting `{line}`"))?;
    let _ = child.set(running.id());
    let status = running.wait().with_context(|| format!("waiting for `{line}`"))?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) => Ok(ExitCode::from(code)),
        None => bail!("`{line}` ended with {status}"),
    }
}

/// Runs a program to its end and gives what it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = line_of(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("starting `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("the output of `{line}` is not UTF-8"))
}

/// Whether a program runs at all and ends well. Its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A program that goes on running beside this one and prints lines. Ended when dropped.
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts a program whose standard output is read line by line; its errors go to the terminal.
    pub(crate) fn start(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name} with `{}`", line_of(command)))?;
        let (tell, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            // The thread ends with the program's output. Lines that nobody asked for are dropped with the channel.
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            });
        }
        Ok(Self { name: name.to_owned(), child, lines })
    }

    /// Waits for a line that the closure turns into something.
    pub(crate) fn wait_for<T>(
        &mut self,
        patience: Duration,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} was not ready within {} s", self.name, patience.as_secs());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it was ready ({:?}); its own words are above", self.name, self.child.wait());
                }
            }
        }
    }

    /// Fails when the program has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait().with_context(|| format!("looking after {}", self.name))? {
            Some(status) => bail!("{} ended by itself with {status}; its own words are above", self.name),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line_of(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
