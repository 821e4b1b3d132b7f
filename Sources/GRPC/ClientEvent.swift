/// What a ``ClientSession`` has to tell.
public enum ClientEvent: BitwiseCopyable, Hashable, Sendable {
  /// A response message is complete: ``ClientSession/currentMessage``.
  case message(tag: UInt64)
  /// The call ended; no further event has its tag. `unavailable` also means that the server refused
  /// it before doing anything. ``ClientSession/currentStatusMessage`` is the server's text.
  case completed(tag: UInt64, status: StatusCode)
  /// The server takes no new calls on this connection; calls it will not answer were completed as
  /// `unavailable`.
  case goAway
  /// The answer to ``ClientSession/sendPing()``.
  case pong
  /// The server announced settings: its limit on concurrent calls may have changed.
  case settings
}
