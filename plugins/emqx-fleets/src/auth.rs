//! API keys: HTTP Basic, and rights as path prefixes per method.

use crate::answer::{Failure, error_response};
use dragoman_plugin_sdk::{Error, Gateway, Request, json};
use std::collections::BTreeMap;

/// Refuses a call without a valid key with 401 and one that its key does not permit with 403.
pub(crate) fn authorize(gateway: &impl Gateway, request: &Request) -> Result<(), Failure> {
    let presented = request.presented.as_ref().filter(|presented| presented.scheme == "basic");
    let Some(key) = presented.and_then(|presented| presented.account.as_deref()).filter(|key| !key.is_empty()) else {
        return Err(unauthorized());
    };
    let identity = gateway.check_presented(Some(key)).map_err(|error| match error {
        Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_) => unauthorized(),
        error => Failure::Fault(error),
    })?;
    let rights: BTreeMap<String, Vec<String>> = json::parse_object(&identity.rights).map_err(|broken| {
        Error::Internal(format!(
            "the rights of key {} must be an object of methods with lists of path prefixes: {}",
            identity.account,
            broken.text()
        ))
    })?;
    if permits(&rights, &request.method, &request.path) {
        Ok(())
    } else {
        let message = format!("the API key has no permission for {} {}", request.method, request.path);
        Err(Failure::Answer(error_response(403, "FORBIDDEN", &message)))
    }
}

fn unauthorized() -> Failure {
    let mut response = error_response(401, "UNAUTHORIZED", "the API key or its secret is missing or wrong");
    response.headers.push(("www-authenticate".to_owned(), "Basic realm=\"fleets\"".to_owned()));
    Failure::Answer(response)
}

/// The platform compares prefixes of the path as it was sent, without wildcards.
fn permits(rights: &BTreeMap<String, Vec<String>>, method: &str, path: &str) -> bool {
    rights.get(method).is_some_and(|prefixes| prefixes.iter().any(|prefix| path.starts_with(prefix.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_prefixes_per_method() {
        let rights = BTreeMap::from([
            ("GET".to_owned(), vec!["/api/v1/things".to_owned(), "/api/v1/commands/".to_owned()]),
            ("POST".to_owned(), vec![]),
        ]);
        for (method, path, expected) in [
            ("GET", "/api/v1/things", true),
            ("GET", "/api/v1/things/a", true),
            ("GET", "/api/v1/commands", false),
            ("GET", "/api/v1/commands/a", true),
            ("GET", "/api/v1/%74hings", false),
            ("POST", "/api/v1/things", false),
            ("DELETE", "/api/v1/things", false),
        ] {
            assert_eq!(permits(&rights, method, path), expected, "{method} {path}");
        }
    }
}
