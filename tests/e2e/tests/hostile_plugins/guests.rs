//! The hostile plugins, and what each comes to.

use dragoman_e2e::harm;
use std::fs;
use std::path::Path;

const START: &str = "handler.start";
const REQUEST: &str = "northbound.handle-request";
const DESCRIBE: &str = "plugin.describe";
/// Before the first export of an instance is called.
const BEFORE: &str = "start";

/// A file, how it is called, and what must come of it.
pub(crate) struct Guest {
    /// Its name, that of its file, and that of the device whose handler it is.
    pub(crate) name: String,
    pub(crate) wasm: Vec<u8>,
    pub(crate) act: Act,
    /// Whether it is part of the short form.
    pub(crate) is_quick: bool,
}

/// What is done with it.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// It is refused at that step, with that in the reason.
    Load(&'static str, &'static str),
    /// A command is given to a device whose handler it is.
    Command(Came),
    /// A request is made to its route.
    Request(Came),
}

/// What comes of a call.
#[derive(Clone, Copy)]
pub(crate) enum Came {
    /// The code of the reason.
    Fault(&'static str),
    /// It answers, with that in the answer.
    Answer(&'static str),
}

use Act::{Command, Load, Request};
use Came::{Answer, Fault};

/// All of them.
pub(crate) fn all(built: &Path) -> anyhow::Result<Vec<Guest>> {
    let hostile = fs::read(built.join("hostile.wasm"))?;
    let deadline = Fault("$PLUGIN_DEADLINE");
    let (trap, memory) = (Fault("$PLUGIN_TRAP"), Fault("$PLUGIN_MEMORY"));
    let (limit, error) = (Fault("$PLUGIN_LIMIT"), Fault("$PLUGIN_ERROR"));
    let gone = "0 0 [Err(NotFound), Err(NotFound), Err(NotFound), Err(NotFound)] Err(NotFound) Err(NotFound)";
    let mut guests = Vec::new();
    for (place, deed, act, is_quick) in [
        (START, "spin", Command(deadline), true),
        (START, "spin-in-host-calls", Command(deadline), false),
        (START, "sleep", Command(deadline), true),
        (START, "doze", Command(deadline), false),
        (START, "spin-in-realloc", Command(deadline), false),
        (START, "spin-after-the-answer", Command(deadline), false),
        (START, "log-without-end", Command(deadline), false),
        (START, "allocate", Command(memory), true),
        (START, "outcome-40-mib", Command(memory), false),
        (START, "recurse", Command(trap), false),
        (START, "panic", Command(trap), true),
        (START, "abort", Command(trap), false),
        (START, "exit", Command(trap), false),
        (START, "trap-after-the-answer", Command(trap), false),
        (START, "call-the-host-in-realloc", Command(trap), false),
        (START, "realloc-askew", Command(error), false),
        (START, "text-beyond-memory", Command(error), true),
        (START, "text-of-no-text", Command(error), false),
        (START, "code-of-the-host", Command(error), false),
        (START, "state-of-no-json", Command(error), false),
        (START, "no-frames", Command(error), false),
        (START, "import", Command(error), false),
        (START, "state-1-mib", Command(limit), true),
        (START, "frames-without-end", Command(limit), false),
        (START, "log-at-length", Command(limit), false),
        (START, "pollables-without-end", Command(limit), false),
        (START, "read-the-machine", Command(Answer(gone)), true),
        (START, "open-sockets", Command(Answer("Err(PermissionDenied) Err(PermissionDenied)")), false),
        (START, "log-often", Command(Answer("logged")), true),
        (START, "shout", Command(Answer("shouted")), false),
        (REQUEST, "spin", Request(deadline), true),
        (REQUEST, "allocate", Request(memory), false),
        (REQUEST, "panic", Request(trap), true),
        (REQUEST, "answer-40-mib", Request(limit), true),
        (REQUEST, "many-headers", Request(limit), false),
        (REQUEST, "publish-often", Request(limit), false),
        (REQUEST, "submit-without-end", Request(limit), true),
        (REQUEST, "hold-without-end", Request(limit), false),
        (REQUEST, "ask-without-end", Request(limit), false),
        (REQUEST, "wait-for-nothing", Request(error), false),
        (REQUEST, "status-of-no-answer", Request(error), false),
        (REQUEST, "meddle", Request(Answer("NotFound")), true),
        (DESCRIBE, "spin", Load("describe", "did not return within"), false),
        (DESCRIBE, "panic", Load("describe", "said on the way out"), true),
        (DESCRIBE, "long-version", Load("describe", "describes a version of 1048576 bytes"), true),
        (DESCRIBE, "claim-ten-thousand", Load("describe", "claims too much"), false),
        (DESCRIBE, "bad-stage", Load("describe", "unexpected discriminant: 9"), false),
        (BEFORE, "spin", Load("describe", "did not return within"), false),
        (BEFORE, "exit", Load("describe", "it exited with status 1"), false),
    ] {
        let name = format!("h{}-{deed}", guests.len());
        let wasm = harm::hostile(&hostile, &[("name", &name), ("place", place), ("deed", deed)])?;
        guests.push(Guest { name, wasm, act, is_quick });
    }
    let claims = |claim: &str| harm::hostile(&hostile, &[("name", "claims"), ("claim", claim)]);
    for (name, wasm, step, reason, is_quick) in [
        ("route", claims("POST /v5/iot/{a}/devices/{b}/commands")?, "claims", "of plugin `huawei-iotda`", true),
        ("topic", claims("device:$oc/devices/#")?, "claims", "of plugin `huawei-iotda`", false),
        ("all-topics", claims("device:#")?, "claims", "claims the device topic `#`", false),
        ("name", harm::hostile(&hostile, &[("name", "huawei-iotda")])?, "claims", "as `huawei-iotda`, as", true),
        (
            "path",
            harm::hostile(&hostile, &[("name", "../../etc/passwd")])?,
            "describe",
            "a name is a lower-case",
            false,
        ),
        (
            "contract",
            harm::with_text(hostile.clone(), "@0.1.0-draft", "@9.1.0-draft"),
            "contract",
            "this gateway has dragoman:gateway@0.1.0-draft",
            true,
        ),
        (
            "import",
            harm::with_text(hostile.clone(), "dragoman:gateway/outbox@", "acme:gatewaymore/outbox@"),
            "contract",
            "which this gateway does not offer",
            true,
        ),
        ("module", b"\0asm\x01\0\0\0".to_vec(), "component", "is a core WebAssembly module", true),
        ("bomb", harm::many_functions(900_000), "component", "to compile; make it smaller, or raise plugins.", false),
    ] {
        guests.push(Guest { name: format!("h-{name}"), wasm, act: Load(step, reason), is_quick });
    }
    Ok(guests)
}
