/// What a ``ServerSession`` has to tell.
public enum ServerEvent: BitwiseCopyable, Hashable, Sendable {
  /// A request is complete: ``ServerSession/currentPath``, ``ServerSession/currentMessage`` and
  /// ``ServerSession/currentTimeoutMilliseconds``.
  case call(stream: Int32)
  /// The call ended before its answer was written entirely: the client cancelled it, or its stream
  /// broke. Last event of the stream.
  case cancelled(stream: Int32)
  /// The answer was written entirely. Last event of the stream.
  case closed(stream: Int32)
}
