//! `outbox`: what leaves the gateway and is no dispatch.

use super::refusal;
use crate::access::Import;
use crate::bindings::dragoman::gateway::{outbox, types};
use crate::check::{self, Bounds, Checked};
use crate::convert;
use crate::error::Fault;
use crate::state::State;
use crate::words::Readers;
use crate::writes::{OutRequest, PluginWrite};
use dragoman_core::SessionId;

/// Path and query of a request, in bytes.
const PATH_MAX_BYTES: usize = 8 << 10;
/// Letters of a method.
const METHOD_MAX_BYTES: usize = 16;

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
        let context = self.call.enter(Import::Request)?;
        if check::name("", &target).is_err() || !context.host.has_target(&target) {
            return Ok(Err(types::Error::NotFound(format!("no target `{target:.100}` is configured"))));
        }
        let request = OutRequest { target, method, path, headers, body };
        if let Err(fault) = fits(self.call.facts.bounds, &request) {
            return Ok(Err(refusal(fault)));
        }
        let body = request.body.as_ref().map_or(0, String::len);
        let bytes = request.path.len() + check::attributes_bytes(&request.headers) + body + check::NAME_MAX_BYTES;
        self.call.write(bytes, PluginWrite::Request(Box::new(request)))?;
        Ok(Ok(()))
    }
}

fn fits(bounds: Bounds, request: &OutRequest) -> Checked {
    let OutRequest { method, path, headers, body, .. } = request;
    if !(1..=METHOD_MAX_BYTES).contains(&method.len()) || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Fault::DoesNotFit(format!("`{method:.100}` is not a method: write it in upper-case letters")));
    }
    check::size("the path of a request", path.len(), PATH_MAX_BYTES)?;
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(Fault::DoesNotFit(format!(
            "`{path:.100}` is not a path: it begins with a slash, and what is not printable ASCII is percent-encoded"
        )));
    }
    check::attributes("headers of a request", headers)?;
    if let Some((name, _)) = headers.iter().find(|(name, value)| !is_header(name, value)) {
        return Err(Fault::DoesNotFit(format!("the header `{name:.100}` cannot be sent")));
    }
    bounds.json_option("the body of a request", body.as_deref())
}

/// Whether it can stand in a request without becoming something else.
fn is_header(name: &str, value: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token) && !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t')
}
