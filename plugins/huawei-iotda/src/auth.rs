//! IAM tokens: an opaque text in `X-Auth-Token`, granted for projects.

use crate::answer::{ApiError, Failure};
use dragoman_plugin_sdk::{Error, Gateway, Request, json};
use serde::Deserialize;

/// The header of the token, lower case.
pub(crate) const TOKEN_HEADER: &str = "x-auth-token";

/// Rights of a token: `{"projects": ["…"]}`, or `{"projects": "*"}` for every project.
#[derive(Debug, Deserialize)]
struct Rights {
    projects: Projects,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Projects {
    One(String),
    Some(Vec<String>),
}

/// Refuses a call without a token for that project.
pub(crate) fn authorize(gateway: &impl Gateway, request: &Request, project: &str) -> Result<(), Failure> {
    if request.presented.as_ref().is_none_or(|presented| presented.scheme != TOKEN_HEADER) {
        return Err(ApiError::authentication().into());
    }
    let identity = gateway.check_presented(None).map_err(|error| match error {
        Error::Denied(_) | Error::NotFound(_) | Error::Invalid(_) => ApiError::authentication().into(),
        error => Failure::Fault(error),
    })?;
    let rights: Rights = json::parse_object(&identity.rights).map_err(|broken| {
        Error::Internal(format!(
            "the rights of token {} must be {{\"projects\": [\"…\"]}} or {{\"projects\": \"*\"}}: {}",
            identity.account,
            broken.text()
        ))
    })?;
    // A token of another project is no token for this one, so the platform does not tell the two cases apart.
    if permits(&rights.projects, project) { Ok(()) } else { Err(ApiError::authentication().into()) }
}

fn permits(projects: &Projects, project: &str) -> bool {
    let fits = |granted: &str| granted == "*" || granted == project;
    match projects {
        Projects::One(granted) => fits(granted),
        Projects::Some(granted) => granted.iter().any(|granted| fits(granted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_name_projects() {
        for (rights, expected) in [
            (r#"{"projects":["p","q"]}"#, Some(true)),
            (r#"{"projects":["q"]}"#, Some(false)),
            (r#"{"projects":[]}"#, Some(false)),
            (r#"{"projects":"*"}"#, Some(true)),
            (r#"{"projects":["*"]}"#, Some(true)),
            (r#"{"projects":"p"}"#, Some(true)),
            (r"{}", None),
            (r#"{"projects":7}"#, None),
        ] {
            let permitted = json::parse::<Rights>(rights).ok().map(|rights| permits(&rights.projects, "p"));
            assert_eq!(permitted, expected, "{rights}");
        }
    }
}
