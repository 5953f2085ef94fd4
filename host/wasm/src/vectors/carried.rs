//! Vectors that a component carries in itself, so that whoever loads it can try them.

use super::{FILE_MAX_BYTES, VectorError};
use wasm_encoder::{CustomSection, Section as _};
use wasmparser::{Parser, Payload};

/// Name of the custom section. It holds a JSON array of vectors, each with a `name`.
const SECTION: &str = "dragoman:vectors";

/// The JSON that a component carries, if it does; in itself or in one of its modules.
pub(crate) fn carried(wasm: &[u8]) -> Result<Option<&[u8]>, VectorError> {
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| VectorError(format!("the component cannot be read: {error}")))?;
        if let Payload::CustomSection(section) = payload
            && section.name() == SECTION
        {
            return Ok(Some(section.data()));
        }
    }
    Ok(None)
}

/// The component with a section that carries these vectors. One that carries some already is refused.
pub(super) fn carry(mut wasm: Vec<u8>, json: &[u8]) -> Result<Vec<u8>, VectorError> {
    if carried(&wasm)?.is_some() {
        return Err(VectorError("the component carries vectors already; begin with the one that was built".into()));
    }
    if json.len() as u64 > FILE_MAX_BYTES {
        let bytes = json.len();
        return Err(VectorError(format!("the vectors have {bytes} bytes, but a component may carry {FILE_MAX_BYTES}")));
    }
    let section = CustomSection { name: SECTION.into(), data: json.into() };
    section.append_to(&mut wasm);
    Ok(wasm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_is_found() {
        // The smallest component.
        let bare = b"\0asm\x0d\0\x01\0".to_vec();
        assert_eq!(carried(&bare), Ok(None));
        let loaded = carry(bare, b"[{\"name\":\"a\"}]").unwrap();
        assert_eq!(carried(&loaded), Ok(Some(b"[{\"name\":\"a\"}]".as_slice())));
        assert!(carry(loaded.clone(), b"[]").is_err());
        assert!(carried(&loaded[..loaded.len() - 1]).is_err());
    }
}
