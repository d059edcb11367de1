//! `coexist`: an Exchange coexistence lab and a conformance suite for the proxies in front of Exchange.

use std::process::ExitCode;

use clap::Parser;
use e2e::commands::{self, Cli};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    ExitCode::from(commands::run(cli).code())
}
