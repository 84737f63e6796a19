//! Transfers that are long, or lose the container or the engine midway.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostlink::transfer::{GetOptions, Sink, Source};
use hostlink::{ConnectorArguments, Error, ErrorKind, StringCommand};
use hostlink_tests::cli::{becomes_true, command, run_with_input, stdout};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};
use hostlink_tests::engine::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{assert_error, connect, get, puts, random};

/// A longer wait means that it hangs.
const LIMIT: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("{what} hangs"))
}

#[tokio::test]
async fn a_hundred_mebibytes_go_through_a_command_as_they_are() {
    let container = Container::start(DEBIAN);
    let link = connect(&container).await;
    let input = random(100 << 20);
    let sum = stdout(&run_with_input(command(Path::new("sha256sum"), [""; 0]), &input));
    let arguments = ConnectorArguments::new().with_stdin(input);
    let line = StringCommand::shell("cat | sha256sum");
    let output = link.run_shell_command(&line, &arguments).await.unwrap().check().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout()), sum);
    assert!(sum.len() > 64, "the control: {sum}");
    link.disconnect().await.unwrap();
}

/// Longer than any limit of an HTTP call: bollard's is 120 s.
#[tokio::test]
async fn a_put_may_take_two_hundred_seconds() {
    const PIECES: usize = 20;
    const PIECE: usize = 1 << 20;
    let container = Container::start(DEBIAN);
    let link = connect(&container).await;
    let content = random(PIECES * PIECE);
    let (mut slow, near) = duplex(PIECE);
    let sent = content.clone();
    let sending = tokio::spawn(async move {
        for piece in sent.chunks(PIECE) {
            sleep(Duration::from_secs(10)).await;
            slow.write_all(piece).await.unwrap();
        }
    });
    let begun = Instant::now();
    link.put_file(Source::reader(near), "/var/tmp/slow", &puts()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(200), "{:?}", begun.elapsed());
    sending.await.unwrap();
    assert!(get(&link, "/var/tmp/slow").await == content);
    link.disconnect().await.unwrap();
}

/// Reads the rest of a get, once the test allows it.
async fn drain(mut near: DuplexStream, mut got: Vec<u8>) -> Vec<u8> {
    near.read_to_end(&mut got).await.unwrap();
    got
}

#[tokio::test]
async fn a_file_that_is_removed_while_it_is_read_comes_whole_and_then_is_not_there() {
    const LENGTH: usize = 64 << 20;
    let container = Container::start(DEBIAN);
    let link = connect(&container).await;
    let content = random(LENGTH);
    link.put_file(content.clone(), "/var/tmp/file", &puts()).await.unwrap();
    let (mut far, mut near) = duplex(64 * 1024);
    let getting = {
        let link = link.clone();
        tokio::spawn(async move {
            let sink = Sink::Writer(&mut far);
            link.get_file("/var/tmp/file", sink, &GetOptions::default()).await
        })
    };
    let mut first = vec![0; 1 << 20];
    near.read_exact(&mut first).await.unwrap();
    assert!(!getting.is_finished(), "the control: it is under way");
    assert_eq!(container.shell("rm /var/tmp/file; ls -A /var/tmp"), "");
    let got = within("the rest", drain(near, first)).await;
    assert_eq!(getting.await.unwrap().unwrap().bytes, LENGTH as u64);
    assert!(got == content);
    let again = link.get_file("/var/tmp/file", &mut Vec::new(), &GetOptions::default()).await;
    assert_error(&again.unwrap_err(), ErrorKind::NotFound, "/var/tmp/file");
    link.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_is_removed_during_a_put_is_a_link_that_is_lost() {
    for engine in Engine::ALL {
        for image in [DEBIAN, BUSYBOX] {
            let container = Container::start_on(engine, image, &[]);
            let link = connect(&container).await;
            let putting = {
                let link = link.clone();
                tokio::spawn(async move {
                    let source = Source::reader(tokio::io::repeat(b'x'));
                    link.put_file(source, "/tmp/file", &puts()).await
                })
            };
            let container = wait_for_put(container).await;
            remove(&container).await;
            let error = within("the put", putting).await.unwrap().unwrap_err();
            assert_lost(&error, &container);
            within("the end", link.disconnect()).await.unwrap();
        }
    }
}

async fn wait_for_put(container: Container) -> Container {
    let filled = move || {
        const SIZE: &str = "du -k /tmp | tail -n 1 | cut -f 1";
        let is_filled =
            || container.shell(SIZE).trim().parse::<u64>().is_ok_and(|size| size > 1024);
        (becomes_true(is_filled), container)
    };
    let (is_filled, container) = spawn_blocking(filled).await.unwrap();
    assert!(is_filled, "the control: it moves");
    container
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_is_removed_during_a_get_is_a_link_that_is_lost() {
    for engine in Engine::ALL {
        for image in [DEBIAN, BUSYBOX] {
            let container = Container::start_on(engine, image, &[]);
            let _ = container.shell("truncate -s 1099511627776 /tmp/file");
            let link = connect(&container).await;
            let here = tempfile::tempdir().unwrap();
            let to = here.path().join("file");
            fs::write(&to, "old").unwrap();
            let getting = {
                let (link, to) = (link.clone(), to.clone());
                tokio::spawn(
                    async move { link.get_file("/tmp/file", to, &GetOptions::default()).await },
                )
            };
            let directory: PathBuf = here.path().to_owned();
            let filled = move || {
                let entries = fs::read_dir(&directory).unwrap().flatten();
                entries.filter_map(|it| it.metadata().ok()).any(|it| it.len() > 1 << 20)
            };
            let moves = spawn_blocking(|| becomes_true(filled)).await.unwrap();
            assert!(moves, "the control: it moves");
            remove(&container).await;
            let error = within("the get", getting).await.unwrap().unwrap_err();
            assert_lost(&error, &container);
            assert_eq!(fs::read_to_string(&to).unwrap(), "old");
            assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
            within("the end", link.disconnect()).await.unwrap();
        }
    }
}

async fn remove(container: &Container) {
    let (engine, name) = (container.engine(), container.name().to_owned());
    spawn_blocking(move || engine.say(["rm", "--force", &name])).await.unwrap();
}

fn assert_lost(error: &Error, container: &Container) {
    assert_eq!(error.kind(), ErrorKind::LinkLost, "{error:?}");
    let line = error.to_string();
    assert!(line.contains(container.name()) && !line.contains('\n'), "{line}");
}
