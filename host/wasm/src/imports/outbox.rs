//! `outbox`: what leaves the gateway and is no dispatch.

use super::refusal;
use crate::access::Import;
use crate::bindings::dragoman::gateway::{outbox, types};
use crate::check::{self, Bounds, Checked};
use crate::convert;
use crate::reads::RequestError;
use crate::state::State;
use crate::words::Readers;
use crate::writes::{OutRequest, PluginWrite};
use dragoman_core::SessionId;

/// Path and query of a request, in bytes.
const PATH_MAX_BYTES: usize = 8 << 10;

impl outbox::Host for State {
    async fn publish(
        &mut self,
        to: outbox::Audience,
        message: types::Message,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        self.call.enter(Import::Publish)?;
        let message = convert::message(message);
        if let Err(fault) = self.call.facts.bounds.message(&message) {
            return Ok(Err(refusal(fault)));
        }
        let to = match to {
            outbox::Audience::Subscribers => Readers::Subscribers,
            outbox::Audience::Session(id) => {
                let id = SessionId::new(id);
                if let Err(error) = self.session_of_its_own(&id).await? {
                    return Ok(Err(error));
                }
                Readers::Session(id)
            }
        };
        let bytes =
            message.topic.len() + message.payload.as_bytes().len() + check::attributes_bytes(&message.attributes);
        self.call.write(bytes, PluginWrite::Publish { to, message })?;
        Ok(Ok(()))
    }

    fn request(
        &mut self,
        target: String,
        method: String,
        path: String,
        headers: types::Attributes,
        body: Option<String>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let host = self.call.enter(Import::Request)?.host.clone();
        let request = OutRequest { target, method, path, headers, body };
        if let Err(fault) = fits(self.call.facts.bounds, &request) {
            return Ok(Err(refusal(fault)));
        }
        if let Err(error) = host.check_request(&self.call.facts.name, &request) {
            return Ok(Err(match error {
                RequestError::NotFound(text) => types::Error::NotFound(text),
                RequestError::Invalid(text) => types::Error::Invalid(text),
                RequestError::Limit(text) => types::Error::Limit(text),
            }));
        }
        let body = request.body.as_ref().map_or(0, String::len);
        let bytes = request.path.len() + check::attributes_bytes(&request.headers) + body + check::NAME_MAX_BYTES;
        self.call.write(bytes, PluginWrite::Request(Box::new(request)))?;
        Ok(Ok(()))
    }
}

/// Sizes only; the host knows what it can send.
fn fits(bounds: Bounds, request: &OutRequest) -> Checked {
    let OutRequest { target, method, path, headers, body } = request;
    check::size("the name of a target", target.len(), check::NAME_MAX_BYTES)?;
    check::size("the method of a request", method.len(), check::NAME_MAX_BYTES)?;
    check::size("the path of a request", path.len(), PATH_MAX_BYTES)?;
    check::attributes("headers of a request", headers)?;
    bounds.json_option("the body of a request", body.as_deref())
}
