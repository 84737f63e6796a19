//! A command that does nothing.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use hostlink::{ConnectorArguments, StringCommand};
use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, time};

use super::world::World;

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let (command, arguments) = (StringCommand::shell("true"), ConnectorArguments::new());
    let name = world.container.name();
    let peer = || time(Command::new("docker").args(["exec", name, "true"]));
    let ours = async || {
        let start = Instant::now();
        world.link.run_shell_command(&command, &arguments).await?.check()?;
        Ok(start.elapsed())
    };
    let peers = vec![
        Peer::new("`docker exec`", peer).aim(0.7),
        // The lower limit for every client of the engine.
        Peer::new("the engine alone, asked over its socket", || engine_alone(name)),
    ];
    in_turns("`true`", world.sizes.commands, ours, peers).await
}

/// Makes the three calls that a command takes, without a client.
fn engine_alone(container: &str) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let what = r#"{"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Cmd":["true"]}"#;
    let created =
        call("POST", &format!("/containers/{container}/exec"), what, "Connection: close")?;
    let (_, id) = created.split_once(r#""Id":""#).ok_or("the engine gave no ID")?;
    let id = id.split('"').next().unwrap_or_default();
    let start = r#"{"Detach":false,"Tty":false}"#;
    call("POST", &format!("/exec/{id}/start"), start, "Connection: Upgrade\r\nUpgrade: tcp")?;
    let state = call("GET", &format!("/exec/{id}/json"), "", "Connection: close")?;
    if !state.contains(r#""ExitCode":0"#) {
        return Err(format!("true did not succeed: {state}").into());
    }
    Ok(begun.elapsed())
}

/// Makes one call on its own connection, which ends with the answer or the command.
fn call(method: &str, path: &str, body: &str, header: &str) -> Result<String, Failure> {
    let mut stream = UnixStream::connect("/var/run/docker.sock")?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{header}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
