use super::*;
use crate::values::error::ErrorKind;

/// What came, in pieces of this length, and whether that was all.
fn received(stream: &[u8], pieces: usize) -> Result<(Vec<u8>, bool)> {
    let (mut receiving, mut content) = (Receiving::default(), Vec::new());
    for piece in stream.chunks(pieces) {
        content.extend_from_slice(receiving.content(piece, "/x")?);
    }
    Ok((content, receiving.is_whole()))
}

#[test]
fn a_file_is_taken_out_of_its_frame_however_it_is_cut() {
    for pieces in 1..30 {
        let whole = received(b"C0644 5 a b\nhe\0lo\0", pieces).unwrap();
        assert_eq!(whole, (b"he\0lo".to_vec(), true));
        assert_eq!(received(b"C0600 0 x\n\0", pieces).unwrap(), (Vec::new(), true));
        assert_eq!(received(b"C0600 5 x\nhell", pieces).unwrap(), (b"hell".to_vec(), false));
    }
}

#[test]
fn what_is_not_in_the_protocol_is_refused() {
    let endless = [b'C'; 2 * LONGEST_LINE];
    let frames: [&[u8]; 12] = [
        &endless,
        b"D0755 0 x\n",
        b"T1 0 1 0\n",
        b"hello\n",
        b"\n",
        b"C0644 -1 x\n",
        b"C0644 +1 x\na\0",
        b"C0644 99999999999999999999 x\n",
        b"C0644 3\nabc\0",
        b"C64 3 x\nabc\0",
        b"C0644 3 x\nabc\0\0",
        b"C0644 3 x\nabcdef\n",
    ];
    for frame in frames {
        for pieces in [1, 7, frame.len()] {
            match received(frame, pieces) {
                Ok((_, is_whole)) => assert!(!is_whole, "{frame:?}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Transfer, "{frame:?}"),
            }
        }
    }
}

#[test]
fn a_message_is_the_error_wherever_it_comes() {
    let frames: [&[u8]; 2] =
        [b"\x01scp: /x: Permission denied\n", b"C0644 3 x\nabc\x01scp: /x: Permission denied\n"];
    for frame in frames {
        for pieces in [1, frame.len()] {
            let error = received(frame, pieces).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{frame:?}");
        }
    }
}

/// What is sent when the script says `output`, its own part of that, and scp's complaint.
async fn sent(content: &[u8], length: u64, output: &[u8]) -> [Vec<u8>; 3] {
    let content = Box::pin(std::io::Cursor::new(content.to_vec()));
    let (mut reader, mut answers) = sending(content, length);
    let own: Vec<u8> = output.chunks(1).flat_map(|byte| answers.strip(byte)).collect();
    let refusal = answers.take_refusal();
    drop(answers);
    let mut sent = Vec::new();
    reader.read_to_end(&mut sent).await.unwrap();
    [sent, own, refusal]
}

/// The content, its announced length, what the script says; then what is sent, the script's own
/// words, the complaint.
type Case<'a> = (&'a [u8], u64, &'a [u8], [&'a [u8]; 3]);

#[tokio::test]
async fn the_bytes_go_in_the_frame_that_the_script_asks_for() {
    let framed = b"C0600 3 file\nabc\0".to_vec();
    let cases: [Case<'_>; 7] = [
        (
            b"abc",
            3,
            b"hl made\nhl scp\n\0\0\0hl done\n",
            [&framed, b"hl made\nhl scp\nhl done\n", b""],
        ),
        (b"abc", 3, b"hl noscp\nhl done\n", [b"abc", b"hl noscp\nhl done\n", b""]),
        (b"abcd", 3, b"hl plain\n", [b"abcd", b"hl plain\n", b""]),
        // Fewer or more than announced lack the last byte.
        (b"ab", 3, b"hl scp\n\0\0", [b"C0600 3 file\nab", b"hl scp\n", b""]),
        (b"abcd", 3, b"hl scp\n\0\0", [b"C0600 3 file\nabc", b"hl scp\n", b""]),
        // scp does not take it, or the script ends before.
        (
            b"abc",
            3,
            b"hl scp\n\0\x01no\n\x02no\nhl write\n",
            [b"", b"hl scp\nhl write\n", b"no\nno\n"],
        ),
        (b"abc", 3, b"hl isdir\n", [b"", b"hl isdir\n", b""]),
    ];
    for (content, length, output, expected) in cases {
        let found = sent(content, length, output).await;
        assert_eq!(found, expected.map(<[u8]>::to_vec), "{output:?}");
    }
}

#[test]
fn answers_without_an_end_take_no_memory() {
    let (_reader, mut answers) = sending(Box::pin(tokio::io::empty()), 1);
    answers.strip(b"hl scp\n\x01");
    for _ in 0..100 {
        assert_eq!(answers.strip(&[b'x'; LONGEST_LINE]), b"");
    }
    assert!(answers.take_refusal().len() <= LONGEST_LINE);
}
