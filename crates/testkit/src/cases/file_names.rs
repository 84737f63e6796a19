//! Names of files.

use anyhow::ensure;
use hostlink_core::ErrorKind;
use hostlink_core::transfer::{GetOptions, PutOptions, Source, TEMPORARY_MARK};

use crate::scene::{Scene, find_temporaries};
use crate::settings::plain;

cases![
    files_with_odd_names_round_trip,
    a_file_with_the_longest_name_round_trips,
    a_relative_path_starts_from_chdir,
    an_invalid_path_is_refused,
    a_temporary_file_goes_where_it_is_asked_for: SecondSession,
];

async fn round_trip(scene: &Scene, name: &str) -> anyhow::Result<()> {
    let path = scene.path(name);
    let from = scene.file_here("from", b"from a file")?;
    for (source, wanted) in
        [(Source::bytes(name.to_owned()), name), (Source::path(from), "from a file")]
    {
        scene.link.put_file(source, &path, &PutOptions::default()).await?;
        scene.expect_content(&path, wanted.as_bytes()).await?;
        let (mut buffer, to) = (Vec::new(), scene.here(name));
        scene.link.get_file(&path, &mut buffer, &GetOptions::default()).await?;
        ensure!(buffer == wanted.as_bytes(), "{name:?}");
        scene.link.get_file(&path, &*to, &GetOptions::default()).await?;
        ensure!(std::fs::read(to)? == wanted.as_bytes(), "{name:?}");
    }
    Ok(())
}

async fn files_with_odd_names_round_trip(scene: &Scene) -> anyhow::Result<()> {
    let names = [
        "a b",
        "it's",
        "\"",
        "-rf",
        "--",
        "$HOME",
        "`id`",
        "*",
        "n\nl",
        "end\n",
        "\\",
        "~",
        "#",
        "..x",
        ".hidden",
        "ünï €",
        " ",
        "a;b",
        "%s",
    ];
    for name in scene.sample(names) {
        round_trip(scene, name).await?;
    }
    scene.expect_no_leftovers().await
}

async fn a_file_with_the_longest_name_round_trips(scene: &Scene) -> anyhow::Result<()> {
    for name in ["l".repeat(200), "l".repeat(201), "l".repeat(255), "ü".repeat(127)] {
        round_trip(scene, &name).await?;
    }
    scene.expect_no_leftovers().await
}

async fn a_relative_path_starts_from_chdir(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkdir ./-d").await?;
    let arguments = plain().with_chdir(scene.path("-d"));
    let put = PutOptions::default().with_arguments(arguments.clone());
    let get = GetOptions::default().with_arguments(arguments);
    let from = scene.file_here("from", b"file")?;
    for name in ["file", "-file", "./file"] {
        for (source, wanted) in [(Source::bytes("bytes"), "bytes"), (Source::path(&from), "file")] {
            scene.link.put_file(source, name, &put).await?;
            scene.expect_content(&scene.path(&format!("-d/{name}")), wanted.as_bytes()).await?;
            let (mut buffer, to) = (Vec::new(), scene.here("to"));
            scene.link.get_file(name, &mut buffer, &get).await?;
            scene.link.get_file(name, &*to, &get).await?;
            ensure!(buffer == wanted.as_bytes() && std::fs::read(to)? == buffer, "{name}");
        }
    }
    scene.expect_no_leftovers().await
}

async fn an_invalid_path_is_refused(scene: &Scene) -> anyhow::Result<()> {
    for path in ["", "a\0b"] {
        let put = scene.link.put_file(b"x".to_vec(), path, &PutOptions::default()).await;
        let kind = put.err().map(|error| error.kind());
        ensure!(kind == Some(ErrorKind::Data), "{path:?}: {kind:?}");
        let got = scene.link.get_file(path, &mut Vec::new(), &GetOptions::default()).await;
        let kind = got.err().map(|error| error.kind());
        ensure!(kind == Some(ErrorKind::Data), "{path:?}: {kind:?}");
    }
    Ok(())
}

async fn a_temporary_file_goes_where_it_is_asked_for(scene: &Scene) -> anyhow::Result<()> {
    scene.sh("mkdir temporary destination").await?;
    let path = scene.path("destination/file");
    let arguments = plain().with_temp_dir(scene.path("temporary"));
    let elsewhere = PutOptions::default().with_arguments(arguments);
    let named = PutOptions {
        remote_temp_filename: Some(scene.path(&format!("temporary/.x{TEMPORARY_MARK}named"))),
        ..PutOptions::default()
    };
    for options in [elsewhere, named] {
        let source = Source::reader(crate::child::drip());
        // A temporary whose name was given counts as ours once the target reports that it made it,
        // which is before it is filled.
        let find = find_temporaries("-path './temporary/*' -size +100k");
        let condition = format!("[ \"$({find})\" ]");
        let check = crate::watch::until("a temporary file with content", || async {
            scene.holds(&condition).await
        });
        tokio::select! {
            put = scene.link.put_file(source, &path, &options) => anyhow::bail!("it ended: {put:?}"),
            checked = check => checked?,
        }
        crate::watch::until("the temporary file goes", || async {
            Ok(scene.leftovers().await?.is_empty())
        })
        .await?;
        scene.link.put_file(b"new".to_vec(), &path, &options).await?;
        scene.expect_content(&path, b"new").await?;
        ensure!(scene.sh_text("ls -A temporary; rm destination/file").await?.is_empty());
    }
    Ok(())
}
