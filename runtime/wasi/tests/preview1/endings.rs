//! How paths end: every call with every ending, beside what the host's own call answers for the same
//! path in a directory with the same contents.
//!
//! Where the two differ on purpose, [`differs`] says why.

use crate::world::{CREAT, DIR, EXCL, FOLLOW, TRUNC, World, read_only, write_only};
use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use std::os::fd::OwnedFd;
use zwasm_wasi::Errno;

const BASES: [&str; 7] = [
    "dir", "full", "file", "soft", "to_file", "dangling", "missing",
];

const ENDINGS: [&str; 11] = [
    "", "/", "//", "/.", "//.", "/./", "/./.", "/..", "/../", "/./..", "/../.",
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Stat,
    StatThrough,
    Open,
    OpenThrough,
    OpenWriting,
    OpenCutting,
    Create,
    CreateReading,
    CreateNew,
    MakeDirectory,
    RemoveDirectory,
    Unlink,
    Symlink,
    ReadLink,
    RenameFrom,
    RenameTo,
    RenameDirectoryTo,
    LinkFrom,
    LinkTo,
    SetTimes,
}

const CALLS: [Call; 20] = [
    Call::Stat,
    Call::StatThrough,
    Call::Open,
    Call::OpenThrough,
    Call::OpenWriting,
    Call::OpenCutting,
    Call::Create,
    Call::CreateReading,
    Call::CreateNew,
    Call::MakeDirectory,
    Call::RemoveDirectory,
    Call::Unlink,
    Call::Symlink,
    Call::ReadLink,
    Call::RenameFrom,
    Call::RenameTo,
    Call::RenameDirectoryTo,
    Call::LinkFrom,
    Call::LinkTo,
    Call::SetTimes,
];

fn furnish(directory: &std::path::Path) {
    std::fs::create_dir(directory.join("dir")).expect("a directory");
    std::fs::create_dir(directory.join("full")).expect("a directory");
    std::fs::write(directory.join("full/inner"), "inner").expect("a file");
    std::fs::create_dir(directory.join("spare")).expect("a directory");
    std::fs::write(directory.join("file"), "text").expect("a file");
    std::fs::write(directory.join("source"), "source").expect("a file");
    for (target, link) in [
        ("dir", "soft"),
        ("file", "to_file"),
        ("nowhere", "dangling"),
    ] {
        std::os::unix::fs::symlink(target, directory.join(link)).expect("a link");
    }
}

/// Everything in a directory, with sizes of files and targets of links.
fn contents(directory: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path
            .strip_prefix(directory)
            .expect("below")
            .display()
            .to_string();
        let metadata = path.symlink_metadata().expect("there");
        if metadata.is_dir() {
            let inner = contents(&path);
            found.push(format!("{name}/"));
            found.extend(inner.iter().map(|inner| format!("{name}/{inner}")));
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(&path).expect("a link");
            found.push(format!("{name} -> {}", target.display()));
        } else {
            found.push(format!("{name} {}", metadata.len()));
        }
    }
    found.sort();
    found
}

fn guest(world: &mut World, call: Call, path: &str) -> Result<(), Errno> {
    let mut open = |lookup, oflags, rights| {
        let fd = world.open_with(DIR, path, lookup, oflags, rights, 0)?;
        world.close(fd)
    };
    match call {
        Call::Stat => world.stat(path, 0).map(drop),
        Call::StatThrough => world.stat(path, FOLLOW).map(drop),
        Call::Open => open(0, 0, read_only()),
        Call::OpenThrough => open(FOLLOW, 0, read_only()),
        Call::OpenWriting => open(FOLLOW, 0, write_only()),
        Call::OpenCutting => open(FOLLOW, TRUNC, write_only()),
        Call::Create => open(FOLLOW, CREAT, write_only()),
        Call::CreateReading => open(FOLLOW, CREAT, read_only()),
        Call::CreateNew => open(FOLLOW, CREAT | EXCL, write_only()),
        Call::MakeDirectory => world.mkdir(path),
        Call::RemoveDirectory => world.rmdir(path),
        Call::Unlink => world.unlink(path),
        Call::Symlink => world.symlink("source", path),
        Call::ReadLink => world.readlink(path, 100).map(drop),
        Call::RenameFrom => world.rename(path, "renamed"),
        Call::RenameTo => world.rename("source", path),
        Call::RenameDirectoryTo => world.rename("spare", path),
        Call::LinkFrom => world.link(path, "linked"),
        Call::LinkTo => world.link("source", path),
        Call::SetTimes => world.at(path, |ctx, memory, dir, path, size| {
            ctx.path_filestat_set_times(memory, dir, 0, path, size, 0, 0, 4)
        }),
    }
}

fn host(dir: &OwnedFd, call: Call, path: &str) -> rustix::io::Result<()> {
    let open = |flags: OFlags| {
        let flags = flags | OFlags::CLOEXEC;
        rustix::fs::openat(dir, path, flags, Mode::RUSR | Mode::WUSR).map(drop)
    };
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    match call {
        Call::Stat => rustix::fs::statat(dir, path, nofollow).map(drop),
        Call::StatThrough => rustix::fs::statat(dir, path, AtFlags::empty()).map(drop),
        Call::Open => open(OFlags::RDONLY | OFlags::NOFOLLOW),
        Call::OpenThrough => open(OFlags::RDONLY),
        Call::OpenWriting => open(OFlags::WRONLY),
        Call::OpenCutting => open(OFlags::WRONLY | OFlags::TRUNC),
        Call::Create => open(OFlags::WRONLY | OFlags::CREATE),
        Call::CreateReading => open(OFlags::RDONLY | OFlags::CREATE),
        Call::CreateNew => open(OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL),
        Call::MakeDirectory => rustix::fs::mkdirat(dir, path, Mode::RWXU),
        Call::RemoveDirectory => rustix::fs::unlinkat(dir, path, AtFlags::REMOVEDIR),
        Call::Unlink => rustix::fs::unlinkat(dir, path, AtFlags::empty()),
        Call::Symlink => rustix::fs::symlinkat("source", dir, path),
        Call::ReadLink => rustix::fs::readlinkat(dir, path, Vec::new()).map(drop),
        Call::RenameFrom => rustix::fs::renameat(dir, path, dir, "renamed"),
        Call::RenameTo => rustix::fs::renameat(dir, "source", dir, path),
        Call::RenameDirectoryTo => rustix::fs::renameat(dir, "spare", dir, path),
        Call::LinkFrom => rustix::fs::linkat(dir, path, dir, "linked", AtFlags::empty()),
        Call::LinkTo => rustix::fs::linkat(dir, "source", dir, path, AtFlags::empty()),
        Call::SetTimes => {
            let zero = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            let times = Timestamps {
                last_access: zero,
                last_modification: zero,
            };
            rustix::fs::utimensat(dir, path, &times, nofollow)
        }
    }
}

/// Where a guest gets another error than a program of the host: behind a slash stands what the path
/// leads to, through a link too, before anything is said about the name. Other runtimes answer so.
fn differs(call: Call, path: &str) -> bool {
    let name = path.trim_end_matches('/');
    let links: &[&str] = match call {
        Call::Unlink => &["soft", "dangling"],
        Call::Symlink | Call::LinkTo => &["file", "to_file", "dangling"],
        _ => &[],
    };
    name != path && links.contains(&name)
}

#[test]
fn every_call_answers_as_the_host_does() {
    let furnished = || {
        let (world, twin) = (World::new(), tempfile::tempdir().expect("a directory"));
        furnish(&world.inside(""));
        furnish(twin.path());
        (world, twin)
    };
    let (mut world, mut twin) = furnished();
    let fresh = contents(twin.path());
    let mut wrong = Vec::new();
    for call in CALLS {
        for base in BASES {
            for ending in ENDINGS {
                let path = format!("{base}{ending}");
                let dir: OwnedFd = std::fs::File::open(twin.path()).expect("opened").into();
                let theirs = host(&dir, call, &path).map_err(Errno::from);
                let ours = guest(&mut world, call, &path);
                let (here, there) = (contents(&world.inside("")), contents(twin.path()));
                if (ours != theirs || here != there) != differs(call, &path) {
                    wrong.push(format!("{call:?} {path}: {ours:?}, the host: {theirs:?}"));
                }
                if here != fresh || there != fresh {
                    (world, twin) = furnished();
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
