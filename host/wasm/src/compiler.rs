//! Compiling in a process of its own.
//!
//! A compiler's time and memory follow from what stands in the file, and neither can be taken back from a thread: a
//! component of a few hundred kilobytes can keep one busy for hours, and one of a few megabytes fill the machine. So the
//! daemon has itself run once more, with limits that the system enforces, and a file that goes past them costs that process.

use crate::one_line::one_line;
use crate::options::RuntimeOptions;
use crate::runtime;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Read as _, Write as _};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use wasmtime::Engine;

/// How often longer than its processor time it may take: it comes behind everybody else, and still must end.
const PATIENCE: u32 = 10;
/// Compiled code of one component.
const CODE_MAX_BYTES: u64 = 256 << 20;
/// What the compiler says on its way out.
const SAID_MAX_BYTES: u64 = 64 << 10;
/// How the compiler ends where the component is none, and where it could not do its work (as in sysexits.h).
const NOT_VALID: u8 = 65;
const BROKEN: u8 = 70;
/// Of what the compiler says, what is passed on in characters.
const SAID_MAX: usize = 400;

/// Why there is no code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CompileError {
    /// It is no component, and why.
    NotValid(String),
    /// It goes past a limit or breaks the compiler, as the end of a sentence about it.
    TooDear(String),
    /// The compiler could not do its work, as the end of a sentence. That says nothing about the component.
    Failed(String),
}

use CompileError::{Failed, NotValid, TooDear};

/// The limits in one line: what was too dear under others may be compiled under these.
pub(crate) fn limits(options: &RuntimeOptions) -> String {
    let RuntimeOptions { compile_ms, compile_memory_max_bytes, .. } = options;
    format!("{compile_ms} ms, {compile_memory_max_bytes} bytes, {CODE_MAX_BYTES} bytes of code")
}

/// Runs the compiler. Its program calls [`compile_for_parent`].
pub(crate) async fn run(options: &RuntimeOptions, command: &[OsString], wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    let not_run = |error: io::Error| Failed(format!("cannot be compiled, for the compiler does not run: {error}"));
    let (program, arguments) = command.split_first().ok_or_else(|| not_run(io::ErrorKind::NotFound.into()))?;
    let RuntimeOptions { memory_max_bytes, compile_ms, compile_memory_max_bytes, .. } = options;
    let mut child = Command::new(program)
        .args(arguments)
        .args([memory_max_bytes.to_string(), compile_memory_max_bytes.to_string(), compile_ms.to_string()])
        // It needs nothing that the daemon was given.
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(not_run)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let hand_over = async {
        if let Some(mut stdin) = stdin {
            // One that does not read to the end says why by how it ends.
            let _ = stdin.write_all(wasm).await;
        }
    };
    let work = async {
        let ((), code, said) = tokio::join!(hand_over, read(stdout, CODE_MAX_BYTES), read(stderr, SAID_MAX_BYTES));
        Ok((child.wait().await?, code?, said?))
    };
    match tokio::time::timeout(Duration::from_millis(*compile_ms) * PATIENCE, work).await {
        Ok(Ok((status, code, said))) => judge(options, status, code, &said),
        Ok(Err(error)) => Err(not_run(error)),
        Err(_) => Err(Failed(format!(
            "was not compiled within {} ms, for the machine is busy with something else",
            compile_ms.saturating_mul(PATIENCE.into())
        ))),
    }
}

/// Reads as much as it may have. What is longer is cut, and its writer ends for it.
async fn read(from: Option<impl AsyncRead + Unpin>, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(max_bytes + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn judge(options: &RuntimeOptions, status: ExitStatus, code: Vec<u8>, said: &[u8]) -> Result<Vec<u8>, CompileError> {
    if code.len() as u64 > CODE_MAX_BYTES {
        return Err(TooDear(format!("becomes more than {CODE_MAX_BYTES} bytes of code; make it smaller")));
    }
    if status.success() {
        return Ok(code);
    }
    let said = String::from_utf8_lossy(said);
    let said = said.trim();
    // Also where the component asks for so much at once that the compiler takes that for a fault of the component.
    if said.contains("memory allocation of") || said.contains("Cannot allocate memory") {
        let max = options.compile_memory_max_bytes;
        return Err(TooDear(format!(
            "needs more than {max} bytes of memory to compile; make it smaller, or raise plugins.compile_memory_max_bytes"
        )));
    }
    let said: String = one_line(said).chars().take(SAID_MAX).collect();
    if status.code() == Some(NOT_VALID.into()) {
        return Err(NotValid(said));
    }
    if is_out_of_time(status) {
        let compile_ms = options.compile_ms;
        return Err(TooDear(format!(
            "takes more than {compile_ms} ms of processor time to compile; make it smaller, or raise plugins.compile_ms"
        )));
    }
    // It was asked to end, or somebody had no memory left for it: that says nothing about the component.
    if status.code() == Some(BROKEN.into()) || is_killed(status) {
        return Err(Failed(format!("cannot be compiled: the compiler ended with {status} {said}")));
    }
    Err(TooDear(format!("breaks the compiler, which ended with {status}; please report this, with the file: {said}")))
}

/// Whether the system ended it for the time it took.
#[cfg(unix)]
fn is_out_of_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
fn is_out_of_time(_: ExitStatus) -> bool {
    false
}

/// Whether somebody ended it.
#[cfg(unix)]
fn is_killed(status: ExitStatus) -> bool {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt as _;
    let by = status.signal();
    [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP].iter().any(|signal| by == Some(signal.as_raw()))
}

#[cfg(not(unix))]
fn is_killed(_: ExitStatus) -> bool {
    false
}

/// The other side: compiles the component on standard input to standard output, within limits. `arguments` are what the
/// runtime added to the command. The program must end with what this answers; what there is to say is on standard error.
pub fn compile_for_parent(arguments: &[String]) -> u8 {
    let (code, said) = match compile_within(arguments) {
        Ok(()) => return 0,
        Err(NotValid(said)) => (NOT_VALID, said),
        Err(TooDear(said) | Failed(said)) => (BROKEN, said),
    };
    // Nobody may be there to hear it.
    let _ = writeln!(io::stderr().lock(), "{said}");
    code
}

fn compile_within(arguments: &[String]) -> Result<(), CompileError> {
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(memory_max_bytes), Some(data_max_bytes), Some(time_ms)) = (number(0), number(1), number(2)) else {
        return Err(Failed("the compiler is run by the gateway, with the limits that it sets".into()));
    };
    let failed = |error: &dyn Display| Failed(error.to_string());
    let memory_max_bytes = usize::try_from(memory_max_bytes).map_err(|error| failed(&error))?;
    limit(data_max_bytes, time_ms).map_err(|error| Failed(format!("its limits cannot be set: {error}")))?;
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm).map_err(|error| failed(&error))?;
    // As the parent's, or it would not take the code.
    let config = runtime::config(&RuntimeOptions { memory_max_bytes, ..RuntimeOptions::default() }, 1);
    let engine = Engine::new(&config).map_err(|error| failed(&error))?;
    let code = engine.precompile_component(&wasm).map_err(|error| NotValid(error.root_cause().to_string()))?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&code).and_then(|()| stdout.flush()).map_err(|error| failed(&error))
}

/// Memory and processor time end here, and so does this process with its parent. Others come first. Limits that the daemon
/// was given itself and that are narrower stay.
#[cfg(target_os = "linux")]
fn limit(data_max_bytes: u64, time_ms: u64) -> rustix::io::Result<()> {
    use rustix::process::{self, Resource, Rlimit, Signal};
    let narrow = |what, most: u64| {
        let Rlimit { maximum, .. } = process::getrlimit(what);
        let most = maximum.map_or(most, |given| given.min(most));
        process::setrlimit(what, Rlimit { current: Some(most), maximum })
    };
    narrow(Resource::Data, data_max_bytes)?;
    narrow(Resource::Cpu, time_ms.div_ceil(1000))?;
    narrow(Resource::Core, 0)?;
    // Where these two cannot be had, it is only less polite: it is to be the first that goes when memory runs out.
    let _ = process::nice(10);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    process::set_parent_process_death_signal(Some(Signal::KILL))
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn limit(_data_max_bytes: u64, _time_ms: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// Runs a script in place of the compiler, on a component of a megabyte.
    async fn ran(script: &str, compile_ms: u64) -> Result<Vec<u8>, CompileError> {
        let options = RuntimeOptions { compile_ms, compile_memory_max_bytes: 7, ..RuntimeOptions::default() };
        let command = ["/bin/sh", "-c", script].map(OsString::from);
        run(&options, &command, &vec![b'x'; 1 << 20]).await
    }

    #[tokio::test]
    async fn what_the_compiler_came_to_is_told_by_how_it_ended() {
        let too_dear = |text: &str| Err(TooDear(text.into()));
        let memory =
            "needs more than 7 bytes of memory to compile; make it smaller, or raise plugins.compile_memory_max_bytes";
        let time =
            "takes more than 60000 ms of processor time to compile; make it smaller, or raise plugins.compile_ms";
        for (script, came_to) in [
            ("/bin/cat > /dev/null; echo code", Ok(b"code\n".to_vec())),
            ("/bin/cat | /usr/bin/wc -c", Ok(b"1048576\n".to_vec())),
            ("echo code", Ok(b"code\n".to_vec())),
            ("echo two >&2; echo lines >&2; exit 65", Err(NotValid("two\\nlines".into()))),
            ("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$", too_dear(memory)),
            ("echo Cannot allocate memory >&2; exit 65", too_dear(memory)),
            ("kill -XCPU $$", too_dear(time)),
            (
                "echo it broke >&2; echo badly >&2; exit 70",
                Err(Failed("cannot be compiled: the compiler ended with exit status: 70 it broke\\nbadly".into())),
            ),
            (
                "echo it broke >&2; exit 101",
                too_dear(
                    "breaks the compiler, which ended with exit status: 101; please report this, with the file: it broke",
                ),
            ),
            ("kill -KILL $$", Err(Failed("cannot be compiled: the compiler ended with signal: 9 (SIGKILL) ".into()))),
            ("env", Ok(Vec::new())),
        ] {
            let came = ran(script, 60_000).await;
            // A shell has variables of its own, but none of this process.
            match script {
                "env" => assert!(!String::from_utf8(came.unwrap()).unwrap().contains("CARGO")),
                _ => assert_eq!(came, came_to, "{script}"),
            }
        }
    }

    #[tokio::test]
    async fn a_compiler_that_does_not_end_is_ended() {
        let late = "was not compiled within 100 ms, for the machine is busy with something else";
        assert_eq!(ran("exec /bin/sleep 1000", 10).await, Err(Failed(late.into())));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let came = run(&RuntimeOptions::default(), &["/nowhere/dragoman".into()], b"").await;
        assert!(matches!(came, Err(Failed(text)) if text.contains("the compiler does not run")));
    }
}
