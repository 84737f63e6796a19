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
/// would happen elsewhere. Where `/proc` does not name what is open, no other user may own that
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
[ -z "$S" ] || echo "hl plain"
(cd "$s/." && tar -xpof -) || fail write
echo "hl stored"
"#;

/// Goes into the directory, for a script about one file of the tree: no other user can
/// change anything there.
pub(super) const GO_IN: &str = r#"cd -P "$s/." || fail changed
made=; t=; P=
"#;

/// Goes into the directory `d`, which is read file by file, and down to that of its file `g`.
pub(super) const GO_DOWN: &str = r#"cd -P "$d/." && is . "$I" || fail changed
while :; do case $g in
*/*) down "${g%%/*}" "$(inode .)" || fail changed; g=${g#*/};;
*) break;;
esac; done
"#;

/// Steps from one directory into another. With another user's rights, `down` and `up` make sure
/// that it is a directory of the one before, and no symlink.
pub(super) const STEPS: &str = r#"inode() { [ -z "$P" ] || own_inode_of "$1"; }
is() { [ "$(inode "$1")" = "$2" ] || { echo 'a directory was replaced meanwhile' >&2; return 1; }; }
down() { cd -P "./$1" && is .. "$2"; }
up() { cd -P .. && is . "$1"; }
"#;

/// Renames the directory, or moves what is in it into the directory that is there. Conflicts are
/// found before anything is moved; nothing is moved through a symlink.
///
/// `merge` works in the current directory, so that no user can replace it by another one. A file
/// that cannot be replaced, since it is a mount, is written in place.
///
/// The umask applies to what is in the tree unless `K` is 1, and to the tree itself unless `K` says
/// anything.
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
c=
less() { case $2 in 1) c=$c,$1-x;; 2) c=$c,$1-w;; 3) c=$c,$1-wx;; 4) c=$c,$1-r;; 5) c=$c,$1-rx;; 6) c=$c,$1-rw;; 7) c=$c,$1-rwx;; esac; }
less g $((0$u >> 3 & 7)); less o $((0$u & 7))
[ "$K" = 1 ] || [ -z "$c" ] || chmod -R "${c#,}" "$s/." 2>&-
[ "$K" ] || m=$(printf %o $((0$m & ~0$u)))
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
///
/// With another user's rights, tar must not be led out of the tree by a symlink that is put in the
/// place of a directory or file meanwhile. GNU tar opens nothing through one; with another tar, no
/// one else may be able to write any of the directories, or the files come one by one.
pub(super) const READ_TREE: &str = r#"[ -e "$d" ] || { i=$(ls -dL "$d"); fail missing; }
[ -d "$d" ] || fail notdir
i=$(ls -d "$d/.") || fail write
cd -P "$d/." || fail write
a=$(stat -c '%a %Y' . 2>&-) || a=$(stat -f '%Mp%Lp %m' . 2>&-) || a='755 0'
foreign() { find . -type d \( ! -user "$(id -u)" -o -perm -20 -o -perm -2 \) 2>&1 | head -n 1; }
[ "$(command -v tar)" ] || fail "notar $(inode .) $a"
[ -z "$P" ] || case $(tar --version 2>&1) in
*GNU\ tar*) ;;
*) [ -z "$(foreign)" ] || fail "notar $(inode .) $a";;
esac
echo "hl ok $a"
tar -cf - .; printf '\nhl %s %03d\n' "$r" $?
"#;

/// A directory's entries, each `TYPE MODE MTIME`, path and symlink target, ended by NUL, for
/// targets without tar.
pub(super) const LIST: &str = r#"walk() {
[ -r . ] || { i=$(ls .); return 1; }
set -- "$1" "$(inode .)"
for e in * .[!.]* ..?*; do
[ -e "./$e" ] || [ -h "./$e" ] || continue
l=
if [ -h "./$e" ]; then k=l; l=$(readlink "./$e" && echo x) || return; l=${l%?x}
elif [ -d "./$e" ]; then k=d; elif [ -f "./$e" ]; then k=f; else k=o; fi
a=$(stat -c '%a %Y' "./$e" 2>&-) || a=$(stat -f '%Mp%Lp %m' "./$e" 2>&-) || a='644 0'
printf '%s %s\0%s\0%s\0' "$k" "$a" "$1$e" "$l"
[ $k != d ] || { down "$e" "$2" && walk "$1$e/" && up "$2"; } || return
done; }
cd -P "$d/." && is . "$I" || fail changed
echo "hl ok 0 0"
walk ''; printf '\nhl %s %03d\n' "$r" $?
"#;
