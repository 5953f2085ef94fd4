//! Two applications that know one device: each has its own downlinks.

use crate::stage::{ITEM, KEY, PUSH, call, gateway, submitted};
use dragoman_plugin_sdk::testing::{Deed, Fake};
use dragoman_plugin_sdk::{Decision, Northbound, Payload, Request};
use the_things_stack::TheThingsStack as Tts;

const OTHER_KEY: &str = "NNSXS.OTHER..";

/// A call of one of the two, with its key.
fn call_of(fake: &mut Fake, application: &str, method: &str, below: &str, body: &str) -> String {
    fake.presented = Some(if application == "app1" { KEY } else { OTHER_KEY }.to_owned());
    let request = call(method, below, body);
    let request = Request { path: request.path.replace("app1", application), ..request };
    let Ok(Decision::Respond(response)) = Tts::handle_request(fake, &request) else { panic!("it answers") };
    let Payload::Text(text) = response.body else { panic!("text") };
    text
}

#[test]
fn an_application_sees_and_replaces_its_own_downlinks_only() {
    let mut fake = gateway();
    let all = r#"{"rights":["RIGHT_APPLICATION_ALL"]}"#;
    for (application, key) in [("app1", KEY), ("app2", OTHER_KEY)] {
        fake.accounts.insert(application.to_owned(), (key.to_owned(), all.to_owned()));
    }
    fake.devices.borrow_mut()[0].aliases.push(("tts.id".to_owned(), "app2.dev1".to_owned()));
    let pushed = submitted(&fake, PUSH, ITEM).0.remove(0);
    let id = pushed.id.clone();
    fake.executions = vec![pushed];

    let down = "/devices/dev1/down";
    assert!(call_of(&mut fake, "app1", "GET", down, "").contains("vu8="));
    assert_eq!(call_of(&mut fake, "app2", "GET", down, ""), "{}");

    let (replace, nothing) = ("/devices/dev1/down/replace", r#"{"downlinks":[]}"#);
    call_of(&mut fake, "app2", "POST", replace, nothing);
    assert_eq!(fake.deeds.take(), [], "it is another's");
    call_of(&mut fake, "app1", "POST", replace, nothing);
    assert_eq!(fake.deeds.take(), [Deed::Canceled(id)]);
}
