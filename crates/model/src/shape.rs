//! Shapes: the types of a service's inputs and outputs.

/// A shape's number within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeId(pub u32);

/// A type with its constraints.
#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    /// Of a structure; sorted by name, see [`Shape::member`].
    pub members: Vec<Member>,
    /// The members that are headers, as indexes into `members`, sorted by their names on the wire.
    pub(crate) headers: Vec<u16>,
    /// The member that is the whole body of a REST message.
    pub payload: Option<&'static str>,
    /// Present on errors.
    pub error: Option<ErrorInfo>,
    /// Least and greatest length or value.
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// The values of an enumeration, separated by `|`; empty when any string will do.
    pub values: &'static str,
    pub pattern: &'static str,
    /// The element's name when this shape is a payload.
    pub location_name: &'static str,
    pub flattened: bool,
    pub sensitive: bool,
    /// Exactly one member is set.
    pub union: bool,
    /// Any JSON value.
    pub document: bool,
    /// Bytes that are streamed, not collected.
    pub streaming: bool,
    pub event_stream: bool,
    /// A list or map that may hold nulls.
    pub sparse: bool,
}

/// What sort of type it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Structure,
    /// The items' shape, and their element name (empty: `member`).
    List(ShapeId, &'static str),
    Map {
        key: ShapeId,
        value: ShapeId,
        /// Element names; empty: `key` and `value`.
        key_name: &'static str,
        value_name: &'static str,
    },
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Blob,
    Timestamp(Option<TimeFormat>),
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub shape: ShapeId,
    pub required: bool,
    pub location: Location,
    /// The name on the wire; empty: the member's own.
    pub wire_name: &'static str,
    /// EC2's name in requests, or that of a query protocol of old, when it differs.
    pub query_name: &'static str,
    pub namespace: &'static str,
    pub prefix: &'static str,
    pub flattened: bool,
    pub streaming: bool,
    pub xml_attribute: bool,
    pub idempotency_token: bool,
    /// JSON text inside a string (a header).
    pub json_value: bool,
    pub host_label: bool,
    pub event_payload: bool,
    /// The header that it is in a REST message, parsed once.
    pub header: Option<http::HeaderName>,
}

impl Member {
    /// The member's name on the wire.
    #[must_use]
    pub fn wire(&self) -> &'static str {
        if self.wire_name.is_empty() { self.name } else { self.wire_name }
    }
}

/// Where a member is in a REST message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Location {
    #[default]
    Body,
    Uri,
    Query,
    Header,
    /// All headers that start with the wire name: `x-amz-meta-`.
    Headers,
    Status,
}

impl Location {
    /// Whether such a member is outside the body of a reply. The query and the path belong to
    /// requests; in a shape that serves both ways their members are in the reply's body.
    #[must_use]
    pub fn is_outside_reply(self) -> bool {
        matches!(self, Location::Header | Location::Headers | Location::Status)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-01-01T00:00:00Z`
    Iso8601,
    /// `Thu, 01 Jan 2026 00:00:00 GMT`
    Rfc822,
    /// Seconds, with a fraction.
    Unix,
}

/// How an error looks on the wire.
#[derive(Clone, Copy, Debug)]
pub struct ErrorInfo {
    /// The code when it is not the shape's name.
    pub code: &'static str,
    /// 0: as the protocol has it.
    pub status: u16,
    /// A fault of the server rather than of the sender.
    pub fault: bool,
}

impl Shape {
    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        let at = self.members.binary_search_by(|m| m.name.cmp(name)).ok()?;
        Some(&self.members[at])
    }

    /// The member that is the header of this lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Member> {
        let member = |i: &u16| &self.members[usize::from(*i)];
        let at = self.headers.binary_search_by(|i| member(i).wire_name.cmp(name)).ok()?;
        Some(member(&self.headers[at]))
    }

    /// The values of an enumeration; none when any string will do.
    pub fn enumeration(&self) -> impl Iterator<Item = &'static str> {
        self.values.split('|').filter(|v| !v.is_empty())
    }
}
