//! A target that never stops sending: what it sends is not gathered in memory.
//!
//! Its shell runs hostlink's scripts, but writes one letter for ever where a script lists a
//! directory. The test is alone in its program, whose memory it measures.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hostlink_core::transfer::GetOptions;
use hostlink_core::{Context, ErrorKind, Link};
use hostlink_testkit::SpawnOnly;

/// The most memory that this process may ever have had, in KiB.
const MOST: u64 = 64 * 1024;

#[tokio::test]
async fn a_list_without_end_is_refused_and_takes_no_memory() {
    let connection = SpawnOnly::without(&["tar", "sh"]).unwrap();
    let shell = connection.programs().join("sh");
    let line = "exec /bin/bash -c \"${2//walk ??;/yes A;}\"";
    fs::write(&shell, format!("#!/bin/bash\n{line}\n")).unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    let link = Link::new(Box::new(connection), "endless", Context::default());
    let here = tempfile::tempdir().unwrap();
    let (from, to) = (here.path().join("from"), here.path().join("to"));
    fs::create_dir(&from).unwrap();
    let got = link.get_dir(from.to_str().unwrap(), &to, &GetOptions::default()).await;
    let error = got.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transfer, "{error:?}");
    assert!(format!("{error:?}").contains("list is too long"), "{error:?}");
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1, "nothing is left");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < MOST, "{peak} KiB");
}
