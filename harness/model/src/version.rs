//! Exchange versions and builds, and the one integer form that the wire uses everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::BadName;

/// A generation of Exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// 8.x
    Exchange2007,
    /// 14.x
    Exchange2010,
    /// 15.0.x
    Exchange2013,
}

impl Version {
    /// The first number of its builds: 8, 14, 15.
    pub fn major(self) -> u16 {
        match self {
            Version::Exchange2007 => 8,
            Version::Exchange2010 => 14,
            Version::Exchange2013 => 15,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Version::Exchange2007 => "2007",
            Version::Exchange2010 => "2010",
            Version::Exchange2013 => "2013",
        })
    }
}

/// A build, `14.3.123.4`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Build {
    /// 8, 14 or 15.
    pub major: u16,
    /// The service pack (2007, 2010) or 0 (2013).
    pub minor: u16,
    /// The build proper.
    pub build: u16,
    /// Its revision.
    pub revision: u16,
}

impl Build {
    /// The 32-bit form of Autodiscover's `ServerVersion`, Active Directory's `versionNumber` and affinity cookies:
    /// `7<<28 | major<<22 | minor<<16 | 0x8000 | build`, as published samples show (72008287 is 8.0.647).
    pub fn packed(self) -> u32 {
        (7 << 28)
            | (u32::from(self.major) << 22)
            | (u32::from(self.minor) << 16)
            | 0x8000
            | u32::from(self.build)
    }
}

impl FromStr for Build {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let bad = || BadName { given: given.to_owned(), what: "build", example: "14.3.123.4" };
        let numbers: Vec<u16> =
            given.split('.').map(|part| part.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
        match numbers[..] {
            [major, minor, build, revision] => Ok(Build { major, minor, build, revision }),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Build {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        given.parse()
    }
}

impl From<Build> for String {
    fn from(build: Build) -> String {
        build.to_string()
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.major, self.minor, self.build, self.revision)
    }
}

impl fmt::Debug for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wire facts 11.2: the POX sample `72008287` is 8.0.647, the override cookie `1941996295` is 15.0.775.
    #[test]
    fn a_packed_build_is_the_published_integer() {
        assert_eq!(format!("{:08X}", "8.0.647.0".parse::<Build>().unwrap().packed()), "72008287");
        assert_eq!("15.0.775.38".parse::<Build>().unwrap().packed(), 1_941_996_295);
        assert_eq!("14.3.123.4".parse::<Build>().unwrap().packed(), 1_937_997_947);
    }
}
