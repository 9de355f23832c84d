//! Opening: no input opens that was not sealed, and a sealed one opens only unchanged.
//!
//! The first byte says whether the rest is an arbitrary ciphertext, or a change to one that we sealed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealward_core::{EncryptionContext, KeyId, KeyVersion, Purpose, VersionKey, open, seal};
use sealward_fuzz::Zeros;

fuzz_target!(|data: &[u8]| {
    let key = VersionKey::new(KeyId::from_bytes([3; 16]), KeyVersion::FIRST, &[5; 32]);
    let none = EncryptionContext::none();
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let sealed = seal(&key, Purpose::Data, &none, b"plaintext", &mut Zeros).unwrap();
    if mode % 2 == 0 {
        let opened = open(&key, Purpose::Data, &none, rest);
        assert!(opened.is_err() || rest == sealed);
        return;
    }
    let mut changed = sealed.clone();
    for pair in rest.chunks_exact(2) {
        let at = usize::from(pair[0]) % changed.len();
        changed[at] ^= pair[1];
    }
    let opened = open(&key, Purpose::Data, &none, &changed);
    assert_eq!(opened.is_ok(), changed == sealed);
});
