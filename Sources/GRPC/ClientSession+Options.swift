extension ClientSession {
  /// The largest message that gRPC peers take unless told otherwise.
  public static let defaultMaximumMessageBytes = 4 * 1024 * 1024
  /// A body of at least this many bytes is sent by reference if it has a tag; a smaller one is
  /// copied, and its tag never comes back. (Measured: at 100 B gathering costs twice the copy, at
  /// 1 KiB it wins.)
  public static let referenceThresholdBytes = 512

  /// What a session is opened with.
  public struct Options: Sendable {
    /// `:authority` of every call: host and port.
    public var authority: String
    /// `user-agent` of every call.
    public var userAgent: String
    /// Whether the connection is encrypted: `:scheme` says so.
    public var isSecure = false
    /// Calls in flight at most, whatever the server allows.
    public var maximumConcurrentCalls = 1024
    /// Bytes of a response message at most; a larger one ends its call with `resourceExhausted`.
    public var maximumMessageBytes = ClientSession.defaultMaximumMessageBytes
    /// Bytes that incomplete response messages of all calls hold at most.
    public var maximumBufferedBytes = 16 * 1024 * 1024
    /// Receive window of a stream (RFC 9113 §6.9.2), 65,535 ... 2^31 - 1 bytes.
    public var initialStreamWindowBytes = 256 * 1024
    /// Receive window of the connection, 65,535 ... 2^31 - 1 bytes.
    public var connectionWindowBytes = 1024 * 1024
    /// The last stream id that is used; tests lower it to see connections come to their end.
    public var lastStreamID = Int32.max
    /// Fields added to every call, with names in lower case.
    public var additionalHeaders: [(name: String, value: String)] = []

    /// The defaults for a server.
    public init(authority: String, userAgent: String) {
      self.authority = authority
      self.userAgent = userAgent
    }
  }
}
