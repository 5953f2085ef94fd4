//! What stands in an X.509 certificate (RFC 5280, section 4.1), as far as operators ask.

use yasna::models::ObjectIdentifier;
use yasna::tags::{TAG_GENERALIZEDTIME, TAG_UTCTIME};
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag};

/// `id-at-commonName`.
const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];

/// Of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// In hexadecimal, as tools print it.
    pub(super) serial: String,
    /// Seconds since 1970.
    pub(super) not_before_s: u64,
    /// Seconds since 1970.
    pub(super) not_after_s: u64,
    /// Of the subject, where it has one. Somebody else's text: it is quoted where it is logged.
    pub(super) common_name: Option<String>,
}

/// Reads a certificate in DER. Its signature is not looked at.
///
/// # Errors
/// When it is none.
pub(super) fn read(der: &[u8]) -> ASN1Result<Certificate> {
    yasna::parse_der(der, |whole| {
        whole.read_sequence(|parts| {
            let certificate = parts.next().read_sequence(signed_part)?;
            skip_rest(parts)?;
            Ok(certificate)
        })
    })
}

fn signed_part(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Certificate> {
    parts.read_optional(|version| version.read_tagged(Tag::context(0), |number| number.read_der()))?;
    let (serial, _) = parts.next().read_bigint_bytes()?;
    let (_algorithm, _issuer) = (parts.next().read_der()?, parts.next().read_der()?);
    let (not_before_s, not_after_s) =
        parts.next().read_sequence(|times| Ok((time(times.next())?, time(times.next())?)))?;
    let common_name = parts.next().collect_sequence_of(|part| part.read_der())?;
    skip_rest(parts)?;
    // A leading zero only says that the number is not negative.
    let serial = match serial.as_slice() {
        [0, rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    };
    let serial = serial.iter().map(|byte| format!("{byte:02x}")).collect();
    let common_name = common_name.iter().find_map(|names| name_in(names).ok().flatten());
    Ok(Certificate { serial, not_before_s, not_after_s, common_name })
}

fn skip_rest(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while parts.read_optional(|part| part.read_der())?.is_some() {}
    Ok(())
}

/// A time before 1970 counts as 1970.
fn time(reader: BERReader<'_, '_>) -> ASN1Result<u64> {
    let seconds = match reader.lookahead_tag()? {
        TAG_UTCTIME => reader.read_utctime()?.datetime().unix_timestamp(),
        TAG_GENERALIZEDTIME => reader.read_generalized_time()?.datetime().unix_timestamp(),
        _ => return Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
    };
    Ok(u64::try_from(seconds).unwrap_or(0))
}

/// The common name in one part of a subject, if that is what the part is.
fn name_in(part: &[u8]) -> ASN1Result<Option<String>> {
    let named = yasna::parse_der(part, |set| {
        set.collect_set_of(|attribute| {
            attribute.read_sequence(|pair| {
                let kind = pair.next().read_oid()?;
                let value = pair.next().read_tagged_der()?;
                Ok((kind, String::from_utf8_lossy(value.value()).into_owned()))
            })
        })
    })?;
    let wanted = ObjectIdentifier::from_slice(&COMMON_NAME);
    Ok(named.into_iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::read;
    use rcgen::{CertificateParams, DnType, KeyPair, SerialNumber, date_time_ymd};

    #[test]
    fn what_operators_ask_is_read() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0xff, 0x01]));
        params.not_before = date_time_ymd(2000, 2, 29);
        params.not_after = date_time_ymd(2100, 3, 1);
        params.distinguished_name.push(DnType::OrganizationName, "Acme");
        params.distinguished_name.push(DnType::CommonName, "a device");
        let named = read(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!((named.serial.as_str(), named.common_name.as_deref()), ("0aff01", Some("a device")));
        assert_eq!((named.not_before_s, named.not_after_s), (951_782_400, 4_107_542_400));
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let nameless = params.self_signed(&key).unwrap();
        assert_eq!(read(nameless.der()).unwrap().common_name, None);
        for cut in [0, 1, 40, nameless.der().len() - 1] {
            assert!(read(&nameless.der()[..cut]).is_err(), "{cut} bytes are no certificate");
        }
    }
}
