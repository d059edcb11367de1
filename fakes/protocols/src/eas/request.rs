//! The head of a request: a plain or a base64 query, and the headers that go with it ([MS-ASHTTP] 2.2.1.1).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

use crate::answer::Request;

/// The longest query that is read, in bytes.
const MAX_QUERY: usize = 2048;
/// The longest device id and type; [MS-ASHTTP] says 32 characters of the id.
const MAX_NAME: usize = 64;

/// What a device asks, before its body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EasRequest {
    /// The command.
    pub command: Command,
    /// The user that the query names; a base64 query seldom names one.
    pub user: Option<String>,
    /// The device's id: as it is if it is text, in hexadecimal digits if not.
    pub device_id: String,
    /// The device's type, `SmartPhone`.
    pub device_type: String,
    /// The policy that the device follows; `None` if it sent none or 0.
    pub policy_key: Option<u32>,
    /// The protocol version that it speaks.
    pub protocol: Protocol,
}

/// Why a request is none of ActiveSync.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EasError {
    /// There is no query, or a very long one.
    #[error(
        "the query is empty or longer than {MAX_QUERY} bytes; a right one looks like `Cmd=Sync&User=u&DeviceId=d&DeviceType=t`"
    )]
    Query,
    /// A base64 query that is cut or no base64.
    #[error("the base64 query is malformed")]
    Base64,
    /// A parameter that every query has.
    #[error("the query lacks {0}, or it is malformed")]
    Parameter(&'static str),
    /// A header that a plain query needs.
    #[error("the header {0} is missing or malformed")]
    Header(&'static str),
    /// A command that does not exist.
    #[error("`{0}` is no command of ActiveSync")]
    UnknownCommand(String),
}

/// A protocol version, `14.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Protocol {
    /// 12
    pub major: u8,
    /// 1
    pub minor: u8,
}

impl Protocol {
    /// The last version that speaks in HTTP status codes; later ones have status codes of their own.
    pub const V12_1: Protocol = Protocol { major: 12, minor: 1 };
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Protocol {
    type Err = EasError;
    fn from_str(given: &str) -> Result<Protocol, EasError> {
        let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => digits.parse().ok(),
            false => None,
        };
        given
            .split_once('.')
            .and_then(|(major, minor)| Some(Protocol { major: number(major)?, minor: number(minor)? }))
            .ok_or(EasError::Header("MS-ASProtocolVersion"))
    }
}

macro_rules! commands {
    ($($name:ident $code:literal),+) => {
        /// A command, [MS-ASHTTP] 2.2.1.1.1.1.1 (wire facts 2.1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Command { $(#[doc = concat!("Code ", $code)] $name),+ }

        impl Command {
            /// Its name in a plain query.
            pub fn name(self) -> &'static str {
                match self { $(Command::$name => stringify!($name)),+ }
            }

            fn of_name(name: &str) -> Option<Command> {
                $(if name.eq_ignore_ascii_case(stringify!($name)) { return Some(Command::$name); })+
                None
            }

            fn of_code(code: u8) -> Option<Command> {
                match code { $($code => Some(Command::$name),)+ _ => None }
            }
        }
    };
}

commands! {
    Sync 0, SendMail 1, SmartForward 2, SmartReply 3, GetAttachment 4, FolderSync 9, FolderCreate 10, FolderDelete 11,
    FolderUpdate 12, MoveItems 13, GetItemEstimate 14, MeetingResponse 15, Search 16, Settings 17, Ping 18,
    ItemOperations 19, Provision 20, ResolveRecipients 21, ValidateCert 22
}

impl EasRequest {
    /// Reads query and headers, in either form of query.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn read(request: &Request) -> Result<EasRequest, EasError> {
        let query = request.uri().query().unwrap_or_default();
        if query.is_empty() || query.len() > MAX_QUERY {
            return Err(EasError::Query);
        }
        // `=` and `&` divide a plain query; in base64 `=` only ends.
        match query.trim_end_matches('=').contains(['=', '&']) {
            true => plain(query, request),
            false => base64(query),
        }
    }
}

fn plain(query: &str, request: &Request) -> Result<EasRequest, EasError> {
    let parameter = |wanted: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| unescape(value))
    };
    let header = |name: &'static str| match request.headers().get(name) {
        Some(value) => value.to_str().map(|value| Some(value.trim())).map_err(|_| EasError::Header(name)),
        None => Ok(None),
    };
    let command = parameter("Cmd").ok_or(EasError::Parameter("Cmd"))?;
    let policy_key = match header("X-MS-PolicyKey")? {
        Some(key) => key.parse().map_err(|_| EasError::Header("X-MS-PolicyKey"))?,
        None => 0,
    };
    Ok(EasRequest {
        command: Command::of_name(&command).ok_or(EasError::UnknownCommand(command))?,
        user: parameter("User"),
        device_id: name("DeviceId", parameter("DeviceId").unwrap_or_default())?,
        device_type: name("DeviceType", parameter("DeviceType").unwrap_or_default())?,
        policy_key: Some(policy_key).filter(|key| *key != 0),
        protocol: header("MS-ASProtocolVersion")?.unwrap_or_default().parse()?,
    })
}

/// [MS-ASHTTP] 2.2.1.1.1.1.
fn base64(query: &str) -> Result<EasRequest, EasError> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let bytes = engine.decode(unescape(query)).map_err(|_| EasError::Base64)?;
    let mut rest = &bytes[..];
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at_checked(count).ok_or(EasError::Base64)?;
        rest = left;
        Ok::<_, EasError>(taken)
    };
    let (version, code) = (take(1)?[0], take(1)?[0]);
    take(2)?;
    let length = usize::from(take(1)?[0]);
    let device_id = take(length)?;
    let policy_key = match take(1)?[0] {
        0 => 0,
        4 => u32::from_le_bytes(take(4)?.try_into().expect("four bytes were taken")),
        _ => return Err(EasError::Base64),
    };
    let length = usize::from(take(1)?[0]);
    let device_type = take(length)?;
    let mut user = None;
    while let Ok(tag) = take(1).map(|tag| tag[0]) {
        let length = usize::from(take(1)?[0]);
        let value = take(length)?;
        // 2.2.1.1.1.1.3: tag 8 is User. The others belong to commands that are not served.
        if tag == 8 {
            user = Some(String::from_utf8(value.to_vec()).map_err(|_| EasError::Base64)?);
        }
    }
    let text = |bytes: &[u8]| match bytes.iter().all(u8::is_ascii_graphic) {
        true => String::from_utf8_lossy(bytes).into_owned(),
        false => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
    };
    Ok(EasRequest {
        command: Command::of_code(code).ok_or_else(|| EasError::UnknownCommand(code.to_string()))?,
        user,
        device_id: name("DeviceId", text(device_id))?,
        device_type: name("DeviceType", text(device_type))?,
        policy_key: Some(policy_key).filter(|key| *key != 0),
        protocol: Protocol { major: version / 10, minor: version % 10 },
    })
}

fn name(parameter: &'static str, given: String) -> Result<String, EasError> {
    match (1..=MAX_NAME).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(given),
        false => Err(EasError::Parameter(parameter)),
    }
}

/// Percent escapes resolved; what is no escape stays, `+` too.
fn unescape(given: &str) -> String {
    let mut bytes = Vec::with_capacity(given.len());
    let mut rest = given.as_bytes();
    while let [first, left @ ..] = rest {
        rest = left;
        let digit = |at: usize| left.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).expect("two digits are a byte"));
                rest = &left[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
