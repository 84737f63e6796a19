//! A Vagrant project for one test, whose machines are containers.
//!
//! `cargo xtask test --provision` installs Vagrant and makes the machines' image.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hostlink::{Context, Data};

use crate::cli;
use crate::engine::Engine;
use crate::keeper::{Keeper, unique_name};
use crate::ports::free_port;

/// Debian with an SSH server, and the user that Vagrant logs in as.
pub const IMAGE: &str = "hostlink-test-vagrant";

/// A directory with a Vagrant home beside it. Dropping this value removes machines that are left.
#[derive(Debug)]
pub struct VagrantProject {
    keeper: Keeper,
    label: String,
}

impl VagrantProject {
    /// Makes a project whose Vagrantfile has this text. Each process that reads it first records
    /// its ID.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut keeper = Keeper::start();
        let label = format!("hostlink.test.vagrant={}", unique_name());
        let undo = format!(
            "docker ps --all --quiet --filter label={label} | xargs -r docker rm --force >/dev/null"
        );
        assert!(keeper.make(":", &undo), "{}", keeper.log());
        let project = Self { keeper, label };
        fs::create_dir(project.directory()).expect("the keeper's directory is ours");
        let calls = project.calls_file();
        let first = format!("File.write({calls:?}, \"#{{Process.pid}}\\n\", mode: 'a')");
        project.write("Vagrantfile", &format!("{first}\n{text}"));
        project
    }

    /// Makes a project with machines of these names; `more` are lines of Ruby for each, about
    /// `machine`.
    #[must_use]
    pub fn with_machines(machines: &[(&str, &str)]) -> Self {
        let project = Self::new("");
        let label = &project.label;
        let mut text =
            fs::read_to_string(project.directory().join("Vagrantfile")).expect("it was written");
        text.push_str(
            "Vagrant.configure('2') do |config|\n\
             config.vm.synced_folder '.', '/vagrant', disabled: true\n",
        );
        for (name, more) in machines {
            let here = Ipv4Addr::LOCALHOST;
            let port = free_port(&[here.into()]);
            text.push_str(&format!(
                "config.vm.define '{name}' do |machine|\n\
                 machine.vm.hostname = '{name}'\n\
                 machine.vm.network :forwarded_port, id: 'ssh', guest: 22, host: {port}, host_ip: '{here}'\n\
                 machine.vm.provider 'docker' do |docker|\n\
                 docker.image = '{IMAGE}'\n\
                 docker.has_ssh = true\n\
                 docker.create_args = ['--label=hostlink.test', '--label={label}']\n\
                 end\n{more}\nend\n"
            ));
        }
        text.push_str("end\n");
        project.write("Vagrantfile", &text);
        project
    }

    /// Returns the directory of its Vagrantfile. Vagrant has to quote its name.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.keeper.dir().join("a project")
    }

    /// Writes a file of the project.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.directory().join(name), text).expect("the directory is ours");
    }

    /// Runs Vagrant with these arguments; a machine is started or stopped within seconds.
    #[must_use]
    pub fn vagrant(&self, words: &[&str]) -> Output {
        let mut command = cli::command(Path::new("vagrant"), words);
        self.enter(&mut command);
        cli::run(command)
    }

    /// Runs Vagrant with these arguments, which must succeed.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn succeed(&self, words: &[&str]) {
        let output = self.vagrant(words);
        assert!(output.status.success(), "vagrant {words:?}: {output:?}");
    }

    /// Runs the command `hostlink` in its directory.
    #[must_use]
    pub fn hostlink(&self, words: &[&str]) -> Output {
        let mut command = cli::hostlink(words);
        self.enter(&mut command);
        cli::run(command)
    }

    /// Returns a context with its directory, and an environment with its Vagrant home.
    ///
    /// # Panics
    ///
    /// If a path is not UTF-8.
    #[must_use]
    pub fn context(&self) -> Context {
        let directory = self.directory();
        let directory = directory.to_str().expect("the keeper's paths are UTF-8");
        let mut environment: std::collections::BTreeMap<String, String> =
            std::env::vars().collect();
        environment.extend(self.environment());
        let settings = Data::new().with("vagrant_directory", directory);
        Context { environment, settings, ..Context::default() }
    }

    /// Returns how many containers it has, running or not.
    #[must_use]
    pub fn containers(&self) -> usize {
        let filter = format!("label={}", self.label);
        Engine::Docker.say(["ps", "--all", "--quiet", "--filter", &filter]).lines().count()
    }

    /// Returns how many processes have read the Vagrantfile.
    #[must_use]
    pub fn calls(&self) -> usize {
        let numbers = fs::read_to_string(self.calls_file()).unwrap_or_default();
        numbers.lines().collect::<BTreeSet<_>>().len()
    }

    fn calls_file(&self) -> PathBuf {
        self.keeper.dir().join("calls")
    }

    fn enter(&self, command: &mut Command) {
        command.current_dir(self.directory()).envs(self.environment());
    }

    fn environment(&self) -> [(String, String); 2] {
        let home = self.keeper.dir().join("home").display().to_string();
        [
            ("VAGRANT_HOME".to_owned(), home),
            ("VAGRANT_CHECKPOINT_DISABLE".to_owned(), "1".to_owned()),
        ]
    }
}
