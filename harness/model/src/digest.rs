//! A body's length and digest: enough to see that a byte is missing, doubled or moved, and no secret kept.

use serde::{Deserialize, Serialize};

/// How many bytes, and FNV-1a over them (64 bits, as its authors publish it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Digest {
    /// How many.
    pub bytes: u64,
    /// FNV-1a.
    pub fnv: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Digest { bytes: 0, fnv: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let mut digest = Digest::default();
        digest.add(bytes);
        digest
    }

    /// Goes on with these.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        for byte in bytes {
            self.fnv = (self.fnv ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The authors' own vectors (draft-eastlake-fnv, section 6).
    #[test]
    fn it_is_fnv_1a() {
        assert_eq!(Digest::of(b"").fnv, 0xcbf2_9ce4_8422_2325);
        assert_eq!(Digest::of(b"a").fnv, 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Digest::of(b"foobar"), Digest { bytes: 6, fnv: 0x8594_4171_f739_67e8 });
    }

    #[test]
    fn parts_make_the_whole() {
        let mut digest = Digest::of(b"foo");
        digest.add(b"bar");
        assert_eq!(digest, Digest::of(b"foobar"));
    }
}
