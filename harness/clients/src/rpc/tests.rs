//! What the client writes, against layouts of the specifications written out by hand; and answers that are none.

use bytes::BytesMut;

use super::pdu::{self, EMSMDB};
use super::rts::{self, Said};
use super::{Way, calls, ways};
use crate::pox::{Dialect, Reading, Settings};

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
    let text = std::str::from_utf8(&digits).unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// [MS-RPCH] 2.2.4.2, 2.2.4.5, 2.2.4.36 and 2.2.4.45.
#[test]
fn channels_begin_as_specified() {
    let (one, two, three, four) = ("01".repeat(16), "02".repeat(16), "03".repeat(16), "04".repeat(16));
    let a1 = format!(
        "0500140310000000 4c000000 00000000 0000 0400 0600000001000000 03000000{one} 03000000{two} 00000000 00000100"
    );
    assert_eq!(rts::conn_a1(&[1; 16], &[2; 16]), hex(&a1));
    let b1 = format!(
        "0500140310000000 68000000 00000000 0000 0600 0600000001000000 03000000{one} 03000000{three} \
         0400000000000040 05000000e0930400 0c000000{four}"
    );
    assert_eq!(rts::conn_b1(&[1; 16], &[3; 16], &[4; 16]), hex(&b1));
    let (a3, c1) = (rts::out_a3(&[1; 16], &[2; 16], &[4; 16]), rts::out_c1());
    assert_eq!(a3.len() + c1.len(), 120, "what a successor declares");
    assert_eq!(c1, hex("0500140310000000 18000000 00000000 0100 0100 07000000"));
    let ack = format!(
        "0500140310000000 38000000 00000000 0200 0200 0d00000003000000 0100000005000000 00000100{two}"
    );
    assert_eq!(rts::acknowledge(5, &[2; 16]), hex(&ack));
}

#[test]
fn what_a_proxy_says_is_understood_and_what_is_cut_short_is_refused() {
    let zeros = "00".repeat(16);
    for (rest, said) in [
        ("0000 0100 02000000c0d40100".to_owned(), Said::Open),
        ("0000 0300 0600000001000000 0000000000000100 02000000c0d40100".to_owned(), Said::Ready(65_536)),
        (
            format!("0200 0200 0d00000000000000 0100000005000000 07000000{zeros}"),
            Said::Acknowledged { received: 5, window: 7 },
        ),
        ("0400 0100 0d00000000000000".to_owned(), Said::WantsOut),
        ("0000 0200 0d00000000000000 0a000000".to_owned(), Said::TakesOut),
        ("0000 0100 0d00000000000000".to_owned(), Said::TakesIn),
        ("2000 0100 0a000000".to_owned(), Said::Last),
        ("0100 0000".to_owned(), Said::Nothing),
        ("0100 0100 0800000003000000 000000".to_owned(), Said::Nothing),
    ] {
        assert_eq!(rts::said(&hex(&rest)), Ok(said), "{rest}");
    }
    for broken in ["0000", "0000 0100", "0000 0100 08000000ffffffff", "0000 0000 00", "0000 0100 ff000000"] {
        assert!(rts::said(&hex(broken)).is_err(), "{broken}");
    }
}

/// [C706] 12.6.4.3 for the bind, 12.6.4.4 for its answer.
#[test]
fn a_bind_and_its_answer_lie_on_the_wire_as_c706_draws_them() {
    let bind = hex("05000b03 10000000 48000000 01000000 d016d016 00000000 01000000 00000100 \
         00dbf1a447ca6710b31f00dd010662da 00005100 045d888aeb1cc9119fe808002b104860 02000000");
    assert_eq!(pdu::bind(1, &EMSMDB), bind);
    let taken = |rest: &str| {
        let mut read = BytesMut::from(&hex(rest)[..]);
        pdu::take(&mut read).unwrap().unwrap()
    };
    // A secondary address of four letters and its NUL, so that the results are aligned behind it.
    let ack = |result: &str| {
        taken(&format!(
            "05000c03 10000000 3c000000 01000000 d016d016 00000000 0500 3630303100 00 01000000 {result} 0000 \
             045d888aeb1cc9119fe808002b104860 02000000"
        ))
    };
    assert_eq!(pdu::bound(&ack("0000")), Ok(()));
    assert!(pdu::bound(&ack("0200")).is_err(), "not offered");
    assert!(pdu::bound(&taken("05000d03 10000000 12000000 01000000 0400")).is_err(), "refused");
    let fault = taken("05000303 10000000 20000000 02000000 00000000 00000000 03000001 00000000");
    assert!(pdu::answered(&fault).unwrap_err().contains("0x01000003"));
}

#[test]
fn what_is_no_pdu_is_refused_and_half_of_one_is_waited_for() {
    for broken in ["485454502f", "05001403 10000000 0400", "05001403 00000000 1400 000000000000"] {
        let mut read = BytesMut::from(&hex(broken)[..]);
        read.resize(16.max(read.len()), 0);
        assert!(pdu::take(&mut read).is_err(), "{broken}");
    }
    let mut half = BytesMut::from(&hex("05001403 10000000 1400 0000 00000000 0100")[..]);
    assert_eq!(pdu::take(&mut half), Ok(None));
}

/// Answers cut short at any byte end in an error and in nothing else.
#[test]
fn an_answer_that_ends_early_is_told() {
    let tower = "0500 1300 0d 00dbf1a447ca6710b31f00dd010662da 0000 0200 5100 \
                 1300 0d 045d888aeb1cc9119fe808002b104860 0200 0200 0000 0100 0b 0200 0000 0100 07 0200 1771 0100 09 0400 7f010203";
    let length = hex(tower).len();
    let mut stub = hex(&format!("{} 01000000 01000000 00000000 01000000 00000200", "00".repeat(20)));
    stub.extend([u32::try_from(length).unwrap().to_le_bytes(); 2].concat());
    stub.extend(hex(tower));
    stub.resize(stub.len().next_multiple_of(4), 0);
    stub.extend([0; 4]);
    assert_eq!(calls::mapped(&stub), Ok(6001));
    for end in 0..stub.len() - 16 {
        assert_ne!(calls::mapped(&stub[..end]), Ok(6001), "{end}");
    }
    let nobody = [vec![0; 60], hex("eb030000")].concat();
    assert!(calls::connected(&nobody).unwrap_err().contains("no such mailbox"));
    for end in 0..40 {
        assert!(calls::owner(&vec![0; end]).is_err());
    }
}

fn settings(blocks: &str) -> Settings {
    let answer = format!(
        "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\"><Response \
         xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\"><Account>\
         <Action>settings</Action>{blocks}</Account></Response></Autodiscover>"
    );
    match Dialect::Outlook.read(&answer) {
        Reading::Settings(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

fn shown(ways: &[Way]) -> Vec<String> {
    ways.iter()
        .map(|way| match way {
            Way::Tcp(host) => format!("tcp {host}"),
            Way::Http(url, scheme) => format!("{url} {scheme:?}"),
        })
        .collect()
}

/// CX-EXHTTP-1: its blocks instead of the rest, in their order, each with its own SSL and authentication. CX-EXHTTP-5: an
/// Outlook below the patch level reads over them.
#[test]
fn exhttp_leads_in_its_order_where_it_is_known() {
    let block = |kind: &str, server: &str, rest: &str| {
        format!("<Protocol><Type>{kind}</Type><Server>{server}</Server>{rest}</Protocol>")
    };
    let guid = "7d0e0000-0000-4000-8000-000000000001@contoso.com";
    let blocks = [
        block("EXCH", guid, ""),
        block("EXPR", "mail.contoso.com", "<SSL>On</SSL><AuthPackage>Basic</AuthPackage>"),
        block("EXHTTP", "outlook.contoso.com", "<SSL>Off</SSL><AuthPackage>Ntlm</AuthPackage>"),
        block("EXHTTP", "mail.contoso.com", "<AuthPackage>Negotiate</AuthPackage>"),
    ];
    let settings = settings(&blocks.concat());
    let path = format!("rpc/rpcproxy.dll?{guid}:6001");
    assert_eq!(
        shown(&ways(&settings, true)),
        [
            format!("http://outlook.contoso.com/{path} Some(Ntlm)"),
            format!("https://mail.contoso.com/{path} Some(Negotiate)"),
        ]
    );
    assert_eq!(shown(&ways(&settings, false)), [format!("https://mail.contoso.com/{path} Some(Basic)")]);
}

#[test]
fn an_older_profile_leads_over_tcp_and_then_to_outlook_anywhere() {
    let settings = settings(
        "<Protocol><Type>EXCH</Type><Server>outlook-s1.contoso.com</Server></Protocol>\
         <Protocol><Type>EXPR</Type><Server>mail.contoso.com</Server><AuthPackage>Basic</AuthPackage></Protocol>",
    );
    let proxy = "https://mail.contoso.com/rpc/rpcproxy.dll?outlook-s1.contoso.com:6001 Some(Basic)";
    assert_eq!(shown(&ways(&settings, true)), ["tcp outlook-s1.contoso.com", proxy]);
}
