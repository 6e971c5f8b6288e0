//! Error kinds: what can go wrong between the gateway and its queue.

/// The closed list of error kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ErrorKind {
    /// No server answers at the address, or it closed the connection.
    Connection,
    /// No answer within the time allowed.
    Timeout,
    /// TLS could not be set up.
    Tls,
    /// The server refused the user or password.
    Auth,
    /// The user may not do what is needed (NOPERM).
    Permission,
    /// The queue's key holds something that is not a list.
    WrongType,
    /// A producer pushed to another key than the embedded queue's.
    WrongKey,
    /// The server is a replica or another node owns the key (READONLY, MOVED).
    NotPrimary,
    /// The server is loading, or out of memory, or otherwise busy.
    Busy,
    /// The reply was not what the protocol allows.
    Protocol,
    /// Any other error reply.
    Other,
}

impl ErrorKind {
    /// Every kind; `kind as usize` indexes it.
    pub const ALL: [ErrorKind; 11] = [
        ErrorKind::Connection,
        ErrorKind::Timeout,
        ErrorKind::Tls,
        ErrorKind::Auth,
        ErrorKind::Permission,
        ErrorKind::WrongType,
        ErrorKind::WrongKey,
        ErrorKind::NotPrimary,
        ErrorKind::Busy,
        ErrorKind::Protocol,
        ErrorKind::Other,
    ];

    /// The value of the `kind` label.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Connection => "connection",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Tls => "tls",
            ErrorKind::Auth => "auth",
            ErrorKind::Permission => "permission",
            ErrorKind::WrongType => "wrong_type",
            ErrorKind::WrongKey => "wrong_key",
            ErrorKind::NotPrimary => "not_primary",
            ErrorKind::Busy => "busy",
            ErrorKind::Protocol => "protocol",
            ErrorKind::Other => "other",
        }
    }

    /// Whether the connection on which the server said so can be used on.
    pub fn leaves_connection(self) -> bool {
        match self {
            ErrorKind::WrongType | ErrorKind::Busy | ErrorKind::Permission => true,
            ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Tls
            | ErrorKind::Auth
            | ErrorKind::WrongKey
            | ErrorKind::NotPrimary
            | ErrorKind::Protocol
            | ErrorKind::Other => false,
        }
    }
}
