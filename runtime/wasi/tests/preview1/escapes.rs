//! Ways out of a preopened directory, all of which end in an error and leave the outside alone.

use crate::world::{CREAT, DIR, DIRECTORY, FOLLOW, TRUNC, World, read_only, read_write};
use std::os::unix::fs::symlink;
use zwasm_wasi::{DirPerms, Errno, FilePerms};

/// Paths that lead to `secret` beside the preopened directory, or to the host's root.
fn ways_out(world: &mut World) -> Vec<String> {
    assert_eq!(world.mkdir("dir"), Ok(()));
    assert_eq!(world.symlink("../secret", "to_file"), Ok(()));
    assert_eq!(world.symlink("..", "to_parent"), Ok(()));
    assert_eq!(world.symlink("../..", "dir/up"), Ok(()));
    assert_eq!(world.symlink("to_parent", "twice"), Ok(()));
    // The embedder's own links may be absolute.
    let secret = world.host.path().join("secret");
    symlink(&secret, world.inside("absolute")).expect("a link");
    symlink("/", world.inside("root")).expect("a link");
    let mut ways = [
        "../secret",
        "./../secret",
        "dir/../../secret",
        "dir/../../inside/../secret",
        "to_file",
        "to_parent/secret",
        "dir/up/secret",
        "twice/secret",
        "absolute",
        "root/etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "dir/./.././../secret",
    ]
    .map(str::to_owned)
    .to_vec();
    ways.push(secret.display().to_string());
    ways
}

fn secret_is_untouched(world: &World) {
    let outside = world.host.path();
    let secret = std::fs::read(outside.join("secret")).expect("the secret");
    assert_eq!(secret, b"secret");
    let names = std::fs::read_dir(outside).expect("the directory").count();
    assert_eq!(names, 2);
}

#[test]
fn opening() {
    let mut world = World::new();
    for way in ways_out(&mut world) {
        for oflags in [0, CREAT, TRUNC, CREAT | TRUNC] {
            assert_eq!(world.open(&way, oflags), Err(Errno::Perm), "{way}");
        }
        let read = world.open_with(DIR, &way, FOLLOW, 0, read_only(), 0);
        assert_eq!(read, Err(Errno::Perm), "{way}");
        assert_eq!(world.stat(&way, FOLLOW), Err(Errno::Perm), "{way}");
    }
    for way in [
        "..",
        "../",
        "dir/../..",
        "to_parent",
        "root",
        "/",
        "dir/up/",
    ] {
        let opened = world.open_with(DIR, way, FOLLOW, DIRECTORY, read_only(), 0);
        assert_eq!(opened, Err(Errno::Perm), "{way}");
    }
    secret_is_untouched(&world);
}

#[test]
fn changing() {
    let mut world = World::new();
    world.open("mine", CREAT).expect("created");
    for way in ways_out(&mut world) {
        let last_is_a_link = ["to_file", "absolute"].contains(&way.as_str());
        if last_is_a_link {
            continue;
        }
        assert_eq!(world.unlink(&way), Err(Errno::Perm), "{way}");
        assert_eq!(world.rename(&way, "stolen"), Err(Errno::Perm), "{way}");
        assert_eq!(world.rename("mine", &way), Err(Errno::Perm), "{way}");
        assert_eq!(world.link(&way, "stolen"), Err(Errno::Perm), "{way}");
        assert_eq!(world.readlink(&way, 100), Err(Errno::Perm), "{way}");
        assert_eq!(world.stat(&way, 0), Err(Errno::Perm), "{way}");
        let outside = format!("{way}_new");
        assert_eq!(world.link("mine", &outside), Err(Errno::Perm), "{way}");
        assert_eq!(world.symlink("mine", &outside), Err(Errno::Perm), "{way}");
        assert_eq!(world.mkdir(&outside), Err(Errno::Perm), "{way}");
        assert_eq!(world.rmdir(&outside), Err(Errno::Perm), "{way}");
        for lookup in [0, FOLLOW] {
            let times = world.at(&way, |ctx, memory, dir, path, size| {
                ctx.path_filestat_set_times(memory, dir, lookup, path, size, 0, 0, 1 | 4)
            });
            assert_eq!(times, Err(Errno::Perm), "{way}");
        }
    }
    // Through a link at the end, only what follows links could get out.
    for way in ["to_file", "absolute"] {
        let times = world.at(way, |ctx, memory, dir, path, size| {
            ctx.path_filestat_set_times(memory, dir, FOLLOW, path, size, 0, 0, 1 | 4)
        });
        assert_eq!(times, Err(Errno::Perm), "{way}");
        assert_eq!(world.link(way, &format!("{way}_2")), Ok(()));
        let through = world.open(&format!("{way}_2"), 0);
        assert_eq!(through, Err(Errno::Perm));
        assert_eq!(world.rename("mine", way), Ok(()));
        assert_eq!(world.rename(way, "mine"), Ok(()));
    }
    // Nor does a guest learn or make up where the host keeps things.
    assert_eq!(world.readlink("root", 100), Err(Errno::Perm));
    assert_eq!(world.symlink("/etc/passwd", "passwd"), Err(Errno::Perm));
    secret_is_untouched(&world);
}

#[test]
fn a_directory_moved_up_under_an_open_descriptor() {
    let mut world = World::new();
    assert_eq!(world.mkdir("a"), Ok(()));
    assert_eq!(world.mkdir("a/b"), Ok(()));
    let b = world.open_dir("a/b").expect("opened");
    assert_eq!(world.rename("a/b", "b"), Ok(()));
    // From a descriptor there is no way to its parent, not even one that is inside.
    for way in ["..", "../a", "../../secret"] {
        let opened = world.open_with(b, way, FOLLOW, 0, read_only(), 0);
        assert_eq!(opened, Err(Errno::Perm));
    }
    secret_is_untouched(&world);
}

#[test]
fn read_only_directories() {
    let mut world = World::with(|builder, host| {
        let dir = host.join("inside");
        std::fs::write(dir.join("file"), "text").expect("a file");
        builder
            .preopened_dir(&dir, "/ro", DirPerms::READ, FilePerms::READ)
            .expect("the directory exists");
        builder
            .preopened_dir(&dir, "/rw_dir", DirPerms::all(), FilePerms::READ)
            .expect("the directory exists");
        builder
            .preopened_dir(&dir, "/none", DirPerms::empty(), FilePerms::empty())
            .expect("the directory exists");
    });
    let (read_only_dir, read_only_files, nothing) = (4, 5, 6);
    let fd = world
        .open_with(read_only_dir, "file", FOLLOW, 0, read_only(), 0)
        .expect("opened");
    assert_eq!(world.read(fd, 10), Ok(b"text".to_vec()));
    for (oflags, rights) in [
        (0, read_write()),
        (CREAT, read_only()),
        (TRUNC, read_only()),
        (CREAT | TRUNC, read_write()),
    ] {
        let opened = world.open_with(read_only_dir, "file", FOLLOW, oflags, rights, 0);
        assert_eq!(opened, Err(Errno::Perm));
    }
    let times = world.call(|ctx, memory| ctx.fd_filestat_set_times(memory, fd, 0, 0, 2));
    assert_eq!(times, Err(Errno::Perm));
    let times = world.call(|ctx, memory| ctx.fd_filestat_set_times(memory, 4, 0, 0, 2));
    assert_eq!(times, Err(Errno::Perm));
    // A descriptor opened below inherits the limits.
    let below = world
        .open_with(read_only_dir, ".", FOLLOW, DIRECTORY, read_only(), 0)
        .expect("opened");
    let opened = world.open_with(below, "new", FOLLOW, CREAT, read_write(), 0);
    assert_eq!(opened, Err(Errno::Perm));
    // Nothing gains permissions by moving, linking or being linked.
    let size = world.put(crate::world::PATH, b"file");
    let mut into = |from: u32, to: u32, link: bool| {
        world.call(|ctx, memory| {
            let path = crate::world::PATH;
            if link {
                ctx.path_link(memory, from, 0, path, size, to, path, size)
            } else {
                ctx.path_rename(memory, from, path, size, to, path, size)
            }
        })
    };
    for link in [true, false] {
        assert_eq!(into(read_only_dir, DIR, link), Err(Errno::Perm));
        assert_eq!(into(read_only_files, DIR, link), Err(Errno::Perm));
        assert_eq!(into(DIR, read_only_dir, link), Err(Errno::Perm));
    }
    // Downwards is allowed: here onto itself, which does nothing.
    assert_eq!(into(DIR, read_only_files, false), Ok(()));
    let opened = world.open_with(read_only_files, "new", FOLLOW, CREAT, read_only(), 0);
    assert!(opened.is_ok());
    let opened = world.open_with(read_only_files, "file", FOLLOW, TRUNC, read_only(), 0);
    assert_eq!(opened, Err(Errno::Perm));
    let opened = world.open_with(nothing, "file", FOLLOW, 0, read_only(), 0);
    assert_eq!(opened, Err(Errno::Perm));
    let stat = world
        .call(|ctx, memory| ctx.path_filestat_get(memory, nothing, 0, crate::world::PATH, size, 0));
    assert_eq!(stat, Err(Errno::Perm));
    let list = world.call(|ctx, memory| ctx.fd_readdir(memory, nothing, 0, 64, 0, 64));
    assert_eq!(list, Err(Errno::Perm));
    assert_eq!(
        std::fs::read(world.inside("file")).expect("the file"),
        b"text"
    );
}
