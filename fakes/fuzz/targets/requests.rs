//! What a browser's form and a device's query say: a query up to the first line's end, a body behind it.
#![no_main]

use bytes::Bytes;
use http::Request;
use libfuzzer_sys::fuzz_target;
use protocols::eas::EasRequest;
use protocols::fba::{LogonForm, wanted};
use protocols::iis;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (query, body) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let _ = LogonForm::read(body);
    if let Ok(text) = std::str::from_utf8(query) {
        wanted(text);
        iis::basic(text);
        let target = format!("/Microsoft-Server-ActiveSync?{text}");
        if let Ok(request) = Request::builder().method("POST").uri(target).body(Bytes::copy_from_slice(body)) {
            let _ = EasRequest::read(&request);
        }
    }
});
