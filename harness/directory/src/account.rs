//! Accounts: a mailbox's user, and every form in which it is named.

use model::{CaseId, DatabaseName, HostName, MailboxName};
use serde::{Deserialize, Serialize};

/// A user with a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Account {
    /// Its mailbox: `purple`, or leased, `purple-1a2b3c`.
    pub name: MailboxName,
    /// The topology's mailbox that it is like.
    pub colour: MailboxName,
    /// Primary address.
    pub address: String,
    /// User principal name.
    pub upn: String,
    /// `CONTOSO\purple-1a2b3c`
    pub account: String,
    /// legacyExchangeDN
    pub legacy_dn: String,
    /// Mailbox GUID.
    pub guid: String,
    /// Security identifier.
    pub sid: String,
    /// Shown name.
    pub display_name: String,
    /// The database it is in.
    pub database: DatabaseName,
    /// The device that a case gives it.
    pub device_id: String,
    /// Its password. Never leaves by a door.
    #[serde(skip)]
    pub password: String,
}

impl Account {
    /// An account; `user` is what it is called where that differs from the mailbox's name.
    pub fn new(
        name: &MailboxName,
        colour: &MailboxName,
        user: Option<String>,
        domain: &HostName,
        database: DatabaseName,
        password: String,
    ) -> Account {
        let hash = fnv(name.as_str().as_bytes());
        let user = user.unwrap_or_else(|| name.to_string());
        Account {
            address: format!("{name}@{domain}"),
            upn: format!("{user}@{domain}"),
            account: format!("CONTOSO\\{user}"),
            legacy_dn: format!(
                "/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={name}"
            ),
            guid: guid(hash),
            sid: format!("S-1-5-21-2127521184-1604012920-1887927527-{}", 1000 + hash % 1_000_000_000),
            display_name: format!("{name} (Coexist)"),
            device_id: format!("COEX{:016X}", hash),
            name: name.clone(),
            colour: colour.clone(),
            database,
            password,
        }
    }

    /// Every form in which something may name it.
    pub fn forms(&self) -> Vec<String> {
        let mut forms = vec![
            self.name.to_string(),
            self.address.clone(),
            self.upn.clone(),
            self.account.clone(),
            self.legacy_dn.clone(),
            self.guid.clone(),
            self.sid.clone(),
            self.device_id.clone(),
        ];
        if let Some((_, user)) = self.account.split_once('\\') {
            forms.push(user.to_owned());
        }
        forms.sort();
        forms.dedup();
        forms
    }
}

/// Six hexadecimal digits of a hash of the case and the mailbox: the mark of a lease.
pub fn mark(case: &CaseId, colour: &MailboxName) -> String {
    let hash = fnv(format!("{case} {colour}").as_bytes());
    format!("{:06x}", (hash ^ (hash >> 24)) & 0xff_ffff)
}

/// FNV-1a, 64 bits: small, stable over releases, and no secret.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A GUID of something's own, told by its name.
pub(crate) fn guid_of(name: &str) -> String {
    guid(fnv(name.as_bytes()))
}

fn guid(hash: u64) -> String {
    let wide = format!("{:016x}{:016x}", hash, fnv(&hash.to_be_bytes()));
    let mut text = String::new();
    for (at, digit) in wide.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}
