//! Which case a name belongs to, in whatever form it is written.

use std::collections::HashMap;

use model::{CaseId, MailboxName};

/// One case's own mailbox and the forms in which it can be named.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The case.
    pub case: CaseId,
    /// The leased mailbox.
    pub mailbox: MailboxName,
    /// Address, UPN, `DOMAIN\name`, legacyDN, GUID, SID, DeviceId.
    pub forms: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Leases(HashMap<String, (CaseId, MailboxName)>);

impl Leases {
    pub(crate) fn add(&mut self, lease: Lease) {
        for form in lease.forms.iter().map(String::as_str).chain([lease.mailbox.as_str()]) {
            self.0.insert(folded(form), (lease.case.clone(), lease.mailbox.clone()));
        }
    }

    pub(crate) fn find(&self, form: &str) -> Option<(CaseId, MailboxName)> {
        self.0.get(&folded(form)).cloned()
    }
}

fn folded(form: &str) -> String {
    form.trim().to_lowercase()
}
