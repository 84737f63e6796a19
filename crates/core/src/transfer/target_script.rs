//! The scripts that store and read files on a target with nothing but a POSIX shell and its usual
//! tools.
//!
//! Each says how it went in a line `hl WORD …` on standard output. Messages of the tools, in
//! English, are on standard error.

use std::time::{SystemTime, UNIX_EPOCH};

use super::tree_script::{
    COMMIT_TREE, GO_DOWN, GO_IN, HOLD, LIST, READ_TREE, STAGE, STEPS, UNPACK,
};
use crate::contract::files::TEMPORARY_MARK;
use crate::shell::quote;

/// Variables and functions that the scripts share.
///
/// No script writes to `/dev/null`: where the target has no such device, root would make a file of
/// that name. Errors that do not matter go to a closed descriptor, output into a variable.
///
/// `fail WORD` removes what the script made and ends (a tree is renamed first, so that no other
/// script can let a half removed one appear). `resolve` follows symlinks at the destination `d`
/// where `f` says so, as many as Linux follows (path_resolution(7)). `place` finds its directory
/// `p`, that of the temporary, `q`, and the temporary's name `t`. A temporary elsewhere must be on
/// the same file system: `mv` would copy otherwise.
///
/// `rename` is rename(2): a plain `mv` would move into a directory, or through a symlink to one,
/// that another user has put there a moment before. A `mv` that does not know `-T` is looked after.
/// With another user's rights (`P`), `safe` is true for a directory in which no other user can
/// replace a file; with `t` also for one with the sticky bit, where they cannot replace ours.
const SHARED: &str = r#"LC_ALL=C; export LC_ALL
made=
clean() {
case $made in
file) rm -f "$t" 2>&-;;
tree) rename "$t" "$t-" 2>&-
rm -rf "$t-" 2>&- || { (cd -P "$t-" && [ "$(own_inode_of .)" = "$(own_inode_of "../${t##*/}-")" ] && chmod -R u+rwX .)
rm -rf "$t-"; } 2>&-;;
esac; }
fail() { clean; printf 'hl %s\n' "$*"; exit 0; }
resolve() {
i=0
while [ "$f" ] && [ -h "$d" ]; do
i=$((i+1)); [ $i -le 40 ] || fail loop
l=$(readlink "$d" && echo x) || fail write; l=${l%?x}
case $l in /*) d=$l;; *) d=${d%/*}/$l;; esac
done; }
fs_of() { stat -L -c %d "$1" 2>&- || stat -L -f %d "$1"; }
inode_of() { stat -L -c %d:%i "$1" 2>&- || stat -L -f %d:%i "$1"; }
own_inode_of() { stat -c %d:%i "$1" 2>&- || stat -f %d:%i "$1"; }
place() {
p=${d%/*}; p=${p:-/}
[ -d "$p" ] || { i=$(ls -d "$p/."); fail nodir; }
b=${d##*/}; [ ${#b} -le 200 ] || b=
q=$p
if [ "$t" ]; then q=${t%/*}; q=${q:-/}; elif [ "$T" ]; then q=$T; fi
[ "$t" ] || t=${q%/}/.$b$H$r
[ "$q" = "$p" ] || [ "$(fs_of "$q")" = "$(fs_of "$p")" ] || fail otherfs; }
rename() {
why=$(mv -fT "$1" "$2" 2>&1) && return
case $(mv -T 2>&1) in *ption*T*) ;; *) return 1;; esac
[ ! -d "$2" ] || return
i=$(own_inode_of "$1"); why=$(mv -f "$1" "$2" 2>&1) || return
[ "$i" = "$(own_inode_of "$2")" ] || { rm -rf "$2/${1##*/}"; return 1; }; }
safe() {
[ "$P" ] || return 0
set -f; set -- "$2" $(ls -ldn "$1"); set +f
[ "$4" = "$(id -u)" ] || return
case $1$2 in t?????????[tT]*) return;; esac
case $2 in ?????w*|????????w*) return 1;; esac; }
"#;

/// Finds again what an earlier script has made.
const FIND: &str = "resolve\nplace\n";

/// Stores standard input in the temporary file, which stays open as descriptor 3: `x` names the
/// file itself, so that no user can replace it by another one. `inplace`: it went straight into
/// the destination, which is done only where its directory takes no new file and is `safe`. Where
/// the bytes wait for it (`S`), a word says what takes them, before anything does.
const STORE: &str = r#"plain() { [ -z "$S" ] || echo "hl plain"; }
resolve
if [ -d "$d" ]; then { [ -h "$d" ] && [ -z "$f" ]; } || fail isdir; fi
place
if [ -e "$d" ] && [ ! -f "$d" ] && [ ! -h "$d" ]; then
safe "$p" || fail unsafe; plain; cat >"$d" || fail write; echo "hl inplace"; exit 0; fi
umask 077; set -C
if { command exec 3>"$t"; } 2>&-; then made=file
elif [ -f "$d" ] && [ ! -w "$p" ] && [ -w "$d" ]; then
set +C; safe "$p" || fail unsafe; plain; cat >"$d" || fail write; echo "hl inplace"; exit 0
else command exec 3>"$t"; fail write; fi
set +C; echo "hl made"
x=/proc/self/fd/3; [ -e "$x" ] || { safe "$q" t || fail unsafe; x=$t; }
if [ "$S" = scp ] && [ "$(command -v scp)" ]; then echo "hl scp"; scp -t "$x" || fail write
else
if [ "$S" = scp ]; then echo "hl noscp"; else plain; fi
cat >&3 || fail write
fi
c=$(wc -c <"$x") || fail write
c=$((c))
"#;

/// Opens again what was stored, if it is still the same file. Opened for writing it would be made
/// anew if it is gone, and the new file may get the number of the old one.
const REOPEN: &str = r#"made=file
command exec 3<"$t" || fail changed
x=/proc/self/fd/3; [ -e "$x" ] || { safe "$q" t || fail unsafe; x=$t; }
[ "$(inode_of "$x")" = "$I" ] || { made=; fail changed; }
"#;

/// Gives the temporary file its mode, its owner and its name.
///
/// Where it cannot be renamed, the destination is written in place. What was stored is opened
/// before the destination is emptied: another process may have removed the temporary file.
const COMMIT: &str = r#"umask "$u"
a=; k=; why=
if [ -f "$d" ] && { [ "$f" ] || [ ! -h "$d" ]; }; then
a=$(stat -c '%a %u:%g' "$d" 2>&-) || a=$(stat -f '%Mp%Lp %u:%g' "$d") || fail write
[ "${a#* }" = "$(stat -L -c %u:%g "$x" 2>&-)" ] || chown "${a#* }" "$x" 2>&- || k=1
a=${a%% *}
fi
chmod "${m:-${a:-$(printf %o $((0$s & ~0$u)))}}" "$x" || fail write
[ -z "$w" ] || TZ=UTC0 touch -t "$w" "$x" || fail write
if [ -z "$k" ]; then
if [ -h "$d" ] && [ -d "$d" ]; then rm -f "$d"; fi
rename "$t" "$d" && { echo "hl done"; exit 0; }
fi
[ -f "$d" ] || { printf '%s\n' "$why" >&2; fail write; }
safe "$p" || fail unsafe
command exec 4<"$x" || fail write
cat <&4 >"$d" || fail write
rm -f "$t"; echo "hl inplace"
"#;

/// Says what a file is, then its bytes, then that these were all: standard output is complete if
/// the last line is there, with cat's exit code. What is read is what was opened and looked at,
/// whatever gets its name meanwhile; in a tree (`g`) it is no symlink. Nothing but a regular file
/// is opened: that could wait, or have effects. scp sends as many bytes as the file is said to
/// have, which those of /sys and /proc have not.
const READ: &str = r#"[ -z "$g" ] || d=./$g
if [ -d "$d" ]; then fail isdir; fi
[ -e "$d" ] || { i=$(ls -dL "$d"); fail missing; }
[ -f "$d" ] || fail special
command exec 3<"$d" || fail write
x=/proc/self/fd/3; [ -e "$x" ] || x=$d
[ -f "$x" ] || fail special
if [ "$P" ] && [ "$g" ]; then i=$(own_inode_of "$d"); [ "$i" ] && [ "$i" = "$(inode_of "$x")" ] || fail changed; fi
a=$(stat -L -c '%a %Y' "$x" 2>&-) || a=$(stat -L -f '%Mp%Lp %m' "$x" 2>&-) || a='666 0'
k=ok
if [ "$S" ]; then
z=$(stat -L -c %s "$x" 2>&-) || z=$(stat -L -f %z "$x" 2>&-)
if [ -z "$(command -v scp)" ]; then k=noscp; elif [ "$(($(wc -c <"$d")))" = "$z" ]; then k=scp; fi
fi
echo "hl $k $a"
if [ $k = scp ]; then scp -f "$d"; else cat <&3; fi
printf '\nhl %s %03d\n' "$r" $?
"#;

/// The modes of a tree that the umask does not apply to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Kept {
    #[default]
    None,
    /// The tree's own.
    Root,
    All,
}

/// The parameters of the scripts.
#[derive(Clone, Debug, Default)]
pub(super) struct Values<'a> {
    /// The destination, or the file that is read.
    pub(super) path: &'a str,
    /// An explicit temporary path.
    pub(super) temporary: String,
    /// The directory for temporaries.
    pub(super) temp_dir: String,
    /// What makes the temporary's name ours, and ends a stream.
    pub(super) random: &'a str,
    /// Follow symlinks at the destination.
    pub(super) follow: bool,
    /// With another user's rights, who must not be led astray by a third.
    pub(super) guarded: bool,
    /// The directory that an earlier script has made for a tree, which `path` starts from.
    pub(super) stage: Option<&'a str>,
    /// The path from `path`, a directory that is read file by file, to one of its files.
    pub(super) inside: &'a str,
    /// The device and inode of what was stored, or of the directory that is read.
    pub(super) inode: String,
    /// What the umask does not apply to.
    pub(super) kept: Kept,
    /// The mode asked for, octal.
    pub(super) mode: String,
    /// The source's mode, octal.
    pub(super) source_mode: String,
    /// The bytes are to go through scp.
    pub(super) scp: bool,
    /// The bytes wait for the word on what takes them, also where that is not scp, or a tree.
    pub(super) waits: bool,
    /// The time to set, as `touch -t` takes it, in UTC.
    pub(super) stamp: String,
}

impl Kept {
    fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Root => "root",
            Self::All => "1",
        }
    }
}

impl Values<'_> {
    /// Stores input of a known length and puts it in its place, in one go.
    pub(super) fn store_sized(&self, length: u64) -> String {
        let check = format!("[ \"$c\" = {length} ] || fail short \"$c\"\n");
        [&*self.beginning(), STORE, &check, COMMIT].concat()
    }

    /// Stores input of an unknown length, and says how much it was.
    pub(super) fn store_unsized(&self) -> String {
        [&*self.beginning(), STORE, "echo \"hl stored $c $(inode_of \"$x\")\"\n"].concat()
    }

    /// Puts what was stored in its place.
    pub(super) fn commit(&self) -> String {
        [&*self.beginning(), FIND, REOPEN, COMMIT].concat()
    }

    /// Removes the temporary file.
    pub(super) fn clean_file(&self) -> String {
        [&*self.beginning(), FIND, "made=file; clean\n"].concat()
    }

    /// Removes the temporary directory.
    pub(super) fn clean_tree(&self) -> String {
        [&*self.beginning(), FIND, "made=tree; clean\n"].concat()
    }

    pub(super) fn unpack_tree(&self) -> String {
        [&*self.beginning(), STAGE, HOLD, UNPACK].concat()
    }

    pub(super) fn commit_tree(&self) -> String {
        [&*self.beginning(), FIND, HOLD, STEPS, COMMIT_TREE].concat()
    }

    /// Runs a command that must succeed.
    pub(super) fn must(&self, command: &str) -> String {
        format!("{}{{ {command}; }} || fail write\necho 'hl done'\n", self.beginning())
    }

    pub(super) fn read(&self) -> String {
        let go = if self.inside.is_empty() { "" } else { GO_DOWN };
        [&*self.beginning(), STEPS, go, READ].concat()
    }

    pub(super) fn read_tree(&self) -> String {
        [&*self.beginning(), STEPS, READ_TREE].concat()
    }

    pub(super) fn list_tree(&self) -> String {
        [&*self.beginning(), STEPS, LIST].concat()
    }

    /// What every script begins with.
    fn beginning(&self) -> String {
        let mut text = self.assignments() + SHARED;
        if let Some(stage) = self.stage {
            text += &format!("t={}; q=${{t%/*}}; q=${{q:-/}}\n", quoted(stage));
            text += &[HOLD, GO_IN].concat();
        }
        text
    }

    fn assignments(&self) -> String {
        let follow = if self.follow { "1" } else { "" };
        let waits = if self.waits { "cat" } else { "" };
        let values = [
            ("d", self.path),
            ("t", &self.temporary),
            ("T", &self.temp_dir),
            ("H", TEMPORARY_MARK),
            ("r", self.random),
            ("f", follow),
            ("P", if self.guarded { "1" } else { "" }),
            ("I", &self.inode),
            ("g", self.inside),
            ("K", self.kept.word()),
            ("m", &self.mode),
            ("s", &self.source_mode),
            ("S", if self.scp { "scp" } else { waits }),
            ("w", &self.stamp),
        ];
        let mut text = String::from("u=$(umask)\n");
        for (name, value) in values {
            text += &format!("{name}={}\n", quoted(value));
        }
        text
    }
}

pub(super) fn quoted(text: &str) -> String {
    String::from_utf8_lossy(&quote::shell(text.as_bytes())).into_owned()
}

/// A file's time as `touch -t` takes it.
pub(super) fn stamp(time: SystemTime) -> String {
    touch_stamp(unix_seconds(time))
}

fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// Seconds since 1970 as `touch -t` takes them: CCYYMMDDhhmm.SS, in UTC. The calendar is the
/// algorithm `civil_from_days` of Howard Hinnant,
/// <https://howardhinnant.github.io/date_algorithms.html>.
fn touch_stamp(seconds: i64) -> String {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}.{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_stamps_for_touch() {
        for (seconds, stamp) in [
            (0, "197001010000.00"),
            (951_782_400, "200002290000.00"),
            (1_234_567_890, "200902132331.30"),
            (4_102_444_799, "209912312359.59"),
            (-1, "196912312359.59"),
        ] {
            assert_eq!(touch_stamp(seconds), stamp);
        }
    }
    /// A new file could get the inode number of the one that is gone, and would then replace the
    /// destination.
    #[test]
    fn committing_what_is_gone_makes_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let path = path.to_str().unwrap();
        let values = Values { path, random: "0123", inode: "1:2".to_owned(), ..Values::default() };
        let run = std::process::Command::new("sh").arg("-c").arg(values.commit()).output();
        assert_eq!(run.unwrap().stdout, b"hl changed\n");
        let names = std::fs::read_dir(directory.path()).unwrap().flatten().map(|it| it.file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["file"]);
        assert_eq!(std::fs::read(path).unwrap(), b"old");
    }
}
