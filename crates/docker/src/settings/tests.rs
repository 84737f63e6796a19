use hostlink_core::{Data, ErrorKind, Target};

use super::*;

fn parse(data: Data) -> Result<Settings> {
    let target = Target { name: "@docker/x".to_owned(), data, outer: None };
    Settings::parse(&target, Brand::Docker)
}

fn faults(data: Data) -> String {
    let error = parse(data).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    error.message().to_owned()
}

#[test]
fn what_is_said_outright_goes_before_the_name() {
    for (data, subject) in [
        (Data::new().with("docker_identifier", "a"), Subject::Either("a".into())),
        (Data::new().with("docker_container_id", "a"), Subject::Container("a".into())),
        (
            Data::new().with("docker_identifier", "a").with("docker_image", "a"),
            Subject::Image("a".into()),
        ),
    ] {
        assert_eq!(parse(data).unwrap().subject, subject);
    }
}

#[test]
fn what_is_for_images_is_known() {
    let data = Data::new().with("docker_identifier", "a").with("docker_user", "a");
    assert_eq!(parse(data.clone()).unwrap().for_images, [""; 0]);
    let never = data.clone().with("docker_commit", "never").with("docker_architecture", "arm64");
    assert_eq!(parse(never).unwrap().for_images, ["docker_architecture"]);
    let all = data
        .with("docker_tag", "b")
        .with("docker_commit", "always")
        .with("docker_platform", "linux/arm64");
    let keys = ["docker_platform", "docker_commit", "docker_tag"];
    assert_eq!(parse(all).unwrap().for_images, keys);
}

#[test]
fn a_password_for_the_engine_counts_with_its_sudo_and_is_not_shown() {
    let data = Data::new().with("docker_identifier", "a").with("docker_sudo_password", "hunter2");
    assert_eq!(faults(data.clone()), "docker_sudo_password: has no effect without docker_sudo");
    let settings = parse(data.with("docker_sudo", true)).unwrap();
    assert_eq!(settings.given.sudo_password, Some("hunter2".into()));
    assert!(!format!("{settings:?}").contains("hunter2"));
    for brand in [Brand::Docker, Brand::Podman] {
        let of_sudo = |field: &&DataField| field.key == "docker_sudo_password";
        assert!(fields::of(brand).iter().find(of_sudo).is_some_and(|field| field.secret));
    }
}

#[test]
fn every_fault_is_listed() {
    let data = Data::new()
        .with("docker_identifier", "a")
        .with("docker_image", "b")
        .with("docker_workdir", "srv")
        .with("docker_user", "a b")
        .with("docker_commit", "maybe")
        .with("docker_sud", true);
    assert_eq!(
        faults(data),
        "docker_sud: there is no such key (did you mean docker_sudo?); \
         docker_user: \"a b\": write USER or USER:GROUP; \
         docker_workdir: \"srv\": write a path that starts with /; \
         docker_commit: \"maybe\" is not always, on-success or never; \
         docker_image: it is b, and docker_identifier is a: leave one out"
    );
}

#[test]
fn contradictions_and_nothing_are_faults() {
    let both = Data::new().with("docker_container_id", "a").with("docker_image", "a");
    assert!(faults(both).contains("leave one of them out"));
    assert!(faults(Data::new()).contains("no container is named"));
    let tagged = Data::new().with("docker_image", "a").with("docker_commit", "never");
    assert!(faults(tagged.with("docker_tag", "b:1")).contains("docker_commit is never"));
    let platform = Data::new().with("docker_image", "a").with("docker_platform", "linux/amd64");
    assert!(
        faults(platform.with("docker_architecture", "arm64")).contains("leave one of them out")
    );
    let container = Data::new().with("docker_container_id", "a").with("docker_commit", "never");
    assert!(faults(container).contains("it is for images"));
}

#[test]
fn architecture_and_tag_are_completed() {
    let data = Data::new().with("docker_image", "a").with("docker_architecture", "arm/v7");
    assert_eq!(parse(data).unwrap().platform.as_deref(), Some("linux/arm/v7"));
    for (text, name, tag) in
        [("a", "a", "latest"), ("r:5000/a", "r:5000/a", "latest"), ("a:1", "a", "1")]
    {
        let data = Data::new().with("docker_image", "a").with("docker_tag", text);
        assert_eq!(parse(data).unwrap().given.tag, Some((name.to_owned(), tag.to_owned())));
    }
}

#[test]
fn a_tag_that_no_engine_takes_is_a_fault() {
    let tagged = |text: &str| Data::new().with("docker_image", "a").with("docker_tag", text);
    for text in [
        "rvw:.a",
        "rvw:a:b",
        "rvw:-a",
        "rvw:",
        "rvw:a b",
        "",
        ":a",
        "Rvw",
        "r/Vw:1",
        "a@sha256:0a",
        "a/",
        "/a",
        "a//b",
        "a..b",
        "a___b",
        "_a",
        "a-",
        "-r:5000/a",
        "r:port/a",
        "r.x:/a",
        "http://r/a",
        "a:é",
    ] {
        let told = faults(tagged(text));
        assert!(told.contains("write NAME[:TAG], the name in lower case"), "{text}: {told}");
    }
    assert!(faults(tagged(&format!("a:{}", "b".repeat(129)))).contains("is not a valid tag"));
    assert!(faults(tagged(&"0a".repeat(32))).contains("is not a valid image name"));
    for text in [
        "a:_B.c-1",
        "a__b/c---d/e.f:1",
        "Reg.example.com:5000/a/b",
        "localhost/a",
        "localhost:1/a:2",
        &format!("a:{}", "b".repeat(128)),
    ] {
        assert!(parse(tagged(text)).is_ok(), "{text}");
    }
}
