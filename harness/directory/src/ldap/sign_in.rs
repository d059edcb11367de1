//! Simple bind: which forms of a name sign in, and with which password.

use std::sync::Arc;

use super::answer::{Code, Outcome};
use super::dn::Dn;
use super::message::Bind;
use super::tree::Tree;
use crate::Directory;

/// Whom a connection speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    Nobody,
    /// `CONTOSO\purple-1a2b3c`
    User(Arc<str>),
}

/// Signs in, as Active Directory does: by distinguished name, user principal name, `DOMAIN\user`, GUID or SID
/// (MS-ADTS, section 5.1.1.1.1). No name and no password is nobody; so is a name without a password, with which many a
/// program that checks passwords by binding has let everyone in.
pub(super) fn bind(directory: &Directory, tree: &Tree, wanted: &Bind) -> Result<Who, Outcome> {
    if wanted.version != 3 {
        return Err(Outcome::says(Code::ProtocolError, "only LDAP version 3 is spoken here"));
    }
    let Some(password) = &wanted.password else {
        return Err(Outcome::says(
            Code::AuthMethodNotSupported,
            "only simple bind is offered here: a name and a password",
        ));
    };
    if password.is_empty() {
        return Ok(Who::Nobody);
    }
    let user = named(directory, tree, wanted.name.trim()).ok_or_else(|| Outcome::bad_credentials("525"))?;
    let right = std::str::from_utf8(password).is_ok_and(|password| {
        let service = directory.service();
        match service.user.eq_ignore_ascii_case(&user) {
            true => service.password == password,
            false => directory.authenticate(&user, password).is_some(),
        }
    });
    match right {
        true => Ok(Who::User(user.into())),
        false => Err(Outcome::bad_credentials("52e")),
    }
}

/// The `DOMAIN\user` that a form leads to.
fn named(directory: &Directory, tree: &Tree, form: &str) -> Option<String> {
    let service = directory.service().user;
    let domain = service.split('\\').next().unwrap_or_default();
    let of_user = |user: &str| format!("{domain}\\{user}");
    if let Some(at) = Dn::parse(form).and_then(|dn| tree.find(dn.key())) {
        return tree.entries()[at].first("sAMAccountName").map(of_user);
    }
    if form.eq_ignore_ascii_case(&service) {
        return Some(service);
    }
    let suffix = format!("@{}", directory.topology().domain);
    if let Some((user, at)) = form.len().checked_sub(suffix.len()).and_then(|at| form.split_at_checked(at))
        && at.eq_ignore_ascii_case(&suffix)
        && service.eq_ignore_ascii_case(&of_user(user))
    {
        return Some(service);
    }
    let bare = form.trim_matches(['{', '}']);
    let account = directory.find(bare)?;
    let forms = [&account.upn, &account.account, &account.sid, &account.guid];
    forms.iter().any(|own| own.to_lowercase() == bare.to_lowercase()).then(|| account.account.clone())
}
