# Writes the root of the image to the file $1, as a tar archive.
#
# It is of the release that this machine runs, from the mirror that apt uses here: no other one is
# known to be reachable.

set -eu
archive=$1
settings=$(mktemp --suffix=.conf)
trap 'rm -f "$settings"' EXIT

. /etc/os-release
find_repositories() {
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(COMPONENT)' \
        'Created-By: Packages' "Codename: $VERSION_CODENAME" |
        awk -v id="$ID" 'tolower($1) == id { print $2, $3 }' | sort -u
}
repositories=$(find_repositories)
if [ -z "$repositories" ]; then
    # A fresh machine has no package lists, and they say which release a source has.
    apt-get update -qq
    repositories=$(find_repositories)
fi
if [ -z "$repositories" ]; then
    echo "apt has no source for $ID $VERSION_CODENAME" >&2
    exit 1
fi
mirror=${repositories%% *}
components=$(echo "$repositories" | awk -v m="$mirror" '$1 == m { print $2 }' | paste -sd ,)

# The mirror may only be reachable through the proxy of apt.
apt-config dump Acquire::http Acquire::https >"$settings"

# sudo and doas ask `sudoer` for a password, which a test has to set first, and let `trusted` pass.
# No host key and no setting of this machine may stay in the image.
customize='chroot "$1" sh -eu <<"END"
localedef --inputfile=de_DE --charmap=UTF-8 de_DE.UTF-8
for user in plain sudoer trusted; do
    useradd --create-home --shell /bin/bash --password "*" "$user"
done
echo "sudoer ALL=(ALL:ALL) ALL" >/etc/sudoers.d/hostlink-test
echo "trusted ALL=(ALL:ALL) NOPASSWD: ALL" >>/etc/sudoers.d/hostlink-test
chmod 440 /etc/sudoers.d/hostlink-test
visudo --check --quiet
echo "permit sudoer" >/etc/doas.conf
echo "permit nopass trusted" >>/etc/doas.conf
doas -C /etc/doas.conf
rm -f /etc/ssh/ssh_host_* /etc/apt/sources.list /etc/apt/apt.conf.d/99mmdebstrap
rm -rf /etc/apt/sources.list.d/*
END'

mmdebstrap --quiet --mode=root --format=tar --variant=minbase --components="$components" \
    --include=openssh-server,sudo,opendoas,locales,tar,procps,rsync \
    --aptopt="$settings" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --customize-hook="$customize" \
    "$VERSION_CODENAME" "$archive" "$mirror"
