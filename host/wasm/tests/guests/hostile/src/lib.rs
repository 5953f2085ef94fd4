//! A plugin that means harm. It is a dialect and a handler at once, and what it does, in which export, under which name
//! and with which claim are texts in its file that the tests replace.

mod abi;
mod deeds;
mod lies;
mod marks;

wit_bindgen::generate!({
    inline: "package dragoman:hostile;
        world hostile {
            include dragoman:gateway/dialect@0.1.0-draft;
            include dragoman:gateway/command-handler@0.1.0-draft;
        }",
    path: "../../../../../wit",
    generate_all,
});

use dragoman::gateway::types::{
    Decision, Decoded, Delivery, Device, Error, Event, Execution, Intent, Message, Payload, Response, Session,
    Settlement, Subscription, Transition, Wait,
};
use exports::dragoman::gateway::{
    admission, answers, decoder, handler, northbound, notifications, plugin, southbound, subscriptions, topics,
};

struct Hostile;
export!(Hostile);

impl plugin::Guest for Hostile {
    fn describe() -> plugin::Description {
        let seen = deeds::here("plugin.describe");
        let mut description = lies::description();
        if !seen.is_empty() {
            description.summary = seen;
        }
        description
    }
}

impl admission::Guest for Hostile {
    fn authenticate(_: Session, _: u16, _: bool) -> Result<admission::Verdict, Error> {
        deeds::here("admission.authenticate");
        Ok(admission::Verdict::NotMine)
    }
}

impl northbound::Guest for Hostile {
    fn handle_request(_: northbound::Request) -> Result<Decision, Error> {
        lies::decision(deeds::here("northbound.handle-request"))
    }

    fn settled(_: String, _: Vec<Settlement>) -> Result<Response, Error> {
        let seen = deeds::here("northbound.settled");
        Ok(Response { status: 200, headers: Vec::new(), body: Payload::Text(seen) })
    }
}

impl southbound::Guest for Hostile {
    fn dispatch(_: Device, _: Execution) -> Result<southbound::Dispatched, Error> {
        deeds::here("southbound.dispatch");
        Ok(southbound::Dispatched::Send(Vec::new()))
    }

    fn handle_message(_: Session, _: Message) -> Result<(), Error> {
        deeds::here("southbound.handle-message");
        Ok(())
    }
}

impl topics::Guest for Hostile {
    fn handle_message(_: Session, _: Message) -> Result<Option<Wait>, Error> {
        deeds::here("topics.handle-message");
        Ok(None)
    }

    fn settled(_: String, _: Vec<Settlement>) -> Result<(), Error> {
        deeds::here("topics.settled");
        Ok(())
    }
}

impl subscriptions::Guest for Hostile {
    fn on_subscribe(_: Session, _: Subscription) -> Result<subscriptions::Verdict, Error> {
        deeds::here("subscriptions.on-subscribe");
        Ok(subscriptions::Verdict::AsAsked)
    }
}

impl notifications::Guest for Hostile {
    fn on_transitions(
        _: Execution,
        _: Vec<Transition>,
        _: u64,
        _: Vec<notifications::Follower>,
    ) -> Result<(), Error> {
        deeds::here("notifications.on-transitions");
        Ok(())
    }

    fn on_event(_: Event, _: Option<Decoded>) -> Result<(), Error> {
        deeds::here("notifications.on-event");
        Ok(())
    }
}

impl answers::Guest for Hostile {
    fn answered(_: String, _: Vec<answers::Answer>) -> Result<Option<Decision>, Error> {
        deeds::here("answers.answered");
        Ok(None)
    }
}

impl handler::Guest for Hostile {
    fn commands() -> Vec<handler::Command> {
        deeds::here("handler.commands");
        Vec::new()
    }

    fn start(device: Device, intent: Intent) -> Result<handler::Step, Error> {
        let answer = lies::step(&deeds::here("handler.start"));
        std::mem::forget((device, intent));
        abi::answered();
        answer
    }

    fn resume(_: Device, _: Intent, _: String, _: handler::Reply) -> Result<handler::Step, Error> {
        lies::step(&deeds::here("handler.resume"))
    }
}

impl decoder::Guest for Hostile {
    fn decode(_: Device, _: decoder::Direction, _: Delivery) -> Result<Decoded, Error> {
        Ok(Decoded { value: format!("{:?}", deeds::here("decoder.decode")), warnings: Vec::new() })
    }
}
