import Bytes
import HTTP1
public import IOPort

/// The admin address: reads requests, hands the known ones to its owner, sends the answers.
///
/// A decider: it is fed completions and the time, and fills an ``OperationQueue``. It lives on the
/// main thread, so that health is answered when a loop is stuck.
public struct AdminServer: ~Copyable {
  enum Verb {
    static let accept: UInt8 = 1
    static let receive: UInt8 = 2
    static let send: UInt8 = 3
    static let close: UInt8 = 4
    /// Of the listener, or of a connection that found no place.
    static let closeOther: UInt8 = 5
  }

  /// How long accepting rests after it failed, milliseconds.
  static let acceptPauseMilliseconds = 100
  /// How long the peer has to end its direction after the last response, milliseconds.
  static let endingMilliseconds = 1_000

  let owner: UInt8
  let limits: AdminLimits
  let authorization: AdminAuthorization
  let requestLimits = RequestLimits(headBytes: 8192, fieldCount: 64, bodyBytes: 4096)
  var connections: SlotTable<ClientConnection>
  var requests: [AdminRequest] = []
  var now = Instant(nanoseconds: 0)
  private var listener: Descriptor?
  private var acceptAgain = Instant.distantFuture
  private var isStopping = false
  /// Requests read so far, well-formed or not.
  public internal(set) var requestCount: UInt64 = 0
  /// Connections closed as they came because the limit was reached.
  public private(set) var refusedCount: UInt64 = 0

  /// A server whose tokens carry `owner`. Requests that change something need what `authorization`
  /// says.
  public init(
    owner: UInt8, authorization: AdminAuthorization, limits: AdminLimits = AdminLimits()
  ) {
    self.owner = owner
    self.limits = limits
    self.authorization = authorization
    connections = SlotTable(capacity: limits.connectionCount)
  }

  /// Starts to accept on a listening socket, which is the server's from here on.
  public mutating func start(listener: Descriptor, operations: inout OperationQueue) {
    precondition(self.listener == nil, "the admin server is started twice")
    self.listener = listener
    operations.append(.accept(listener), token: token(Verb.accept))
  }

  /// Ends: no more connections; requests that were read are still answered.
  public mutating func stop(operations: inout OperationQueue) {
    guard let listener, !isStopping else { return }
    isStopping = true
    acceptAgain = .distantFuture
    operations.append(.close(listener), token: token(Verb.closeOther))
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      if case .reading = connections[id].phase { close(id, operations: &operations) }
      connections[id].facts.keepsAlive = false
    }
  }

  /// Connections open, those about to close included.
  public var connectionCount: Int { connections.count }

  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, at now: Instant, operations: inout OperationQueue
  ) {
    self.now = now
    let token = completion.token
    let id = token.slot
    switch consume completion.event {
    case .accepted(let descriptor, _): accepted(descriptor, operations: &operations)
    case .acceptEnded:
      if !isStopping { acceptAgain = now.advanced(milliseconds: Self.acceptPauseMilliseconds) }
    case .received(let received):
      take(received, from: id, operations: &operations)
    case .receiveEnded(let error): receiveEnded(id, error, operations: &operations)
    case .sent(let count):
      guard connections.contains(id) else { return }
      connections[id].outbox.sent(count)
      if connections[id].outbox.isEmpty { drained(id, operations: &operations) }
    case .sendFailed: close(id, operations: &operations)
    case .closed:
      if token.verb == Verb.close, connections.contains(id) { _ = connections.remove(id) }
    // Not asked for.
    case .connected: break
    case .connectFailed: break
    case .queueMeasured: break
    case .rung: break
    case .file: break
    }
  }

  /// The next request for the owner to answer, nil when there is none.
  public mutating func nextRequest() -> AdminRequest? {
    requests.isEmpty ? nil : requests.removeFirst()
  }

  /// What was sent with a request that is not answered yet; empty when nothing was, or when its
  /// connection has gone. At most 256 bytes, or 1,024 of an action: more is refused before the
  /// owner sees it.
  public func body(of connection: AdminConnection) -> [UInt8] {
    connections.contains(connection.slot) ? connections[connection.slot].body : []
  }

  /// Answers a request. The body is copied; for HEAD only its length is sent. A connection that has
  /// gone meanwhile is passed over.
  public mutating func respond(
    _ connection: AdminConnection, statusCode: UInt16, contentType: StaticString, body: RawSpan
  ) {
    guard connections.contains(connection.slot) else { return }
    guard case .answering = connections[connection.slot].phase else { return }
    send(connection.slot, statusCode: statusCode, contentType: contentType, body: body)
  }

  /// Ends what has lasted too long.
  public mutating func advance(to now: Instant, operations: inout OperationQueue) {
    self.now = now
    if acceptAgain <= now, let listener {
      acceptAgain = .distantFuture
      operations.append(.accept(listener), token: token(Verb.accept))
    }
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), connections[id].deadline <= now else {
        continue
      }
      expire(id, operations: &operations)
    }
  }

  /// When ``advance(to:operations:)`` has something to do. O(connections), which are few.
  public var nextDeadline: Instant {
    var earliest = acceptAgain
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      earliest = min(earliest, connections[id].deadline)
    }
    return earliest
  }

  /// Sends what is ready; once a turn.
  public mutating func flush(operations: inout OperationQueue) {
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      if case .closing = connections[id].phase { continue }
      let descriptor = connections[id].descriptor
      connections[id].outbox.flush(
        to: descriptor, token: token(Verb.send, id), operations: &operations)
    }
  }

  func token(_ verb: UInt8, _ id: SlotID = SlotID(index: 0, generation: 0)) -> Token {
    Token(owner: owner, verb: verb, slot: id)
  }

  private mutating func accepted(_ descriptor: Descriptor, operations: inout OperationQueue) {
    guard !isStopping, !connections.isFull else {
      refusedCount += 1
      operations.append(.close(descriptor), token: token(Verb.closeOther))
      return
    }
    let id = connections.insert(
      ClientConnection(
        descriptor: descriptor, limits: requestLimits,
        deadline: now.advanced(milliseconds: limits.idleMilliseconds)))
    operations.append(.receive(descriptor), token: token(Verb.receive, id))
  }
}
