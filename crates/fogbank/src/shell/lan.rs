//! Bringing up the loopback of a new network, by netlink: no `ip` program needed.

use std::io;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};

const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;
/// The loopback is always the first interface of a network.
const LOOPBACK: i32 = 1;

/// Brings the loopback up in the network of this process.
///
/// # Errors
/// What the kernel answers.
pub fn loopback_up() -> io::Result<()> {
    // No protocol is protocol 0, which is NETLINK_ROUTE.
    let s = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    sendto(&s, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut buf = [0; 1024];
    let (n, _) = recv(&s, &mut buf, RecvFlags::empty())?;
    let reply = &buf[..n.min(1024)];
    let field = |at: usize| reply.get(at..at + 4).and_then(|b| b.try_into().ok());
    let kind = reply.get(4..6).and_then(|b| b.try_into().ok()).map(u16::from_ne_bytes);
    match (kind, field(16).map(i32::from_ne_bytes)) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(-code)),
        _ => Err(io::Error::other("no answer from netlink")),
    }
}

/// `nlmsghdr` and `ifinfomsg`: "interface 1: set the flag IFF_UP".
fn request() -> Vec<u8> {
    let mut m = Vec::with_capacity(32);
    m.extend(32u32.to_ne_bytes());
    m.extend(RTM_NEWLINK.to_ne_bytes());
    m.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    m.extend(1u32.to_ne_bytes()); // sequence
    m.extend(0u32.to_ne_bytes()); // port: the kernel
    m.extend([0, 0, 0, 0]); // family, padding, device type
    m.extend(LOOPBACK.to_ne_bytes());
    m.extend(IFF_UP.to_ne_bytes());
    m.extend(IFF_UP.to_ne_bytes()); // which flags to change
    m
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_request_is_as_long_as_it_says() {
        assert_eq!(super::request().len(), 32);
    }
}
