//! What applications want: answered at once, once the command got far enough, or refused with a reason.

use super::unreadable::tried_again;
use super::*;
use crate::runtime::asks;
use crate::runtime::conversation::{Unanswered, answer_request};
use crate::runtime::inbound::Turn;
use dragoman_core::{Delivery, Payload, Reason, Session};
use dragoman_mqtt::InboundVerdict;
use dragoman_wasm::{Answer, Decoded, Question, Request};

fn script(text: &str) -> Request {
    Request {
        method: "POST".into(),
        path: "/scripted/x".into(),
        query: String::new(),
        headers: Vec::new(),
        body: Payload::Text(text.into()),
        request_id: "r1".into(),
    }
}

fn application() -> Arc<Session> {
    client("", "scripted", None)
}

impl Bench {
    /// The body of the answer to a request that is a script.
    async fn ask(&self, text: &str) -> Result<String, Unanswered> {
        let response = answer_request(&self.gateway, &self.plugin, script(text), None).await?;
        Ok(String::from_utf8(response.body.as_bytes().to_vec()).unwrap())
    }

    /// What becomes of a message that is a script.
    async fn hear(&self, session: &Arc<Session>, text: &str) -> InboundVerdict {
        let payload = Payload::Text(text.into());
        let message = dragoman_core::Message { payload, qos: 1, ..message("apps/scripted/x") };
        self.gateway.hear(session.clone(), message).await
    }

    /// Ids of the executions that are open.
    fn open(&self) -> Vec<String> {
        self.gateway.engine.look(|machine| machine.open_devices().map(|(device, _)| device.to_string()).collect())
    }
}

#[tokio::test]
async fn a_request_waits_until_its_commands_got_as_far_as_was_asked() {
    let bench = Bench::new().await;
    bench.present("lamp");
    let asked = bench.ask("submit lamp alias=a\nsubmit nobody\nwait {}");
    let device_answers = async {
        let told = || async {
            let left = bench.broker.left();
            left.first().and_then(|line| line.split_once('/')).map(|(id, _)| id.to_owned())
        };
        let id = bench.until("the command reaches the lamp", told).await;
        bench.write_as("lamp", vec![answer(&id, succeeded())]).await.unwrap();
        id
    };
    let (answered, id) = tokio::join!(asked, device_answers);
    let answered = answered.unwrap();
    let lines: Vec<&str> = answered.lines().collect();
    assert_eq!(lines.first().copied(), Some(format!("{id}:State::Succeeded:1:none").as_str()));
    assert!(lines.get(1).is_some_and(|line| line.ends_with(":$UNKNOWN_DEVICE")), "{answered}");
}

/// Who is told to try again must not have commanded anything.
#[tokio::test]
async fn past_the_bound_of_those_who_wait_nothing_is_accepted() {
    let bench = Bench::with(|config| config.limits.http_waiting_max = 1).await;
    let first = bench.ask("submit lamp\nwait {}");
    let second = async {
        bench.until("the first command is open", || async { (!bench.open().is_empty()).then_some(()) }).await;
        let refused = bench.ask("submit door\ndocument put things k 0 {}\nwait {}").await;
        assert!(matches!(refused, Err(Unanswered::TooMany { limit: 1 })), "{refused:?}");
        assert_eq!(bench.open(), ["lamp"]);
        assert_eq!(bench.gateway.engine.journal().document("scripted", "things", "k").await.unwrap(), None);
        assert!(bench.ask("now").await.is_ok(), "who does not wait needs no place");
        bench.input(Input::Remove { device: device("lamp") });
    };
    let (first, ()) = tokio::join!(first, second);
    assert!(first.unwrap().contains(":State::Canceled:"));
    assert_eq!(bench.gateway.waiting.available_permits(), 1, "the place is free again");
}

#[tokio::test]
async fn who_waits_when_the_daemon_stops_is_told_what_was_accepted() {
    let bench = Bench::new().await;
    let waiting = bench.ask("submit lamp\nsubmit door\nwait {}");
    let stop = async {
        bench.until("both are open", || async { (bench.open().len() == 2).then_some(()) }).await;
        bench.gateway.draining.send_replace(true);
    };
    let (stopped, ()) = tokio::join!(waiting, stop);
    let Err(Unanswered::Restarting { executions }) = stopped else { panic!("{stopped:?}") };
    assert_eq!(executions.len(), 2);
    for id in executions {
        assert!(bench.gateway.engine.open_execution(&id).is_some(), "it goes on");
    }
}

/// Six ask for the same name at once; all looked before one of them has it.
#[tokio::test]
async fn a_call_that_somebody_was_faster_than_is_repeated_and_sees_what_he_wrote() {
    let bench = Bench::new().await;
    let asked = (0..6).map(|_| bench.ask("create - name same"));
    let answers = futures::future::join_all(asked).await;
    let answers: Vec<String> = answers.into_iter().map(Result::unwrap).collect();
    let (refused, made): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.contains("Conflict"));
    let holder = bench.gateway.engine.journal().resolve("name", "same").await.unwrap().unwrap();
    assert_eq!(made, [holder.id.to_string()]);
    assert_eq!(refused.len(), 5);
}

#[tokio::test]
async fn a_call_that_fails_has_written_nothing() {
    let bench = Bench::new().await;
    for ending in ["harm panic", "error no"] {
        let failed = bench.ask(&format!("submit lamp\ndocument put things k 0 {{}}\n{ending}\nwait {{}}")).await;
        assert!(matches!(failed, Err(Unanswered::Fault(_))), "{ending}: {failed:?}");
        assert_eq!(bench.open(), [] as [&str; 0], "{ending}");
        assert_eq!(bench.gateway.engine.journal().document("scripted", "things", "k").await.unwrap(), None);
    }
}

/// What a dialect asks of a device's handler, and what it is answered where there is none.
#[tokio::test]
async fn questions_are_answered_in_their_order_and_a_refusal_says_what_is_missing() {
    let bench = Bench::new().await;
    let engine = &bench.gateway.engine;
    for (id, handler) in [("stepped", "stepper"), ("lost", "no-such-handler"), ("dialect", "scripted")] {
        let record = DeviceRecord { handler: Some(handler.into()), ..record(id, "scripted") };
        engine.journal().put_device(record).await.unwrap();
    }
    let invoke =
        |action: &str| Intent::Invoke(Invocation { service: None, action: action.into(), params: "{}".into() });
    let text = |text: &str| Delivery { name: None, payload: Payload::Text(text.into()), attributes: Vec::new() };
    let decoded = |value: &str| Ok(Answer::Decoded(Decoded { value: value.into(), warnings: vec!["careful".into()] }));
    let cases = [
        ("lamp", Question::Plan(invoke("on")), Ok(Answer::Frames(vec![invoke("on")]))),
        ("stepped", Question::Plan(invoke("open")), Ok(Answer::Frames(vec![invoke("unlock")]))),
        ("stepped", Question::Plan(invoke("explode")), Err("UNKNOWN_ACTION")),
        ("stepped", Question::Plan(invoke("error")), Err("$PLUGIN_ERROR")),
        ("stepped", Question::DecodeUp(text("x")), decoded("\"stepped Direction::Up x\"")),
        ("stepped", Question::DecodeDown(text("x")), decoded("\"stepped Direction::Down x\"")),
        ("stepped", Question::DecodeUp(text("panic")), Err("$PLUGIN_TRAP")),
        ("lamp", Question::DecodeUp(text("x")), Err("$UNSUPPORTED")),
        ("dialect", Question::DecodeUp(text("x")), Err("$UNSUPPORTED")),
        ("lost", Question::Plan(invoke("on")), Err("$NO_HANDLER")),
        ("lost", Question::DecodeUp(text("x")), Err("$NO_HANDLER")),
        ("nobody", Question::Plan(invoke("on")), Err("$UNKNOWN_DEVICE")),
    ];
    let questions = cases.iter().map(|(id, question, _)| (device(id), question.clone())).collect();
    let answers = asks::answer(&bench.gateway, questions).await;
    assert_eq!(answers.len(), cases.len());
    for ((id, question, expected), answer) in cases.into_iter().zip(answers) {
        let answer = match answer {
            Answer::Refused(Reason { code, .. }) => Err(code),
            answer => Ok(answer),
        };
        assert_eq!(answer, expected.map_err(str::to_owned), "{question:?} about {id}");
    }
}

/// The second call of a conversation that asked may submit, and its command is waited for.
#[tokio::test]
async fn an_answer_to_a_question_goes_on_with_the_request() {
    let bench = Bench::new().await;
    let said = bench.ask("ask lamp plan {}\nask nobody up\nwait {}").await.unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.first().is_some_and(|line| line.starts_with("Answer::Frames(")), "{said}");
    assert!(lines.get(1).is_some_and(|line| line.contains("$UNKNOWN_DEVICE")), "{said}");
}

/// What the first call wrote is applied by then, so nothing may lead back to it.
#[tokio::test]
async fn a_conversation_that_asked_does_not_begin_again() {
    let bench = Bench::new().await;
    let asking = |then: &str| format!("call alarms POST /first\nask lamp plan {{}}\nwait \"{then}\"");
    let refused = bench.ask(&asking("remove door\\nput door 0 {}")).await;
    assert!(matches!(refused, Err(Unanswered::Conflict(_))), "somebody is faster each time: {refused:?}");
    assert_eq!(bench.requests().await, ["/first"]);

    let then = "session s9\\ndocument get things k\\ncall alarms POST /then\\nnothing";
    let heard = tried_again(&bench, Box::pin(bench.hear(&application(), &asking(then)))).await;
    assert_eq!(heard, InboundVerdict::Accept);
    assert_eq!(bench.requests().await, ["/first", "/first", "/then"]);
}

/// Between two calls of one session there is no other, and what is settled is told in such a call.
#[tokio::test]
async fn a_settled_message_is_answered_in_the_turn_of_its_session() {
    let bench = Bench::new().await;
    let session = application();
    let heard = bench.hear(&session, "submit lamp\nwait \"publish settled 0\"").await;
    assert_eq!(heard, InboundVerdict::Accept);
    let (broker, gateway, plugin) = (bench.broker.clone(), bench.gateway.clone(), bench.plugin.clone());
    let (begin, begun) = tokio::sync::oneshot::channel();
    bench.gateway.calls.push(Turn::of(&session), async move {
        begin.send(()).unwrap();
        // As long as an answer that does not wait for its turn would take, and longer.
        let answered = async {
            while broker.times("settled") == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(500), answered).await;
        gateway.apply_writes(&plugin, vec![publish("before")], About::default()).await.unwrap();
    });
    begun.await.unwrap();
    bench.input(Input::Remove { device: device("lamp") });
    bench.left("settled", 1).await;
    assert_eq!(bench.broker.left(), ["before", "settled"]);
}

/// A caller may hang up at any time, also between a turn and what follows it.
#[tokio::test]
async fn what_a_caller_wants_is_done_though_it_hangs_up() {
    let bench = Bench::new().await;
    let mut asked = Box::pin(bench.ask("submit lamp\nremove door\npublish told 0\nwait {}"));
    assert!(futures::poll!(asked.as_mut()).is_pending());
    drop(asked);
    bench.left("told", 1).await;
    assert_eq!(bench.broker.left(), ["close door", "told"]);
    assert_eq!(bench.open(), ["lamp"]);
    let all = bench.gateway.waiting_max();
    let free = || async { (bench.gateway.waiting.available_permits() == all).then_some(()) };
    bench.until("its place is free", free).await;
}
