//! Handlers: pure, with an opaque state that is carried from step to step.

use crate::guests;
use crate::host::device;
use crate::world::{World, open, patient};
use dragoman_core::{Intent, Invocation, Outcome, Reason, Reply};
use dragoman_wasm::{CallError, Fault, GuestError, HandlerCommand, HandlerPlan, PluginOptions, Step};

async fn stepper() -> World {
    let options = PluginOptions { settings: "[2]".into(), ..PluginOptions::default() };
    open("stepper", &guests::stepper(), patient(), options).await
}

fn invoke(action: &str) -> Intent {
    Intent::Invoke(Invocation { service: None, action: action.into(), params: "{\"p\":1}".into() })
}

async fn start(world: &World, action: &str) -> Result<Step, CallError> {
    world.plugin.handler_start(world.call(), &device("d1", 1), &invoke(action)).await
}

#[tokio::test]
async fn a_step_carries_its_state_to_the_next() {
    let world = stepper().await;
    let state = "{\"step\":1,\"settings\":[2]}";
    assert_eq!(
        start(&world, "open").await.unwrap(),
        Step::Send(HandlerPlan { frames: vec![invoke("unlock")], state: state.into(), reply_within_ms: Some(2000) })
    );
    let resume = async |reply: Reply| {
        world.plugin.handler_resume(world.call(), &device("d1", 1), &invoke("open"), state, &reply).await.unwrap()
    };
    let answer = Reply::Outcome(Outcome::Succeeded(Some("7".into())));
    assert_eq!(resume(answer).await, Step::Finish(Outcome::Succeeded(Some(format!("[{state},7]")))));
    // What the host says passes through as the host said it; only a plugin's own words are checked.
    assert_eq!(resume(Reply::Silence).await, Step::Finish(Outcome::Failed(Reason::new("SILENT", "because"))));
    let rejected = Outcome::Rejected(Reason::new("NO", "no"));
    assert_eq!(resume(Reply::Outcome(rejected.clone())).await, Step::Finish(rejected));
}

#[tokio::test]
async fn commands_are_described() {
    let world = stepper().await;
    let schema = Some("{\"type\":\"object\"}".into());
    assert_eq!(
        world.plugin.handler_commands(world.call()).await.unwrap(),
        [HandlerCommand { name: "open".into(), summary: "opens".into(), params_schema: schema }]
    );
}

#[tokio::test]
async fn a_step_that_breaks_the_contract_is_a_fault() {
    let world = stepper().await;
    let does_not_fit = |text: &str| Fault::DoesNotFit(text.into());
    for (action, fault) in [
        (
            "host-code",
            does_not_fit("it used the reason code `$NO_RESPONSE`, but codes that begin with `$` are the host's"),
        ),
        ("large-state", Fault::Output("the state of a handler has 65538 bytes, but at most 65536 are allowed".into())),
        (
            "bad-state",
            does_not_fit("the state of a handler is not valid JSON: EOF while parsing an object at line 1 column 1"),
        ),
        ("deep-state", does_not_fit("the state of a handler is nested deeper than 64 levels")),
        ("no-frames", does_not_fit("there are 0 frames of a step, but at least 1 are needed")),
        ("many-frames", Fault::Output("there are 65 frames of a step, but at most 64 are allowed".into())),
        ("bad-params", does_not_fit("an intent's params is not a JSON object")),
        ("error", Fault::Guest(GuestError::Internal("my fault".into()))),
    ] {
        assert_eq!(start(&world, action).await.unwrap_err().fault, fault, "{action}");
    }
    assert!(matches!(start(&world, "else").await, Ok(Step::Finish(Outcome::Rejected(_)))));
}

#[tokio::test]
async fn a_role_that_is_not_exported_cannot_be_called() {
    let world = stepper().await;
    let error = world.plugin.handle_request(world.call(), &crate::world::request("now")).await.unwrap_err();
    assert_eq!((error.code(), error.is_fault()), ("$PLUGIN_ERROR", false));
    assert_eq!(error.to_string(), "plugin stepper does not export northbound.handle-request");
}
