//! Readers and writers that fail or lie about their length.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::ensure;
use hostlink_core::ErrorKind;
use hostlink_core::transfer::{GetOptions, PutOptions, Sink, Source};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::scene::Scene;

cases![
    a_reader_that_is_shorter_than_announced_stores_nothing: SecondSession,
    a_reader_that_is_longer_than_announced_stores_nothing: SecondSession,
    a_reader_that_fails_stores_nothing: SecondSession,
    a_writer_that_fails_ends_the_transfer: SecondSession,
];

async fn a_reader_that_is_shorter_than_announced_stores_nothing(
    scene: &Scene,
) -> anyhow::Result<()> {
    for (there, announced) in [(0, 1), (99_999, 100_000)] {
        let source = Source::sized_reader(io::Cursor::new(vec![b'n'; there]), announced);
        let error = expect_nothing_stored(scene, source).await?;
        ensure!(error.kind() == ErrorKind::Transfer, "{error:?}");
    }
    Ok(())
}

async fn a_reader_that_is_longer_than_announced_stores_nothing(
    scene: &Scene,
) -> anyhow::Result<()> {
    for (there, announced) in [(1, 0), (100_001, 100_000), (5_000_000, 100_000)] {
        let source = Source::sized_reader(io::Cursor::new(vec![b'n'; there]), announced);
        let error = expect_nothing_stored(scene, source).await?;
        ensure!(error.kind() == ErrorKind::Transfer, "{error:?}");
    }
    Ok(())
}

async fn a_reader_that_fails_stores_nothing(scene: &Scene) -> anyhow::Result<()> {
    let broken = || io::Cursor::new(vec![b'n'; 100_000]).chain(Broken);
    for source in [Source::reader(broken()), Source::sized_reader(broken(), 200_000)] {
        let error = expect_nothing_stored(scene, source).await?;
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        ensure!(cause.as_deref() == Some("broken on purpose"), "{error:?}");
    }
    Ok(())
}

async fn expect_nothing_stored(
    scene: &Scene,
    source: Source,
) -> anyhow::Result<hostlink_core::Error> {
    let path = scene.plant("file", b"old").await?;
    let put = scene.link.put_file(source, &path, &PutOptions::default()).await;
    let Err(error) = put else { anyhow::bail!("it was stored: {put:?}") };
    scene.expect_content(&path, b"old").await?;
    scene.expect_no_leftovers().await?;
    Ok(error)
}

async fn a_writer_that_fails_ends_the_transfer(scene: &Scene) -> anyhow::Result<()> {
    let path = scene.plant("file", &vec![b'x'; 1_000_000]).await?;
    let mut broken = Broken;
    let got = scene.link.get_file(&path, Sink::Writer(&mut broken), &GetOptions::default()).await;
    let Err(error) = got else { anyhow::bail!("it was written") };
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    ensure!(cause.as_deref() == Some("broken on purpose"), "{error:?}");
    Ok(())
}

/// A reader and writer whose every operation fails.
struct Broken;

fn broken<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::other("broken on purpose")))
}

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        broken()
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        _bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        broken()
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        broken()
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        broken()
    }
}
