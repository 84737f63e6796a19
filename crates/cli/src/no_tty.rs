//! A stub of the terminal for systems without Unix terminals.

use std::fs::File;
use std::io::{self, PipeReader};

use hostlink::run::TerminalSize;

pub(crate) struct Changed;

impl Changed {
    pub(crate) fn raw<T>(_terminal: T) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn without_echo<T>(_terminal: T) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(crate) fn restore() {}

pub(crate) fn is_changed() -> bool {
    false
}

pub(crate) fn open() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn read_line(_terminal: &File, _taken_back: &PipeReader) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn is_stdin_terminal() -> bool {
    false
}

pub(crate) fn size() -> TerminalSize {
    TerminalSize::default()
}

pub(crate) struct Resizes;

impl Resizes {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> TerminalSize {
        std::future::pending().await
    }
}
