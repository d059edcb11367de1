//! Little-endian bytes, read within bounds and written, with the alignment of NDR ([C706] chapter 14).

use bytes::Bytes;

/// The bytes end before what is read does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short;

/// Bytes to read.
pub(super) struct Octets<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Octets<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Octets<'a> {
        Octets { bytes, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        let taken = self.bytes[self.at..].get(..count).ok_or(Short)?;
        self.at += count;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        self.take(N)?.try_into().map_err(|_| Short)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Short> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Short> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn align(&mut self, to: usize) -> Result<(), Short> {
        self.take(self.at.next_multiple_of(to) - self.at).map(drop)
    }

    /// An aligned `unsigned long`.
    pub(super) fn long(&mut self) -> Result<u32, Short> {
        self.align(4)?;
        self.u32()
    }

    /// A conformant varying array of bytes.
    pub(super) fn varying(&mut self) -> Result<&'a [u8], Short> {
        let (_most, _offset, length) = (self.long()?, self.long()?, self.long()?);
        self.take(length as usize)
    }
}

/// Bytes that are written.
#[derive(Default)]
pub(super) struct Written(Vec<u8>);

impl Written {
    pub(super) fn done(self) -> Bytes {
        Bytes::from(self.0)
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// An aligned `unsigned long`.
    pub(super) fn long(&mut self, value: u32) -> &mut Self {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.u32(value)
    }

    /// A conformant array of bytes.
    pub(super) fn conformant(&mut self, bytes: &[u8]) -> &mut Self {
        self.long(length(bytes)).put(bytes)
    }

    /// A string of 8-bit characters, as a conformant varying array with its closing NUL.
    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        let text: Vec<u8> = text.bytes().chain([0]).collect();
        self.long(length(&text)).long(0).long(length(&text)).put(&text)
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("what a client writes is short")
}
