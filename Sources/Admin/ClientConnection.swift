import Bytes
import HTTP1
import IOPort

/// One client of the admin address.
struct ClientConnection: ~Copyable {
  /// Where a connection is: one request at a time, in order.
  enum Phase: BitwiseCopyable {
    /// Waiting for a request or for the rest of one.
    case reading
    /// A request is with the owner.
    case answering
    /// A response is on its way out.
    case sending
    /// The last response was taken and our direction ended: waiting for the peer to end its own, so
    /// that it reads the response before the connection is gone (RFC 9112 §9.6).
    case ending
    /// Closed; the port has yet to say so.
    case closing
  }

  /// What an answer has to know of its request.
  struct Facts: BitwiseCopyable {
    enum Target: BitwiseCopyable {
      case endpoint(AdminEndpoint)
      case wrongMethod(AdminEndpoint)
      /// It would change something, and may not.
      case refused(AdminAuthorization.Verdict)
      case unknown
    }

    var target = Target.unknown
    var isHead = false
    var isPut = false
    var wantsText = false
    var keepsAlive = false
    var minorVersion: UInt8 = 1

    /// Of a request that could not be read.
    init() {}

    init(_ head: borrowing RequestHead, _ authorization: AdminAuthorization) {
      isHead = head.method == .head
      keepsAlive = head.keepsAlive
      minorVersion = head.minorVersion
      isPut = head.method == .put
      if let accepted = head.value(of: "accept") {
        wantsText = String(decoding: [UInt8](copying: accepted), as: UTF8.self) == "text/plain"
      }
      for endpoint in AdminEndpoint.allCases where head.hasPath(endpoint.path) {
        let isRead = head.method == .get || isHead
        guard
          endpoint.isAction ? head.method == .post : isRead || isPut && endpoint.isSettable
        else {
          target = .wrongMethod(endpoint)
          continue
        }
        let verdict = isRead && !endpoint.isAction ? .allowed : authorization.verdict(for: head)
        target = verdict == .allowed ? .endpoint(endpoint) : .refused(verdict)
      }
    }

    /// The most bytes of a body that matters.
    var bodyLimitBytes: Int {
      if case .endpoint(let endpoint) = target { endpoint.bodyLimitBytes } else { 0 }
    }

    /// Whether the body matters.
    var wantsBody: Bool {
      if case .endpoint(let endpoint) = target { isPut || endpoint.isAction } else { false }
    }
  }

  let descriptor: Descriptor
  var reader: RequestReader
  var outbox = Outbox()
  var phase = Phase.reading
  var facts = Facts()
  /// What was sent with the request, if that matters.
  var body: [UInt8] = []
  /// Whether more was sent than is taken.
  var bodyIsTooLarge = false
  /// Whether the peer ended its direction.
  var peerEnded = false
  /// Whether a request has begun to arrive; its time limit runs.
  var isInRequest = false
  /// When patience ends.
  var deadline: Instant

  init(descriptor: Descriptor, limits: RequestLimits, deadline: Instant) {
    self.descriptor = descriptor
    reader = RequestReader(limits: limits)
    self.deadline = deadline
  }

  /// Takes what the head just read says; `100 Continue` goes out where it is waited for.
  mutating func noteHead(_ authorization: AdminAuthorization) {
    facts = Facts(reader.head, authorization)
    body.removeAll()
    bodyIsTooLarge = false
    if reader.head.expectsContinue {
      outbox.write { ResponseHead.writeContinue(into: &$0) }
    }
  }

  /// Keeps the piece of a body just read, if it matters.
  mutating func noteBody() {
    guard facts.wantsBody else { return }
    let piece = Array(copying: reader.body)
    if body.count + piece.count > facts.bodyLimitBytes {
      bodyIsTooLarge = true
    } else {
      body += piece
    }
  }

  /// Puts a response into the outbox.
  mutating func write(statusCode: UInt16, contentType: StaticString, body: RawSpan) {
    var head = ResponseHead(
      statusCode: statusCode, contentType: contentType, contentLength: body.byteCount,
      isLast: !facts.keepsAlive, minorVersion: facts.minorVersion,
      fields: [("Cache-Control", "no-store")])
    if statusCode == 405, case .wrongMethod(let endpoint) = facts.target {
      head.fields.append(("Allow", endpoint.allowedMethods.description))
    }
    if statusCode == 401 { head.fields.append(("WWW-Authenticate", "Bearer")) }
    outbox.write { head.write(into: &$0) }
    if !facts.isHead { outbox.append(body) }
  }
}
