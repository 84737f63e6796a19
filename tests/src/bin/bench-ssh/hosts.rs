//! Many hosts: login, a command, and the logout.

use hostlink_tests::bench::Failure;
use hostlink_tests::bench::table::{Row, Series, Unit};
use std::fs;
use std::process::Command;

use super::clients::{self, Cost};
use super::world::World;

const PEER: &str = "`parallel-ssh`";

pub(crate) fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let count = world.sizes.hosts;
    let names: Vec<String> = (1..=count).map(|number| format!("127.0.1.{number}")).collect();
    let ours = ours(world, &names)?;
    let theirs = theirs(world, &names)?;
    eprintln!("{count} hosts …");
    let mut times = [const { [const { Vec::new() }; 2] }; 2];
    for _ in 0..world.sizes.rounds {
        for (client, times) in [&ours, &theirs].into_iter().zip(&mut times) {
            let Cost { wall, cpu } = clients::cost(client)?;
            times[0].push(wall);
            times[1].push(cpu);
        }
    }
    let series = |times: &[std::time::Duration]| {
        let mut series = Series::default();
        times.iter().for_each(|time| series.push(*time));
        series
    };
    let row = |what: &str, ours: Series, theirs: Series, unit: Unit| Row {
        work: format!("{count} hosts: login, `true`, logout{what}"),
        peer: PEER,
        ours,
        theirs,
        unit,
        aim: None,
    };
    let [[our_wall, our_cpu], [their_wall, their_cpu]] = times;
    let (mut our_memory, mut their_memory) = (Series::default(), Series::default());
    our_memory.add(clients::peak_memory(&ours)?);
    their_memory.add(clients::peak_memory(&theirs)?);
    Ok(vec![
        row("", series(&our_wall), series(&their_wall), Unit::Seconds),
        row("; CPU of the client", series(&our_cpu), series(&their_cpu), Unit::Seconds),
        row("; memory of the client", our_memory, their_memory, Unit::Mebibytes),
    ])
}

/// hostlink, on all hosts at the same time.
fn ours(world: &World, names: &[String]) -> Result<Command, Failure> {
    let mut command = Command::new(clients::hostlink()?);
    let parallel = names.len().to_string();
    command.args(clients::data_words(world)).args(["--parallel", &parallel]);
    command.arg(names.join(",")).args(["exec", "--", "true"]);
    Ok(command)
}

/// pssh, on all hosts at the same time.
fn theirs(world: &World, names: &[String]) -> Result<Command, Failure> {
    let list = world.own_path("hosts");
    fs::write(&list, names.join("\n") + "\n")?;
    let mut command = Command::new("parallel-ssh");
    command.arg("-h").arg(list).args(["-p", &names.len().to_string()]);
    for word in world.alone.command("ssh").get_args() {
        command.arg("-X").arg(word);
    }
    command.arg("true");
    Ok(command)
}
