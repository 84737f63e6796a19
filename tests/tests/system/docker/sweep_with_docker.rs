//! What a killed run leaves, and which run removes it.

use std::io::{BufRead, BufReader};
use std::process::Child;

use hostlink_tests::cli::{self, becomes_true, hostlink, wait_until};
use hostlink_tests::container::{BUSYBOX, LABEL};
use hostlink_tests::docker_target::{
    DockerTarget, ForeignContainer, RemovedImage, docker, labelled, ran,
};
use hostlink_tests::keeper::unique_name;
use hostlink_tests::own_engine::OwnEngine;
use hostlink_tests::processes::process;
use tokio::task::block_in_place;

/// The command `hostlink` with a running command in a container of the image.
struct Running(Child);

impl Running {
    fn start(engine: &OwnEngine, image: &str) -> Self {
        let mut command = hostlink([
            "--data",
            "docker_commit=never",
            &format!("@docker/{image}"),
            "exec",
            "--",
            "echo ready; sleep 4242",
        ]);
        let mut child = command.env("DOCKER_HOST", engine.host()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn signal(&mut self, name: &str) {
        cli::send_signal(&self.0, name);
        cli::wait_for_exit(&mut self.0);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn containers(engine: &OwnEngine) -> Vec<String> {
    let listed =
        engine.docker(["container", "ls", "--all", "--quiet", "--filter", "label=hostlink"]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn neither_ctrl_c_nor_a_kill_leaves_a_container() {
    let engine = OwnEngine::start();
    engine.load(BUSYBOX);
    for signal in ["INT", "TERM", "KILL"] {
        let mut running = Running::start(&engine, BUSYBOX);
        assert_eq!(containers(&engine).len(), 1, "the control");
        running.signal(signal);
        wait_until("the engine removes it", || containers(&engine).is_empty());
    }
    assert_eq!(engine.docker(["volume", "ls", "--quiet"]), "");
    assert_eq!(engine.docker(["image", "ls", "--all", "--quiet"]).lines().count(), 1);
}

/// Makes a container with an owner's label.
fn plant(owner: &str, run: &str, name: &str) -> ForeignContainer {
    let labels = [format!("hostlink.owner={owner}"), format!("hostlink={run}")];
    let mut words = vec!["create", "--name", name, "--label", LABEL];
    words.extend(labels.iter().flat_map(|label| ["--label", label]));
    words.extend([BUSYBOX, "sleep", "600"]);
    ForeignContainer(docker(words))
}

/// Makes one with the name of a run.
fn plant_run(owner: &str) -> ForeignContainer {
    let run = format!("planted-{}", unique_name());
    plant(owner, &run, &format!("hostlink-{run}"))
}

/// Makes one with the labels of a run, and a name that a user chose.
fn plant_named(owner: &str) -> (ForeignContainer, String) {
    let run = format!("planted-{}", unique_name());
    (plant(owner, &run, &format!("mine-{run}")), run)
}

/// Makes a running one. It gets its name last: a sweep of another test would remove it before.
fn plant_running(owner: &str) -> ForeignContainer {
    let (planted, run) = plant_named(owner);
    docker(["start", &planted.0]);
    docker(["rename", &planted.0, &format!("hostlink-{run}")]);
    planted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_provably_nobodys_is_removed() {
    let name = BUSYBOX;
    let living = DockerTarget::new(name).with("docker_commit", "never");
    let link = living.connect().await;
    let me = std::process::id();
    let is_mine = format!("/{me}/{}", process(me).unwrap().start);
    let mut owners = labelled("hostlink.owner").into_iter().map(|(_, owner)| owner);
    let mine = owners.find(|it| it.ends_with(&is_mine)).unwrap();
    let [machine, boot, pid, start] = mine.split('/').collect::<Vec<_>>()[..] else {
        panic!("{mine}")
    };

    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    let to_go = [
        format!("{machine}/{boot}/{dead}/1"),
        format!("{machine}/{boot}/{pid}/1"),
        format!("{machine}/another-boot/{pid}/{start}"),
    ];
    let to_stay = [
        mine.clone(),
        format!("another-machine/{boot}/{dead}/1"),
        "nonsense".to_owned(),
        String::new(),
    ];
    let [gone, mut stays] = [&to_go[..], &to_stay[..]]
        .map(|owners| owners.iter().map(|owner| plant_run(owner)).collect::<Vec<_>>());
    // A container that a user made from an image committed by us, and one of a copy of this
    // machine.
    let mut to_stay = to_stay.to_vec();
    to_stay.extend([to_go[0].clone(), to_go[2].clone()]);
    stays.extend([plant_named(&to_go[0]).0, plant_running(&to_go[2])]);
    let half_made = {
        let change = format!("LABEL hostlink.half-made={machine}/{boot}/{dead}/1");
        RemovedImage(docker(["commit", "--change", &change, &stays[0].0]))
    };
    let second = DockerTarget::new(name).with("docker_commit", "never").connect().await;
    second.disconnect().await.unwrap();

    // If another test's sweep started first, it may still be running.
    block_in_place(|| {
        for (owner, planted) in to_go.iter().zip(&gone) {
            let is_gone = || labelled("hostlink.owner").iter().all(|(id, _)| *id != planted.0);
            wait_until(&format!("{owner}'s container goes"), is_gone);
        }
        let images = || docker(["image", "ls", "--all", "--no-trunc", "--quiet"]);
        wait_until("the half-made image goes", || !images().contains(&half_made.0));
    });
    let there = labelled("hostlink.owner");
    for (owner, planted) in to_stay.iter().zip(&stays) {
        assert!(there.contains(&(planted.0.clone(), owner.clone())), "{owner}: {there:?}");
    }
    let output = ran(&link, "echo alive").await;
    assert_eq!(output.stdout(), b"alive\n");
    link.disconnect().await.unwrap();
}

#[test]
fn of_two_runs_the_one_that_is_killed_is_swept_alone() {
    let engine = OwnEngine::start();
    engine.load(BUSYBOX);
    let mut killed = Running::start(&engine, BUSYBOX);
    let first = containers(&engine);
    let _alive = Running::start(&engine, BUSYBOX);
    let second: Vec<_> = containers(&engine).into_iter().filter(|it| !first.contains(it)).collect();
    killed.signal("KILL");
    let next =
        ["--data", "docker_commit=never", &format!("@docker/{BUSYBOX}"), "exec", "--", "true"]
            .map(str::to_owned);
    let mut next = hostlink(next);
    next.env("DOCKER_HOST", engine.host());
    let output = cli::run(next);
    assert_eq!(cli::code(&output), 0, "{}", cli::stderr(&output));
    assert!(becomes_true(|| containers(&engine) == second), "{:?}", containers(&engine));
}
