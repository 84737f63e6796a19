//! Containers that hostlink made for a run that was killed before it could remove them.
//!
//! The rule is that of the product's own sweep (`crates/docker/src/container/sweep.rs`), and so is
//! the parser of owners.

use serde_json::from_str;
use xshell::Shell;

use crate::engine::Engine;

#[path = "../../crates/docker/src/container/owner.rs"]
#[expect(dead_code, reason = "only the product writes labels")]
mod owner;

use self::owner::{Fate, OWNER_LABEL, Owner, RUN_LABEL};

/// Removes them, and those that a test of an engine has never started.
pub(crate) fn remove(sh: &Shell, engine: Engine) {
    engine.remove_stillborn(sh);
    let Some(me) = Owner::me() else { return };
    for container in Listed::all(sh, engine) {
        if container.is_orphan(&me) && end(sh, engine, &container.id) {
            println!("removed a container in {engine}, which {} left", container.owner);
        }
    }
}

/// Kills it immediately: Podman's `rm --force` would ask the container to end, and wait 10 s for
/// that.
fn end(sh: &Shell, engine: Engine, id: &str) -> bool {
    let run =
        |words: &[&str]| engine.client(sh, words).ignore_stdout().ignore_stderr().run().is_ok();
    // A container that does not run cannot be killed.
    run(&["container", "kill", id]);
    run(&["container", "rm", "--force", "--volumes", id])
}

/// A container as the engine lists it.
#[derive(Clone, Debug, Default)]
struct Listed {
    id: String,
    /// Separated by commas.
    names: String,
    state: String,
    run: String,
    owner: String,
}

impl Listed {
    /// Lists all in one call: each of them may vanish at any time.
    fn all(sh: &Shell, engine: Engine) -> Vec<Self> {
        let label = |label: &str| match engine {
            Engine::Docker => format!("{{{{json (.Label {label:?})}}}}"),
            Engine::Podman => format!("{{{{json (index .Labels {label:?})}}}}"),
        };
        let (run, owner) = (label(RUN_LABEL), label(OWNER_LABEL));
        let format =
            format!("[{{{{json .ID}}}},{{{{json .Names}}}},{{{{json .State}}}},{run},{owner}]");
        let list = ["container", "ls", "--all", "--no-trunc", "--format", &format];
        let listed = engine.client(sh, &list).ignore_stderr().read().unwrap_or_default();
        let containers = listed.lines().filter_map(|line| from_str(line).ok());
        containers
            .map(|(id, names, state, run, owner)| Self { id, names, state, run, owner })
            .collect()
    }

    /// Labels are inherited by images and their containers, names are not.
    fn is_orphan(&self, me: &Owner) -> bool {
        let name = format!("hostlink-{}", self.run);
        // Podman's command prints the uptime.
        let is_running = self.state == "running" || self.state.starts_with("Up ");
        let is_over = match Owner::parse(&self.owner).map(|owner| me.knows_of(&owner)) {
            Some(Fate::Dead) => true,
            Some(Fate::OfAnotherBoot) => !is_running,
            Some(Fate::Unknown) | None => false,
        };
        is_over && self.names.split(',').any(|it| it == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns owners on this machine: a living one, a dead one, one of another boot.
    fn owners(me: &Owner) -> [String; 3] {
        let alive = me.label();
        let [machine, boot, pid, start] = alive.split('/').collect::<Vec<_>>()[..] else {
            panic!("{alive}")
        };
        let dead = format!("{machine}/{boot}/{pid}/1{start}");
        let of_another_boot = format!("{machine}/another-boot/{pid}/{start}");
        [alive.clone(), dead, of_another_boot]
    }

    #[test]
    fn only_what_is_provably_nobodys_is_an_orphan() {
        let me = Owner::me().unwrap();
        let [alive, dead, of_another_boot] = owners(&me);
        let orphan = Listed {
            names: "other,hostlink-r".into(),
            state: "running".into(),
            run: "r".into(),
            owner: dead.clone(),
            ..Listed::default()
        };
        assert!(orphan.is_orphan(&me));
        for (names, run) in [("mine", "r"), ("hostlink-r", "s"), ("hostlink-r2", "r")] {
            let named = Listed { names: names.into(), run: run.into(), ..orphan.clone() };
            assert!(!named.is_orphan(&me), "{named:?}");
        }
        let elsewhere = format!("x{dead}");
        for (owner, state, is_orphan) in [
            (dead.as_str(), "Created", true),
            (&of_another_boot, "exited", true),
            (&of_another_boot, "Exited (0) 1 second ago", true),
            (&of_another_boot, "running", false),
            (&of_another_boot, "Up 2 seconds ago", false),
            (&alive, "exited", false),
            (&elsewhere, "exited", false),
            ("nonsense", "exited", false),
            ("", "exited", false),
        ] {
            let (state, owner) = (state.into(), owner.into());
            let owned = Listed { state, owner, ..orphan.clone() };
            assert_eq!(owned.is_orphan(&me), is_orphan, "{owned:?}");
        }
    }

    /// `cargo xtask test --no-docker` leaves modules of this name out.
    mod with_docker {
        use super::*;
        use crate::engine::{ENGINES, LABEL};

        /// A container that ends only by removal. If it is left, the next sweep removes it.
        struct Held<'a>(&'a Shell, Engine, String);

        impl<'a> Held<'a> {
            fn create(sh: &'a Shell, engine: Engine, run: &str, name: &str, owner: &str) -> Self {
                let labels =
                    [LABEL, &format!("{RUN_LABEL}={run}"), &format!("{OWNER_LABEL}={owner}")]
                        .map(|it| ["--label".to_owned(), it.to_owned()])
                        .concat();
                let mut words = vec!["container", "create", "--interactive", "--pull=never"];
                words.extend(labels.iter().map(String::as_str));
                words.extend(["--name", name, "hostlink-test-busybox", "cat"]);
                Self(sh, engine, engine.client(sh, &words).read().unwrap())
            }

            /// hostlink's own sweep may remove the container meanwhile, which is not an error.
            fn started(self) -> Self {
                let Self(sh, engine, id) = &self;
                let start = engine.client(sh, &["container", "start", id]);
                let _ = start.ignore_stdout().ignore_stderr().run();
                self
            }

            fn is_among(&self, listed: &[Listed]) -> bool {
                listed.iter().any(|it| it.id == self.2)
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
            let me = Owner::me().unwrap();
            let [alive, dead, of_another_boot] = &owners(&me);
            for engine in ENGINES {
                let create = |case: &str, prefix: &str, owner: &str| {
                    let run = format!("xtask-{}-{case}", std::process::id());
                    Held::create(&sh, engine, &run, &format!("{prefix}-{run}"), owner)
                };
                let stay = [
                    create("alive", "hostlink", alive),
                    create("elsewhere", "hostlink", &format!("x{dead}")),
                    create("somebodys", "mine", dead),
                    create("up", "hostlink", of_another_boot).started(),
                ];
                let go = [
                    create("dead", "hostlink", dead),
                    create("dead-up", "hostlink", dead).started(),
                    create("down", "hostlink", of_another_boot),
                ];
                remove(&sh, engine);
                let left = Listed::all(&sh, engine);
                for container in &stay {
                    assert!(container.is_among(&left), "{engine}: {left:?}");
                }
                for container in &go {
                    assert!(!container.is_among(&left), "{engine}: {left:?}");
                }
            }
        }
    }
}
