//! Compiling in a process of its own.
//!
//! A compiler's time and memory follow from what stands in the file, and neither can be taken back from a thread: a
//! component of a few hundred kilobytes can keep one busy for hours, and one of a few megabytes fill the machine. So the
//! daemon has itself run once more, with limits that the system enforces, and a file that goes past them costs that process.

use crate::one_line::one_line;
use crate::options::RuntimeOptions;
use crate::runtime;
use std::ffi::OsString;
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
/// How the compiler ends where the component is none.
const NOT_VALID: i32 = 1;

/// Why there is no code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CompileError {
    /// It is no component, and why.
    NotValid(String),
    /// It cannot be compiled here, as the end of a sentence about it.
    Failed(String),
}

use CompileError::{Failed, NotValid};

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
        Err(_) => Err(Failed(too_long(*compile_ms))),
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
        return Err(Failed(format!("becomes more than {CODE_MAX_BYTES} bytes of code; make it smaller")));
    }
    if status.success() {
        return Ok(code);
    }
    let said = String::from_utf8_lossy(said);
    // The gateway's command line begins each failure so.
    let said = said.trim().trim_start_matches("error: ");
    if status.code() == Some(NOT_VALID) {
        return Err(NotValid(one_line(said).into_owned()));
    }
    if said.contains("memory allocation of") || said.contains("Cannot allocate memory") {
        let max = options.compile_memory_max_bytes;
        return Err(Failed(format!(
            "needs more than {max} bytes of memory to compile; make it smaller, or raise plugins.compile_memory_max_bytes"
        )));
    }
    if is_out_of_time(status) {
        return Err(Failed(too_long(options.compile_ms)));
    }
    let last = one_line(said.lines().next_back().unwrap_or_default());
    Err(Failed(format!("cannot be compiled: the compiler ended with {status} {last}")))
}

fn too_long(compile_ms: u64) -> String {
    format!(
        "takes more than {compile_ms} ms of processor time to compile; make it smaller, or raise plugins.compile_ms"
    )
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

/// The other side: compiles the component on standard input to standard output, within limits. `arguments` are what the
/// runtime added to the command. The error is a sentence for standard error, and the program must then end with 1.
pub fn compile_for_parent(arguments: &[String]) -> Result<(), String> {
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(memory_max_bytes), Some(data_max_bytes), Some(time_ms)) = (number(0), number(1), number(2)) else {
        return Err("the compiler is run by the gateway, with the limits that it sets".into());
    };
    let memory_max_bytes = usize::try_from(memory_max_bytes).map_err(|error| error.to_string())?;
    limit(data_max_bytes, time_ms).map_err(|error| format!("the limits of the compiler cannot be set: {error}"))?;
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm).map_err(|error| error.to_string())?;
    // As the parent's, or it would not take the code.
    let config = runtime::config(&RuntimeOptions { memory_max_bytes, ..RuntimeOptions::default() }, 1);
    let engine = Engine::new(&config).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&wasm).map_err(|error| error.root_cause().to_string())?;
    io::stdout().lock().write_all(&code).map_err(|error| error.to_string())
}

/// Memory and processor time end here, and so does this process with its parent. Others come first.
#[cfg(target_os = "linux")]
fn limit(data_max_bytes: u64, time_ms: u64) -> rustix::io::Result<()> {
    use rustix::process::{self, Resource, Rlimit, Signal};
    let set = |what, most: u64| process::setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) });
    set(Resource::Data, data_max_bytes)?;
    process::setrlimit(Resource::Cpu, Rlimit { current: Some(time_ms.div_ceil(1000)), maximum: None })?;
    set(Resource::Core, 0)?;
    process::nice(10)?;
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
        let failed = |text: &str| Err(Failed(text.into()));
        for (script, came_to) in [
            ("/bin/cat > /dev/null; echo code", Ok(b"code\n".to_vec())),
            ("/bin/cat | /usr/bin/wc -c", Ok(b"1048576\n".to_vec())),
            ("echo code", Ok(b"code\n".to_vec())),
            ("echo error: two >&2; echo lines >&2; exit 1", Err(NotValid("two\\nlines".into()))),
            ("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$", {
                failed(
                    "needs more than 7 bytes of memory to compile; make it smaller, or raise plugins.compile_memory_max_bytes",
                )
            }),
            (
                "kill -XCPU $$",
                failed(
                    "takes more than 60000 ms of processor time to compile; make it smaller, or raise plugins.compile_ms",
                ),
            ),
            (
                "echo it broke >&2; exit 101",
                failed("cannot be compiled: the compiler ended with exit status: 101 it broke"),
            ),
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
        let late = "takes more than 10 ms of processor time to compile; make it smaller, or raise plugins.compile_ms";
        assert_eq!(ran("exec /bin/sleep 1000", 10).await, Err(Failed(late.into())));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let came = run(&RuntimeOptions::default(), &["/nowhere/dragoman".into()], b"").await;
        assert!(matches!(came, Err(Failed(text)) if text.contains("the compiler does not run")));
    }
}
