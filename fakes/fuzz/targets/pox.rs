//! Autodiscover's requests, as plain XML and over SOAP: what is refused has an answer too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocols::autodiscover::{PoxRequest, SoapRequest};

fuzz_target!(|bytes: &[u8]| {
    if let Err(refused) = PoxRequest::read(bytes) {
        drop(refused.answer());
    }
    if let Err(refused) = SoapRequest::read(bytes) {
        drop(refused.answer());
    }
});
