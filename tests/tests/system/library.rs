//! What a newcomer writes first compiles, and does what it looks like.

use std::path::Path;

use hostlink::connector::async_trait;
use hostlink::run::{OutputLine, OutputSink, Stdin, Stream};
use hostlink::transfer::{GetOptions, PutOptions};
use hostlink::{ConnectorArguments, Context, Data, Result, StringCommand, builtin_registry};

/// Counts what arrives.
#[derive(Default)]
struct Count(usize);

#[async_trait]
impl OutputSink for Count {
    async fn write(&mut self, _stream: Stream, bytes: &[u8]) -> std::io::Result<()> {
        self.0 += bytes.len();
        Ok(())
    }
}

#[tokio::test]
async fn values_are_what_they_are_in_rust() -> Result<()> {
    let (text, number) = ("text".to_owned(), 7_u64);
    let data = Data::new().with("a", "x").with("b", text.clone()).with("c", number);
    let data = data.with("d", vec!["x", "y"]).with("e", true);
    let shown = ["a", "b", "c", "d", "e"].map(|key| data.get(key).unwrap().to_string());
    assert_eq!(shown, ["\"x\"", "\"text\"", "7", "[\"x\", \"y\"]", "true"]);

    let link = builtin_registry().connect("@local", &Data::new(), &Context::from_env()).await?;
    let plain = ConnectorArguments::new();
    for command in
        ["echo hello".into(), "echo hello".to_owned().into(), StringCommand::shell("echo hello")]
    {
        let command: StringCommand = command;
        let output = link.run_shell_command(command, &plain).await?.check()?;
        assert_eq!(output.stdout_lines(), ["hello"]);
    }
    link.run_shell_command("true", &plain).await?.check()?;
    for stdin in
        [Stdin::from("in"), "in".to_owned().into(), b"in"[..].into(), b"in".to_vec().into()]
    {
        let fed = plain.clone().with_stdin(stdin);
        assert_eq!(link.run_shell_command("cat", &fed).await?.stdout(), b"in");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let name = path.to_str().unwrap();
    let puts = PutOptions::default();
    link.put_file(&b"bytes"[..], name, &puts).await?;
    link.put_file(b"bytes".to_vec(), name, &puts).await?;
    link.put_file(Path::new("/etc/hostname"), name, &puts).await?;
    link.put_file(&b"bytes"[..], name, &puts).await?;
    let mut got = Vec::new();
    link.get_file(name, &mut got, &GetOptions::default()).await?;
    assert_eq!(got, b"bytes");
    let mut count = Count::default();
    count.write(Stream::Stdout, &got).await.unwrap();
    assert_eq!((count.0, OutputLine::new(Stream::Stdout, "line").line), (5, "line".to_owned()));
    link.disconnect().await
}
