//! The JSON object of a target, for `--json`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostlink::{CommandOutput, Error};
use serde_json::{Map, Value, json};

use crate::exit::Work;
use crate::explain;
use crate::outcome::{Done, Outcome};

/// Returns one line: the object and a line ending.
pub(crate) fn line(host: &str, outcome: &Outcome, work: Work, took: Duration) -> String {
    let mut object = Map::new();
    object.insert("host".into(), host.into());
    object.insert("success".into(), succeeded(outcome).into());
    match work {
        Work::Command => insert_command(&mut object, output(outcome), took),
        Work::Transfer => insert_transfer(&mut object, outcome, took),
    }
    object.insert(
        "error".into(),
        outcome.as_ref().err().map_or(Value::Null, |failure| error(&failure.error)),
    );
    format!("{}\n", Value::Object(object))
}

fn succeeded(outcome: &Outcome) -> bool {
    match outcome {
        Ok(Done::Ran(output)) => output.success(),
        Ok(Done::Moved(_)) => true,
        Ok(Done::Left(status)) => status.code() == Some(0),
        Err(_) => false,
    }
}

/// Returns the output. An error may carry the output so far.
fn output(outcome: &Outcome) -> Option<&CommandOutput> {
    match outcome {
        Ok(Done::Ran(output)) => Some(output),
        Ok(Done::Moved(_) | Done::Left(_)) => None,
        Err(failure) => failure.error.output(),
    }
}

fn insert_command(object: &mut Map<String, Value>, output: Option<&CommandOutput>, took: Duration) {
    object.insert("exit_code".into(), output.and_then(CommandOutput::exit_code).into());
    object.insert("signal".into(), output.and_then(CommandOutput::signal).into());
    insert_bytes(object, "stdout", output.map(CommandOutput::stdout));
    insert_bytes(object, "stderr", output.map(CommandOutput::stderr));
    object.insert("truncated".into(), output.map(CommandOutput::truncated).into());
    insert_duration(object, output.map_or(took, CommandOutput::duration));
}

fn insert_transfer(object: &mut Map<String, Value>, outcome: &Outcome, took: Duration) {
    let moved = match outcome {
        Ok(Done::Moved(moved)) => Some(moved),
        _ => None,
    };
    object.insert("bytes".into(), moved.map(|moved| moved.bytes).into());
    object.insert("in_place".into(), moved.map(|moved| moved.in_place).into());
    object.insert("route".into(), moved.map(|moved| moved.route.name()).into());
    insert_duration(object, took);
}

fn insert_duration(object: &mut Map<String, Value>, duration: Duration) {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    object.insert("duration_ms".into(), milliseconds.into());
}

/// JSON has no bytes: a value that is not UTF-8 gets a different key.
fn insert_bytes(object: &mut Map<String, Value>, key: &str, bytes: Option<Vec<u8>>) {
    match bytes.map(String::from_utf8) {
        None => object.insert(key.into(), Value::Null),
        Some(Ok(text)) => object.insert(key.into(), text.into()),
        Some(Err(error)) => {
            object.insert(format!("{key}_base64"), STANDARD.encode(error.as_bytes()).into())
        }
    };
}

fn error(error: &Error) -> Value {
    json!({"kind": error.kind().name(), "message": explain::without_target(error)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostlink::run::{OutputLine, Stream};
    use hostlink::transfer::Transferred;
    use hostlink::{ErrorKind, ExitStatus};

    #[test]
    fn every_key_is_there_in_order() {
        let line_of_output = OutputLine { stream: Stream::Stdout, line: "x".into() };
        let output =
            CommandOutput::from_lines([line_of_output], ExitStatus::Signal(9), Duration::ZERO);
        assert_eq!(
            line("@a", &Ok(Done::Ran(output)), Work::Command, Duration::MAX),
            "{\"host\":\"@a\",\"success\":false,\"exit_code\":null,\"signal\":9,\
             \"stdout\":\"x\\n\",\"stderr\":\"\",\"truncated\":false,\"duration_ms\":0,\"error\":null}\n"
        );
        let error = Err(Error::new(ErrorKind::Connect, "no way").with_target("@a").into());
        assert_eq!(
            line("@a", &error, Work::Command, Duration::from_secs(1)),
            "{\"host\":\"@a\",\"success\":false,\"exit_code\":null,\"signal\":null,\
             \"stdout\":null,\"stderr\":null,\"truncated\":null,\"duration_ms\":1000,\
             \"error\":{\"kind\":\"connect\",\"message\":\"no way\"}}\n"
        );
        let moved = Ok(Done::Moved(Transferred { bytes: 3, ..Transferred::default() }));
        assert_eq!(
            line("@a", &moved, Work::Transfer, Duration::from_millis(5)),
            "{\"host\":\"@a\",\"success\":true,\"bytes\":3,\"in_place\":false,\
             \"route\":\"commands\",\"duration_ms\":5,\"error\":null}\n"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let mut object = Map::new();
        insert_bytes(&mut object, "stdout", Some(vec![0xff, 0]));
        assert_eq!(Value::Object(object), json!({"stdout_base64": "/wA="}));
    }
}
