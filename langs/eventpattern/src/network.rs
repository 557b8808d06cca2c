//! Networks: `10.0.0.0/8`, `2001:db8::/32`.

use std::net::IpAddr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
        (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Network { address, bits })
    }

    pub fn holds(&self, text: &str) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, text.parse()) {
            (IpAddr::V4(a), Ok(IpAddr::V4(b))) => {
                (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits
            }
            (IpAddr::V6(a), Ok(IpAddr::V6(b))) => {
                (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn networks() {
        let ten = Network::parse("10.0.0.0/24").unwrap();
        assert!(ten.holds("10.0.0.255") && !ten.holds("10.0.1.0") && !ten.holds("x"));
        let six = Network::parse("2001:db8::/32").unwrap();
        assert!(six.holds("2001:db8:1::1") && !six.holds("2001:db9::1") && !six.holds("10.0.0.1"));
        assert!(Network::parse("0.0.0.0/0").unwrap().holds("255.1.2.3"));
        for bad in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
