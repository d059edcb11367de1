//! A record's properties as types: what does not fit is noted with its place, and left out.

use model::mail::ConnectionSetting;
use model::topology::Authentication;
use model::{HostName, WebUrl};

use crate::cmdlet::{Cmdlet, named};
use crate::note::{Kind, Note};
use crate::record::{Record, Value};

/// True or false, in the languages in which Excel writes them.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.trim_start_matches('$').to_lowercase().as_str() {
        "true" | "wahr" | "vrai" | "verdadero" | "verdadeiro" | "vero" | "waar" | "prawda" | "sant"
        | "sand" | "1" | "yes" => Some(true),
        "false" | "falsch" | "faux" | "falso" | "onwaar" | "fałsz" | "falskt" | "falsk" | "0" | "no" => {
            Some(false)
        }
        _ => None,
    }
}

/// A record that is read, property by property.
pub(crate) struct Reading<'r> {
    pub(crate) cmdlet: Cmdlet,
    pub(crate) record: &'r Record,
    pub(crate) notes: &'r mut Vec<Note>,
}

impl<'r> Reading<'r> {
    /// A text, as it is exported; none where it is blank or not there.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'r str> {
        self.whole(name);
        self.record.text(name)
    }

    /// The first of several properties that says something: versions call them differently.
    pub(crate) fn first(&mut self, names: &[&str]) -> Option<&'r str> {
        names.iter().find_map(|name| self.text(name))
    }

    /// A name out of the directory: of `contoso.com/Configuration/Sites/Site1` and `CN=Site1,CN=Sites` the last part.
    pub(crate) fn name(&mut self, names: &[&str]) -> Option<String> {
        self.first(names).map(relative)
    }

    /// What an object is known by. One that was exported without it cannot be told from its like: said, and left out.
    pub(crate) fn known_by(&mut self, names: &[&str]) -> Option<&'r str> {
        let found = self.first(names);
        if found.is_none() && !names.iter().any(|name| self.record.has(name)) {
            let says = format!("an object of {} without {}", self.cmdlet.called(), names[0]);
            self.say(Kind::LeftOut, names[0], says);
        }
        found
    }

    /// Several names, each as [`Reading::name`] has it.
    pub(crate) fn names(&mut self, name: &str) -> Vec<String> {
        self.whole(name);
        let items = self.record.property(name).map(|property| property.value.items()).unwrap_or_default();
        items.into_iter().map(relative).collect()
    }

    /// True or false. Exchange writes both in English; Excel, and people, in their own language.
    pub(crate) fn truth(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        truth(text).or_else(|| self.bad(name, text, "is neither True nor False"))
    }

    /// One of the words of an enumeration, in any letter case.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, is)| *is);
        known.or_else(|| {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.bad(name, text, &format!("is none of {}", all.join(", ")))
        })
    }

    /// A DNS name.
    pub(crate) fn host(&mut self, name: &str) -> Option<HostName> {
        let text = self.text(name)?;
        match HostName::folded(text) {
            Ok(host) => Some(host),
            Err(_) => self.bad(name, text, "is no DNS name"),
        }
    }

    /// A web address.
    pub(crate) fn url(&mut self, name: &str) -> Option<WebUrl> {
        let text = self.text(name)?;
        match WebUrl::folded(text) {
            Ok(url) => Some(url),
            Err(_) => self.bad(
                name,
                text,
                "is no web address without a port of its own, as https://mail.contoso.com/owa is",
            ),
        }
    }

    /// Ways to sign in; those that no client of a lab has are left out without a word: WSSecurity, OAuth, Digest and the like
    /// stand in every export.
    pub(crate) fn authentication(&mut self, name: &str) -> Option<Vec<Authentication>> {
        self.whole(name);
        let property = self.record.property(name)?;
        if matches!(property.value, Value::Lost(_)) {
            return None;
        }
        let words = property.value.items().into_iter().flat_map(str::split_whitespace);
        let mut methods: Vec<Authentication> = vec![];
        for word in words {
            let method = match word.to_lowercase().as_str() {
                "basic" => Authentication::Basic,
                "fba" => Authentication::Fba,
                "ntlm" => Authentication::Ntlm,
                "windowsintegrated" | "integrated" => Authentication::Windows,
                "negotiate" | "kerberos" => Authentication::Negotiate,
                "negoex" | "nego2" => Authentication::Nego2,
                "anonymous" => Authentication::Anonymous,
                "wssecurity" | "oauth" | "digest" | "adfs" | "certificate" | "liveidfba" | "liveidbasic"
                | "liveidnegotiate" | "misconfigured" | "none" => continue,
                _ => {
                    let _: Option<()> = self.bad(name, word, "is no authentication method that is known");
                    continue;
                }
            };
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        Some(methods)
    }

    /// InternalConnectionSettings: `HostName:Port:EncryptionType`.
    pub(crate) fn connection_settings(&mut self) -> Vec<ConnectionSetting> {
        const NAME: &str = "InternalConnectionSettings";
        self.whole(NAME);
        let items = self.record.property(NAME).map(|property| property.value.items()).unwrap_or_default();
        let mut settings = vec![];
        for item in items {
            let written = match item.rsplit_once(':') {
                Some((address, kind)) => format!("{}:{}", address.to_lowercase(), kind.to_uppercase()),
                None => item.to_owned(),
            };
            match written.parse() {
                Ok(setting) => settings.push(setting),
                Err(_) => {
                    let _: Option<()> = self.bad(NAME, item, "is no HostName:Port:EncryptionType");
                }
            }
        }
        settings
    }

    /// A value that cannot be used: said, and left out.
    pub(crate) fn bad<T>(&mut self, name: &str, value: &str, why: &str) -> Option<T> {
        let says = format!("{}: {name} `{value}` {why}", named(self.record));
        self.say(Kind::LeftOut, name, says);
        None
    }

    /// Says that a property is not in the export, and what that comes to.
    pub(crate) fn missing(&mut self, name: &str, so: &str) {
        let says = format!("{}: {name} is not in the export: {so}", named(self.record));
        self.say(Kind::Missing, name, says);
    }

    /// Says that a value may not be what Exchange has.
    pub(crate) fn doubtful(&mut self, name: &str, says: &str) {
        let says = format!("{}: {name} {says}", named(self.record));
        self.say(Kind::Doubtful, name, says);
    }

    /// Says where a list was cut off, or holds its type's name instead of values.
    fn whole(&mut self, name: &str) {
        let says = match self.record.property(name).map(|property| &property.value) {
            Some(Value::Cut(_)) => format!(
                "{}: {name} was cut off by $FormatEnumerationLimit, or by the end of the line: the rest is not known. Set \
                 $FormatEnumerationLimit = -1 and export {} again",
                named(self.record),
                self.cmdlet.called()
            ),
            Some(Value::Lost(kind)) => format!(
                "{}: {name} is not in the export, which holds the name of its type, {kind}: Export-Csv does so with lists. Export \
                 {} with Export-Clixml",
                named(self.record),
                self.cmdlet.called()
            ),
            _ => return,
        };
        self.say(Kind::Doubtful, name, says);
    }

    fn say(&mut self, kind: Kind, name: &str, says: String) {
        let at = self.record.property(name).map(|property| property.place(self.record));
        let note = Note::new(kind, at.as_ref().unwrap_or(&self.record.at), says);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The last part of a name in the directory.
pub(crate) fn relative(name: &str) -> String {
    let own = match name.split_once('=') {
        Some((kind, rest)) if kind.eq_ignore_ascii_case("cn") => rest.split(',').next().unwrap_or_default(),
        _ => name.rsplit('/').next().unwrap_or_default(),
    };
    own.trim().trim_start_matches('\\').to_owned()
}
