extension ServerSession {
  /// Bytes of `authorization` at most.
  public static var maximumAuthorizationBytes: Int { 8192 }

  /// What a session is opened with.
  public struct Options: Sendable {
    /// Calls that a client may have open at once; further ones are refused (the client may retry).
    public var maximumConcurrentCalls = 1024
    /// Bytes of a request message at most; a larger one is answered `outOfRange`.
    public var maximumMessageBytes = ClientSession.defaultMaximumMessageBytes
    /// Bytes that incomplete request messages of all calls hold at most; then calls are answered
    /// `resourceExhausted`.
    public var maximumBufferedBytes = 16 * 1024 * 1024
    /// Receive window of a stream (RFC 9113 §6.9.2), 65,535 ... 2^31 - 1 bytes.
    public var initialStreamWindowBytes = 256 * 1024
    /// Receive window of the connection, 65,535 ... 2^31 - 1 bytes.
    public var connectionWindowBytes = 1024 * 1024
    /// Paths of the methods whose requests are streams of messages (client and bidirectional
    /// streaming). A request of any other path has one message.
    public var clientStreamingPaths: [String] = []
    /// Whether ``ServerSession/currentAuthorization`` is told.
    public var keepsAuthorization = false

    /// The defaults.
    public init() {}
  }
}
