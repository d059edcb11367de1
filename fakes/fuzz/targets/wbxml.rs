//! ActiveSync's documents: what is read is written again, and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::wbxml::Element;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Element::decode(bytes) {
        let again = Element::decode(&read.encode());
        assert_eq!(again.as_ref(), Ok(&read));
    }
});
