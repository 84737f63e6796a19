//! Files and directories to a target and back.
//!
//! Everything is streamed: memory does not grow with a file. A reader of the destination sees the
//! old file or the new one, never a part. A file is complete if its length, or a line of the target
//! after its last byte, says so; the end of a stream proves nothing. A transfer in which nothing
//! moves for 120 s is ended, whatever its timeout.
//!
//! # How a file moves
//!
//! `put`: a hidden temporary beside the destination, mode 0600 until it is whole; then mode, owner,
//! name. On the target it stays open as descriptor 3, and mode and owner are set through
//! `/proc/self/fd/3`, so that the owner of the directory cannot put a symlink in its place: root
//! could be made to write any file that way. The second script of an unsized put opens it again and
//! compares the inode. Nothing is renamed on the end of a stream alone: with a known length the
//! target compares; without, it says what it got, we compare, and a second script renames. `get`:
//! the target says `hl ok MODE MTIME`, the bytes, and a last line with our token and `cat`'s exit
//! code; only that line proves the file whole. With `FileProgram::Scp` the same scripts run `scp
//! -t` and `scp -f` instead of `cat` and say so (`hl scp`, `hl noscp`, `hl plain`) before a
//! byte moves; `transfer/scp.rs` speaks scp's protocol inside what they read and write. Trees are
//! tar streams into a hidden directory of mode 0700, renamed or merged at the end; without tar on
//! the target, file by file into the same hidden directory; without a shell, file by file by the
//! connection's own [`DirectoryTransfer`], if it has one (`tree_without_shell`). Our archives name
//! each directory twice, first writable and last with its mode and time, since busybox's tar sets
//! them at once. `Stage` treats a target's archive as hostile: it reads raw entries, so that a long
//! name cannot fill memory, and refuses sparse files, whose holes would fill the disk from a stream
//! of nothing.
//!
//! What is read is what was opened, even if other users replace a name meanwhile: a file is
//! opened once, looked at, and read, and only regular files are. A tree that another user's rights
//! read is read by GNU tar, which follows no symlink, or file by file, each compared with what its
//! name is. On this machine `Stage` is held open, and so is the directory that it appears in; a
//! destination that is a symlink is followed only if it is the calling user's or root's.
//!
//! A temporary is removed only if it carries our random name, or the target has said (`hl made`)
//! that the script made it; that holds for a dropped put, too, so nothing is sent before that to a
//! file whose name the caller chose. In place is written only what takes
//! no new file beside it; with privilege, only in a directory that no other user may write.

mod apart;
mod cause;
mod cleaner;
mod failure;
mod get;
mod put;
mod scp;
mod stage;
mod target;
mod target_script;
mod tree_get;
mod tree_put;
mod tree_script;
mod tree_without_shell;

pub use cleaner::CLEAN_LIMIT;
pub use failure::failure;
pub use target::STALL;

pub use crate::contract::files::{
    AtomicFile, Cancelled, Copies, Creation, DirectoryTransfer, FileKind, FileProgram,
    FileTransfer, GetOptions, Header, OpenSource, PutOptions, RemoteEntry, Route, Sink, SinkWriter,
    Source, TEMPORARY_MARK, Transferred, blocking, copy_file, hidden_name,
};
