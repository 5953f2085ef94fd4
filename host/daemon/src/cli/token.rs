//! `dragoman token`.

use super::args::{TokenKind, TokenVerb};
use super::client::Daemon;
use super::failure::Failure;
use super::output::{Output, items, table, text};
use super::time;
use serde_json::{Value, json};

/// Does what was asked.
pub(super) fn run(verb: TokenVerb, daemon: &Daemon, output: &Output) -> Result<(), Failure> {
    match verb {
        TokenVerb::Create { dialect, account, rights, kind, secret } => {
            let mut body =
                json!({"dialect": dialect, "account": account, "rights": rights.unwrap_or_else(|| json!({}))});
            if let (Some(object), Some(secret)) = (body.as_object_mut(), secret.read()?) {
                object.insert("secret".to_owned(), Value::from(secret.as_str()));
            }
            if let (Some(object), Some(kind)) = (body.as_object_mut(), kind) {
                let word = match kind {
                    TokenKind::Token => "token",
                    TokenKind::Password => "password",
                    TokenKind::Key => "key",
                };
                object.insert("kind".to_owned(), Value::from(word));
            }
            let made = daemon.post(&["tokens"], &body)?;
            output.print(&made, |made| match text(made, "secret").as_str() {
                "" => format!("account {account} of {dialect} may now use its secret"),
                secret => format!("account  {account}\nsecret   {secret}\n\nThe secret is not shown again."),
            });
            output.warnings(&made);
        }
        TokenVerb::List { dialect } => {
            let query: Vec<_> = dialect.into_iter().map(|dialect| ("dialect".to_owned(), dialect)).collect();
            output.print(&daemon.get(&["tokens"], &query)?, listed);
        }
        TokenVerb::Remove { dialect, account } => {
            daemon.delete(&["tokens", &dialect, &account])?;
            let removed = json!({"removed": {"dialect": dialect, "account": account}});
            output.print(&removed, |_| format!("account {account} of {dialect} is removed"));
        }
    }
    Ok(())
}

fn listed(page: &Value) -> String {
    let rows: Vec<_> = items(page, "items")
        .map(|token| {
            let created = time::shown(token, "created_ms");
            vec![text(token, "dialect"), text(token, "account"), text(token, "kind"), text(token, "rights"), created]
        })
        .collect();
    table(&["DIALECT", "ACCOUNT", "KIND", "RIGHTS", "CREATED"], &rows, "no credentials of applications")
}
