//! An event's place among others, as a number of AWS's kind: 56 digits, the time in front.

/// Where an event stands in its group: time, then stream, then order of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pos {
    /// Milliseconds since 1970.
    pub ts: i64,
    /// The stream's id.
    pub stream: u64,
    /// Counts the stream's events from 1.
    pub seq: u64,
}

/// An event as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub pos: Pos,
    pub message: String,
    pub ingested: i64,
}

/// What an event counts beside its text, towards limits and stored bytes.
pub const OVERHEAD: usize = 26;

const LIMBS: usize = 6;
/// The last moment that 56 digits hold: in the year 2109.
const LAST: u64 = 4_400_000_000_000;

impl Pos {
    /// The event's id: the time, 64 bits of the stream, 80 of the order.
    pub fn id(self) -> String {
        let ts = u64::try_from(self.ts).unwrap_or(0).min(LAST);
        let mut limbs = self.limbs(ts);
        let mut digits = [b'0'; 56];
        for d in digits.iter_mut().rev() {
            let mut rest = 0u64;
            for limb in &mut limbs {
                let n = (rest << 32) | u64::from(*limb);
                *limb = (n / 10) as u32;
                rest = n % 10;
            }
            *d = b'0' + rest as u8;
        }
        digits.iter().map(|d| char::from(*d)).collect()
    }

    /// Most significant first: 48 bits of time, 64 of the stream, 80 of the order.
    fn limbs(self, ts: u64) -> [u32; LIMBS] {
        [
            (ts >> 16) as u32,
            ((ts & 0xffff) << 16) as u32 | (self.stream >> 48) as u32,
            (self.stream >> 16) as u32,
            ((self.stream & 0xffff) << 16) as u32,
            (self.seq >> 32) as u32,
            self.seq as u32,
        ]
    }

    /// The place in an id that [`Pos::id`] has made.
    pub fn parse(id: &str) -> Option<Pos> {
        if id.len() != 56 || !id.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut l = [0u32; LIMBS];
        for digit in id.bytes().map(|b| u64::from(b - b'0')) {
            let mut carry = digit;
            for limb in l.iter_mut().rev() {
                let n = u64::from(*limb) * 10 + carry;
                *limb = n as u32;
                carry = n >> 32;
            }
            if carry > 0 {
                return None;
            }
        }
        let [a, b, c, d, e, f] = l.map(u64::from);
        Some(Pos {
            ts: i64::try_from((a << 16) | (b >> 16)).ok()?,
            stream: ((b & 0xffff) << 48) | (c << 16) | (d >> 16),
            seq: (e << 32) | f,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_sort_as_places_do() {
        let places = [
            Pos::default(),
            Pos { ts: 1, stream: 0, seq: 0 },
            Pos { ts: 1_764_000_000_000, stream: 7, seq: u64::MAX },
            Pos { ts: 1_764_000_000_000, stream: 8, seq: 1 },
            Pos { ts: 1_764_000_000_000, stream: u64::MAX, seq: 2 },
            Pos { ts: LAST as i64, stream: 1, seq: 1 },
        ];
        let ids: Vec<String> = places.iter().map(|p| p.id()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        for (p, id) in places.iter().zip(&ids) {
            assert_eq!(Pos::parse(id), Some(*p), "{id}");
        }
        // The first digits are as AWS's, for the same moment.
        let aws = "31132629274945519779805322857203735586714454643391594505";
        let same = Pos { ts: 1_396_035_378_988, stream: 0, seq: 0 };
        assert_eq!(same.id()[..12], aws[..12]);
        for bad in ["", "1", &"9".repeat(57), &"x".repeat(56)] {
            assert_eq!(Pos::parse(bad), None, "{bad}");
        }
    }
}
