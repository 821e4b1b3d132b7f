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
      case wrongMethod
      case unknown
    }

    var target = Target.unknown
    var isHead = false
    var keepsAlive = false
    var minorVersion: UInt8 = 1

    /// Of a request that could not be read.
    init() {}

    init(_ head: borrowing RequestHead) {
      isHead = head.method == .head
      keepsAlive = head.keepsAlive
      minorVersion = head.minorVersion
      let endpoint: AdminEndpoint? =
        if head.hasPath("/healthz") {
          .health
        } else if head.hasPath("/metrics") {
          .metrics
        } else if head.hasPath("/status") {
          .status
        } else {
          nil
        }
      if let endpoint {
        target = head.method == .get || isHead ? .endpoint(endpoint) : .wrongMethod
      }
    }
  }

  let descriptor: Descriptor
  var reader: RequestReader
  var outbox = Outbox()
  var phase = Phase.reading
  var facts = Facts()
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
  mutating func noteHead() {
    facts = Facts(reader.head)
    if reader.head.expectsContinue {
      outbox.write { ResponseHead.writeContinue(into: &$0) }
    }
  }

  /// Puts a response into the outbox.
  mutating func write(statusCode: UInt16, contentType: StaticString, body: RawSpan) {
    var head = ResponseHead(
      statusCode: statusCode, contentType: contentType, contentLength: body.byteCount,
      isLast: !facts.keepsAlive, minorVersion: facts.minorVersion,
      fields: [("Cache-Control", "no-store")])
    if statusCode == 405 { head.fields.append(("Allow", "GET, HEAD")) }
    outbox.write { head.write(into: &$0) }
    if !facts.isHead { outbox.append(body) }
  }
}
