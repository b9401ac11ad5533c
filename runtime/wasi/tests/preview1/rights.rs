//! Rights: what preopened directories show, what is passed on, what giving up means.

use crate::world::{CREAT, DATA, DIR, DIRECTORY, FOLLOW, IOVS, OUT, PATH, World};
use zwasm_wasi::{Errno, Rights, WasiCtx};

fn set_rights(world: &mut World, fd: u32, rights: u64, inheriting: u64) -> Result<(), Errno> {
    world.call(|ctx, memory| ctx.fd_fdstat_set_rights(memory, fd, rights, inheriting))
}

#[test]
fn preopened_directories_pass_on_what_files_need() {
    let mut world = World::new();
    let (filetype, flags, rights, inheriting) = world.fdstat(DIR).expect("open");
    assert_eq!((filetype, flags), (3, 0));
    let base = Rights::PATH_OPEN | Rights::FD_READDIR | Rights::PATH_CREATE_FILE;
    assert_eq!(rights & base.bits(), base.bits());
    let file = Rights::FD_READ | Rights::FD_WRITE | Rights::FD_SEEK | Rights::FD_TELL;
    assert_eq!(rights & file.bits(), 0);
    assert_eq!(inheriting & (file | base).bits(), (file | base).bits());
    let fd = world.open("file", CREAT).expect("created");
    let (_, _, rights, inheriting) = world.fdstat(fd).expect("open");
    assert_eq!(rights & (file | base).bits(), file.bits());
    assert_eq!(inheriting, 0);
}

#[test]
fn rights_only_shrink() {
    let mut world = World::new();
    let fd = world.open("file", CREAT).expect("created");
    assert_eq!(
        set_rights(&mut world, fd, Rights::FD_READ.bits(), 0),
        Ok(())
    );
    let more = (Rights::FD_READ | Rights::FD_WRITE).bits();
    assert_eq!(set_rights(&mut world, fd, more, 0), Err(Errno::Notcapable));
    assert_eq!(set_rights(&mut world, fd, 0, more), Err(Errno::Notcapable));
    assert_eq!(
        set_rights(&mut world, fd, 1 << 63, 0),
        Err(Errno::Notcapable)
    );
    assert_eq!(world.write(fd, b"x"), Err(Errno::Notcapable));
    assert_eq!(world.read(fd, 1), Ok(vec![]));
    assert_eq!(world.pread(fd, 1, 0), Err(Errno::Notcapable));
    assert_eq!(world.seek(fd, 0, 0), Err(Errno::Notcapable));
    assert_eq!(world.seek(fd, 0, 1), Err(Errno::Notcapable));
    let denied: [(&str, Result<(), Errno>); 9] = [
        ("tell", world.call(|c, m| c.fd_tell(m, fd, OUT))),
        ("sync", world.call(|c, m| c.fd_sync(m, fd))),
        ("datasync", world.call(|c, m| c.fd_datasync(m, fd))),
        ("advise", world.call(|c, m| c.fd_advise(m, fd, 0, 0, 0))),
        ("allocate", world.call(|c, m| c.fd_allocate(m, fd, 0, 1))),
        ("flags", world.call(|c, m| c.fd_fdstat_set_flags(m, fd, 0))),
        ("stat", world.call(|c, m| c.fd_filestat_get(m, fd, OUT))),
        ("size", world.call(|c, m| c.fd_filestat_set_size(m, fd, 0))),
        (
            "times",
            world.call(|c, m| c.fd_filestat_set_times(m, fd, 0, 0, 0)),
        ),
    ];
    for (name, result) in denied {
        assert_eq!(result, Err(Errno::Notcapable), "{name}");
    }
}

#[test]
fn directories_pass_on_only_what_they_have() {
    let mut world = World::new();
    let dir = world
        .open_with(DIR, ".", FOLLOW, DIRECTORY, 0, 0)
        .expect("opened");
    let (_, _, base, _) = world.fdstat(dir).expect("open");
    let keep = base & !(Rights::PATH_CREATE_FILE | Rights::PATH_FILESTAT_SET_SIZE).bits();
    let pass_on = (Rights::FD_READ | Rights::FD_SEEK | Rights::PATH_OPEN).bits();
    assert_eq!(set_rights(&mut world, dir, keep, pass_on), Ok(()));
    world.open("file", CREAT).expect("created");
    let read = Rights::FD_READ.bits();
    let mut open = |oflags, rights| world.open_with(dir, "file", FOLLOW, oflags, rights, 0);
    assert!(open(0, read).is_ok());
    assert_eq!(open(0, Rights::FD_WRITE.bits()), Err(Errno::Notcapable));
    assert_eq!(open(1, read), Err(Errno::Notcapable));
    assert_eq!(open(8, read), Err(Errno::Notcapable));
    let fd = open(0, read).expect("opened");
    let seek = Rights::FD_SEEK.bits();
    assert_eq!(world.fdstat(fd).map(|stat| stat.2), Ok(read | seek));
    // Nothing but reading and writing has to be asked for, and only they are withheld.
    let fd_2 = world.open_with(dir, "file", FOLLOW, 0, 0, 0);
    assert_eq!(
        world.fdstat(fd_2.expect("opened")).map(|stat| stat.2),
        Ok(seek)
    );

    assert_eq!(set_rights(&mut world, DIR, 0, 0), Ok(()));
    assert_eq!(world.open_read("file"), Err(Errno::Notcapable));
    assert_eq!(world.mkdir("x"), Err(Errno::Notcapable));
    assert_eq!(world.rmdir("x"), Err(Errno::Notcapable));
    assert_eq!(world.unlink("file"), Err(Errno::Notcapable));
    assert_eq!(world.symlink("file", "x"), Err(Errno::Notcapable));
    assert_eq!(world.readlink("file", 1), Err(Errno::Notcapable));
    assert_eq!(world.rename("file", "x"), Err(Errno::Notcapable));
    assert_eq!(world.link("file", "x"), Err(Errno::Notcapable));
    assert_eq!(world.stat("file", 0), Err(Errno::Notcapable));
    let list = world.call(|ctx, memory| ctx.fd_readdir(memory, DIR, DATA, 64, 0, OUT));
    assert_eq!(list, Err(Errno::Notcapable));
    // What is open already keeps what it has.
    assert_eq!(world.read(fd, 1), Ok(vec![]));
}

/// Every call on a descriptor that is not open.
#[test]
fn closed_descriptors() {
    let mut world = World::new();
    let fd = 55;
    type Call = fn(&mut WasiCtx, &mut zwasm_wasi::GuestMemory<'_>, u32) -> Result<(), Errno>;
    let calls: &[(&str, Call)] = &[
        ("advise", |c, m, fd| c.fd_advise(m, fd, 0, 0, 0)),
        ("allocate", |c, m, fd| c.fd_allocate(m, fd, 0, 1)),
        ("close", |c, m, fd| c.fd_close(m, fd)),
        ("datasync", |c, m, fd| c.fd_datasync(m, fd)),
        ("fdstat_get", |c, m, fd| c.fd_fdstat_get(m, fd, OUT)),
        ("set_flags", |c, m, fd| c.fd_fdstat_set_flags(m, fd, 0)),
        ("set_rights", |c, m, fd| c.fd_fdstat_set_rights(m, fd, 0, 0)),
        ("filestat", |c, m, fd| c.fd_filestat_get(m, fd, OUT)),
        ("set_size", |c, m, fd| c.fd_filestat_set_size(m, fd, 0)),
        ("set_times", |c, m, fd| {
            c.fd_filestat_set_times(m, fd, 0, 0, 0)
        }),
        ("pread", |c, m, fd| c.fd_pread(m, fd, IOVS, 0, 0, OUT)),
        ("prestat", |c, m, fd| c.fd_prestat_get(m, fd, OUT)),
        ("dir_name", |c, m, fd| c.fd_prestat_dir_name(m, fd, DATA, 9)),
        ("pwrite", |c, m, fd| c.fd_pwrite(m, fd, IOVS, 0, 0, OUT)),
        ("read", |c, m, fd| c.fd_read(m, fd, IOVS, 0, OUT)),
        ("readdir", |c, m, fd| c.fd_readdir(m, fd, DATA, 9, 0, OUT)),
        ("renumber", |c, m, fd| c.fd_renumber(m, fd, 0)),
        ("seek", |c, m, fd| c.fd_seek(m, fd, 0, 0, OUT)),
        ("sync", |c, m, fd| c.fd_sync(m, fd)),
        ("tell", |c, m, fd| c.fd_tell(m, fd, OUT)),
        ("write", |c, m, fd| c.fd_write(m, fd, IOVS, 0, OUT)),
        ("mkdir", |c, m, fd| c.path_create_directory(m, fd, PATH, 1)),
        ("stat", |c, m, fd| {
            c.path_filestat_get(m, fd, 0, PATH, 1, OUT)
        }),
        ("times", |c, m, fd| {
            c.path_filestat_set_times(m, fd, 0, PATH, 1, 0, 0, 0)
        }),
        ("link", |c, m, fd| {
            c.path_link(m, fd, 0, PATH, 1, DIR, PATH, 1)
        }),
        ("link", |c, m, fd| {
            c.path_link(m, DIR, 0, PATH, 1, fd, PATH, 1)
        }),
        ("open", |c, m, fd| {
            c.path_open(m, fd, 0, PATH, 1, 0, 0, 0, 0, OUT)
        }),
        ("readlink", |c, m, fd| {
            c.path_readlink(m, fd, PATH, 1, DATA, 9, OUT)
        }),
        ("rmdir", |c, m, fd| c.path_remove_directory(m, fd, PATH, 1)),
        ("rename", |c, m, fd| {
            c.path_rename(m, fd, PATH, 1, DIR, PATH, 1)
        }),
        ("rename", |c, m, fd| {
            c.path_rename(m, DIR, PATH, 1, fd, PATH, 1)
        }),
        ("symlink", |c, m, fd| {
            c.path_symlink(m, PATH, 1, fd, PATH, 1)
        }),
        ("unlink", |c, m, fd| c.path_unlink_file(m, fd, PATH, 1)),
        ("accept", |c, m, fd| c.sock_accept(m, fd, 0, OUT)),
        ("recv", |c, m, fd| c.sock_recv(m, fd, IOVS, 0, 0, OUT, OUT)),
        ("send", |c, m, fd| c.sock_send(m, fd, IOVS, 0, 0, OUT)),
        ("shutdown", |c, m, fd| c.sock_shutdown(m, fd, 1)),
    ];
    world.put(PATH, b"x");
    for (name, call) in calls {
        for fd in [fd, u32::MAX] {
            let result = world.call(|ctx, memory| call(ctx, memory, fd));
            assert_eq!(result, Err(Errno::Badf), "{name}");
        }
    }
}
