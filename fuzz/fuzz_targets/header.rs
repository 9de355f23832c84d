//! The ciphertext header: what parses is written back to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealward_core::Header;
use sealward_core::envelope::FileHeader;

fuzz_target!(|data: &[u8]| {
    if let Ok((header, rest)) = Header::parse(data) {
        assert_eq!([&header.to_bytes()[..], rest].concat(), data);
    }
    if let Some(head) = data.first_chunk() {
        if let Ok(header) = FileHeader::parse(head) {
            assert_eq!(&header.to_bytes(), head);
        }
    }
});
