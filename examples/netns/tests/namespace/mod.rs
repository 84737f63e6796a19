//! A network namespace for one test, which ends with the test in any way.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes the namespace, waits for the end of its input, which is a pipe from the test, and removes
/// the namespace.
const KEEPER: &str = r#"trap "" INT TERM HUP
ip netns add "$1" && ip -n "$1" link set lo up && echo ready && cat; ip netns del "$1""#;

/// A namespace with only a loopback.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
    keeper: Child,
    input: Option<ChildStdin>,
}

impl Namespace {
    /// Makes a namespace.
    pub(crate) fn make() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hostlink-{}-{count}", std::process::id());
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh", &name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = keeper.spawn().expect("there is a sh");
        let input = keeper.stdin.take();
        let mut line = String::new();
        let output = keeper.stdout.take().expect("it is a pipe");
        BufReader::new(output).read_line(&mut line).expect("it can be read");
        let namespace = Self { name, keeper, input };
        assert_eq!(line, "ready\n", "a namespace needs root and iproute2");
        namespace
    }

    /// Returns its name for `ip netns`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends when the namespace is gone.
        let _ended = self.keeper.wait();
    }
}
