//! The encryption context: one encoding for each value, so what decodes is encoded to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealward_core::EncryptionContext;

fuzz_target!(|data: &[u8]| {
    if let Ok(context) = EncryptionContext::decode(data) {
        assert_eq!(context.encode(), data);
        assert_eq!(context.is_none(), data == [0]);
    }
});
