//! The scripts that store and read files on a target with nothing but a POSIX shell and its usual
//! tools.
//!
//! Each says how it went in a line `hl WORD …` on standard output. Messages of the tools, in
//! English, are on standard error.

use crate::shell::quote;

/// Variables and functions that the scripts share.
///
/// `fail WORD` removes what the script made and ends (a tree is renamed first, so that no other
/// script can let a half removed one appear); `resolve` follows symlinks at the destination `d`
/// where `f` says so, as many as Linux follows (path_resolution(7)); `place` finds its directory
/// `p` and the temporary's name `t`. A temporary elsewhere must be on the same file system: `mv`
/// would copy otherwise. `owned` refuses to write in place, with another user's rights, in a
/// directory where somebody else could put a symlink in the way meanwhile.
const SHARED: &str = r#"LC_ALL=C; export LC_ALL
made=
clean() {
case $made in file) rm -f "$t";; tree) mv "$t" "$t-"; chmod -R u+rwX "$t-"; rm -rf "$t-";; esac 2>/dev/null; }
fail() { clean; printf 'hl %s\n' "$*"; exit 0; }
resolve() {
i=0
while [ "$f" ] && [ -h "$d" ]; do
i=$((i+1)); [ $i -le 40 ] || fail loop
l=$(readlink "$d" && echo x) || fail write; l=${l%?x}
case $l in /*) d=$l;; *) d=${d%/*}/$l;; esac
done; }
fs_of() { stat -L -c %d "$1" 2>/dev/null || stat -L -f %d "$1"; }
inode_of() { stat -L -c %d:%i "$1" 2>/dev/null || stat -L -f %d:%i "$1"; }
place() {
p=${d%/*}; p=${p:-/}
[ -d "$p" ] || { ls -d "$p" >/dev/null; fail nodir; }
b=${d##*/}; [ ${#b} -le 200 ] || b=
q=$p
if [ "$t" ]; then q=${t%/*}; q=${q:-/}; elif [ "$T" ]; then q=$T; fi
[ "$t" ] || t=${q%/}/.$b.hostlink-$r
[ "$q" = "$p" ] || [ "$(fs_of "$q")" = "$(fs_of "$p")" ] || fail otherfs; }
owned() {
[ "$P" ] || return 0
set -f; set -- $(ls -ldn "$p"); set +f
[ "$3" = "$(id -u)" ] || fail unsafe
case $1 in ?????w*|????????w*) fail unsafe;; esac; }
"#;

/// Finds again what an earlier script has made.
const FIND: &str = "resolve\nplace\n";

/// Stores standard input in the temporary file, which stays open as descriptor 3: `x` names the
/// file itself, so that nobody can put another one in its place. `inplace`: it went straight into
/// the destination, which is done only where its directory takes no new file. Where scp is wanted
/// (`S`), a word says what takes the bytes, before anything does.
const STORE: &str = r#"plain() { [ -z "$S" ] || echo "hl plain"; }
resolve
if [ -d "$d" ]; then { [ -h "$d" ] && [ -z "$f" ]; } || fail isdir; fi
place
if [ -e "$d" ] && [ ! -f "$d" ] && [ ! -h "$d" ]; then
owned; plain; cat >"$d" || fail write; echo "hl inplace"; exit 0; fi
umask 077; set -C
if { command exec 3>"$t"; } 2>/dev/null; then made=file
elif [ -f "$d" ] && [ ! -w "$p" ] && [ -w "$d" ]; then
set +C; owned; plain; cat >"$d" || fail write; echo "hl inplace"; exit 0
else command exec 3>"$t"; fail write; fi
set +C; echo "hl made"
x=/proc/self/fd/3; [ -e "$x" ] || x=$t
if [ "$S" ] && command -v scp >/dev/null; then echo "hl scp"; scp -t "$x" || fail write
else [ -z "$S" ] || echo "hl noscp"; cat >&3 || fail write; fi
c=$(wc -c <"$x") || fail write
c=$((c))
"#;

/// Opens again what was stored, if it is still the same file. Opened for writing it would be made
/// anew if it is gone, and the new file may get the number of the old one.
const REOPEN: &str = r#"made=file
command exec 3<"$t" || fail changed
x=/proc/self/fd/3; [ -e "$x" ] || x=$t
[ "$(inode_of "$x")" = "$I" ] || { made=; fail changed; }
"#;

/// Gives the temporary file its mode, its owner and its name.
///
/// Where it cannot be renamed, the destination is written in place. What was stored is opened
/// before the destination is emptied: somebody may have removed the temporary file.
const COMMIT: &str = r#"umask "$u"
a=; k=
if [ -f "$d" ] && { [ "$f" ] || [ ! -h "$d" ]; }; then
a=$(stat -c '%a %u:%g' "$d" 2>/dev/null) || a=$(stat -f '%Mp%Lp %u:%g' "$d") || fail write
[ "${a#* }" = "$(stat -L -c %u:%g "$x" 2>/dev/null)" ] || chown "${a#* }" "$x" 2>/dev/null || k=1
a=${a%% *}
fi
chmod "${m:-${a:-$(printf %o $((0$s & ~0$u)))}}" "$x" || fail write
[ -z "$w" ] || TZ=UTC0 touch -t "$w" "$x" || fail write
if [ -z "$k" ]; then
if [ -h "$d" ] && [ -d "$d" ]; then rm -f "$d"; fi
mv -f "$t" "$d" 2>/dev/null && { echo "hl done"; exit 0; }
fi
[ -f "$d" ] || { mv -f "$t" "$d"; fail write; }
owned
command exec 4<"$x" || fail write
cat <&4 >"$d" || fail write
rm -f "$t"; echo "hl inplace"
"#;

/// Makes the directory that a tree is unpacked in.
const STAGE: &str = r#"resolve
if [ -e "$d" ] || [ -h "$d" ]; then [ -d "$d" ] && { [ "$f" ] || [ ! -h "$d" ]; } || fail notdir; fi
place
(umask 077; mkdir "$t") || fail write
made=tree; echo "hl made"
"#;

/// Unpacks standard input there, keeping modes but no owners. The name is given to `cd`, since GNU
/// tar reads backslashes in the one for `-C`.
const UNPACK: &str = r#"command -v tar >/dev/null || { printf 'hl notar %s\n' "$t"; exit 0; }
(cd "$t" && tar -xpof -) || fail write
echo "hl stored"
"#;

/// Renames the directory, or moves what is in it into the directory that is there. Conflicts are
/// found before anything is moved; nothing is moved through a symlink. If the destination has
/// appeared since, the rename went into it, and what is there is merged.
const COMMIT_TREE: &str = r#"made=tree
check() {
for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
[ -e "$e" ] || [ -h "$e" ] || continue
o=$d/${e#"$t"/}
[ -e "$o" ] || [ -h "$o" ] || continue
if [ -d "$e" ] && [ ! -h "$e" ]; then
[ -d "$o" ] && [ ! -h "$o" ] || { printf '%s is in the way of a directory\n' "$o" >&2; fail conflict; }
check "$e"
elif [ -d "$o" ] && [ ! -h "$o" ]; then printf '%s is a directory\n' "$o" >&2; fail conflict; fi
done; }
into() { [ $# -lt 2 ] || { to=$1; shift; mv -f "$@" "$to/" || fail write; }; }
mode_of() { stat -c %a "$1" 2>/dev/null || stat -f %Mp%Lp "$1"; }
merge() {
for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
[ -e "$e" ] || [ -h "$e" ] || continue
[ -d "$e" ] && [ ! -h "$e" ] && [ -d "$d/${e#"$t"/}" ] && merge "$e"
done
o=$d; [ "$1" = "$t" ] || o=$d/${1#"$t"/}
x=$1; set -- "$o"
for e in "$x"/* "$x"/.[!.]* "$x"/..?*; do
[ -e "$e" ] || [ -h "$e" ] || continue
if [ -d "$e" ] && [ ! -h "$e" ]; then
[ ! -d "$d/${e#"$t"/}" ] || continue
[ -w "$e" ] || { a=$(mode_of "$e"); chmod u+w "$e" && mv -f "$e" "$o/" && chmod "$a" "$o/${e##*/}" || fail write; continue; }
fi
if [ -h "$d/${e#"$t"/}" ]; then rm -f "$d/${e#"$t"/}"; fi
set -- "$@" "$e"
[ $# -lt 100 ] || { into "$@"; set -- "$o"; }
done
into "$@"; }
if [ ! -d "$d" ]; then
[ -z "$w" ] || TZ=UTC0 touch -t "$w" "$t" || fail write
chmod "$m" "$t" || fail write
mv -f "$t" "$d" || fail write
t=$d/${t##*/}
[ -d "$t" ] || { echo "hl done"; exit 0; }
fi
check "$t"; merge "$t"; clean
echo "hl done"
"#;

/// Says what a file is, then its bytes, then that these were all: standard output is complete if
/// the last line is there, with cat's exit code. scp sends as many bytes as the file is said to
/// have, which those of /sys and /proc have not.
const READ: &str = r#"if [ -d "$d" ]; then fail isdir; fi
[ -e "$d" ] || { ls -d "$d" >/dev/null; fail missing; }
[ ! -f "$d" ] || (: <"$d") || fail write
a=$(stat -L -c '%a %Y' "$d" 2>/dev/null) || a=$(stat -L -f '%Mp%Lp %m' "$d" 2>/dev/null) || a='666 0'
k=ok
if [ "$S" ] && [ -f "$d" ]; then
z=$(stat -L -c %s "$d" 2>/dev/null) || z=$(stat -L -f %z "$d" 2>/dev/null)
if ! command -v scp >/dev/null; then k=noscp; elif [ "$(($(wc -c <"$d")))" = "$z" ]; then k=scp; fi
fi
echo "hl $k $a"
if [ $k = scp ]; then scp -f "$d"; else cat <"$d"; fi
printf '\nhl %s %03d\n' "$r" $?
"#;

/// The same for a directory, as a tar stream.
const READ_TREE: &str = r#"[ -e "$d" ] || { ls -d "$d" >/dev/null; fail missing; }
[ -d "$d" ] || fail notdir
a=$(stat -L -c '%a %Y' "$d" 2>/dev/null) || a=$(stat -L -f '%Mp%Lp %m' "$d" 2>/dev/null) || a='755 0'
command -v tar >/dev/null || fail "notar $a"
echo "hl ok $a"
(cd "$d" && tar -cf - .); printf '\nhl %s %03d\n' "$r" $?
"#;

/// A directory's entries, each `TYPE MODE MTIME`, path and symlink target, ended by NUL, for
/// targets without tar.
const LIST: &str = r#"walk() {
for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
[ -e "$e" ] || [ -h "$e" ] || continue
l=
if [ -h "$e" ]; then k=l; l=$(readlink "$e" && echo x) || fail write; l=${l%?x}
elif [ -d "$e" ]; then k=d; elif [ -f "$e" ]; then k=f; else k=o; fi
a=$(stat -c '%a %Y' "$e" 2>/dev/null) || a=$(stat -f '%Mp%Lp %m' "$e" 2>/dev/null) || a='644 0'
printf '%s %s\0%s\0%s\0' "$k" "$a" "${e#"$d"/}" "$l"
[ $k != d ] || walk "$e"
done; }
echo "hl ok 0 0"
walk "$d"; printf '\nhl %s %03d\n' "$r" 0
"#;

/// What the scripts are told.
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
    /// The device and inode of what was stored.
    pub(super) inode: String,
    /// The mode asked for, octal.
    pub(super) mode: String,
    /// The source's mode, octal.
    pub(super) source_mode: String,
    /// The bytes are to go through scp.
    pub(super) scp: bool,
    /// The time to set, as `touch -t` takes it, in UTC.
    pub(super) stamp: String,
}

impl Values<'_> {
    /// Stores input of a known length and puts it in its place, in one go.
    pub(super) fn store_sized(&self, length: u64) -> String {
        let check = format!("[ \"$c\" = {length} ] || fail short \"$c\"\n");
        [&*self.assignments(), SHARED, STORE, &check, COMMIT].concat()
    }

    /// Stores input of an unknown length, and says how much it was.
    pub(super) fn store_unsized(&self) -> String {
        [&*self.assignments(), SHARED, STORE, "echo \"hl stored $c $(inode_of \"$x\")\"\n"].concat()
    }

    /// Puts what was stored in its place.
    pub(super) fn commit(&self) -> String {
        [&*self.assignments(), SHARED, FIND, REOPEN, COMMIT].concat()
    }

    /// Removes the temporary file.
    pub(super) fn clean_file(&self) -> String {
        [&*self.assignments(), SHARED, FIND, "made=file; clean\n"].concat()
    }

    /// Removes the temporary directory.
    pub(super) fn clean_tree(&self) -> String {
        [&*self.assignments(), SHARED, FIND, "made=tree; clean\n"].concat()
    }

    pub(super) fn unpack_tree(&self) -> String {
        [&*self.assignments(), SHARED, STAGE, UNPACK].concat()
    }

    pub(super) fn commit_tree(&self) -> String {
        [&*self.assignments(), SHARED, FIND, COMMIT_TREE].concat()
    }

    pub(super) fn read(&self) -> String {
        [&*self.assignments(), SHARED, READ].concat()
    }

    pub(super) fn read_tree(&self) -> String {
        [&*self.assignments(), SHARED, READ_TREE].concat()
    }

    pub(super) fn list_tree(&self) -> String {
        [&*self.assignments(), SHARED, LIST].concat()
    }

    fn assignments(&self) -> String {
        let follow = if self.follow { "1" } else { "" };
        let values = [
            ("d", self.path),
            ("t", &self.temporary),
            ("T", &self.temp_dir),
            ("r", self.random),
            ("f", follow),
            ("P", if self.guarded { "1" } else { "" }),
            ("I", &self.inode),
            ("m", &self.mode),
            ("s", &self.source_mode),
            ("S", if self.scp { "1" } else { "" }),
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

/// Seconds since 1970 as `touch -t` takes them: CCYYMMDDhhmm.SS, in UTC. The calendar is the
/// algorithm `civil_from_days` of Howard Hinnant,
/// <https://howardhinnant.github.io/date_algorithms.html>.
pub(super) fn touch_stamp(seconds: i64) -> String {
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
