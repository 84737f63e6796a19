//! The scripts that store and read directories on a target; `target_script` has what they share
//! with those of files.

/// Makes the directory that a tree is unpacked in, and opens it.
pub(super) const STAGE: &str = r#"resolve
if [ -e "$d" ] || [ -h "$d" ]; then [ -d "$d" ] && { [ "$f" ] || [ ! -h "$d" ]; } || fail notdir; fi
place
(umask 077; mkdir "$t") || fail write
made=tree; echo "hl made"
"#;

/// Finds again the directory that an earlier script has made: `s` is a name of it.
///
/// With another user's rights it is opened, and must be `safe`: the owner of the directory that it
/// is in can put another one, or a symlink, in its place, and what root does through that name
/// would happen elsewhere. Where `/proc` does not name what is open, nobody else may own that
/// directory.
pub(super) const HOLD: &str = r#"made=tree; s=$t
hold() {
[ "$P" ] || return 0
command exec 6<"$t" || fail changed
[ -d /proc/self/fd/6/. ] || { safe "$q" t || fail unsafe; return 0; }
s=/proc/self/fd/6
safe "$s/." && [ "$(own_inode_of "$s/.")" = "$(own_inode_of "$t")" ] || { made=; fail changed; }; }
hold
"#;

/// Unpacks standard input there, keeping modes but no owners. The name is given to `cd`, since GNU
/// tar reads backslashes in the one for `-C`.
pub(super) const UNPACK: &str = r#"[ "$(command -v tar)" ] || { printf 'hl notar %s\n' "$t"; exit 0; }
(cd "$s/." && tar -xpof -) || fail write
echo "hl stored"
"#;

/// Goes into the directory, for a script about one file of the tree: there nobody else can do
/// anything.
pub(super) const GO_IN: &str = r#"cd -P "$s/." || fail changed
made=; t=; P=
"#;

/// Renames the directory, or moves what is in it into the directory that is there. Conflicts are
/// found before anything is moved; nothing is moved through a symlink.
///
/// `merge` works in the current directory, so that nobody can put another one in its place: `down`
/// and `up` make sure that it is a directory of the one before. A file that cannot be replaced,
/// since it is a mount, is written in place.
pub(super) const COMMIT_TREE: &str = r#"check() {
for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
[ -e "$e" ] || [ -h "$e" ] || continue
o=$d/${e#"$s"/}
[ -e "$o" ] || [ -h "$o" ] || continue
if [ -d "$e" ] && [ ! -h "$e" ]; then
[ -d "$o" ] && [ ! -h "$o" ] || { printf '%s is in the way of a directory\n' "$o" >&2; fail conflict; }
check "$e"
elif [ -d "$o" ] && [ ! -h "$o" ]; then printf '%s is a directory\n' "$o" >&2; fail conflict; fi
done; }
inode() { [ -z "$P" ] || own_inode_of "$1"; }
is() { [ "$(inode "$1")" = "$2" ] || { echo 'a directory was replaced meanwhile' >&2; return 1; }; }
down() { cd -P "./$1" && is .. "$2"; }
up() { cd -P .. && is . "$1"; }
mode_of() { stat -c %a "$1" 2>&- || stat -f %Mp%Lp "$1"; }
into() {
[ $# -gt 0 ] || return 0
why=$(mv -f "$@" ./ 2>&1) && return
for e; do
[ -e "$e" ] || [ -h "$e" ] || continue
n=./${e##*/}
[ -f "$e" ] && [ ! -h "$e" ] && [ -f "$n" ] && [ ! -h "$n" ] && safe . || { printf '%s\n' "$why" >&2; return 1; }
cat "$e" >"$n" || return
done; }
merge() {
set -- "$1" "$(inode .)"
for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
if [ -d "$e" ] && [ ! -h "$e" ] && [ -d "./${e##*/}" ] && [ ! -h "./${e##*/}" ]; then
down "${e##*/}" "$2" && merge "$e" && up "$2" || return
fi
done
x=$1; b=$2; set --
for e in "$x"/* "$x"/.[!.]* "$x"/..?*; do
[ -e "$e" ] || [ -h "$e" ] || continue
n=./${e##*/}
if [ -d "$e" ] && [ ! -h "$e" ]; then
[ ! -d "$n" ] || [ -h "$n" ] || continue
[ -w "$e" ] || { a=$(mode_of "$e"); chmod u+w "$e" && into "$e" && down "${n#./}" "$b" && chmod "$a" . && up "$b" || return; continue; }
elif [ -h "$n" ]; then rm -f "$n"; fi
set -- "$@" "$e"
[ $# -lt 100 ] || { into "$@" || return; set --; }
done
into "$@"; }
if [ ! -d "$d" ]; then
[ -z "$w" ] || TZ=UTC0 touch -t "$w" "$s/." || fail write
chmod "$m" "$s/." || fail write
rename "$t" "$d" && { echo "hl done"; exit 0; }
[ -d "$d" ] || { printf '%s\n' "$why" >&2; fail write; }
fi
check "$s"
case $s in /*) ;; *) s=$PWD/$s;; esac
case ${d##*/} in .|..) b=;; *) b=$([ -z "$P" ] || inode_of "$p");; esac
(cd -P "$d" && { [ -z "$b" ] || is .. "$b"; } && merge "$s") || fail write
clean
echo "hl done"
"#;

/// Says what a directory is, then its content as a tar stream, then that this was all.
pub(super) const READ_TREE: &str = r#"[ -e "$d" ] || { i=$(ls -d "$d"); fail missing; }
[ -d "$d" ] || fail notdir
a=$(stat -L -c '%a %Y' "$d" 2>&-) || a=$(stat -L -f '%Mp%Lp %m' "$d" 2>&-) || a='755 0'
[ "$(command -v tar)" ] || fail "notar $a"
echo "hl ok $a"
(cd "$d" && tar -cf - .); printf '\nhl %s %03d\n' "$r" $?
"#;

/// A directory's entries, each `TYPE MODE MTIME`, path and symlink target, ended by NUL, for
/// targets without tar.
pub(super) const LIST: &str = r#"walk() {
for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
[ -e "$e" ] || [ -h "$e" ] || continue
l=
if [ -h "$e" ]; then k=l; l=$(readlink "$e" && echo x) || fail write; l=${l%?x}
elif [ -d "$e" ]; then k=d; elif [ -f "$e" ]; then k=f; else k=o; fi
a=$(stat -c '%a %Y' "$e" 2>&-) || a=$(stat -f '%Mp%Lp %m' "$e" 2>&-) || a='644 0'
printf '%s %s\0%s\0%s\0' "$k" "$a" "${e#"$d"/}" "$l"
[ $k != d ] || walk "$e"
done; }
echo "hl ok 0 0"
walk "$d"; printf '\nhl %s %03d\n' "$r" 0
"#;
