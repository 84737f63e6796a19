//! Users for one test.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::keeper::{Keeper, run_tool, run_tool_with_input, unique_name};

/// A user with a home directory. User, home and all processes of the user are removed when this
/// value is dropped or the test's process ends.
#[derive(Debug)]
pub struct TestUser {
    keeper: Keeper,
    name: String,
    uid: u32,
}

impl TestUser {
    /// Makes a user with this login shell, without a password.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn create(shell: &str) -> Self {
        Self::with_name(unique_name(), shell)
    }

    /// Makes a user whose name holds a space, as those of a directory service may.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn create_with_space(shell: &str) -> Self {
        Self::with_name(format!("{} x", unique_name()), shell)
    }

    fn with_name(name: String, shell: &str) -> Self {
        let mut keeper = Keeper::start();
        let home = keeper.dir().join("home");
        let made = keeper.make(&creation(&name, &home, shell), &removal(&name));
        assert!(made, "useradd: {}", keeper.log());
        let uid = run_tool("id", &["-u", &name]).trim().parse().expect("id writes a number");
        Self { keeper, name, uid }
    }

    /// Returns the name, such as `hl-1a2b3c4d`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the user ID. The group has the same name and its own ID.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Returns the home directory, of mode 0755, with the files that new users of the machine get.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.keeper.dir().join("home")
    }

    /// Gives the user a password: any text without a line break.
    ///
    /// # Panics
    ///
    /// If it cannot be set.
    pub fn set_password(&self, password: &str) {
        let line = format!("{}:{password}", self.name);
        // Without PAM, whose stronger hash takes ten times as long at each login.
        let words = ["/run/hostlink-tests.lock", "chpasswd", "-c", "SHA512", "-s", "1000"];
        run_tool_with_input("flock", &words, &line);
    }

    /// Adds a line to the user's `~/.ssh/authorized_keys`, for servers that read no other list.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn authorize(&self, public_key: &str) {
        let dir = self.home().join(".ssh");
        if !dir.exists() {
            fs::DirBuilder::new().mode(0o700).create(&dir).expect("root may write it");
            chown(&dir, Some(self.uid), None).expect("tests run as root");
        }
        let old = fs::read_to_string(dir.join("authorized_keys")).unwrap_or_default();
        self.write(".ssh/authorized_keys", 0o600, &format!("{old}{}\n", public_key.trim()));
    }

    /// Makes the user a member of this group, in addition to the user's own. New sessions see it.
    ///
    /// # Panics
    ///
    /// If there is no such group.
    pub fn join_group(&self, gid: u32) {
        let line = run_tool("getent", &["group", &gid.to_string()]);
        let group = line.split(':').next().expect("a text has a first part");
        run_tool("flock", &["/run/hostlink-tests.lock", "gpasswd", "-a", &self.name, group]);
    }

    /// Writes a file of the user's, below the home directory.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, mode: u32, content: &str) {
        let path = self.home().join(name);
        fs::write(&path, content).expect("root may write it");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("root may");
        chown(&path, Some(self.uid), None).expect("tests run as root");
    }

    /// Sets up the second question of [`two_prompts()`](crate::sshd::SshdBuilder::two_prompts),
    /// `Verification code: `. Returns the right answer, which is valid for twenty minutes, any
    /// number of times.
    #[must_use]
    pub fn second_factor(&self) -> String {
        let secret: Vec<u8> = (0..4)
            .flat_map(|_| getrandom::u32().expect("the kernel has random numbers").to_le_bytes())
            .map(|byte| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte) % 32])
            .collect();
        let secret = String::from_utf8(secret).expect("these are letters and digits");
        // google-authenticator(1): codes change every 30 s; this many around the current one are
        // accepted.
        let file = format!("{secret}\n\" WINDOW_SIZE 80\n\" TOTP_AUTH\n");
        self.write(".google_authenticator", 0o400, &file);
        run_tool("oathtool", &["--totp", "--base32", &secret]).trim().to_owned()
    }
}

/// Returns a script. `*` as a password means none; useradd's `!` would be a locked account to sshd
/// without PAM. Another program may hold the lock of the list of users, which is an immediate
/// error.
fn creation(name: &str, home: &Path, shell: &str) -> String {
    let home = home.display();
    format!(
        "n=0\n\
         until useradd --badname -l -m -K HOME_MODE=0755 -d {home} -p '*' -s '{shell}' '{name}'; do\n\
         n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1\n\
         done\n"
    )
}

/// Returns a script. A process may start others while it is being killed. Zombies are left out
/// (`pkill -r`), and so are processes in containers, whose users have the same IDs by chance.
fn removal(name: &str) -> String {
    format!(
        "n=0 ours=\"-KILL -r D,R,S,T,t,I --ns $$ --nslist pid\"\n\
         while uid=$(id -u '{name}' 2>/dev/null) && [ $n -lt 300 ]; do\n\
         n=$((n + 1))\n\
         if pkill $ours -U \"$uid\" || pkill $ours -u \"$uid\"; then\n\
         sleep 0.01; continue\n\
         fi\n\
         userdel -rf '{name}' >/dev/null 2>&1 || sleep 0.1\n\
         done\n\
         if id -u '{name}' >/dev/null 2>&1; then echo 'the user {name} cannot be removed'; fi\n"
    )
}
