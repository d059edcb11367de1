//! A network of the process's own, or files of its own alone, on Linux: the program starts itself again under `unshare`, which
//! needs no root.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::mount_bind;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};

use super::{GroundError, Outside, Wanted};

/// Set to `own` for the program inside.
const GROUND: &str = "COEXIST_GROUND";
/// The network namespace outside, `net:[4026531840]`: the proof that `COEXIST_GROUND=own` is no wish of a user's.
const OUTSIDE: &str = "COEXIST_GROUND_OUTSIDE";
/// The process for which sockets of the network outside wait in its standard input: what it starts inherits the word, and not
/// the number.
const SOCKETS: &str = "COEXIST_GROUND_SOCKETS";
/// The process of the lab that was joined, with the process that joined it, `4711 4712`, likewise.
const JOINED: &str = "COEXIST_GROUND_JOINED";
/// The process whose files are its own, with the mount namespace outside, `4711 mnt:[4026531841]`.
const FILES: &str = "COEXIST_GROUND_FILES";
const NAMESPACE: &str = "/proc/self/ns/net";
const MOUNTS: &str = "/proc/self/ns/mnt";
/// The first port that an ordinary user may bind, in this network only.
const FIRST_PORT: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// Enters an own network: starts the program again inside one, or, inside, makes it usable.
pub(super) fn enter(outside: Option<&Outside>) -> Result<(), GroundError> {
    let refused = |why: String| GroundError::Own { why };
    let here = std::fs::read_link(NAMESPACE).map_err(|error| refused(format!("{NAMESPACE}: {error}")))?;
    let left = std::env::var_os(OUTSIDE).map(PathBuf::from);
    if std::env::var_os(GROUND).is_some_and(|ground| ground == "own") && left.is_some_and(|it| it != here) {
        bring_loopback_up().map_err(|error| refused(format!("the loopback stays down: {error}")))?;
        // The subject is an ordinary user. Where /proc/sys cannot be written it keeps the right to bind low ports
        // instead, see `ordinary`.
        let _ = std::fs::write(FIRST_PORT, "0");
        return Ok(());
    }
    match start_again(&here, outside)? {}
}

/// The sockets outside that came along, where this process was started again with some.
pub(super) fn handed_over(wanted: Wanted) -> Option<io::Result<Outside>> {
    let own = std::process::id().to_string();
    std::env::var_os(SOCKETS)
        .is_some_and(|process| process == *own)
        .then(|| Outside::receive(io::stdin(), wanted))
}

/// Joins the network of another process of ours, by the namespaces that it is in.
pub(super) fn join(process: u32) -> Result<(), GroundError> {
    let refused = |why: String| GroundError::Join { process, why };
    let mark = format!("{process} {}", std::process::id());
    if std::env::var_os(JOINED).is_some_and(|joined| joined == *mark) {
        return Ok(());
    }
    let here = std::fs::read_link(NAMESPACE).map_err(|error| refused(format!("{NAMESPACE}: {error}")))?;
    let is_theirs = |kind: &str| -> io::Result<bool> {
        let theirs = std::fs::read_link(format!("/proc/{process}/ns/{kind}"))?;
        Ok(theirs == std::fs::read_link(format!("/proc/self/ns/{kind}"))?)
    };
    let same_user = is_theirs("user").map_err(|error| refused(error.to_string()))?;
    let program =
        std::env::current_exe().map_err(|error| refused(format!("where is this program? {error}")))?;
    let mut command = Command::new("nsenter");
    command.args(["--target", &process.to_string(), "--net"]);
    if !same_user {
        command.args(["--user", "--preserve-credentials"]);
    }
    // Files that are put over the machine's are so for whoever has joined alone.
    let error = command
        .args(["--", "unshare", "--mount", "--"])
        .arg(&program)
        .args(std::env::args_os().skip(1))
        .env(GROUND, "own")
        .env(OUTSIDE, OsString::from(here))
        .env(JOINED, mark)
        .exec();
    Err(refused(format!("cannot start `nsenter` (of util-linux): {error}")))
}

/// Starts the program again where files can be put over the machine's for it alone; its network stays as it is. Inside, the
/// same call returns.
pub(super) fn cover_files() -> Result<(), GroundError> {
    let refused = |why: String| GroundError::Files { why };
    let here = std::fs::read_link(MOUNTS).map_err(|error| refused(format!("{MOUNTS}: {error}")))?;
    let own = std::process::id().to_string();
    let mark = std::env::var(FILES).unwrap_or_default();
    // The same process, elsewhere: what it starts inherits the word, and not the number.
    if mark.split_once(' ').is_some_and(|(process, left)| process == own && Path::new(left) != here) {
        return Ok(());
    }
    let program =
        std::env::current_exe().map_err(|error| refused(format!("where is this program? {error}")))?;
    let flags = usable_flags(&[&["--mount"], &["--user", "--map-root-user", "--mount"]]).map_err(refused)?;
    let mut command = Command::new("unshare");
    command.args(flags).arg("--").arg(&program).args(std::env::args_os().skip(1));
    let error = command.env(FILES, format!("{own} {}", here.display())).exec();
    Err(refused(format!("cannot start `unshare`: {error}")))
}

/// Whether an ordinary user may bind port 80 on this ground.
pub(crate) fn low_ports_are_free() -> bool {
    std::fs::read_to_string(FIRST_PORT)
        .is_ok_and(|first| first.trim().parse::<u16>().is_ok_and(|port| port <= 80))
}

/// Puts a resolver over the machine's: /etc/resolv.conf names it alone, and /etc/nsswitch.conf, where there is one, asks
/// DNS, since systemd's own module reaches the machine's resolver over a Unix socket, which no network can hide.
pub(super) fn put_resolver(resolver: IpAddr, folder: &Path) -> io::Result<()> {
    let resolv = format!("nameserver {resolver}\noptions timeout:1 attempts:2\n");
    put_over(Path::new("/etc/resolv.conf"), &folder.join("resolv.conf"), resolv.as_bytes())?;
    let switch = Path::new("/etc/nsswitch.conf");
    if switch.exists() {
        let text = b"passwd: files\ngroup: files\nhosts: files dns\n";
        put_over(switch, &folder.join("nsswitch.conf"), text)?;
    }
    Ok(())
}

/// Where programs look for the certificates that they trust: Debian's, Fedora's, openSUSE's and Alpine's places, as Go's
/// crypto/x509 lists them.
const TRUSTED: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Adds an authority to the machine's, in every file of them that there is.
pub(super) fn put_authority(ca: &Path, folder: &Path) -> io::Result<()> {
    let ca = std::fs::read(ca)?;
    // Some of them are one file under several names.
    let there: BTreeSet<PathBuf> =
        TRUSTED.iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect();
    for (number, bundle) in there.iter().enumerate() {
        let mut trusted = std::fs::read(bundle)?;
        trusted.push(b'\n');
        trusted.extend_from_slice(&ca);
        put_over(bundle, &folder.join(format!("trusted-{number}.pem")), &trusted)?;
    }
    Ok(())
}

fn put_over(theirs: &Path, ours: &Path, text: &[u8]) -> io::Result<()> {
    std::fs::write(ours, text)?;
    mount_bind(ours, theirs)?;
    Ok(())
}

fn start_again(here: &Path, outside: Option<&Outside>) -> Result<Infallible, GroundError> {
    let refused = |why: String| GroundError::Own { why };
    let program =
        std::env::current_exe().map_err(|error| refused(format!("where is this program? {error}")))?;
    let flags = usable_flags(&[AS_ROOT, AS_ANYONE]).map_err(refused)?;
    let mut command = Command::new("unshare");
    command.args(flags).arg("--").arg(&program).args(std::env::args_os().skip(1));
    command.env(GROUND, "own").env(OUTSIDE, OsString::from(here));
    if let Some(outside) = outside {
        let waiting = outside.hand_over().map_err(|error| refused(format!("sockets outside: {error}")))?;
        command.env(SOCKETS, std::process::id().to_string()).stdin(waiting);
    }
    let error = command.exec();
    Err(refused(format!("cannot start `unshare`: {error}")))
}

const AS_ROOT: &[&str] = &["--net", "--mount"];
const AS_ANYONE: &[&str] = &["--user", "--map-root-user", "--net", "--mount"];

/// What `unshare` is asked for: the first that it grants, of which the first one is root's. Root needs no user namespace, and
/// without one keeps its rights over others' files.
fn usable_flags(all: &[&'static [&'static str]]) -> Result<&'static [&'static str], String> {
    let root = rustix::process::geteuid().is_root();
    let mut why = String::new();
    for flags in all.iter().copied().skip(usize::from(!root)) {
        match Command::new("unshare").args(flags).args(["--", "true"]).stdin(Stdio::null()).output() {
            Ok(tried) if tried.status.success() => return Ok(flags),
            Ok(tried) => why = String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
            Err(error) => why = format!("cannot start `unshare` (of util-linux): {error}"),
        }
    }
    Err(why)
}

/// `ip link set lo up` and `ip address add 127.0.0.2/8 dev lo`, without the program: RTM_NEWLINK and RTM_NEWADDR (rtnetlink(7)).
///
/// A program that asks for addresses of the kinds that its machine has (AI_ADDRCONFIG) counts 127.0.0.1 for none: with no other one
/// it finds no name.
fn bring_loopback_up() -> io::Result<()> {
    const NEWLINK: u16 = 16;
    const NEWADDR: u16 = 20;
    const LOOPBACK: u32 = 1; // the first interface of every network namespace
    const UP: u32 = 1;
    // ifinfomsg: family and padding, device type, index, flags, which of them change
    let link = [[0; 4], LOOPBACK.to_ne_bytes(), UP.to_ne_bytes(), UP.to_ne_bytes()].concat();
    rtnetlink(NEWLINK, &link)?;
    const IPV4: u8 = 2;
    const OF_HOST: u8 = 254;
    const IFA_LOCAL: [u8; 2] = 2_u16.to_ne_bytes();
    // ifaddrmsg: family, prefix length, flags, scope, index; then one attribute: length, type, address
    let (length, address) = (8_u16.to_ne_bytes(), [127, 0, 0, 2]);
    let message =
        [&[IPV4, 8, 0, OF_HOST], &LOOPBACK.to_ne_bytes()[..], &length, &IFA_LOCAL, &address].concat();
    rtnetlink(NEWADDR, &message)
}

/// Sends one message to the kernel, and waits for its acknowledgement (netlink(7)).
fn rtnetlink(kind: u16, body: &[u8]) -> io::Result<()> {
    const REQUEST_ACKNOWLEDGE_CREATE: u16 = 1 | 4 | 0x400;
    const NLMSG_ERROR: u16 = 2;
    const HEAD: u32 = 16;
    let mut message = vec![];
    let length = HEAD + body.len() as u32;
    message.extend(length.to_ne_bytes()); // nlmsghdr: length, type, flags, sequence, port
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST_ACKNOWLEDGE_CREATE.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);

    let kernel = SocketAddrNetlink::new(0, 0);
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    sendto(&netlink, &message, SendFlags::empty(), &kernel)?;
    let mut answer = [0_u8; 256];
    let (length, _) = recv(&netlink, &mut answer[..], RecvFlags::empty())?;
    // nlmsgerr: the header, then zero or a negated error number.
    match answer.get(..length) {
        Some([_, _, _, _, a, b, _, _, _, _, _, _, _, _, _, _, error @ ..])
            if u16::from_ne_bytes([*a, *b]) == NLMSG_ERROR =>
        {
            let number = error.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
            if number == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-number)) }
        }
        _ => Err(io::Error::other("the kernel's answer is none")),
    }
}
