public import IOPort

/// Something an operator may want to read in the log. Gathered by ingest, written by the loop's
/// owner.
public struct IngestNotice: Sendable {
  /// What happened.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// A device broke the protocol and was disconnected.
    case protocolError
    /// A connection was refused because all places are taken.
    case connectionLimit
    /// A message matched no route.
    case unrouted
    /// A route could not make a Danube topic of a message.
    case topicRefused
    /// A device was disconnected for a limit of ours (time, size, memory).
    case limitReached
    /// A device's will was not published.
    case willDropped
    /// Danube refused a record for good.
    case recordRefused
    /// A webhook's request was malformed or too slow, and its connection ended.
    case badRequest
    /// Records are lost whose senders were answered when they came.
    case recordsLost
    /// Accepting connections stopped for lack of descriptors and is tried again.
    case acceptFailed
  }

  /// What happened.
  public let kind: Kind
  /// The device's address, where there is one.
  public let peer: SocketAddress?
  /// Why, in a few words.
  public let text: StaticString
  /// The client identifier or the topic that it is about, cut to 64 bytes.
  public let subject: String
}
