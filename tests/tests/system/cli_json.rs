//! The command end to end: `--json`.

use hostlink_tests::cli::{code, hostlink, run, run_with_input, stderr, stdout};
use serde_json::{Value, json};

/// Returns the exit code and the one object; its duration is checked and removed.
fn object(words: &[&str]) -> (i32, Value) {
    let output = run(hostlink([&["--json"], words].concat()));
    let text = stdout(&output);
    assert_eq!((text.lines().count(), stderr(&output)), (1, String::new()), "{text}");
    let mut object: Value = serde_json::from_str(&text).unwrap();
    let duration = object.as_object_mut().unwrap().remove("duration_ms").unwrap();
    assert!(duration.as_u64().is_some(), "{duration}");
    (code(&output), object)
}

#[test]
fn a_command_is_one_object() {
    let (status, object) = object(&["@local", "exec", "--", "echo out; echo err >&2; exit 3"]);
    assert_eq!(status, 3);
    let expected = json!({
        "host": "@local", "success": false, "exit_code": 3, "signal": null,
        "stdout": "out\n", "stderr": "err\n", "truncated": false, "error": null,
    });
    assert_eq!(object, expected);
}

#[test]
fn a_signal_has_no_exit_code() {
    let (status, object) = object(&["@local", "exec", "--", "kill -9 $$"]);
    assert_eq!((status, &object["exit_code"], &object["signal"]), (137, &Value::Null, &json!(9)));
}

#[test]
fn bytes_that_are_no_text_are_base64() {
    let (status, object) = object(&["@local", "exec", "--", r"printf 'a\377\0'; echo err >&2"]);
    let expected = json!({
        "host": "@local", "success": true, "exit_code": 0, "signal": null,
        "stdout_base64": "Yf8A", "stderr": "err\n", "truncated": false, "error": null,
    });
    assert_eq!((status, object), (0, expected));
}

#[test]
fn a_time_out_has_the_output_so_far() {
    let line = "echo so far; echo err >&2; sleep 600";
    let (status, object) = object(&["@local", "exec", "--timeout", "1", "--", line]);
    assert_eq!(status, 124);
    assert_eq!(object["stdout"], "so far\n");
    assert_eq!(object["stderr"], "err\n");
    assert_eq!(object["error"]["kind"], "timeout");
    let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["host", "success", "exit_code", "signal", "stdout", "stderr", "truncated", "error"];
    expected.sort_unstable();
    assert_eq!(keys.into_iter().collect::<std::collections::BTreeSet<_>>(), expected.into());
}

#[test]
fn a_transfer_is_one_object() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x").display().to_string();
    let output = run_with_input(hostlink(["--json", "@local", "put", "-", &path]), b"abc");
    let put: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&put["bytes"], &put["success"]), (&json!(3), &json!(true)));

    let copy = directory.path().join("copy").display().to_string();
    let (status, got) = object(&["@local", "get", &path, &copy]);
    let expected = json!({
        "host": "@local", "success": true, "bytes": 3, "in_place": false, "route": "copy",
        "error": null,
    });
    assert_eq!((status, got), (0, expected));

    let (status, failed) = object(&["@local", "get", "/nowhere", &copy]);
    assert_eq!((status, &failed["error"]["kind"]), (1, &json!("not_found")));
    assert_eq!((&failed["bytes"], &failed["success"]), (&Value::Null, &json!(false)));
}

#[test]
fn what_cannot_be_used_is_no_object() {
    let output = run(hostlink(["--json", "@nowhere", "exec", "--", "ls"]));
    assert_eq!((code(&output), stdout(&output)), (2, String::new()));
}
