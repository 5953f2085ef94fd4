//! `events`: what devices say of their own accord.

use super::refusal;
use crate::access::Import;
use crate::bindings::dragoman::gateway::{events, types};
use crate::check::{self, Bounds, Checked};
use crate::convert;
use crate::documented::is_kind;
use crate::error::Fault;
use crate::state::State;
use crate::words::DeviceEvent;
use crate::writes::PluginWrite;

impl events::Host for State {
    async fn emit(&mut self, event: types::Event) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Emit)?;
        let event = convert::event(event);
        if let Err(fault) = fits(self.call.facts.bounds, &event) {
            return Ok(Err(refusal(fault)));
        }
        if !self.creates(&event.device) {
            let known = match self.known(event.device.as_str()).await? {
                Ok(known) => known,
                Err(error) => return Ok(Err(error)),
            };
            if *known.dialect != *self.call.facts.name {
                return Ok(Err(types::Error::Denied(format!(
                    "the dialect `{}` reaches the device `{}`, and only it tells what the device says",
                    known.dialect, known.id
                ))));
            }
        }
        let raw = event.raw.as_ref().map_or(0, |raw| raw.as_bytes().len());
        let body = event.body.as_ref().map_or(0, String::len);
        let bytes = raw + body + check::attributes_bytes(&event.attributes) + check::NAME_MAX_BYTES;
        self.call.write(bytes, PluginWrite::Emit(event))?;
        Ok(Ok(()))
    }
}

fn fits(bounds: Bounds, event: &DeviceEvent) -> Checked {
    if !is_kind(&event.kind) {
        return Err(Fault::DoesNotFit(format!("`{:.100}` is not a kind of event: [a-z][a-z0-9-]{{0,63}}", event.kind)));
    }
    check::name_option("the name of an event", event.name.as_deref())?;
    if let Some(raw) = &event.raw {
        bounds.payload("the payload of an event", raw)?;
    }
    bounds.json_option("the body of an event", event.body.as_deref())?;
    check::attributes("attributes of an event", &event.attributes)
}
