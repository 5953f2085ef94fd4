//! Questions to handlers, and how a call goes on with their answers.

use crate::world::{patient, said, world};
use dragoman_core::{Delivery, DeviceId, Intent, Invocation, Payload, Reason, Stage};
use dragoman_wasm::{Answer, Decision, Decoded, Fault, PluginOptions, PluginWrite, Question, RuntimeOptions, Wait};

const UNWAITED: &str = "it submitted or asked something and answered without waiting for it";
const BOTH: &str = "it asked a handler and submitted a command in one call; ask first, and submit when the answers are \
                    there";

fn open() -> Intent {
    Intent::Invoke(Invocation { service: None, action: "act".into(), params: "{}".into() })
}

#[tokio::test]
async fn questions_come_with_the_call_in_order() {
    let world = world(patient(), PluginOptions::default()).await;
    let done = world.request("ask d1 plan {}\nask d9 up\nask d1 down\nwait {\"w\":1}").await.unwrap();
    let delivery = Delivery { name: None, payload: Payload::Text("p".into()), attributes: Vec::new() };
    assert_eq!(
        done.questions,
        [
            (DeviceId::new("d1"), Question::Plan(open())),
            (DeviceId::new("d9"), Question::DecodeUp(delivery.clone())),
            (DeviceId::new("d1"), Question::DecodeDown(delivery)),
        ]
    );
    assert_eq!(done.value, Decision::Wait(Wait { context: "{\"w\":1}".into(), until: Stage::Ended }));
    assert_eq!(done.writes, []);
}

#[tokio::test]
async fn who_asks_waits_and_does_not_submit() {
    let world = world(patient(), PluginOptions::default()).await;
    for (script, fault) in [
        ("ask d1 up", UNWAITED),
        ("ask d1 up\nsubmit d1\nwait {}", BOTH),
        ("submit d1\nask d1 up\nwait {}", BOTH),
        ("ask d1 plan []\nwait {}", "an intent's params is not a JSON object"),
    ] {
        assert_eq!(world.fault(script).await, Fault::DoesNotFit(fault.into()), "{script}");
    }
    // What was dropped before it was submitted is no submission.
    assert_eq!(world.request("drop d1\nask d1 up\nwait {}").await.unwrap().questions.len(), 1);
}

#[tokio::test]
async fn a_call_asks_a_thousand_questions_at_most() {
    let options = RuntimeOptions { host_calls_max: 2000, ..patient() };
    let world = world(options, PluginOptions::default()).await;
    let many = |count: usize| format!("{}wait {{}}", "ask d1 up\n".repeat(count));
    assert_eq!(world.request(&many(1000)).await.unwrap().questions.len(), 1000);
    let fault = Fault::Output("there are 1001 questions, but at most 1000 are allowed".into());
    assert_eq!(world.fault(&many(1001)).await, fault);
}

#[tokio::test]
async fn answers_are_seen_and_the_call_goes_on() {
    let world = world(patient(), PluginOptions::default()).await;
    let answers = [
        Answer::Frames(vec![open()]),
        Answer::Decoded(Decoded { value: "7".into(), warnings: vec!["careful".into()] }),
        Answer::Refused(Reason::new("$UNSUPPORTED", "it has no handler")),
    ];
    let answered = async |script: &str| world.plugin.answered(world.call(), script, &answers).await;
    let seen = said(answered("now").await.map(|done| done.map(|decision| decision.unwrap())));
    let lines: Vec<_> = seen.lines().collect();
    assert!(lines[1].contains("Frames") && lines[1].contains("act"), "{seen}");
    assert!(lines[2].contains("Decoded") && lines[2].contains("careful"), "{seen}");
    assert!(lines[3].contains("Refused") && lines[3].contains("$UNSUPPORTED"), "{seen}");
    assert_eq!(answered("nothing").await.unwrap().value, None);
    let waits = answered("submit d1\nwait {}").await.unwrap();
    assert!(matches!(waits.value, Some(Decision::Wait(_))));
    assert!(matches!(waits.writes.as_slice(), [PluginWrite::Submit(_)]));
    for script in ["submit d1\nnothing", "submit d1"] {
        assert_eq!(answered(script).await.unwrap_err().fault, Fault::DoesNotFit(UNWAITED.into()), "{script}");
    }
    let waits_for_nothing = answered("wait {}").await.unwrap_err().fault;
    assert_eq!(waits_for_nothing, Fault::DoesNotFit("it waits but submitted nothing to wait for".into()));
}
