import Bytes

/// What a status other than OK means to a producer, and so what to do next.
///
/// Danube answers with gRPC codes whose meaning depends on the call and, for `PERMISSION_DENIED`,
/// on the text: every failure to publish inside a broker arrives as that code.
public enum PublishStatus: BitwiseCopyable, Sendable, Equatable {
  /// Passes by itself: wait, then do the same again.
  case retry
  /// The topic moved, or is only now being made: look it up again, create the producer again.
  case lookUpAgain
  /// The broker forgot the producer (it restarted): create it again, then send again.
  case createAgain
  /// The message can never be accepted: it is larger than the broker's limit.
  case tooLarge
  /// The message can never be accepted: the topic's schema refuses the payload.
  case invalidPayload
  /// The message can never be accepted as it is.
  case invalidRequest
  /// A person has to act (strategy mismatch, missing role, token): try again seldom, say so.
  case configuration

  /// What the status of a `SendMessage` means. `code` is the gRPC status code, 0 ... 16; `text` the
  /// `grpc-message`.
  public init(send code: UInt8, text: RawSpan) {
    switch code {
    case 3: self = .invalidRequest  // INVALID_ARGUMENT
    case 5: self = .createAgain  // NOT_FOUND: unknown producer id
    case 7: self = Self.permissionDenied(text)
    case 9: self = .configuration  // FAILED_PRECONDITION
    case 11: self = .tooLarge  // OUT_OF_RANGE: above 4 MiB
    case 12, 16: self = .configuration  // UNIMPLEMENTED, UNAUTHENTICATED
    case 14: self = .lookUpAgain  // UNAVAILABLE: not the owner, or gone
    default: self = .retry
    }
  }

  /// What the status of a `CreateProducer` or a `TopicLookup` means.
  public init(create code: UInt8) {
    switch code {
    case 3, 7, 9, 12, 16: self = .configuration
    case 5, 14: self = .lookUpAgain
    default: self = .retry
    }
  }

  private static func permissionDenied(_ text: RawSpan) -> PublishStatus {
    // The order matters: "topic not found" inside a schema failure is still a schema failure.
    for word: StaticString in ["schema", "validation"] where text.contains(ignoringCase: word) {
      return .invalidPayload
    }
    let moved: [StaticString] = ["draining", "closed", "moved", "not found", "not attached"]
    for word in moved where text.contains(ignoringCase: word) { return .lookUpAgain }
    return .configuration
  }
}
