//! A server as a process of its own, once its runner is gone.

use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;

use crate::clock::{LIMIT, within};
use crate::scratch::{Scratch, Started};

/// A server that has come to a door which then closes for good.
fn left_alone(scratch: &Scratch, door: &str, options: &[&str]) -> Started {
    let door = scratch.path(door);
    let server = scratch.start(&[&["server", "mbx2010-s1", "--door", &door], options].concat());
    server.beside(async {
        let listener = UnixListener::bind(&door).unwrap();
        let reports = async {
            let (mut line, _) = listener.accept().await.unwrap();
            assert_ne!(line.read(&mut [0; 4096]).await.unwrap(), 0);
        };
        within(LIMIT, "a server reports at the door", reports).await;
    });
    std::fs::remove_file(&door).unwrap();
    server
}

/// Containers of one network that end at the same moment are miscounted by the engine, so they wait to be removed.
#[test]
fn a_server_stays_without_its_runner_as_long_as_it_is_told_and_ends_at_a_signal() {
    let scratch = Scratch::new();
    let stays = left_alone(&scratch, "tmp/stays.sock", &["--stays", "60m"]);
    left_alone(&scratch, "tmp/goes.sock", &[]).ended().check(0, &[]);
    let there = scratch.processes();
    assert!(there.len() == 1 && there[0].contains("stays.sock"), "{there:?}");
    stays.signal(Signal::TERM);
    stays.ended_within(Duration::from_secs(5)).check(0, &[]);
    scratch.check_clean();
}
