//! The platform's HTTP calls: which of them are carried, and what a path names.

use crate::answer::{Failure, bad_parameter, not_found, not_implemented};
use crate::key::{self, Scope};
use crate::{method, read, write};
use dragoman_plugin_sdk::{Decision, Gateway, Request, route};

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    WriteObject,
    WriteFeed,
    WriteProperty,
    ReadDevice,
    ReadState,
    ReadProperty,
    RunMethod,
    /// The platform has it, and this gateway has not.
    NotImplemented,
}

const ROUTES: &[(&str, &str, Call)] = &[
    ("POST", "/v3/data/devices/{ref}", Call::WriteObject),
    ("POST", "/v3/data/devices/{ref}/properties", Call::WriteFeed),
    ("POST", "/v3/data/devices/{ref}/properties/{property}", Call::WriteProperty),
    ("GET", "/v3/data/devices/{ref}", Call::ReadDevice),
    ("GET", "/v3/data/devices/{ref}/state", Call::ReadState),
    ("GET", "/v3/data/devices/{ref}/properties/{property}", Call::ReadProperty),
    ("POST", "/v3/data/devices/{ref}/methods/{method}", Call::RunMethod),
    ("GET", "/v3/data/devices/{ref}/methods/{method}", Call::RunMethod),
    ("POST", "/v3/data/devices/{ref}/properties/{property}/query", Call::NotImplemented),
    ("GET", "/v3/data/apps/{ref}", Call::NotImplemented),
    ("POST", "/v3/data/apps/{ref}", Call::NotImplemented),
    ("GET", "/v3/data/apps/{ref}/state", Call::NotImplemented),
    ("POST", "/v3/data/apps/{ref}/properties", Call::NotImplemented),
    ("GET", "/v3/data/apps/{ref}/properties/{property}", Call::NotImplemented),
    ("POST", "/v3/data/apps/{ref}/properties/{property}", Call::NotImplemented),
    ("POST", "/v3/data/apps/{ref}/properties/{property}/query", Call::NotImplemented),
    ("GET", "/v3/data/apps/{ref}/methods/{method}", Call::NotImplemented),
    ("POST", "/v3/data/apps/{ref}/methods/{method}", Call::NotImplemented),
    ("GET", "/v3/{collection}", Call::NotImplemented),
    ("POST", "/v3/{collection}", Call::NotImplemented),
    ("GET", "/v3/{collection}/{ref}", Call::NotImplemented),
    ("POST", "/v3/{collection}/{ref}", Call::NotImplemented),
    ("PUT", "/v3/{collection}/{ref}", Call::NotImplemented),
    ("DELETE", "/v3/{collection}/{ref}", Call::NotImplemented),
    ("GET", "/v3/devices/{ref}/apikey", Call::NotImplemented),
];

/// Methods and paths, as `describe` claims them.
pub(crate) fn claims() -> impl Iterator<Item = String> {
    ROUTES.iter().map(|(method, path, _)| format!("{method} {path}"))
}

/// Carries out a call: first who calls, then what it is about.
pub(crate) fn handle(gateway: &impl Gateway, request: &Request) -> Result<Decision, Failure> {
    let caller = key::authenticate(gateway, request)?;
    let of_method = ROUTES.iter().filter(|(method, _, _)| *method == request.method);
    let found = of_method.clone().find_map(|(_, path, call)| Some((*call, route::captures(path, &request.path)?)));
    let Some((call, raw)) = found else { return Err(not_found(&request.path)) };
    let names: Option<Vec<_>> = raw.into_iter().map(dragoman_plugin_sdk::http::percent_decode).collect();
    let names = names.ok_or_else(|| bad_parameter("path", "The path is not percent-encoded UTF-8."))?;
    let name = |index: usize| names.get(index).map(String::as_str).unwrap_or_default();
    let device = |scope| key::device(gateway, &caller, name(0), scope);
    match call {
        Call::WriteObject => write::object(gateway, request, &caller, &device(Scope::WriteData)?),
        Call::WriteFeed => write::feed(gateway, request, &caller, &device(Scope::WriteData)?, None),
        Call::WriteProperty => write::feed(gateway, request, &caller, &device(Scope::WriteData)?, Some(name(1))),
        Call::ReadDevice => read::device(gateway, &caller, &device(Scope::ReadData)?),
        Call::ReadState => read::state(gateway, request, &caller, &device(Scope::ReadData)?),
        Call::ReadProperty => read::property(gateway, &caller, &device(Scope::ReadData)?, name(1)),
        Call::RunMethod => method::call(gateway, request, &caller, &device(Scope::Execute)?, name(1)),
        Call::NotImplemented => Err(not_implemented(&format!("{} {}", request.method, request.path))),
    }
}
