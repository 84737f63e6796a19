//! Containers that hostlink made for a run that has ended without removing them, because it was killed at that moment.
//!
//! Their label says whose they are; those of another machine, and of runs that go on, are left alone.

use std::fs;

use xshell::Shell;

use crate::engine::Engine;
use crate::sweep::is_running;

/// `MACHINE/BOOT/PID/START`: the machine's id, that of its boot, and the process with the time of its start.
const OWNER: &str = "hostlink.owner";

/// Removes them, with what tests of an engine have never started.
pub(crate) fn remove(sh: &Shell, engine: Engine) {
    engine.remove_stillborn(sh);
    let Some(here) = Here::new() else { return };
    let filter = format!("label={OWNER}");
    let list = ["container", "ls", "--all", "--quiet", "--no-trunc", "--filter", &filter];
    let ids = engine.client(sh, &list).ignore_stderr().read().unwrap_or_default();
    for id in ids.lines() {
        let format = format!("{{{{index .Config.Labels \"{OWNER}\"}}}}");
        let inspect = engine.client(sh, &["container", "inspect", "--format", &format, id]);
        // One that cannot be looked at has gone by itself.
        let Ok(owner) = inspect.ignore_stderr().read() else { continue };
        if here.is_dead(&owner) && end(sh, engine, id) {
            println!("removed a container in {engine}, which {owner} left");
        }
    }
}

/// At once: Podman's `rm --force` would ask the container to end, and wait 10 s for that.
fn end(sh: &Shell, engine: Engine, id: &str) -> bool {
    let run =
        |words: &[&str]| engine.client(sh, words).ignore_stdout().ignore_stderr().run().is_ok();
    // One that does not run cannot be killed.
    run(&["container", "kill", id]);
    run(&["container", "rm", "--force", "--volumes", id])
}

/// Where and when this runs.
struct Here {
    machine: String,
    boot: String,
}

impl Here {
    fn new() -> Option<Self> {
        let read = |path| Some(fs::read_to_string(path).ok()?.trim().to_owned());
        Some(Self {
            machine: read("/etc/machine-id")?,
            boot: read("/proc/sys/kernel/random/boot_id")?,
        })
    }

    /// Only if that is certain.
    fn is_dead(&self, owner: &str) -> bool {
        let [machine, boot, pid, start] = owner.trim().split('/').collect::<Vec<_>>()[..] else {
            return false;
        };
        let is_ours = !machine.is_empty() && machine == self.machine && !boot.is_empty();
        is_ours && (boot != self.boot || !is_running(&format!("{pid} {start}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_owner_of_this_machine_left_is_removed() {
        let here = Here { machine: "m".into(), boot: "b".into() };
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap();
        let me = std::process::id();
        assert!(!here.is_dead(&format!("m/b/{me}/{start}")));
        assert!(here.is_dead(&format!("m/b/{me}/1{start}")));
        assert!(here.is_dead(&format!("m/other/{me}/{start}")));
        for other in [format!("other/b/{me}/1{start}"), "//1/1".into(), "m".into(), String::new()] {
            assert!(!here.is_dead(&other), "{other}");
        }
    }

    /// The name tells `cargo xtask test --no-docker` to leave it out.
    mod with_docker {
        use super::*;
        use crate::engine::{ENGINES, LABEL};

        /// A container that only its removal ends; one that this leaves is removed by the next sweep.
        struct Held<'a>(&'a Shell, Engine, String);

        impl<'a> Held<'a> {
            fn start(sh: &'a Shell, engine: Engine, owner: &str) -> Self {
                let owner = format!("{OWNER}={owner}");
                let words = ["run", "--detach", "--interactive", "--pull=never", "--label", LABEL];
                let command = ["--label", &owner, "hostlink-test-busybox", "cat"];
                let id = engine.client(sh, &[&words[..], &command].concat()).read().unwrap();
                Self(sh, engine, id)
            }

            fn is_there(&self) -> bool {
                let Self(sh, engine, id) = self;
                let list = ["container", "ls", "--all", "--quiet", "--no-trunc"];
                engine.client(sh, &list).read().unwrap().lines().any(|it| it == id)
            }
        }

        impl Drop for Held<'_> {
            fn drop(&mut self) {
                let Self(sh, engine, id) = self;
                end(sh, *engine, id);
            }
        }

        #[test]
        fn a_container_goes_if_its_owner_is_dead_and_stays_if_not() {
            let sh = Shell::new().unwrap();
            let Here { machine, boot } = Here::new().unwrap();
            let stat = fs::read_to_string("/proc/self/stat").unwrap();
            let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap();
            let me = std::process::id();
            for engine in ENGINES {
                let start_owned = |owner: String| Held::start(&sh, engine, &owner);
                let alive = start_owned(format!("{machine}/{boot}/{me}/{start}"));
                let elsewhere = start_owned(format!("elsewhere/{boot}/{me}/1{start}"));
                let dead = start_owned(format!("{machine}/{boot}/{me}/1{start}"));
                assert!(dead.is_there(), "the control");
                remove(&sh, engine);
                assert!(!dead.is_there());
                assert!(alive.is_there() && elsewhere.is_there());
            }
        }
    }
}
