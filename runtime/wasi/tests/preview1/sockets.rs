//! Sockets on preopened listeners.

use crate::world::{DATA, DIR, IOVS, NONBLOCK, OUT, World};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use zwasm_wasi::{Errno, GuestMemory};

/// The descriptor of the listener, after one directory.
const LISTENER: u32 = 4;

fn listening() -> (World, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let world = World::with(|builder, _| {
        builder.preopened_listener(listener).expect("a socket");
    });
    (world, address)
}

fn accept(world: &mut World, flags: u32) -> Result<u32, Errno> {
    world.call(|ctx, memory| ctx.sock_accept(memory, LISTENER, flags, OUT))?;
    Ok(world.u32(OUT))
}

fn recv(world: &mut World, fd: u32, size: u32, flags: u32) -> Result<Vec<u8>, Errno> {
    let count = world.iovs(&[(DATA, size)]);
    world.call(|ctx, memory| ctx.sock_recv(memory, fd, IOVS, count, flags, OUT, OUT + 8))?;
    assert_eq!(world.u16(OUT + 8), 0);
    Ok(world.get(DATA, world.u32(OUT)).to_vec())
}

fn send(world: &mut World, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
    let size = world.put(DATA, bytes);
    let count = world.iovs(&[(DATA, size)]);
    world.call(|ctx, memory| ctx.sock_send(memory, fd, IOVS, count, 0, OUT))?;
    Ok(world.u32(OUT))
}

#[test]
fn a_conversation() {
    let (mut world, address) = listening();
    assert_eq!(world.fdstat(LISTENER).map(|stat| stat.0), Ok(6));
    let mut peer = TcpStream::connect(address).expect("connected");
    let fd = accept(&mut world, 0).expect("accepted");
    assert_eq!(world.fdstat(fd).map(|stat| stat.0), Ok(6));
    let stat = world.call(|ctx, memory| ctx.fd_filestat_get(memory, fd, OUT));
    assert_eq!((stat, world.filestat().0), (Ok(()), 6));

    peer.write_all(b"question").expect("sent");
    assert_eq!(recv(&mut world, fd, 100, 1), Ok(b"question".to_vec()));
    assert_eq!(recv(&mut world, fd, 8, 2), Ok(b"question".to_vec()));
    assert_eq!(send(&mut world, fd, b"answer"), Ok(6));
    assert_eq!(world.write(fd, b"!"), Ok(1));
    let mut answer = [0; 7];
    peer.read_exact(&mut answer).expect("received");
    assert_eq!(&answer, b"answer!");
    peer.write_all(b"more").expect("sent");
    assert_eq!(world.read(fd, 100), Ok(b"more".to_vec()));

    let shutdown = world.call(|ctx, memory| ctx.sock_shutdown(memory, fd, 2));
    assert_eq!(shutdown, Ok(()));
    assert_eq!(peer.read(&mut answer).expect("the end"), 0);
    assert_eq!(send(&mut world, fd, b"x"), Err(Errno::Pipe));
    drop(peer);
    assert_eq!(recv(&mut world, fd, 1, 0), Ok(vec![]));
    assert_eq!(world.close(fd), Ok(()));
}

#[test]
fn not_blocking_and_interrupts() {
    let (mut world, address) = listening();
    let set = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, LISTENER, NONBLOCK));
    assert_eq!(set, Ok(()));
    assert_eq!(accept(&mut world, 0), Err(Errno::Again));
    let _peer = TcpStream::connect(address).expect("connected");
    let fd = loop {
        match accept(&mut world, NONBLOCK) {
            Err(Errno::Again) => std::thread::yield_now(),
            other => break other.expect("accepted"),
        }
    };
    assert_eq!(world.fdstat(fd).map(|stat| stat.1), Ok(4));
    assert_eq!(recv(&mut world, fd, 1, 0), Err(Errno::Again));
    let clear = world.call(|ctx, memory| ctx.fd_fdstat_set_flags(memory, fd, 0));
    assert_eq!(clear, Ok(()));
    let interrupted = || true;
    let count = world.iovs(&[(DATA, 1)]);
    let mut memory = GuestMemory::with_interrupt(&mut world.bytes, &interrupted);
    let received = world.ctx.fd_read(&mut memory, fd, IOVS, count, OUT);
    assert_eq!(received, Err(Errno::Intr));
}

#[test]
fn what_is_no_socket() {
    let (mut world, _) = listening();
    for fd in [0, 1, DIR] {
        let accepted = world.call(|ctx, memory| ctx.sock_accept(memory, fd, 0, OUT));
        assert_eq!(accepted, Err(Errno::Notsock));
        assert_eq!(recv(&mut world, fd, 1, 0), Err(Errno::Notsock));
        assert_eq!(send(&mut world, fd, b"x"), Err(Errno::Notsock));
        let shutdown = world.call(|ctx, memory| ctx.sock_shutdown(memory, fd, 1));
        assert_eq!(shutdown, Err(Errno::Notsock));
    }
    assert_eq!(recv(&mut world, LISTENER, 1, 0), Err(Errno::Notconn));
    assert_eq!(accept(&mut world, 1), Err(Errno::Inval));
    assert_eq!(recv(&mut world, LISTENER, 1, 4), Err(Errno::Inval));
    let shutdown = world.call(|ctx, memory| ctx.sock_shutdown(memory, LISTENER, 4));
    assert_eq!(shutdown, Err(Errno::Inval));
    assert_eq!(world.read(LISTENER, 1), Err(Errno::Badf));
    assert_eq!(world.write(LISTENER, b"x"), Err(Errno::Badf));
    // A listener is no directory, and C libraries stop looking here.
    let prestat = world.call(|ctx, memory| ctx.fd_prestat_get(memory, LISTENER, OUT));
    assert_eq!(prestat, Err(Errno::Badf));
}
