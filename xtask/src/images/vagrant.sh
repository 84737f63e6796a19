# Runs in a container of the Debian image, as root, and makes it what Vagrant takes for a machine. Vagrant's public key,
# which everyone has, comes on standard input; Vagrant puts a key of the machine's own in its place.

set -eu
useradd --create-home --shell /bin/bash --password '*' vagrant
echo 'vagrant ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant
visudo --check --quiet
mkdir -m 700 /home/vagrant/.ssh
cat >/home/vagrant/.ssh/authorized_keys
test -s /home/vagrant/.ssh/authorized_keys
chmod 600 /home/vagrant/.ssh/authorized_keys
chown -R vagrant: /home/vagrant/.ssh
