//! An object of the tree: its name and its attributes.

use super::dn::Dn;
use super::schema::Class;

/// An object.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) dn: Dn,
    attributes: Vec<Attribute>,
}

/// An attribute with its values.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) values: Vec<Vec<u8>>,
}

impl Entry {
    /// An object of no class: the rootDSE.
    pub(super) fn bare(dn: Dn) -> Entry {
        Entry { dn, attributes: vec![] }
    }

    /// An object with what every object has. `schema` is where its category is.
    pub(super) fn new(dn: Dn, name: &str, class: &'static Class, schema: &Dn) -> Entry {
        let category = schema.child("CN", class.category);
        let classes = std::iter::once("top").chain(class.above.iter().copied()).chain([class.name]);
        // A value of its own, told by the name: the same in each lab, and as little a secret as anything here.
        let guid = guid_octets(&crate::account::guid_of(&format!("objectGUID {}", dn.key())));
        let entry = Entry::bare(dn.clone())
            .texts("objectClass", classes)
            .text("cn", name)
            .text("name", name)
            .text("distinguishedName", dn.as_str())
            .text("objectCategory", category.as_str());
        match guid {
            Some(guid) => entry.octets("objectGUID", guid),
            None => entry,
        }
    }

    pub(super) fn text(self, name: &'static str, value: impl ToString) -> Entry {
        self.octets(name, value.to_string().into_bytes())
    }

    pub(super) fn texts<T: ToString>(self, name: &'static str, values: impl IntoIterator<Item = T>) -> Entry {
        values.into_iter().fold(self, |entry, value| entry.text(name, value))
    }

    /// A value beside those that the attribute has.
    pub(super) fn octets(mut self, name: &'static str, value: Vec<u8>) -> Entry {
        match self.attributes.iter_mut().find(|attribute| attribute.name == name) {
            Some(attribute) => attribute.values.push(value),
            None => self.attributes.push(Attribute { name, values: vec![value] }),
        }
        self
    }

    /// Without an attribute.
    pub(super) fn without(mut self, name: &str) -> Entry {
        self.attributes.retain(|attribute| attribute.name != name);
        self
    }

    pub(super) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The values of an attribute, whatever its letter case.
    pub(super) fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        found.map_or(&[], |attribute| &attribute.values)
    }

    /// The first value of an attribute, where it is text.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.values(name).first().and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// A GUID as octets: its first three numbers have their last byte first (MS-DTYP, section 2.3.4.2).
pub(super) fn guid_octets(written: &str) -> Option<Vec<u8>> {
    let digits: String = written.trim_matches(['{', '}']).chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let mut octets: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()).collect::<Option<_>>()?;
    octets[0..4].reverse();
    octets[4..6].reverse();
    octets[6..8].reverse();
    Some(octets)
}

/// A security identifier as octets (MS-DTYP, section 2.4.2.2).
pub(super) fn sid_octets(written: &str) -> Option<Vec<u8>> {
    let mut parts = written.split('-');
    if !parts.next()?.eq_ignore_ascii_case("S") || parts.next()? != "1" {
        return None;
    }
    let authority: u32 = parts.next()?.parse().ok()?;
    let below: Vec<u32> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let mut octets = vec![1, u8::try_from(below.len()).ok().filter(|count| *count <= 15)?, 0, 0];
    octets.extend(authority.to_be_bytes());
    octets.extend(below.iter().flat_map(|part| part.to_le_bytes()));
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MS-DTYP, section 2.3.4.3: the curly braced string of the GUID whose octets are these.
    #[test]
    fn a_guid_has_its_first_three_numbers_last_byte_first() {
        assert_eq!(
            guid_octets("{00112233-4455-6677-8899-aabbccddeeff}").unwrap(),
            [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]
        );
        assert_eq!(guid_octets("00112233"), None);
    }

    /// The well-known SID of the Administrators, S-1-5-32-544.
    #[test]
    fn a_sid_has_its_authority_first_byte_first_and_the_rest_last_byte_first() {
        assert_eq!(sid_octets("S-1-5-32-544").unwrap(), [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        for wrong in ["S-2-5-32", "1-5-32", "S-1-x", "S-1-5-99999999999"] {
            assert_eq!(sid_octets(wrong), None, "{wrong}");
        }
    }
}
