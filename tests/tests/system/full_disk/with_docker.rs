//! Containers, with Debian's tools and busybox's.

use hostlink::{Context, Data, builtin_registry};
use hostlink_tests::container::{BUSYBOX, Container, DEBIAN};

use super::{get_from, large_tree, put_to};

#[tokio::test]
async fn the_cause_is_told_of_a_container() {
    let tree = tempfile::tempdir().unwrap();
    large_tree(tree.path());
    let volume = format!("--volume={}:/tree", tree.path().display());
    for image in [DEBIAN, BUSYBOX] {
        let container = Container::start_with(image, &["--tmpfs=/small:size=1m", &volume]);
        let target = format!("@docker/{}", container.name());
        let registry = builtin_registry();
        let link = registry.connect(&target, &Data::new(), &Context::default()).await.unwrap();
        put_to(&link, "/small").await;
        assert_eq!(container.shell("ls -A /small"), "", "nothing is left");
        get_from(&link, "/tree").await;
        link.disconnect().await.unwrap();
    }
}
