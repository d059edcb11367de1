//! Policies: [MS-ASPROV] 3.2.5. A device asks, is given a policy under a temporary key, accepts it, is given the key.

use super::request::{EasRequest, Protocol};
use super::{Answer, bare, document};
use crate::iis::Reason;
use crate::wbxml::Element;
use crate::wbxml::provision::{
    DATA, DEVICE_PASSWORD_ENABLED, EAS_PROVISION_DOC, POLICIES, POLICY, POLICY_KEY, POLICY_TYPE, PROVISION,
    STATUS,
};
use crate::wbxml::settings;
use http::StatusCode;

/// The policy type of 12.0 and later, [MS-ASPROV] 2.2.2.43.
const POLICY_IN_WBXML: &str = "MS-EAS-Provisioning-WBXML";

/// What a device is told that does not follow the policy: 449 up to 12.1, a status in the answer's root after it
/// (wire facts 2.1). `None` if it follows.
pub(super) fn refusal(read: &EasRequest, status: impl FnOnce(&str) -> Option<Element>) -> Option<Answer> {
    let code = match read.policy_key {
        Some(key) if key == final_key(&read.device_id) => return None,
        Some(_) => "144",
        None => "142",
    };
    if read.protocol > Protocol::V12_1
        && let Some(root) = status(code)
    {
        return Some(document(&root));
    }
    let mut answer = bare(StatusCode::from_u16(449).expect("449 is a status code"));
    answer.extensions_mut().insert(Reason("Retry after sending a PROVISION command".to_owned()));
    Some(answer)
}

pub(super) fn answer(read: &EasRequest, root: &Element) -> Element {
    let mut children = Vec::new();
    if root.child(settings::DEVICE_INFORMATION).is_some() {
        let done = Element::text(settings::STATUS, "1");
        children.push(Element::with(settings::DEVICE_INFORMATION, [done]));
    }
    let asked = root.child(POLICIES).and_then(|policies| policies.child(POLICY));
    let Some(asked) = asked else {
        // 2.2.2.54: 2 is a protocol error.
        return Element::with(PROVISION, [Element::text(STATUS, "2")]);
    };
    let kind = asked.text_of(POLICY_TYPE).unwrap_or_default();
    let mut policy = vec![Element::text(POLICY_TYPE, kind)];
    let temporary = temporary_key(&read.device_id);
    match asked.text_of(POLICY_KEY) {
        // 2.2.2.54.2: 3 is an unknown policy type, 5 an acknowledgement of the wrong key.
        _ if kind != POLICY_IN_WBXML => policy.push(Element::text(STATUS, "3")),
        None => {
            let document = [Element::text(DEVICE_PASSWORD_ENABLED, "0")];
            policy.push(Element::text(STATUS, "1"));
            policy.push(Element::text(POLICY_KEY, temporary.to_string()));
            policy.push(Element::with(DATA, [Element::with(EAS_PROVISION_DOC, document)]));
        }
        Some(key) if key.parse() == Ok(temporary) => {
            policy.push(Element::text(STATUS, "1"));
            policy.push(Element::text(POLICY_KEY, final_key(&read.device_id).to_string()));
        }
        Some(_) => policy.push(Element::text(STATUS, "5")),
    }
    children.push(Element::text(STATUS, "1"));
    children.push(Element::with(POLICIES, [Element::with(POLICY, policy)]));
    Element::with(PROVISION, children)
}

/// A key that any server of the organisation knows again: a hash (FNV-1a) of the device's id, even for the key that a
/// policy is given under, odd for the one that is kept, never 0.
fn final_key(device_id: &str) -> u32 {
    let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    device_id.bytes().fold(0x811C_9DC5, hash) | 1
}

fn temporary_key(device_id: &str) -> u32 {
    (final_key(device_id) ^ 0x5555_5554).max(2) & !1
}
