//! Passing the sockets bound in the command's network to the process outside it.
//!
//! A socket belongs to the network it was made in, whoever holds it; a unix socket's path does not
//! care about networks at all.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::shell::Sockets;

/// The outer end.
pub struct Listener(UnixListener);

impl Listener {
    pub fn bind(path: &Path) -> anyhow::Result<Self> {
        let l = UnixListener::bind(path)?;
        l.set_nonblocking(true)?;
        Ok(Listener(l))
    }

    /// The sockets, once the inner process has bound them.
    ///
    /// # Errors
    /// When it ends or dawdles before that.
    pub fn receive(self, inner: &mut Child) -> anyhow::Result<Sockets> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let stream = loop {
            match self.0.accept() {
                Ok((s, _)) => break s,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.into()),
            }
            if inner.try_wait()?.is_some() {
                bail!("The command's namespaces could not be made; see the message above.");
            }
            if Instant::now() > deadline {
                bail!("The command's namespaces did not come up within ten seconds.");
            }
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 }))?;
        };
        stream.set_nonblocking(false)?;
        receive(&stream)
    }
}

/// Sends the sockets out and waits until they have arrived.
///
/// # Errors
/// When nobody is there.
pub fn send(meeting: &Path, s: &Sockets) -> anyhow::Result<()> {
    let stream = UnixStream::connect(meeting)?;
    let fds = [s.dns_udp.as_fd(), s.dns_tcp.as_fd(), s.https.as_fd(), s.http.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        bail!("four sockets do not fit a message");
    }
    sendmsg(&stream, &[IoSlice::new(b"s")], &mut control, SendFlags::empty())?;
    // The other end hangs up when it has them.
    let _ = std::io::Read::read(&mut &stream, &mut [0]);
    Ok(())
}

fn receive(stream: &UnixStream) -> anyhow::Result<Sockets> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let [udp, tcp, https, http] =
        <[OwnedFd; 4]>::try_from(fds).ok().context("the sockets did not arrive")?;
    Ok(Sockets {
        address: Ipv4Addr::LOCALHOST,
        dns_udp: UdpSocket::from(udp),
        dns_tcp: TcpListener::from(tcp),
        https: TcpListener::from(https),
        http: TcpListener::from(http),
    })
}
