import Bytes
import DanubeProtocol
import GRPC
import IOPort
import JWT
import TLS

/// A client's connection to the broker.
struct BrokerConnection: ~Copyable {
  let descriptor: Descriptor
  let peer: SocketAddress
  var session: ServerSession
  /// Its bytes on the way, in clear or through TLS.
  var outbox: Transport
  /// The token that a call came with last, and which secret it was signed with.
  var token: (accepted: AcceptedToken, generation: UInt32)?
  /// The streams that consumers receive on.
  var consumerStreams: [Int32] = []
  /// The calls that edges replicate on.
  var replicateCalls: [ReplicateCall] = []
  /// Whether it waits for the end of the turn, with something to write.
  var isTouched = false
  /// Whether `close` was asked; the place is kept until `closed`.
  var isClosing = false
  /// Close when everything was sent, or at this time.
  var closeAt: Instant?
  /// When bytes came last.
  var heardAt: Instant
  /// When it was asked last for a sign of life, and whether that has no answer yet.
  var pingedAt: Instant?
  var isAsked = false

  init(
    descriptor: Descriptor, peer: SocketAddress, limits: LocalBrokerLimits,
    tls: consuming TLSSession? = nil, needsToken: Bool, at now: Instant
  ) {
    self.descriptor = descriptor
    self.peer = peer
    outbox = Transport(tls)
    heardAt = now
    var options = ServerSession.Options()
    options.maximumConcurrentCalls = limits.callsPerConnection
    // Danube's own window: an edge far away has that much under way.
    options.initialStreamWindowBytes = 1 << 20
    options.keepsAuthorization = needsToken
    options.clientStreamingPaths = ["\(DanubeMethod.replicateData.path)"]
    session = ServerSession(options: options)
  }

  /// Lets frames that are ready into the outbox.
  mutating func writeOutput() {
    if outbox.isReady, !outbox.isFull { session.writeOutput(to: &outbox.outbox) }
  }

  /// The method of the call that was taken last; nil when there is no such method.
  var currentMethod: DanubeMethod? { DanubeMethod(path: session.currentPath) }

  /// Looks at the message of the call that was taken last.
  func withCurrentMessage<Result>(
    _ body: (RawSpan) throws(Refusal) -> Result
  ) throws(Refusal) -> Result {
    try body(session.currentMessage)
  }
}
