//! A version that fails to word an answer: the outcome stays, and the version before it is asked once.

use super::*;
use crate::runtime::conversation::{Unanswered, answer_request};
use dragoman_core::{Message, Payload};
use dragoman_mqtt::InboundVerdict;
use dragoman_wasm::Request;

const DIALECT: &str = "scripted";

impl Bench {
    /// The scripted dialect as its second version; the first is held, as it is while commands need it.
    async fn second_version(&self) -> Arc<Plugin> {
        guests::replace(&self.gateway.config.plugins.folder, DIALECT, guests::version_two);
        self.gateway.plugins.rescan().await;
        self.gateway.plugin(DIALECT).unwrap()
    }

    /// The answer to a request that is a script.
    async fn answer(&self, plugin: &Arc<Plugin>, script: &str) -> Result<String, Unanswered> {
        let request = Request {
            method: "POST".into(),
            path: "/scripted/x".into(),
            query: String::new(),
            headers: Vec::new(),
            body: Payload::Text(script.into()),
            request_id: "r1".into(),
        };
        let response = answer_request(&self.gateway, plugin, request, None).await?;
        Ok(String::from_utf8(response.body.as_bytes().to_vec()).unwrap())
    }
}

#[tokio::test]
async fn what_the_newest_version_fails_to_word_the_one_before_it_words() {
    let bench = Bench::new().await;
    let script = "submit nobody\nwait \"by version-two harm panic\"";
    let second = bench.second_version().await;
    let answered = bench.answer(&second, script).await.unwrap();
    assert!(answered.ends_with(":$UNKNOWN_DEVICE"), "{answered}");

    let asks = "submit nobody\nwait \"by version-two harm panic\\npublish told 0\"";
    let message = Message { payload: Payload::Text(asks.into()), qos: 1, ..message("apps/scripted/x") };
    assert_eq!(bench.gateway.hear(client("", DIALECT, None), message).await, InboundVerdict::Accept);
    bench.left("told", 1).await;
}

#[tokio::test]
async fn without_a_version_before_it_the_host_answers_with_the_executions() {
    let bench = Bench::new().await;
    let asked = bench.answer(&bench.plugin, "submit lamp\nwait \"harm panic\"");
    let ended = async {
        let open = || async { bench.gateway.engine.look(|machine| machine.open_devices().next().map(drop)) };
        bench.until("the command is open", open).await;
        bench.input(Input::Remove { device: device("lamp") });
    };
    let (answered, ()) = tokio::join!(asked, ended);
    let Err(Unanswered::AnswerFault { fault, executions }) = answered else { panic!("{answered:?}") };
    assert_eq!((fault.code(), executions.len()), ("$PLUGIN_TRAP", 1));
    let stands = bench.gateway.execution(&executions[0]).await.unwrap().unwrap();
    assert!(stands.state.is_final(), "the outcome stays: {:?}", stands.state);
}

#[tokio::test]
async fn where_both_fail_the_fault_of_the_newest_is_told() {
    let bench = Bench::new().await;
    let second = bench.second_version().await;
    let script = "submit nobody\nwait \"by version-two harm exit\\nby version-one harm panic\"";
    let Err(Unanswered::AnswerFault { fault, .. }) = bench.answer(&second, script).await else {
        panic!("it was answered")
    };
    assert!(fault.to_string().contains("exited"), "{fault}");
}
