/// What a ``ServerSession`` has to tell.
public enum ServerEvent: BitwiseCopyable, Hashable, Sendable {
  /// A request is complete: ``ServerSession/currentPath``, ``ServerSession/currentMessage`` and
  /// ``ServerSession/currentTimeoutMilliseconds``.
  case call(stream: Int32)
  /// A call of a path in ``ServerSession/Options/clientStreamingPaths`` began: its
  /// ``ServerSession/currentPath``. Answers may be sent from now on.
  case opened(stream: Int32)
  /// A message of a call that was `opened` is complete: ``ServerSession/currentMessage``.
  case message(stream: Int32)
  /// The client sends no further message in a call that was `opened`; it waits for the end.
  case finished(stream: Int32)
  /// The call ended before its answer was written entirely: the client cancelled it, or its stream
  /// broke. Last event of the stream.
  case cancelled(stream: Int32)
  /// The answer was written entirely. Last event of the stream.
  case closed(stream: Int32)
}
