//! An engine whose answer to one call never ends.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hostlink_tests::cli::{hostlink, stderr};

use super::{assert_bounded, measured};

/// How much an answer has in all if its end is never to be waited for: a pull has no time limit.
const MUCH: usize = 256 << 20;

/// The call that is answered without an end, with which status, and the answers to other calls, by
/// the beginnings of their requests. What has none is answered with `{}`.
struct Scene {
    endless: (&'static str, &'static str),
    target: &'static str,
    answers: &'static [(&'static str, &'static str, &'static str)],
}

const OK: &str = "200 OK";
const MISSING: &str = "404 Not Found";
const FAILED: &str = "500 Internal Server Error";
const UPGRADED: &str = "101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp";

/// A container that runs once it has been started.
const STOPPED: (&str, &str, &str) =
    ("GET /containers/x/json", OK, r#"{"Id":"x","Name":"/x","State":{"Running":STARTED}}"#);
const RUNNING: (&str, &str, &str) =
    ("GET /containers/x/json", OK, r#"{"Id":"x","Name":"/x","State":{"Running":true}}"#);
const NONE: (&str, &str, &str) = ("GET /containers/json", OK, "[]");
const NO_CONTAINER: (&str, &str, &str) = ("GET /containers/x/json", MISSING, "{}");
const NO_IMAGE: (&str, &str, &str) = ("GET /images/x/json", MISSING, "{}");
const MADE: (&str, &str, &str) = ("POST /containers/create", OK, r#"{"Id":"c"}"#);
const IMAGE: (&str, &str, &str) = ("GET /images/x/json", OK, r#"{"Id":"i","Config":{}}"#);

const SCENES: &[Scene] = &[
    Scene { endless: ("GET /_ping", OK), target: "@docker/x", answers: &[] },
    Scene { endless: ("GET /_ping", FAILED), target: "@docker/x", answers: &[] },
    Scene { endless: ("GET /containers/", OK), target: "@docker/x", answers: &[] },
    Scene { endless: ("GET /containers/", FAILED), target: "@docker/x", answers: &[] },
    Scene { endless: ("GET /images/json", OK), target: "@docker/x", answers: &[NONE] },
    Scene {
        endless: ("POST /images/create", OK),
        target: "@docker/x",
        answers: &[NONE, NO_CONTAINER, NO_IMAGE],
    },
    Scene {
        endless: ("POST /containers/x/start", OK),
        target: "@docker/x",
        answers: &[NONE, STOPPED],
    },
    Scene {
        endless: ("POST /containers/x/stop", OK),
        target: "@docker/x",
        answers: &[NONE, STOPPED, ("POST /containers/x/exec", FAILED, "{}")],
    },
    Scene {
        endless: ("POST /containers/x/exec", OK),
        target: "@docker/x",
        answers: &[NONE, RUNNING],
    },
    Scene {
        endless: ("POST /containers/create", OK),
        target: "@docker/x",
        answers: &[NONE, NO_CONTAINER, IMAGE],
    },
    Scene {
        endless: ("POST /containers/c/attach", UPGRADED),
        target: "@docker/x",
        answers: &[NONE, NO_CONTAINER, IMAGE, MADE],
    },
    Scene {
        endless: ("DELETE /containers/c", OK),
        target: "@docker/x",
        answers: &[NONE, NO_CONTAINER, IMAGE, MADE],
    },
    Scene {
        endless: ("DELETE /containers/c", FAILED),
        target: "@podman/x",
        answers: &[NONE, NO_CONTAINER, IMAGE, MADE],
    },
];

/// What an engine has seen.
#[derive(Default)]
struct State {
    started: AtomicBool,
    met: AtomicBool,
}

/// Reads the head of a request: its first line, and the length of its body. `None` at the end.
fn head(reader: &mut impl BufRead) -> io::Result<Option<(String, usize)>> {
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(Some((request, length)));
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap_or_default();
        }
    }
}

impl Scene {
    /// Answers the requests of one connection, until it ends.
    fn serve(&self, stream: &UnixStream, state: &State) -> io::Result<()> {
        let (mut reader, mut writer) = (BufReader::new(stream), stream);
        while let Some((request, length)) = head(&mut reader)? {
            reader.read_exact(&mut vec![0; length])?;
            if request.starts_with(self.endless.0) {
                state.met.store(true, Ordering::Relaxed);
                write!(writer, "HTTP/1.1 {}\r\nApi-Version: 1.41\r\n\r\n", self.endless.1)?;
                let mut piece = [b'x'; 1 << 16];
                // A frame of an attached stream: standard error, and its length.
                piece[..8].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0xff, 0xf8]);
                return (0..MUCH >> 16).try_for_each(|_| writer.write_all(&piece));
            }
            let found = self.answers.iter().find(|(start, ..)| request.starts_with(start));
            let (_, status, body) = found.unwrap_or(&("", OK, "{}"));
            let started = state.started.fetch_or(request.contains("/start "), Ordering::Relaxed);
            let body = body.replace("STARTED", &started.to_string());
            let head = format!("Api-Version: 1.41\r\nContent-Length: {}", body.len());
            write!(writer, "HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}")?;
        }
        Ok(())
    }

    /// Runs the command, and returns the most memory that it had, in KiB.
    fn run(&'static self) -> u64 {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let data = match self.target {
            "@docker/x" => format!("docker_host=unix://{}", socket.display()),
            _ => format!("podman_socket={}", socket.display()),
        };
        let state = Arc::new(State::default());
        let of_server = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = of_server.clone();
                thread::spawn(move || self.serve(&stream, &state));
            }
        });
        let words = ["--data", &data, self.target, "exec", "--", "true"];
        let (output, peak) = measured(hostlink(words));
        assert!(state.met.load(Ordering::Relaxed), "{:?}: {}", self.endless, stderr(&output));
        assert!(!output.status.success(), "{:?}", self.endless);
        peak
    }
}

#[test]
fn answers_without_end_take_no_memory() {
    assert_bounded(SCENES, |scene| scene.endless.0, Scene::run);
}
