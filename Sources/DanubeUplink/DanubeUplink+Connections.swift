import Bytes
import DanubeProtocol
import GRPC
import IOPort
import Metrics
import TLS

// Connections: opened when a lane needs one, watched, replaced before they end, given up.
extension DanubeUplink {
  /// Opens a connection to a broker; false, and a back-off, when there is no room or no address.
  mutating func connect(_ broker: Int, operations: inout OperationQueue) -> SlotID? {
    guard let address = brokers[broker].addresses.current, !connections.isFull else {
      if connections.isFull { noteFull(broker) }
      return refuseConnection(broker)
    }
    let tls: TLSSession?
    do throws(TLSError) {
      tls = try security.session(usesTLS: brokers[broker].usesTLS, host: brokers[broker].host)
    } catch {
      lastError = UplinkError(.connect, "\(brokers[broker].authority): \(error.reason)")
      return refuseConnection(broker)
    }
    var options = ClientSession.Options(
      authority: brokers[broker].authority, userAgent: "danube-gateway")
    options.isSecure = brokers[broker].usesTLS
    options.additionalHeaders = security.headers
    if !brokers[broker].proxiedURL.isEmpty {
      let url = String(decoding: brokers[broker].proxiedURL, as: UTF8.self)
      options.additionalHeaders.append(("x-danube-broker-url", url))
    }
    options.maximumConcurrentCalls = limits.maximumCallsInFlight
    options.lastStreamID = limits.lastStreamID
    let methods = [
      DanubeMethod.createProducer, .sendMessage, .topicLookup, .replicateData, .registerEdge,
      .edgeHeartbeat,
    ].map {
      (method: MethodID($0), path: $0.path.description)
    }
    let deadline = now.advanced(milliseconds: limits.connectTimeoutMilliseconds)
    let id = connections.insert(
      UplinkConnection(
        broker: broker, address: address,
        session: ClientSession(options: options, methods: methods), tls: tls,
        tokenNumber: tokenNumber, deadline: deadline,
        pingIntervalMilliseconds: limits.pingIntervalMilliseconds,
        callDeadlineMilliseconds: limits.callDeadlineMilliseconds, at: now))
    operations.append(.connect(address), token: token(.connect, id))
    return id
  }

  private mutating func refuseConnection(_ broker: Int) -> SlotID? {
    brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
    return nil
  }

  /// All places are taken; the next ones are those of brokers that topics leave.
  private mutating func noteFull(_ broker: Int) {
    let text = "there are \(limits.maximumConnections) connections to brokers, which is the limit"
    lastError = UplinkError(.connect, "\(brokers[broker].authority): \(text)")
  }

  // MARK: Completions

  mutating func connected(
    _ descriptor: Descriptor, _ id: SlotID, operations: inout OperationQueue
  ) {
    guard connections[id].isConnecting else {
      connections[id].phase = .closing
      operations.append(.close(descriptor), token: token(.close, id))
      return
    }
    operations.append(.receive(descriptor), token: token(.receive, id))
    connections[id].keepalive.heard(at: now)
    if connections[id].transport.isEncrypted {
      let deadline = now.advanced(milliseconds: limits.connectTimeoutMilliseconds)
      connections[id].phase = .securing(descriptor, deadline: deadline)
      connections[id].transport.start()
    } else {
      opened(descriptor, id)
    }
  }

  /// A connection can be used.
  mutating func opened(_ descriptor: Descriptor, _ id: SlotID) {
    connections[id].phase = .open(descriptor)
    metrics.connectionsOpened.add()
    let broker = connections[id].broker
    var last: (window: CallWindow, link: LinkQueue)?
    if let old = brokers[broker].current, old != id {
      last = (connections[old].window, connections[old].link)
    }
    let connectNanoseconds = connections[id].connectNanoseconds(at: now)
    connections[id].window.begin(
      after: last?.window, connectNanoseconds: connectNanoseconds, at: now)
    connections[id].link.begin(
      after: last?.link, connectNanoseconds: connectNanoseconds, at: now)
    if brokers[broker].successor == id {
      if let old = brokers[broker].current { connections[old].isRetired = true }
      brokers[broker].current = id
      brokers[broker].successor = nil
      metrics.connectionsTakenOver.add()
    }
    guard brokers[broker].laneCount > 0 else { return }
    for lane in lanes.indices where lanes[lane].broker == broker {
      enqueue(lane)
      if lanes[lane].replication.stream != nil || !lanes[lane].replication.isIdle {
        resumeReplication(lane)
      }
    }
  }

  mutating func connectFailed(_ error: IOError, _ id: SlotID) {
    let wasConnecting = connections[id].isConnecting
    let broker = connections[id].broker
    _ = connections.remove(id)
    brokersAreDue = true
    if wasConnecting { connectionFailed(id, broker, error.text) }
  }

  mutating func received(_ bytes: RawSpan, _ id: SlotID, operations: inout OperationQueue) {
    metrics.bytesReceived.add(UInt64(bytes.byteCount))
    connections[id].keepalive.heard(at: now)
    if connections[id].transport.isEncrypted {
      receivedEncrypted(bytes, id, operations: &operations)
    } else {
      receivedFrames(bytes, id, operations: &operations)
    }
  }

  mutating func receivedFrames(
    _ bytes: RawSpan, _ id: SlotID, operations: inout OperationQueue
  ) {
    var failure: GRPCError?
    do throws(GRPCError) {
      try connections[id].session.receive(bytes)
    } catch {
      failure = error
    }
    // What was complete before the fault still counts.
    while let event = connections[id].session.nextEvent() {
      switch event {
      case .message(let tag):
        if !connections[id].isProven { proven(id) }
        connections[id].keepalive.answered()
        messageArrived(tag, id)
      case .completed(let tag, let status):
        connections[id].keepalive.answered()
        completed(tag, status, id)
      case .goAway: endRests(on: id)
      case .settings, .pong: break
      }
    }
    if failure != nil { end(id, "the broker broke the HTTP/2 protocol", operations: &operations) }
  }

  private mutating func proven(_ id: SlotID) {
    connections[id].isProven = true
    brokers[connections[id].broker].backoff.reset()
  }

  mutating func receiveEnded(
    _ error: IOError?, _ id: SlotID, operations: inout OperationQueue
  ) {
    guard connections.contains(id), let socket = connections[id].phase.socket else { return }
    if let error, error.kind == .resourcesExhausted {
      operations.append(.receive(socket), token: token(.receive, id))
    } else {
      let text =
        error?.text ?? connections[id].transport.endOfStream?.description
        ?? "the broker closed the connection"
      endSecuring(id, text, operations: &operations)
      end(id, text, operations: &operations)
    }
  }

  mutating func sent(_ count: Int, _ id: SlotID) {
    guard connections.contains(id), connections[id].phase.socket != nil else { return }
    metrics.bytesSent.add(UInt64(count))
    connections[id].sent(count, at: now)
    takeReleasedTags(id)
  }

  mutating func queueMeasured(_ count: Int, _ id: SlotID) {
    guard connections.contains(id), connections[id].phase.socket != nil else { return }
    connections[id].queueMeasured(count, at: now)
  }

  mutating func sendFailed(_ error: IOError, _ id: SlotID, operations: inout OperationQueue) {
    guard connections.contains(id), connections[id].phase.socket != nil else { return }
    endSecuring(id, error.text, operations: &operations)
    end(id, error.text, operations: &operations)
  }

  mutating func closed(_ id: SlotID) {
    connections[id].abandon()
    takeReleasedTags(id)
    _ = connections.remove(id)
    brokersAreDue = true
  }

  // MARK: Ends

  /// A connection did not come about.
  mutating func connectionFailed(_ id: SlotID, _ broker: Int, _ text: String) {
    metrics.connectionsFailed.add()
    lastError = UplinkError(.connect, "\(brokers[broker].authority): \(text)")
    brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
    brokers[broker].addresses.advance()
    wantAddresses(ofBroker: broker)
    unlink(id, from: broker)
  }

  /// Closes an open connection; its calls are made again elsewhere.
  mutating func end(_ id: SlotID, _ text: String, operations: inout OperationQueue) {
    guard let descriptor = connections[id].descriptor else { return }
    connections[id].phase = .closing
    operations.append(.close(descriptor), token: token(.close, id))
    let broker = connections[id].broker
    let isExpected = connections[id].isRetired && connections[id].session.callsInFlight == 0
    if !isExpected {
      metrics.connectionsLost.add()
      lastError = UplinkError(.connection, "\(brokers[broker].authority): \(text)")
    }
    if brokers[broker].current == id || brokers[broker].successor == id {
      brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
    }
    unlink(id, from: broker)
    loseCalls(on: id)
  }

  /// A broker's connection is of no use any more: the successor takes its place, or the broker's
  /// lanes look for their topics again.
  mutating func unlink(_ id: SlotID, from broker: Int) {
    if brokers[broker].successor == id { brokers[broker].successor = nil }
    guard brokers[broker].current == id else { return }
    brokers[broker].current = brokers[broker].successor
    brokers[broker].successor = nil
    if brokers[broker].current == nil {
      if brokers[broker].isSeed { leaveSeed(broker) }
      if brokers[broker].laneCount > 0 {
        for lane in lanes.indices where lanes[lane].broker == broker { loseBroker(lane) }
      }
      // None of them is attaching any more.
      brokers[broker].attaching.removeAll()
    }
    brokersAreDue = true
  }

  /// Every call on a connection may or may not have reached the broker: it is made again. Records
  /// return to the front in the order they were sent.
  private mutating func loseCalls(on id: SlotID) {
    for patience in 0...CallTable.maximumPatience {
      var next = calls.newestTag(patience: patience)
      while let tag = next, let call = calls[tag] {
        next = calls.older(than: tag)
        if call.connection == id { lose(call, tag) }
      }
    }
  }

  mutating func takeReleasedTags(_ id: SlotID) {
    while let tag = connections[id].takeReleasedTag() { unpin(tag) }
  }

  // MARK: Supervision

  /// Gives up connects and silent connections, and opens the next ones before connections end.
  mutating func supervise(operations: inout OperationQueue) {
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      switch connections[id].phase {
      case .connecting(let deadline):
        if now >= deadline {
          operations.append(.cancel(token(.connect, id)), token: token(.cancel, id))
          connections[id].phase = .abandoned
          connectionFailed(id, connections[id].broker, "no answer in time")
        }
      case .securing(_, let deadline):
        if now >= deadline {
          endSecuring(id, "no answer to the TLS handshake in time", operations: &operations)
        }
      case .open: superviseOpen(id, operations: &operations)
      case .abandoned, .closing: break
      }
    }
  }

  private mutating func superviseOpen(_ id: SlotID, operations: inout OperationQueue) {
    if let failure = connections[id].transport.failure {
      return end(id, failure.description, operations: &operations)
    }
    let broker = connections[id].broker
    // First of all: then its lanes need not look for their topics again.
    if wantsSuccessor(id), now >= brokers[broker].retryAt {
      // A broker that says GOAWAY on every connection is not to be asked for the next one at once.
      if connections[id].session.isDraining, connections[id].session.streamIDsLeft > 0 {
        brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
      }
      brokers[broker].successor = connect(broker, operations: &operations)
    }
    let isQuiet = connections[id].session.callsInFlight == 0
    if isQuiet, connections[id].session.isDraining || connections[id].isRetired {
      guard connections[id].transport.isEmpty else { return }
      connections[id].isRetired = true
      return end(id, "retired", operations: &operations)
    }
    switch connections[id].keepalive.check(at: now, hasCalls: !isQuiet) {
    case .wait: break
    case .ping: connections[id].session.sendPing()
    case .lost: end(id, "no sign of life", operations: &operations)
    }
  }

  /// Whether the next connection to the broker has to be opened before this one ends.
  func wantsSuccessor(_ id: SlotID) -> Bool {
    let broker = connections[id].broker
    guard connections[id].isOpen, brokers[broker].current == id,
      brokers[broker].successor == nil, !connections[id].isRetired
    else { return false }
    return connections[id].session.isDraining || connections[id].tokenNumber != tokenNumber
      || connections[id].session.streamIDsLeft < limits.takeOverStreamIDs
  }

  /// Closes connections that no lane uses and that are not for look-ups.
  mutating func retireUnused() {
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index), connections[id].isOpen else { continue }
      let broker = connections[id].broker
      if brokers[broker].isSeed || brokers[broker].laneCount > 0 { continue }
      connections[id].isRetired = true
    }
  }

  /// Closes every connection. Should records come after all, their lanes start over.
  mutating func closeAll(operations: inout OperationQueue) {
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      if connections[id].isConnecting {
        operations.append(.cancel(token(.connect, id)), token: token(.cancel, id))
        connections[id].phase = .abandoned
      }
      connections[id].isRetired = true
      dropSecuring(id, operations: &operations)
      end(id, "shut down", operations: &operations)
    }
    brokerDeadline = .distantFuture
  }
}

extension MethodID {
  /// The method's number in GRPC sessions.
  init(_ method: DanubeMethod) { self.init(rawValue: method.rawValue) }
}
