/// What becomes of a webhook's request.
///
/// The number stands in the ``AnswerQueue``, where 0 means that the record is safe.
enum WebhookOutcome: UInt8, CaseIterable, BitwiseCopyable {
  /// The record is safe, or the route does not wait for that.
  case accepted = 0
  /// The request is malformed, or has a shape that two readers could understand differently.
  case malformed
  /// No route takes the path.
  case noRoute
  /// A route takes the path, but only POST.
  case wrongMethod
  /// The request did not arrive in time.
  case tooSlow
  /// The body is larger than the listener takes.
  case bodyTooLarge
  /// The record is larger than Danube takes.
  case recordTooLarge
  /// The request line is larger than the listener takes.
  case targetTooLong
  /// An `Expect` other than `100-continue`.
  case unknownExpectation
  /// The route cannot make a topic of what the request says.
  case invalidTopic
  /// The broker's schema does not allow the payload.
  case invalidPayload
  /// The head is larger than the listener takes.
  case headTooLarge
  /// A transfer coding other than `chunked`.
  case unknownTransferCoding
  /// The broker refuses the record for good.
  case recordRefused
  /// Memory is used up; later there may be some.
  case noMemory
  /// The disk is full, or fails, and the broker does not take records.
  case noSpace
  /// The route would need more topics than the gateway may have.
  case tooManyTopics
  /// The gateway stops.
  case shuttingDown
  /// The record is not safe in time; it may still become so.
  case notSafeInTime
  /// Another protocol than HTTP/1.
  case unsupportedVersion
  /// All connections of the listener are taken: it is said before any request is read.
  case tooManyConnections

  /// The status code, RFC 9110 §15.
  var statusCode: UInt16 {
    switch self {
    case .accepted: 202
    case .malformed: 400
    case .noRoute: 404
    case .wrongMethod: 405
    case .tooSlow: 408
    case .bodyTooLarge, .recordTooLarge: 413
    case .targetTooLong: 414
    case .unknownExpectation: 417
    case .invalidTopic, .invalidPayload: 422
    case .headTooLarge: 431
    case .unknownTransferCoding: 501
    case .recordRefused: 502
    case .noMemory, .tooManyTopics, .shuttingDown, .tooManyConnections: 503
    case .notSafeInTime: 504
    case .unsupportedVersion: 505
    case .noSpace: 507
    }
  }

  /// The word that programs read in the answer's `error`.
  var word: StaticString {
    switch self {
    case .accepted: "none"
    case .malformed: "malformed_request"
    case .noRoute: "no_route"
    case .wrongMethod: "method_not_allowed"
    case .tooSlow: "request_timeout"
    case .bodyTooLarge: "body_too_large"
    case .recordTooLarge: "record_too_large"
    case .targetTooLong: "target_too_long"
    case .unknownExpectation: "unknown_expectation"
    case .invalidTopic: "invalid_topic"
    case .invalidPayload: "invalid_payload"
    case .headTooLarge: "header_too_large"
    case .unknownTransferCoding: "unknown_transfer_coding"
    case .recordRefused: "record_refused"
    case .noMemory: "no_memory"
    case .noSpace: "no_space"
    case .tooManyTopics: "too_many_topics"
    case .shuttingDown: "shutting_down"
    case .notSafeInTime: "not_safe_in_time"
    case .unsupportedVersion: "unsupported_version"
    case .tooManyConnections: "too_many_connections"
    }
  }

  /// What the answer says to people. No character in it needs an escape in JSON.
  var text: StaticString {
    switch self {
    case .accepted: "the record is safe"
    case .malformed: "the request is malformed"
    case .noRoute: "no route takes this path"
    case .wrongMethod: "this path takes POST only"
    case .tooSlow: "the request did not arrive in time"
    case .bodyTooLarge: "the body is larger than max_body"
    case .recordTooLarge: "the record is larger than Danube takes"
    case .targetTooLong: "the request line is larger than max_head"
    case .unknownExpectation: "only 100-continue can be expected"
    case .invalidTopic: "the route cannot make a topic of this request"
    case .invalidPayload: "the schema of the topic does not allow this payload"
    case .headTooLarge: "the header is larger than max_head or has too many fields"
    case .unknownTransferCoding: "chunked is the only transfer coding"
    case .recordRefused: "the broker refuses the record"
    case .noMemory: "memory is used up for the moment"
    case .noSpace: "the spool takes no records now, and the broker neither"
    case .tooManyTopics: "the gateway has as many topics as it may have"
    case .shuttingDown: "the gateway stops"
    case .notSafeInTime: "the record is not safe yet and may still be delivered"
    case .unsupportedVersion: "only HTTP/1.0 and HTTP/1.1 are spoken here"
    case .tooManyConnections: "all connections of the listener are taken"
    }
  }
}
