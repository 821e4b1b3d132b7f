import GRPC

/// The last error of something, as bytes: a `String` is made only when somebody looks.
struct UplinkError {
  enum Source: String {
    case none = ""
    case connect = "connect"
    case connection = "connection"
    case lookup = "TopicLookup"
    case create = "CreateProducer"
    case send = "SendMessage"
    case replicate = "ReplicateData"
    case register = "RegisterEdge"
    case heartbeat = "EdgeHeartbeat"
    case url = "the broker's address"
  }

  private static let textLimit = 256

  var source = Source.none
  var status: StatusCode?
  /// What the broker said, or what we say.
  var text: [UInt8] = []

  init() {}

  init(_ source: Source, status: StatusCode? = nil, text: [UInt8]) {
    self.source = source
    self.status = status
    self.text = Array(text.prefix(Self.textLimit))
  }

  init(_ source: Source, _ text: String) { self.init(source, text: Array(text.utf8)) }

  var isEmpty: Bool { source == .none }

  var description: String {
    if isEmpty { return "" }
    let code = status.map { " \(Self.name(of: $0))" } ?? ""
    let words = text.isEmpty ? "" : ": " + String(decoding: text, as: UTF8.self)
    return source.rawValue + code + words
  }

  /// The name of the status; empty without one.
  var statusName: [UInt8] { Array((status.map { Self.name(of: $0) } ?? "").utf8) }

  private static func name(of status: StatusCode) -> String {
    switch status {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internalError: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}
