//! `coexist init`: a subject file and its template for a new proxy, every variable a comment in them.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use model::Role;
use model::subject::Feature;
use model::subject::variables::VARIABLES;

use super::say;
use crate::exit::Exit;
use crate::suite::Suite;

/// What `init` takes.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The seat that the proxy takes: front-end-2013, front-end-2010 or edge.
    #[arg(long)]
    role: Role,
    /// What the proxy is called: small letters, digits and dashes.
    #[arg(value_parser = name)]
    name: String,
    /// Where the two files go; here where it is not given.
    #[arg(short, long = "output", value_name = "DIR", default_value = ".")]
    output: PathBuf,
}

fn name(given: &str) -> Result<String, String> {
    let fits = given.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match fits && !given.is_empty() && !given.starts_with('-') {
        true => Ok(given.to_owned()),
        false => Err(format!("`{given}` is no name for a subject; a right one: my-proxy")),
    }
}

pub(super) fn init(options: &Init) -> Exit {
    let (name, folder) = (&options.name, &options.output);
    let subject = folder.join(format!("{name}.toml"));
    let template = folder.join(format!("{name}.conf.jinja"));
    if let Some(taken) = [&subject, &template].into_iter().find(|path| path.exists()) {
        say::error(format!(
            "{} is there already, and is left as it is; another name, or -o DIR",
            taken.display()
        ));
        return Exit::BadInput;
    }
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| fresh(&subject, &subject_file(name, options.role)))
        .and_then(|()| fresh(&template, &template_file(name)));
    if let Err(error) = written {
        say::error(format!("{}: {error}", folder.display()));
        return Exit::BadInput;
    }
    let at = subject.display();
    println!("wrote {at} and {}", template.display());
    println!("next  say in them how {name} is started and configured, then");
    println!("      coexist doctor --subject {at}    looks at the seat, line by line");
    println!("      coexist e2e --subject {at}       runs the cases of its features");
    Exit::AsExpected
}

/// Writes a file that is not there yet.
fn fresh(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::File::options().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn subject_file(name: &str, role: Role) -> String {
    let variables: String =
        VARIABLES.iter().map(|(name, says)| format!("#   {:<28} {says}\n", format!("{{{name}}}"))).collect();
    let features = features(role);
    let (claimed, rest) = (listed(&features[..1]), listed(&features[1..]));
    let compare = Suite::reference_for(role);
    format!(
        "# How {name} is started in the seat, what it claims, and what it is known to fail.\n\
         # Compare with suites/subjects/{compare}.toml.\n\
         contract = 1\n\
         name = \"{name}\"\n\
         role = \"{role}\"\n\
         # What it can do; cases that need anything else are skipped. There is also: {rest}.\n\
         features = [{claimed}]\n\
         \n\
         [run]\n\
         # The program, in PATH; one beside this file is written \"./{name}\". It stays in the foreground, in the folder {{work}}.\n\
         command = [\"{name}\", \"--config\", \"{{work}}/{name}.conf\"]\n\
         # Templates, relative to this file, and where they go.\n\
         files = [{{ from = \"{name}.conf.jinja\", to = \"{{work}}/{name}.conf\" }}]\n\
         # env = {{ SSL_CERT_FILE = \"{{ca}}\" }}\n\
         # Ready once a listener takes connections; or http = \"/owa/\" (that path is answered with 2xx to 4xx), or\n\
         # log = \"listening\" (that text is in its log).\n\
         ready = {{ tcp = \"https\", within = \"10s\" }}\n\
         stop = {{ signal = \"TERM\", within = \"5s\" }}\n\
         # How it reads its files again: {{ signal = \"HUP\" }}, \"restart\", or \"none\" where it follows the directory.\n\
         # reload = \"none\"\n\
         # \"one\" where only one of it can run: labs then run one after the other.\n\
         # instances = \"many\"\n\
         \n\
         # What can be filled in above. The same names go into the template, a dash there written as an underscore.\n\
         {variables}\
         \n\
         # What it says of itself, and is held to.\n\
         # [declares]\n\
         # to-servers = \"basic\"            # how it speaks for a user: basic, pass-through, ticket or token\n\
         \n\
         # Cases it is known to fail, by their ids: each must still fail, and the excuse ends on its day.\n\
         # [deviations]\n\
         # \"coexistence/owa/purple\" = {{ why = \"no silent redirect yet\", until = 2027-03-01 }}\n"
    )
}

fn template_file(name: &str) -> String {
    let variables: String = VARIABLES
        .iter()
        .map(|(name, says)| format!("  {:<38} {says}\n", format!("{{{{ {} }}}}", name.replace('-', "_"))))
        .collect();
    format!(
        "{{#- The configuration of {name}, as it is in each lab (Jinja). What can be filled in:\n\n{variables}\n\
         Beside these, all of lab.json by its names. `tojson` quotes: {{{{ cert.chain | tojson }}}}.\n-#}}\n\
         listen {{{{ listen.https }}}} tls {{{{ cert.pem }}}}\n\
         listen {{{{ listen.http }}}}\n\
         trust {{{{ ca }}}}\n\
         resolver {{{{ dns.internal }}}}\n\
         {{%- for server in servers if server.https %}}\n\
         server {{{{ server.fqdn }}}} {{{{ server.https }}}}  # {{{{ server.version }}}} in {{{{ server.site }}}}\n\
         {{%- endfor %}}\n"
    )
}

/// What a proxy of a role may claim, the commonest first.
fn features(role: Role) -> &'static [Feature] {
    match role {
        Role::Edge => &[
            Feature::Basic,
            Feature::ConnectionAuthSafe,
            Feature::ConnectionAuth,
            Feature::RpcHttp,
            Feature::LongWaits,
            Feature::MapiHttp,
            Feature::Mail,
            Feature::TlsPassthrough,
            Feature::H2Front,
        ],
        Role::FrontEnd2013 | Role::FrontEnd2010 => &[
            Feature::Autodiscover,
            Feature::Owa,
            Feature::Ecp,
            Feature::SilentRedirect,
            Feature::Eas,
            Feature::Ews,
            Feature::Oab,
            Feature::OutlookAnywhere,
            Feature::Exhttp,
            Feature::MapiHttp,
            Feature::Imap,
            Feature::Pop,
            Feature::Health,
            Feature::OutOfService,
            Feature::NtlmFront,
        ],
    }
}

fn listed(features: &[Feature]) -> String {
    features.iter().map(|feature| format!("\"{feature}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use model::problem::Source;
    use model::subject::Subject;

    use super::*;

    #[test]
    fn what_is_written_is_a_subject_of_its_role_and_names_every_variable() {
        for role in Role::ALL {
            let text = subject_file("my-proxy", *role);
            let subject = Subject::read(&Source::new("my-proxy.toml", text.clone())).unwrap();
            assert_eq!((subject.name.as_str(), subject.role), ("my-proxy", *role));
            let template = template_file("my-proxy");
            for (name, _) in VARIABLES {
                assert!(text.contains(&format!("{{{name}}}")), "{name}");
                assert!(template.contains(&format!("{{{{ {} }}}}", name.replace('-', "_"))), "{name}");
            }
        }
    }
}
