//! What a browser makes of a page: its forms, its links, its script. Tolerant, and bounded: whatever is sent is read
//! once, and there is at most so much of everything.

/// The most forms, inputs, links and marks that are kept of a page, each.
const MOST: usize = 256;

/// A page as far as a browser of ours looks at it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) forms: Vec<Form>,
    /// Links and other elements with an id: id, `href` where it has one, text.
    pub(crate) marks: Vec<Mark>,
    /// Everything between `<script>` and `</script>`, and the body's `onload`.
    pub(crate) script: String,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Mark {
    pub(crate) id: String,
    pub(crate) href: Option<String>,
    pub(crate) text: String,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) action: String,
    pub(crate) inputs: Vec<Input>,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Input {
    /// Lower case: `hidden`, `text`, `password`, `checkbox`, `radio`, `submit`.
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) checked: bool,
}

impl Page {
    pub(crate) fn read(html: &str) -> Page {
        let mut page = Page::default();
        let mut rest = html;
        let mut open_form = false;
        while let Some(at) = rest.find('<') {
            page.text(&rest[..at]);
            rest = &rest[at..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            let Some((tag, after)) = Tag::read(rest) else {
                rest = &rest[1..];
                continue;
            };
            rest = after;
            match tag.name.as_str() {
                "script" => {
                    let end = find_ignoring_case(rest, "</script").unwrap_or(rest.len());
                    page.script.push_str(&rest[..end]);
                    page.script.push('\n');
                    rest = &rest[end..];
                }
                "body" => page.script.push_str(tag.attribute("onload").unwrap_or_default()),
                "form" if page.forms.len() < MOST => {
                    open_form = true;
                    page.forms.push(Form {
                        name: tag.attribute("name").or(tag.attribute("id")).unwrap_or_default().to_owned(),
                        action: tag.attribute("action").unwrap_or_default().trim().to_owned(),
                        inputs: vec![],
                    });
                }
                "/form" => open_form = false,
                "input" if open_form => {
                    if let Some(form) = page.forms.last_mut().filter(|form| form.inputs.len() < MOST) {
                        form.inputs.push(Input::of(&tag));
                    }
                }
                _ => {}
            }
            page.mark(&tag);
        }
        page
    }

    /// The first form that asks a person for a password.
    pub(crate) fn logon_form(&self) -> Option<&Form> {
        self.forms.iter().find(|form| form.inputs.iter().any(|input| input.kind == "password"))
    }

    /// A form that submits itself: nothing in it is for a person to fill in, and the page's script submits.
    pub(crate) fn form_that_submits_itself(&self) -> Option<&Form> {
        let submits = self.script.contains(".submit(");
        let silent = |form: &&Form| form.inputs.iter().all(|input| input.kind != "password");
        self.forms.iter().find(silent).filter(|_| submits && self.logon_form().is_none())
    }

    /// The element with this id.
    pub(crate) fn marked(&self, id: &str) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.id == id)
    }

    fn mark(&mut self, tag: &Tag) {
        if let Some(id) = tag.attribute("id").filter(|_| self.marks.len() < MOST) {
            let href = tag.attribute("href").map(str::to_owned);
            self.marks.push(Mark { id: id.to_owned(), href, text: String::new() });
        }
    }

    /// Text belongs to the element that opened last, as long as none has begun since.
    fn text(&mut self, text: &str) {
        if let Some(mark) = self.marks.last_mut().filter(|mark| mark.text.is_empty()) {
            mark.text = decoded(text).trim().to_owned();
        }
    }
}

impl Form {
    /// What is sent when the form is submitted untouched: everything with a name, boxes only where they are checked,
    /// no buttons (HTML, "constructing the entry list").
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        self.inputs
            .iter()
            .filter(|input| !input.name.is_empty())
            .filter(|input| match input.kind.as_str() {
                "submit" | "button" | "image" | "reset" => false,
                "checkbox" | "radio" => input.checked,
                _ => true,
            })
            .map(|input| (input.name.clone(), input.value.clone()))
            .collect()
    }
}

impl Input {
    fn of(tag: &Tag) -> Input {
        let kind = tag.attribute("type").unwrap_or("text").trim().to_ascii_lowercase();
        let own = |name| tag.attribute(name).unwrap_or_default().to_owned();
        let unset = if kind == "checkbox" || kind == "radio" { "on" } else { "" };
        Input {
            value: tag.attribute("value").unwrap_or(unset).to_owned(),
            name: own("name"),
            checked: tag.attribute("checked").is_some(),
            kind,
        }
    }
}

/// A tag: its name in lower case, `/form` for a closing one, and its attributes, entities decoded.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// Reads a tag from `<` on, and says what follows it. None for a `<` that opens nothing.
    fn read(html: &str) -> Option<(Tag, &str)> {
        let inner = html.strip_prefix('<')?;
        let name_end = inner
            .find(|c: char| c.is_whitespace() || c == '>' || (c == '/' && !inner.starts_with('/')))
            .unwrap_or(inner.len());
        let name = inner[..name_end].to_ascii_lowercase();
        if !name
            .trim_start_matches('/')
            .starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?')
        {
            return None;
        }
        let mut tag = Tag { name, attributes: vec![] };
        let mut rest = &inner[name_end..];
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() {
                return Some((tag, ""));
            }
            if let Some(after) = rest.strip_prefix('>') {
                return Some((tag, after));
            }
            let end = rest
                .char_indices()
                .find(|&(at, c)| at > 0 && (c.is_whitespace() || c == '=' || c == '>' || c == '/'))
                .map_or(rest.len(), |(at, _)| at);
            let name = rest[..end].to_ascii_lowercase();
            rest = rest[end..].trim_start();
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                let (raw, remaining) = match after.chars().next() {
                    Some(quote @ ('"' | '\'')) => {
                        let quoted = &after[1..];
                        let end = quoted.find(quote).unwrap_or(quoted.len());
                        (&quoted[..end], quoted.get(end + 1..).unwrap_or_default())
                    }
                    _ => {
                        let end = after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len());
                        after.split_at(end)
                    }
                };
                value = decoded(raw);
                rest = remaining;
            }
            if tag.attributes.len() < MOST {
                tag.attributes.push((name, value));
            }
        }
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Text with its character references resolved; one that is none stays as it is.
pub(crate) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((reference(&rest[1..end])?, end))) {
            Some((character, end)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    let number = |text: &str, radix| u32::from_str_radix(text, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
            Some(hexadecimal) => number(hexadecimal, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logon_page_gives_its_hidden_fields_and_its_boxes_only_where_checked() {
        let page = Page::read(
            r#"<!DOCTYPE html><html><!-- <form action="no"> --><body>
            <FORM Name=logonForm action="/owa/auth.owa?a=1&amp;b=2" method="POST">
            <input type="hidden" name="destination" value="https://mail.contoso.com/owa/?a=&quot;1&#39;&#x41;&bogus;">
            <input type=radio name=trusted value=0 CHECKED><input type=radio name=trusted value=4>
            <input name="username"><input type="password" name='password'/><input type="submit" name="go" value="x">
            </FORM></body></html>"#,
        );
        let form = page.logon_form().unwrap();
        assert_eq!((form.name.as_str(), form.action.as_str()), ("logonForm", "/owa/auth.owa?a=1&b=2"));
        let fields: Vec<(&str, String)> = vec![
            ("destination", "https://mail.contoso.com/owa/?a=\"1'A&bogus;".into()),
            ("trusted", "0".into()),
        ]
        .into_iter()
        .chain([("username", String::new()), ("password", String::new())])
        .collect();
        let got = form.fields();
        let got: Vec<(&str, String)> =
            got.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        assert_eq!(got, fields);
        assert_eq!(page.form_that_submits_itself(), None);
    }

    #[test]
    fn a_form_submits_itself_only_where_a_script_says_so_and_nothing_is_to_be_typed() {
        let form = r#"<form action="https://legacy.contoso.com/owa/auth/owaauth.dll"><input type=hidden name=username value="o'neil"></form>"#;
        let script = "<script>document.forms[0].submit();</script>";
        assert!(Page::read(&format!("{form}{script}")).form_that_submits_itself().is_some());
        assert!(Page::read(form).form_that_submits_itself().is_none());
        let onload = format!("<body onload='document.forms[0].submit()'>{form}");
        assert!(Page::read(&onload).form_that_submits_itself().is_some());
    }

    #[test]
    fn an_element_is_found_by_its_id_with_its_link_and_its_text() {
        let page = Page::read(
            r#"<p><a id="redirectUrl" href="https://mail-region.contoso.com/owa">here</a><span id="mailbox"> purple-1a2b3c@contoso.com </span>"#,
        );
        assert_eq!(
            page.marked("redirectUrl").unwrap().href.as_deref(),
            Some("https://mail-region.contoso.com/owa")
        );
        assert_eq!(page.marked("mailbox").unwrap().text, "purple-1a2b3c@contoso.com");
    }

    #[test]
    fn broken_pages_are_read_to_their_end() {
        for html in
            ["<", "<<<a", "<form", "<input name=\"", "<a b=", "<script>", "<!--", "&#xFFFFFFFF;<é ü=ö>", "</"]
        {
            let _ = Page::read(html);
        }
        assert_eq!(decoded("&#xFFFFFFFF; &#x1F600; & &;"), "&#xFFFFFFFF; \u{1F600} & &;");
    }
}
