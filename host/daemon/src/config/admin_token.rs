//! The token of the admin API: where it is read from, and how the daemon makes one.

use super::{TokenSource, create_private};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A token that others chose is at least this long, because it opens everything.
const BYTES_MIN: usize = 16;

/// Why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminTokenError {
    /// `admin.token_env` names a variable that is not there.
    #[error("admin.token_env names {0}, which is not set in the environment; set it or remove the key")]
    NotSet(String),
    /// The file is not there.
    #[error("there is no admin token in {}; {}", path.display(), hint)]
    NoFile {
        /// Which file.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// The file cannot be read or made.
    #[error("the admin token {} cannot be {doing}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read` or `made`.
        doing: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The token is too short, or cannot stand in a header.
    #[error(
        "the admin token in {0} cannot be used; it needs at least {BYTES_MIN} visible ASCII characters on one line"
    )]
    Unusable(String),
}

/// The token, as a client of the daemon needs it.
pub(super) fn load(source: &TokenSource) -> Result<Zeroizing<String>, AdminTokenError> {
    match source {
        TokenSource::Env(name) => {
            let token = std::env::var(name).map(Zeroizing::new).map_err(|_| AdminTokenError::NotSet(name.clone()))?;
            checked(&token, name)
        }
        TokenSource::File(path) => read(path, "make the file, or correct admin.token_file"),
        TokenSource::Made(path) => read(path, "the daemon makes it at its first start; is this its configuration?"),
    }
}

/// The token, as the daemon needs it.
pub(super) fn load_or_make(source: &TokenSource) -> Result<Zeroizing<String>, AdminTokenError> {
    match (load(source), source) {
        (Err(AdminTokenError::NoFile { .. }), TokenSource::Made(path)) => make(path),
        (loaded, _) => loaded,
    }
}

fn read(path: &Path, hint: &'static str) -> Result<Zeroizing<String>, AdminTokenError> {
    match std::fs::read_to_string(path) {
        Ok(text) => checked(&Zeroizing::new(text), &path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(AdminTokenError::NoFile { path: path.to_owned(), hint })
        }
        Err(source) => Err(AdminTokenError::Io { path: path.to_owned(), doing: "read", source }),
    }
}

fn checked(text: &str, place: &str) -> Result<Zeroizing<String>, AdminTokenError> {
    let token = text.trim();
    if token.len() < BYTES_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AdminTokenError::Unusable(place.to_owned()));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

/// 32 random bytes in a file that its owner alone can read.
fn make(path: &Path) -> Result<Zeroizing<String>, AdminTokenError> {
    let failed = |source| AdminTokenError::Io { path: path.to_owned(), doing: "made", source };
    let mut random = Zeroizing::new([0_u8; 32]);
    getrandom::fill(random.as_mut_slice()).map_err(|error| failed(std::io::Error::other(error.to_string())))?;
    let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = create_private(path).map_err(failed)?;
    file.write_all(token.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::super::TokenSource;
    use super::{load, load_or_make};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_daemon_makes_one_that_its_owner_alone_can_read_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/admin.token");
        let source = TokenSource::Made(path.clone());
        let missing = load(&source).unwrap_err().to_string();
        assert_eq!(
            missing,
            format!(
                "there is no admin token in {}; the daemon makes it at its first start; is this its configuration?",
                path.display()
            )
        );
        let made = load_or_make(&source).unwrap();
        assert_eq!(made.len(), 43);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((load_or_make(&source).unwrap(), load(&source).unwrap()), (made.clone(), made));
    }

    #[test]
    fn a_given_one_must_be_there_and_be_usable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::File(path.clone());
        let refusal = || load_or_make(&source).unwrap_err().to_string();
        let name = path.display();
        assert_eq!(refusal(), format!("there is no admin token in {name}; make the file, or correct admin.token_file"));
        for text in ["", "fifteen letters", "two\nlines of text that are long", "sixteen letters\u{e9}!"] {
            std::fs::write(&path, text).unwrap();
            let expected = format!(
                "the admin token in {name} cannot be used; it needs at least 16 visible ASCII characters on one line"
            );
            assert_eq!(refusal(), expected, "{text:?}");
        }
        std::fs::write(&path, " 0123456789abcdef\n").unwrap();
        assert_eq!(load_or_make(&source).unwrap().as_str(), "0123456789abcdef");
        let source = TokenSource::Env("DRAGOMAN_TEST_NOT_SET".into());
        let expected = "admin.token_env names DRAGOMAN_TEST_NOT_SET, which is not set in the environment; set it or remove the key";
        assert_eq!(load_or_make(&source).unwrap_err().to_string(), expected);
    }
}
