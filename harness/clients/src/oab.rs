//! The Offline Address Book as Outlook downloads it through BITS: the manifest, then each file in ranges.

use http::Method;
use model::WebUrl;
use model::case::Told;

use crate::browser::resolve;
use crate::legs::{Ending, Leg};
use crate::session::Stored;
use crate::wire::{Reply, Request, Wire};
use crate::xml::read;

/// Wire facts 7.
const USER_AGENT: &str = "Microsoft BITS/7.5";
const MOST_FILES: usize = 64;

/// Downloads the whole book, and says which one it is.
pub(crate) async fn download(
    wire: &mut Wire<'_>,
    stored: &mut Stored,
    leg: &mut Leg,
    url: &WebUrl,
) -> Result<Ending, Ending> {
    let folder = url.path.strip_suffix("oab.xml").unwrap_or(&url.path).trim_end_matches('/').to_owned();
    let at = |file: &str| url.at(&format!("{folder}/{file}"));
    let manifest =
        Request::new(Method::GET, at("oab.xml")).header("user-agent", USER_AGENT).header("accept", "*/*");
    let reply = stored.ask(wire, leg, manifest).await?;
    expect(&reply, 200, url)?;
    let (name, files) = book(&reply.text()).map_err(|note| Ending::useless(200, note))?;
    for file in files {
        let ask =
            |verb| Request::new(verb, at(&file)).header("user-agent", USER_AGENT).header("accept", "*/*");
        let head = stored.ask(wire, leg, ask(Method::HEAD)).await?;
        expect(&head, 200, url)?;
        let Some(size) = head.header("content-length").and_then(|size| size.parse::<usize>().ok()) else {
            return Err(Ending::useless(200, format!("HEAD of {file} says no length")));
        };
        let half = size / 2;
        for (from, to) in [(0, half), (half, size)].into_iter().filter(|(from, to)| from < to) {
            let last = to - 1;
            let piece = ask(Method::GET).header("range", &format!("bytes={from}-{last}"));
            let reply = stored.ask(wire, leg, piece).await?;
            expect(&reply, 206, url)?;
            let wanted = format!("bytes {from}-{last}/{size}");
            let range = reply.header("content-range").unwrap_or_default();
            if range != wanted || reply.body.len() != to - from {
                let got = reply.body.len();
                let note = format!("{file}: {wanted} was answered with `{range}` and {got} bytes");
                return Err(Ending::useless(206, note));
            }
        }
    }
    match name.parse() {
        Ok(oab) => Ok(Ending::told(Told::Oab(oab))),
        Err(_) => Err(Ending::useless(200, format!("the manifest names the book `{name}`"))),
    }
}

fn expect(reply: &Reply, status: u16, url: &WebUrl) -> Result<(), Ending> {
    match reply.status {
        got if got == status => Ok(()),
        200 => Err(Ending::useless(200, "the range was ignored")),
        301 | 302 | 303 | 307 | 308 => {
            Err(match reply.location().and_then(|location| resolve(url, location)) {
                Some(target) => Ending::told(Told::Found(target)),
                None => Ending::told(Told::Failed(reply.status)),
            })
        }
        got => Err(Ending::told(Told::Failed(got))),
    }
}

/// A manifest's book: its name without the leading backslash, and the files to download. Only names beside the manifest
/// are taken.
fn book(manifest: &str) -> Result<(String, Vec<String>), String> {
    let root = read(manifest).map_err(|error| format!("the manifest is no XML: {error}"))?;
    let list = root.find("OAL").ok_or("the manifest names no address list")?;
    let name = list.attribute("name").unwrap_or_default().trim_start_matches('\\').to_owned();
    let files: Vec<String> = list
        .children
        .iter()
        .filter(|file| matches!(file.name.as_str(), "Full" | "Diff" | "Template"))
        .map(|file| file.text.trim().to_owned())
        .collect();
    let plain = |file: &String| {
        !file.is_empty() && file.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    match files.iter().all(plain) && (1..=MOST_FILES).contains(&files.len()) {
        true => Ok((name, files)),
        false => {
            Err(format!("the manifest lists no files, too many, or one that is no file name: {files:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wire facts 7: the manifest's shape.
    #[test]
    fn a_manifest_names_its_book_and_its_files() {
        let manifest = r#"<?xml version="1.0"?><OAB><OAL id="1" dn="/" name="\oab-2010"><Full seq="1" ver="32" size="9">data-1.lzx</Full>
            <Template seq="1" langid="0409" type="windows">lng0409-1.lzx</Template></OAL></OAB>"#;
        assert_eq!(
            book(manifest),
            Ok(("oab-2010".into(), vec!["data-1.lzx".into(), "lng0409-1.lzx".into()]))
        );
        assert!(book(&manifest.replace("data-1.lzx", "../../owa/")).is_err());
    }
}
