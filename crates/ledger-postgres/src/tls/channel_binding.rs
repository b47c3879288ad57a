//! Channel binding `tls-server-end-point` (RFC 5929): the hash of the server's certificate, by the hash function of
//! its signature.
//!
//! SCRAM signs it, so a password exchange that is relayed through another TLS connection fails.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The hash of a certificate in DER; `None` if its signature has no hash function, as Ed25519.
pub(super) fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signature_hash(certificate)? {
        SignatureHash::Sha256 => Sha256::digest(certificate).to_vec(),
        SignatureHash::Sha384 => Sha384::digest(certificate).to_vec(),
        SignatureHash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureHash {
    /// Also in place of MD5 and SHA-1, as the RFC demands.
    Sha256,
    Sha384,
    Sha512,
}

/// Object identifiers of signature algorithms, with their hash functions.
const ALGORITHMS: [(&[u8], SignatureHash); 8] = [
    (RSA_MD5, SignatureHash::Sha256),
    (RSA_SHA1, SignatureHash::Sha256),
    (RSA_SHA256, SignatureHash::Sha256),
    (RSA_SHA384, SignatureHash::Sha384),
    (RSA_SHA512, SignatureHash::Sha512),
    (ECDSA_SHA256, SignatureHash::Sha256),
    (ECDSA_SHA384, SignatureHash::Sha384),
    (ECDSA_SHA512, SignatureHash::Sha512),
];

const RSA_MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04];
const RSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER, … }, … }`.
fn signature_hash(certificate: &[u8]) -> Option<SignatureHash> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    ALGORITHMS.iter().find(|(known, _)| *known == identifier).map(|(_, hash)| *hash)
}

/// The content of the first DER element, which must have this tag, and the bytes after it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        short @ ..0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            // A certificate is shorter than 16 MiB.
            if bytes.len() > 3 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate with this algorithm, and a body of so many bytes.
    fn certificate(identifier: &[u8], body_bytes: usize) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| match u8::try_from(content.len()) {
            Ok(short @ ..0x80) => [&[tag, short], content].concat(),
            Ok(long) => [&[tag, 0x81, long], content].concat(),
            Err(_) => {
                let length = u16::try_from(content.len()).unwrap().to_be_bytes();
                [&[tag, 0x82], &length[..], content].concat()
            }
        };
        let algorithm = wrap(SEQUENCE, &wrap(OBJECT_IDENTIFIER, identifier));
        wrap(SEQUENCE, &[wrap(SEQUENCE, &vec![0; body_bytes]), algorithm, wrap(3, b"sig")].concat())
    }

    #[test]
    fn hash_follows_the_signature() {
        for body_bytes in [0, 127, 128, 255, 256, 2000] {
            for (identifier, hash) in ALGORITHMS {
                let certificate = certificate(identifier, body_bytes);
                assert_eq!(signature_hash(&certificate), Some(hash));
                let bytes = match hash {
                    SignatureHash::Sha256 => 32,
                    SignatureHash::Sha384 => 48,
                    SignatureHash::Sha512 => 64,
                };
                assert_eq!(server_end_point(&certificate).map(|digest| digest.len()), Some(bytes));
            }
        }
        let ed25519 = certificate(&[0x2b, 0x65, 0x70], 200);
        assert_eq!(server_end_point(&ed25519), None);
    }

    #[test]
    fn damaged_certificate_has_no_binding() {
        let whole = certificate(RSA_SHA256, 300);
        for length in 0..300 {
            assert_eq!(signature_hash(&whole[..length]), None, "{length}");
        }
        for bytes in [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x30, 0x80], &[0x30, 0xff], &[0x31, 0]] {
            assert_eq!(signature_hash(bytes), None);
        }
    }
}
