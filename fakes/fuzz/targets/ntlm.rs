//! NTLM's messages: a client's third, and what stands in an Authorization line.
#![no_main]

use directory::ntlm::Authenticate;
use libfuzzer_sys::fuzz_target;
use protocols::iis::ntlm::Token;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Authenticate::read(bytes) {
        message.named();
        message.proves("pass-red", [1, 2, 3, 4, 5, 6, 7, 8]);
    }
    if let Ok(line) = std::str::from_utf8(bytes) {
        Token::read(line);
    }
});
