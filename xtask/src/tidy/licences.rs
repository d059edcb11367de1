//! Licences of what is built: each crate must be usable under licences of the list alone.

use serde_json::Value;

use super::Refusal;

/// SPDX identifiers under which a dependency may be used.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates whose licence is not wholly of the list, from what `cargo metadata` says.
pub(super) fn refused(metadata: &Value) -> Vec<Refusal> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let mut refusals = Vec::new();
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default();
        if !allowed(licence) {
            let (name, version) = (&package["name"], &package["version"]);
            refusals.push(Refusal {
                at: "Cargo.lock".to_owned(),
                what: format!(
                    "{} {} is licensed `{licence}`",
                    name.as_str().unwrap_or_default(),
                    version.as_str().unwrap_or_default()
                ),
                why: "one static file is handed out, and every crate in it with its licence",
                mend: "use another crate, or argue for the licence in xtask/src/tidy/licences.rs".to_owned(),
            });
        }
    }
    refusals
}

/// Whether an SPDX expression can be met by licences of the list. `/` is the old way to write OR.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> bool {
    let mut met = all(words);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words);
    }
    met
}

fn all(words: &mut Words<'_>) -> bool {
    let mut met = one(words);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words);
    }
    met
}

fn one(words: &mut Words<'_>) -> bool {
    match words.next() {
        Some("(") => any(words) & (words.next() == Some(")")),
        Some(name) => {
            // An exception only ever permits more.
            if words.next_if_eq(&"WITH").is_some() {
                words.next();
            }
            ALLOWED.contains(&name)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_licence_is_met_by_one_side_of_or_and_both_sides_of_and() {
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-2.0/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "ISC AND (Apache-2.0 OR ISC) AND OpenSSL",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR GPL-3.0) AND AGPL-3.0", "(MIT", "MIT GPL-3.0", "OR"]
        {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[test]
    fn a_crate_with_another_licence_or_none_is_named() {
        let metadata = json!({ "packages": [
            { "name": "good", "version": "1.0.0", "license": "MIT OR Apache-2.0" },
            { "name": "bad", "version": "2.0.0", "license": "AGPL-3.0" },
            { "name": "silent", "version": "3.0.0", "license": null },
        ]});
        let what: Vec<String> = refused(&metadata).into_iter().map(|refusal| refusal.what).collect();
        assert_eq!(what, ["bad 2.0.0 is licensed `AGPL-3.0`", "silent 3.0.0 is licensed ``"]);
    }
}
