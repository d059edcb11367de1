//! Little-endian bytes, read within bounds and written; with the alignment of NDR ([C706] chapter 14) for stubs.

use super::RpcError;

/// Reads from the start; alignment counts from there.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// `what` names the bytes in errors.
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { bytes, at: 0, what }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn malformed(&self) -> RpcError {
        RpcError::Malformed(self.what)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], RpcError> {
        let end = self.at.checked_add(count).ok_or(RpcError::Malformed(self.what))?;
        let taken = self.bytes.get(self.at..end).ok_or(RpcError::Malformed(self.what))?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RpcError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RpcError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, RpcError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RpcError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn align(&mut self, to: usize) -> Result<(), RpcError> {
        self.take(self.at.next_multiple_of(to) - self.at).map(drop)
    }

    /// An aligned `unsigned long`.
    pub(crate) fn long(&mut self) -> Result<u32, RpcError> {
        self.align(4)?;
        self.u32()
    }

    /// A conformant array of bytes, as `[size_is] unsigned char[]`.
    pub(crate) fn conformant(&mut self) -> Result<&'a [u8], RpcError> {
        let count = self.long()? as usize;
        self.take(count)
    }

    /// A structure that ends in a conformant array, as `twr_t`: how many bytes follow.
    pub(crate) fn conformant_of(&mut self) -> Result<usize, RpcError> {
        let (most, length) = (self.long()?, self.long()?);
        match most == length {
            true => Ok(length as usize),
            false => Err(self.malformed()),
        }
    }

    /// A conformant varying array of bytes, as `[size_is, length_is] unsigned char[]` and strings.
    pub(crate) fn varying(&mut self) -> Result<&'a [u8], RpcError> {
        let (max, offset, actual) = (self.long()?, self.long()?, self.long()?);
        if offset != 0 || actual > max {
            return Err(self.malformed());
        }
        self.take(actual as usize)
    }

    /// A string of 8-bit characters with its closing NUL.
    pub(crate) fn string(&mut self) -> Result<String, RpcError> {
        match self.varying()? {
            [text @ .., 0] if !text.contains(&0) => {
                String::from_utf8(text.to_vec()).map_err(|_| self.malformed())
            }
            _ => Err(self.malformed()),
        }
    }

    /// A UTF-16 string with its closing NUL, as ROPs hold it (PtypString, [MS-OXCDATA] 2.11.1).
    pub(crate) fn utf16(&mut self) -> Result<String, RpcError> {
        let mut units = Vec::new();
        loop {
            match self.u16()? {
                0 => return String::from_utf16(&units).map_err(|_| self.malformed()),
                unit => units.push(unit),
            }
        }
    }
}

/// Writes; alignment counts from the start.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.put(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    pub(crate) fn align(&mut self, to: usize) -> &mut Self {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self
    }

    /// An aligned `unsigned long`.
    pub(crate) fn long(&mut self, value: u32) -> &mut Self {
        self.align(4).u32(value)
    }

    pub(crate) fn conformant(&mut self, bytes: &[u8]) -> &mut Self {
        self.long(count(bytes)).put(bytes)
    }

    pub(crate) fn varying(&mut self, bytes: &[u8]) -> &mut Self {
        self.long(count(bytes)).long(0).long(count(bytes)).put(bytes)
    }

    pub(crate) fn string(&mut self, text: &str) -> &mut Self {
        let mut bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
        bytes.push(0);
        self.varying(&bytes)
    }

    pub(crate) fn utf16(&mut self, text: &str) -> &mut Self {
        for unit in text.encode_utf16().filter(|unit| *unit != 0) {
            self.u16(unit);
        }
        self.u16(0)
    }
}

fn count(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("stubs are far shorter than 4 GiB")
}
