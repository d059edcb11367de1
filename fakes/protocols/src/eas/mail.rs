//! What a device sends as mail: RFC 5322 headers, as far as delivery needs them.

/// The longest header block that is read, in bytes.
const MAX_HEADERS: usize = 64 * 1024;

/// A message as a device sent it.
pub(super) struct Mail {
    /// The addresses of To and Cc.
    pub(super) recipients: Vec<String>,
    pub(super) subject: String,
    pub(super) text: String,
}

impl Mail {
    /// `None` for what has no header, or whose headers have no end.
    pub(super) fn read(bytes: &[u8]) -> Option<Mail> {
        let whole = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        let (head, text) = whole.split_once("\n\n")?;
        if head.len() > MAX_HEADERS {
            return None;
        }
        // A line that begins with a blank goes on with the one before.
        let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
        let headers: Option<Vec<_>> = unfolded.lines().map(|line| line.split_once(':')).collect();
        let headers = headers?;
        let named = |wanted: &'static str| {
            headers.iter().filter(move |(name, _)| name.trim_end().eq_ignore_ascii_case(wanted))
        };
        let recipients = named("To").chain(named("Cc")).flat_map(|(_, value)| addresses(value)).collect();
        let subject = named("Subject").next().map(|(_, value)| value.trim().to_owned());
        Some(Mail { recipients, subject: subject.unwrap_or_default(), text: text.to_owned() })
    }
}

fn addresses(list: &str) -> impl Iterator<Item = String> {
    list.split(',').filter(|one| one.contains('@')).map(|one| {
        let bare =
            one.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(one, |(bare, _)| bare);
        bare.trim().to_owned()
    })
}
