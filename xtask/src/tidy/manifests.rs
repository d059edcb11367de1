//! What the manifests must say: every member is commented where it is listed, and takes the workspace's lints.

use std::path::Path;

use serde_json::Value;

use super::{Refusal, line_of};

/// A crate of the workspace.
pub(super) struct Member {
    pub(super) name: String,
    /// Its manifest from the root, with slashes.
    pub(super) manifest: String,
    /// The names of all crates that it depends on, in whatever way.
    pub(super) uses: Vec<String>,
}

/// The members, from what `cargo metadata --no-deps` says.
pub(super) fn members(metadata: &Value, root: &Path) -> Vec<Member> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let below_root = |path: String| match Path::new(&path).strip_prefix(root) {
        Ok(relative) => relative.to_string_lossy().replace('\\', "/"),
        Err(_) => path,
    };
    list(&metadata["packages"])
        .iter()
        .map(|package| Member {
            name: text(&package["name"]),
            manifest: below_root(text(&package["manifest_path"])),
            uses: list(&package["dependencies"]).iter().map(|used| text(&used["name"])).collect(),
        })
        .collect()
}

/// Members of the root manifest without a comment on their line.
pub(super) fn uncommented_members(root_manifest: &str) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut inside = false;
    for (at, line) in root_manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("members") && line.contains('[') {
            inside = true;
        }
        if inside && line.contains('"') && line.split_once('#').is_none_or(|(_, says)| says.trim().is_empty())
        {
            refusals.push(Refusal {
                at: format!("Cargo.toml:{}", at + 1),
                what: format!("the member {} has no comment", line.trim_end_matches(',')),
                why: "the root manifest is the map of the workspace",
                mend: "say in a few words behind `#` what the crate is for".to_owned(),
            });
        }
        if inside && line.split('#').next().is_some_and(|written| written.contains(']')) {
            break;
        }
    }
    refusals
}

/// A member that sets lints of its own, or none.
pub(super) fn own_lints(manifest: &str, text: &str) -> Option<Refusal> {
    let head = line_of(text, |line| line.trim() == "[lints]");
    let inherits = head.is_some_and(|head| {
        let table = text.lines().skip(head).map(str::trim).take_while(|line| !line.starts_with('['));
        table.into_iter().any(|line| line.replace(' ', "") == "workspace=true")
    });
    (!inherits).then(|| Refusal {
        at: format!("{manifest}:{}", head.unwrap_or(1)),
        what: "the workspace's lints are not taken".to_owned(),
        why: "a crate without them may use unsafe code and sleeps, and nobody would know",
        mend: "write [lints] and, below it, workspace = true".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_without_a_comment_is_refused_at_its_line() {
        let text = "[workspace]\nmembers = [\n    \"a\", # what a is\n    \"b\",\n    \"c\", #\n]\nexclude = [\"d\"]\n";
        let at: Vec<String> = uncommented_members(text).into_iter().map(|refusal| refusal.at).collect();
        assert_eq!(at, ["Cargo.toml:4", "Cargo.toml:5"]);
    }

    #[test]
    fn a_member_takes_the_lints_of_the_workspace() {
        assert_eq!(own_lints("a/Cargo.toml", "[package]\n[lints]\nworkspace = true\n"), None);
        assert!(own_lints("a/Cargo.toml", "[package]\nedition.workspace = true\n").is_some());
        let own = own_lints("a/Cargo.toml", "[package]\n\n[lints]\n[x]\nworkspace = true\n").unwrap();
        assert_eq!(own.at, "a/Cargo.toml:3");
    }

    #[test]
    fn members_are_read_with_every_kind_of_dependency() {
        let metadata = json!({ "packages": [{
            "name": "ledger", "manifest_path": "/t/harness/ledger/Cargo.toml",
            "dependencies": [{ "name": "model", "kind": null }, { "name": "rstest", "kind": "dev" }],
        }]});
        let members = members(&metadata, Path::new("/t"));
        assert_eq!(members[0].manifest, "harness/ledger/Cargo.toml");
        assert_eq!(members[0].uses, ["model", "rstest"]);
    }
}
