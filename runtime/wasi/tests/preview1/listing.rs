//! `fd_readdir`.

use crate::world::{CREAT, DATA, DIR, OUT, World};
use std::collections::BTreeMap;
use zwasm_wasi::Errno;

/// One entry: (next cookie, inode, type, name).
type Entry = (u64, u64, u8, String);

/// Reads up to `size` bytes of entries; returns the complete ones and how many bytes there were.
fn list_some(
    world: &mut World,
    fd: u32,
    size: u32,
    cookie: u64,
) -> Result<(Vec<Entry>, u32), Errno> {
    world.bytes[DATA as usize..].fill(0xaa);
    world.call(|ctx, memory| ctx.fd_readdir(memory, fd, DATA, size, cookie, OUT))?;
    let used = world.u32(OUT);
    let after = world.get(DATA + used, 8);
    assert_eq!(after, [0xaa; 8], "bytes behind the result were changed");
    let mut entries = Vec::new();
    let mut at = DATA;
    while at + 24 <= DATA + used {
        let name_size = world.u32(at + 16);
        if at + 24 + name_size > DATA + used {
            break;
        }
        assert_eq!(world.get(at + 21, 3), [0; 3], "padding is not zero");
        let name = world.get(at + 24, name_size);
        entries.push((
            world.u64(at),
            world.u64(at + 8),
            world.get(at + 20, 1)[0],
            String::from_utf8_lossy(name).into_owned(),
        ));
        at += 24 + name_size;
    }
    Ok((entries, used))
}

/// Lists the whole directory with a buffer of `size` bytes.
fn list(world: &mut World, fd: u32, size: u32) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    let mut cookie = 0;
    loop {
        let (entries, used) = list_some(world, fd, size, cookie).expect("listed");
        if let Some(last) = entries.last() {
            cookie = last.0;
        }
        all.extend(entries);
        if used < size {
            return all;
        }
    }
}

#[test]
fn entries_and_their_types() {
    let mut world = World::new();
    assert_eq!(world.mkdir("dir"), Ok(()));
    world.open("file", CREAT).expect("created");
    assert_eq!(world.symlink("file", "link"), Ok(()));
    let entries = list(&mut world, DIR, 4096);
    let types: BTreeMap<_, _> = entries
        .iter()
        .map(|(_, _, filetype, name)| (name.as_str(), *filetype))
        .collect();
    let expected = [(".", 3), ("..", 3), ("dir", 3), ("file", 4), ("link", 7)];
    assert_eq!(types, BTreeMap::from(expected));
    let inode = |name: &str| entries.iter().find(|entry| entry.3 == name).map(|e| e.1);
    assert_eq!(inode("."), inode(".."));
    let stat = world.call(|ctx, memory| ctx.fd_filestat_get(memory, DIR, OUT));
    assert_eq!(stat, Ok(()));
    assert_eq!(inode("."), Some(world.u64(OUT + 8)));
}

#[test]
fn cookies_stay_good() {
    let mut world = World::new();
    for i in 0..300 {
        let name = format!("file_{i:03}");
        std::fs::write(world.inside(&name), "").expect("a file");
    }
    let whole = list(&mut world, DIR, 32768);
    assert_eq!(whole.len(), 302);
    // The smallest buffer that makes progress, and one that cuts entries.
    for size in [24 + 8, 100, 1000] {
        assert_eq!(list(&mut world, DIR, size), whole, "{size}");
    }
    // Going back to any entry, also after others were removed.
    for i in (0..300).step_by(3) {
        let name = format!("file_{i:03}");
        std::fs::remove_file(world.inside(&name)).expect("removed");
    }
    let left: Vec<_> = whole
        .iter()
        .filter(|entry| {
            let number = entry.3.strip_prefix("file_").and_then(|n| n.parse().ok());
            number.is_none_or(|n: u32| !n.is_multiple_of(3))
        })
        .map(|entry| entry.3.clone())
        .collect();
    let (middle, _) = list_some(&mut world, DIR, 32768, whole[150].0).expect("listed");
    let names: Vec<_> = middle.iter().map(|entry| entry.3.clone()).collect();
    assert!(left.ends_with(&names));
    assert!(names.len() >= 90);
    let again: Vec<_> = list(&mut world, DIR, 500)
        .into_iter()
        .map(|entry| entry.3)
        .collect();
    assert_eq!(again, left);
}

#[test]
fn small_buffers_and_bad_arguments() {
    let mut world = World::new();
    world.open("file", CREAT).expect("created");
    let (entries, used) = list_some(&mut world, DIR, 10, 0).expect("listed");
    assert_eq!((entries.len(), used), (0, 10));
    let (_, used) = list_some(&mut world, DIR, 0, 0).expect("listed");
    assert_eq!(used, 0);
    assert_eq!(
        list_some(&mut world, DIR, 10, u64::MAX).err(),
        Some(Errno::Inval)
    );
    assert_eq!(list_some(&mut world, 4, 10, 0).err(), Some(Errno::Notdir));
    assert_eq!(list_some(&mut world, 9, 10, 0).err(), Some(Errno::Badf));
    let outside = world.call(|ctx, memory| ctx.fd_readdir(memory, DIR, DATA, u32::MAX, 0, OUT));
    assert_eq!(outside, Err(Errno::Fault));
}
