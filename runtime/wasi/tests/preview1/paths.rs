//! Names: creating, linking, renaming, removing, and what trailing slashes mean.

use crate::world::{
    CREAT, DATA, DIR, DIRECTORY, EXCL, FOLLOW, OUT, TRUNC, World, read_only, read_write,
};
use zwasm_wasi::Errno;

#[test]
fn preopened_names() {
    let mut world = World::new();
    let get = world.call(|ctx, memory| ctx.fd_prestat_get(memory, DIR, OUT));
    assert_eq!((get, world.u64(OUT)), (Ok(()), 1 << 32));
    let name = world.call(|ctx, memory| ctx.fd_prestat_dir_name(memory, DIR, DATA, 1));
    assert_eq!((name, world.get(DATA, 1)), (Ok(()), &b"/"[..]));
    let short = world.call(|ctx, memory| ctx.fd_prestat_dir_name(memory, DIR, DATA, 0));
    assert_eq!(short, Err(Errno::Nametoolong));
    for fd in [0, 4, 99] {
        let get = world.call(|ctx, memory| ctx.fd_prestat_get(memory, fd, OUT));
        assert_eq!(get, Err(Errno::Badf));
    }
    let sub = world.open_dir(".").expect("opened");
    let get = world.call(|ctx, memory| ctx.fd_prestat_get(memory, sub, OUT));
    assert_eq!(get, Err(Errno::Badf));
}

#[test]
fn directories() {
    let mut world = World::new();
    assert_eq!(world.mkdir("dir"), Ok(()));
    assert_eq!(world.mkdir("dir"), Err(Errno::Exist));
    assert_eq!(world.mkdir("dir/sub/"), Ok(()));
    assert_eq!(world.mkdir("no/sub"), Err(Errno::Noent));
    assert_eq!(world.stat("dir", 0).map(|stat| stat.0), Ok(3));
    assert_eq!(world.rmdir("dir"), Err(Errno::Notempty));
    let dir = world.open_dir("dir").expect("opened");
    let file = world
        .open_with(dir, "file", FOLLOW, CREAT, read_only(), 0)
        .expect("created");
    assert_eq!(world.fdstat(dir).map(|stat| stat.0), Ok(3));
    assert_eq!(world.fdstat(file).map(|stat| stat.0), Ok(4));
    assert_eq!(world.unlink("dir/sub"), Err(Errno::Isdir));
    assert_eq!(world.rmdir("dir/file"), Err(Errno::Notdir));
    assert_eq!(world.rmdir("dir/sub/"), Ok(()));
    assert_eq!(world.unlink("dir/file"), Ok(()));
    assert_eq!(world.unlink("dir/file"), Err(Errno::Noent));
    assert_eq!(world.rmdir("dir"), Ok(()));
    assert_eq!(world.rmdir("dir"), Err(Errno::Noent));
}

#[test]
fn what_is_no_file_and_what_is_no_directory() {
    let mut world = World::new();
    assert_eq!(world.mkdir("dir"), Ok(()));
    world.open("file", CREAT).expect("created");
    // Opening for writing, creating or cutting a directory.
    assert_eq!(world.open("dir", 0), Err(Errno::Isdir));
    assert_eq!(world.open("dir", CREAT), Err(Errno::Isdir));
    assert_eq!(world.open("dir", TRUNC), Err(Errno::Isdir));
    // Without the flag it opens as a directory all the same.
    let dir = world.open_read("dir").expect("opened");
    assert_eq!(world.fdstat(dir).map(|stat| stat.0), Ok(3));
    assert_eq!(world.open_dir("file"), Err(Errno::Notdir));
    let writing = world.open_with(DIR, "dir", FOLLOW, DIRECTORY, read_write(), 0);
    assert_eq!(writing, Err(Errno::Isdir));
    let writing = world.open_with(DIR, "file", FOLLOW, DIRECTORY, read_write(), 0);
    assert_eq!(writing, Err(Errno::Notdir));
    for extra in [CREAT, EXCL, TRUNC] {
        assert_eq!(world.open("x", DIRECTORY | extra), Err(Errno::Inval));
    }
    assert_eq!(world.read(dir, 1), Err(Errno::Badf));
    assert_eq!(world.write(dir, b"x"), Err(Errno::Badf));
    assert_eq!(world.seek(dir, 0, 0), Err(Errno::Badf));
    assert_eq!(world.pread(dir, 1, 0), Err(Errno::Badf));
    let file = world.open_read("file").expect("opened");
    let inner = world.open_with(file, "x", FOLLOW, 0, read_only(), 0);
    assert_eq!(inner, Err(Errno::Notdir));
    assert_eq!(world.open("file/x", CREAT), Err(Errno::Notdir));
    assert_eq!(world.open("", CREAT), Err(Errno::Noent));
}

#[test]
fn trailing_slashes() {
    let mut world = World::new();
    assert_eq!(world.mkdir("dir"), Ok(()));
    world.open("file", CREAT).expect("created");
    assert_eq!(world.open_read("file/"), Err(Errno::Notdir));
    assert_eq!(world.open("new/", CREAT), Err(Errno::Isdir));
    assert!(world.open_read("dir/").is_ok());
    assert!(world.open_read("dir///").is_ok());
    assert_eq!(world.unlink("file/"), Err(Errno::Notdir));
    assert_eq!(world.stat("file/", 0), Err(Errno::Notdir));
    assert_eq!(world.stat("dir/", 0).map(|stat| stat.0), Ok(3));
    assert_eq!(world.rename("file/", "other"), Err(Errno::Notdir));
    assert_eq!(world.rename("file", "other/"), Err(Errno::Notdir));
    assert_eq!(world.rename("dir/", "moved/"), Ok(()));
    assert_eq!(world.rename("moved", "dir"), Ok(()));
    assert_eq!(world.link("file", "hard/"), Err(Errno::Noent));
    assert_eq!(world.link("file/", "hard"), Err(Errno::Notdir));
    assert_eq!(world.symlink("file", "soft/"), Err(Errno::Noent));
    assert_eq!(world.symlink("file", "dir/"), Err(Errno::Exist));
    assert_eq!(world.symlink("dir", "file/"), Err(Errno::Notdir));
    assert_eq!(world.symlink("dir", "soft"), Ok(()));
    // With a slash it is what the link leads to.
    assert_eq!(world.stat("soft/", 0).map(|stat| stat.0), Ok(3));
    assert_eq!(world.stat("soft", 0).map(|stat| stat.0), Ok(7));
    assert_eq!(world.readlink("soft/", 100), Err(Errno::Inval));
    for (path, result) in [("file/", Err(Errno::Notdir)), ("soft/", Ok(()))] {
        let times = world.at(path, |ctx, memory, dir, path, size| {
            ctx.path_filestat_set_times(memory, dir, 0, path, size, 0, 0, 1 | 4)
        });
        assert_eq!(times, result, "{path}");
    }
    assert_eq!(world.stat("dir", 0).map(|stat| stat.3), Ok(0));
    assert_eq!(world.rmdir("soft/"), Err(Errno::Notdir));
    assert_eq!(world.unlink("soft/"), Err(Errno::Isdir));
    assert_eq!(world.unlink("dir/"), Err(Errno::Isdir));
    assert_eq!(world.unlink("soft"), Ok(()));
}

#[test]
fn renaming() {
    let mut world = World::new();
    let fd = world.open("a", CREAT).expect("created");
    assert_eq!(world.write(fd, b"a"), Ok(1));
    world.open("b", CREAT).expect("created");
    assert_eq!(world.rename("a", "b"), Ok(()));
    assert_eq!(world.stat("a", 0), Err(Errno::Noent));
    assert_eq!(world.stat("b", 0).map(|stat| stat.1), Ok(1));
    assert_eq!(world.rename("missing", "x"), Err(Errno::Noent));
    assert_eq!(world.mkdir("dir"), Ok(()));
    assert_eq!(world.rename("b", "dir"), Err(Errno::Isdir));
    assert_eq!(world.rename("dir", "b"), Err(Errno::Notdir));
    assert_eq!(world.rename("dir", "dir/inner"), Err(Errno::Inval));
    let dir = world.open_dir("dir").expect("opened");
    assert_eq!(world.rename_to("b", dir, "b"), Ok(()));
    assert_eq!(world.mkdir("other"), Ok(()));
    assert_eq!(world.rename("other", "dir"), Err(Errno::Notempty));
    assert_eq!(world.rename_to("other", 99, "x"), Err(Errno::Badf));
    assert_eq!(world.rename_to("other", fd, "x"), Err(Errno::Notdir));
}

#[test]
fn links() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    assert_eq!(world.write(fd, b"text"), Ok(4));
    assert_eq!(world.link("file", "hard"), Ok(()));
    assert_eq!(world.stat("hard", 0).map(|stat| stat.2), Ok(2));
    assert_eq!(world.link("file", "hard"), Err(Errno::Exist));
    assert_eq!(world.link("missing", "x"), Err(Errno::Noent));
    assert_eq!(world.link_to("file", FOLLOW, DIR, "x"), Err(Errno::Inval));
    assert_eq!(world.mkdir("dir"), Ok(()));
    assert_eq!(world.link("dir", "x"), Err(Errno::Perm));

    assert_eq!(world.symlink("file", "soft"), Ok(()));
    assert_eq!(world.symlink("file", "soft"), Err(Errno::Exist));
    assert_eq!(world.stat("soft", 0).map(|stat| stat.0), Ok(7));
    assert_eq!(world.stat("soft", FOLLOW).map(|stat| stat.0), Ok(4));
    assert_eq!(world.readlink("soft", 100), Ok("file".to_owned()));
    assert_eq!(world.readlink("soft", 2), Ok("fi".to_owned()));
    assert_eq!(world.readlink("file", 100), Err(Errno::Inval));
    let fd = world.open_read("soft").expect("followed");
    assert_eq!(world.read(fd, 10), Ok(b"text".to_vec()));
    let refused = world.open_with(DIR, "soft", 0, 0, read_only(), 0);
    assert_eq!(refused, Err(Errno::Loop));
    let refused = world.open_with(DIR, "soft", 0, DIRECTORY, read_only(), 0);
    assert_eq!(refused, Err(Errno::Loop));
    assert_eq!(world.open_dir("soft"), Err(Errno::Notdir));
    let exclusive = world.open("soft", CREAT | EXCL);
    assert_eq!(exclusive, Err(Errno::Exist));
    // A hard link to a symbolic link is one, too.
    assert_eq!(world.link("soft", "soft_2"), Ok(()));
    assert_eq!(world.stat("soft_2", 0).map(|stat| stat.0), Ok(7));

    assert_eq!(world.symlink("loop", "loop"), Ok(()));
    assert_eq!(world.open_read("loop"), Err(Errno::Loop));
    assert_eq!(world.stat("loop", FOLLOW), Err(Errno::Loop));
    assert_eq!(world.symlink("nowhere", "dangling"), Ok(()));
    assert_eq!(world.open_read("dangling"), Err(Errno::Noent));
    assert!(world.open("dangling", CREAT).is_ok());
    assert!(world.inside("nowhere").exists());
    assert_eq!(world.unlink("soft"), Ok(()));
    assert!(world.inside("file").exists());
}
