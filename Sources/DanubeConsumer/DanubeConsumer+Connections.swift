import Bytes
import DanubeProtocol
import GRPC
import IOPort
import TLS

// Connections: opened when a partition or a look-up needs one, watched, given up.
extension DanubeConsumer {
  /// The largest message: Danube's limit for what producers send, and room for what it adds.
  private static var maximumMessageBytes: Int { 4 * 1024 * 1024 + 64 * 1024 }
  /// With fewer stream ids left a connection is replaced.
  private static var leastStreamIDs: Int { 1_024 }

  /// Opens a connection to a broker; without room or an address, its back-off begins.
  mutating func connect(_ broker: Int, operations: inout OperationQueue) {
    guard let address = brokers[broker].addresses.current, !connections.isFull else {
      brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
      return
    }
    let tls: TLSSession?
    do throws(TLSError) {
      tls = try security.session(usesTLS: brokers[broker].usesTLS, host: brokers[broker].host)
    } catch {
      notices.append(.problem("\(brokers[broker].authority): \(error.reason)"))
      brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
      return
    }
    var options = ClientSession.Options(
      authority: brokers[broker].authority, userAgent: "danube-gateway")
    options.isSecure = brokers[broker].usesTLS
    options.additionalHeaders = security.headers
    if !brokers[broker].proxiedURL.isEmpty {
      let url = String(decoding: brokers[broker].proxiedURL, as: UTF8.self)
      options.additionalHeaders.append(("x-danube-broker-url", url))
    }
    options.maximumConcurrentCalls = calls.capacity
    options.maximumMessageBytes = Self.maximumMessageBytes
    let wanted: [DanubeMethod] = [
      .topicPartitions, .topicLookup, .subscribe, .receiveMessages, .ack, .nack, .healthCheck,
    ]
    let methods = wanted.map {
      (method: MethodID(rawValue: $0.rawValue), path: $0.path.description)
    }
    let deadline = now.advanced(milliseconds: limits.connectTimeoutMilliseconds)
    let id = connections.insert(
      ConsumerConnection(
        broker: broker, address: address,
        session: ClientSession(options: options, methods: methods), tls: tls,
        deadline: deadline, pingIntervalMilliseconds: limits.pingIntervalMilliseconds))
    brokers[broker].connection = id
    operations.append(.connect(address), token: token(.connect, id))
  }

  /// An open connection to a broker; nil while one is being opened or waits for its back-off.
  mutating func connection(
    to broker: Int, operations: inout OperationQueue
  ) -> SlotID? {
    if let id = brokers[broker].connection { return connections[id].isOpen ? id : nil }
    if now >= brokers[broker].retryAt { connect(broker, operations: &operations) }
    return nil
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
    connections[id].keepalive.heard(at: now)
    operations.append(.receive(descriptor), token: token(.receive, id))
    if connections[id].transport.isEncrypted {
      let deadline = now.advanced(milliseconds: limits.connectTimeoutMilliseconds)
      connections[id].phase = .securing(descriptor, deadline: deadline)
      connections[id].transport.start()
    } else {
      connections[id].phase = .open(descriptor)
    }
  }

  mutating func connectFailed(_ error: IOError, _ id: SlotID) {
    let wasConnecting = connections[id].isConnecting
    let broker = connections[id].broker
    if wasConnecting { connectionFailed(id, broker, error.text) }
    _ = connections.remove(id)
  }

  mutating func received(_ bytes: RawSpan, _ id: SlotID, operations: inout OperationQueue) {
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
    var isBroken = false
    do throws(GRPCError) {
      try connections[id].session.receive(bytes)
    } catch {
      isBroken = true
    }
    // What was complete before the fault still counts.
    while let event = connections[id].session.nextEvent() {
      switch event {
      case .message(let tag):
        connections[id].keepalive.answered()
        responseArrived(tag, id)
      case .completed(let tag, let status):
        connections[id].keepalive.answered()
        completed(tag, status, id)
      case .settings: brokers[connections[id].broker].backoff.reset()
      case .goAway, .pong: break
      }
    }
    if isBroken {
      end(id, "the broker broke the HTTP/2 protocol", operations: &operations)
    } else if isFull, connections[id].isListening {
      connections[id].receiving = .pausing
      operations.append(.cancel(token(.receive, id)), token: token(.cancel, id))
    }
  }

  mutating func receiveEnded(
    _ error: IOError?, _ id: SlotID, operations: inout OperationQueue
  ) {
    guard connections.contains(id), let socket = connections[id].phase.socket else { return }
    switch (error?.kind, connections[id].receiving) {
    case (.cancelled, .pausing), (.resourcesExhausted, .pausing):
      connections[id].receiving = .paused
    case (.resourcesExhausted, _):
      operations.append(.receive(socket), token: token(.receive, id))
    default:
      let text =
        error?.text ?? connections[id].transport.endOfStream?.description
        ?? "the broker closed the connection"
      endSecuring(id, text, operations: &operations)
      end(id, text, operations: &operations)
    }
  }

  mutating func closed(_ id: SlotID) {
    connections[id].abandon()
    _ = connections.remove(id)
  }

  // MARK: Ends

  /// A connection did not come about.
  mutating func connectionFailed(_ id: SlotID, _ broker: Int, _ text: String) {
    brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
    brokers[broker].addresses.advance()
    wantAddresses(ofBroker: broker)
    notices.append(.problem("\(brokers[broker].authority): \(text)"))
    unlink(id, from: broker, text)
  }

  /// Closes an open connection; its sessions end with it.
  mutating func end(_ id: SlotID, _ text: String, operations: inout OperationQueue) {
    guard let descriptor = connections[id].descriptor else { return }
    connections[id].phase = .closing
    operations.append(.close(descriptor), token: token(.close, id))
    let broker = connections[id].broker
    brokers[broker].retryAt = now.advanced(milliseconds: brokers[broker].backoff.next())
    loseCalls(on: id, text)
    unlink(id, from: broker, text)
  }

  /// A broker's connection is of no use any more: its partitions look for their topics again.
  private mutating func unlink(_ id: SlotID, from broker: Int, _ text: String) {
    guard brokers[broker].connection == id else { return }
    brokers[broker].connection = nil
    if brokers[broker].isSeed { leaveSeed(broker) }
    for partition in partitions.indices where partitions[partition].broker == broker {
      if partitions[partition].isConsuming {
        lost(partition, "\(brokers[broker].authority): \(text)")
      } else {
        failed(partition, "\(brokers[broker].authority): \(text)")
      }
    }
  }

  // MARK: Supervision

  /// Gives up connects and connections that are silent or come to their end.
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
    if connections[id].session.isDraining
      || connections[id].session.streamIDsLeft < Self.leastStreamIDs
    {
      // Nothing can be acknowledged here any more.
      return end(id, "the connection takes no more calls", operations: &operations)
    }
    guard connections[id].isListening else { return }
    let hasCalls = connections[id].session.callsInFlight > 0
    switch connections[id].keepalive.check(at: now, hasCalls: hasCalls) {
    case .wait: break
    case .ping: connections[id].session.sendPing()
    case .lost: end(id, "no sign of life", operations: &operations)
    }
  }

  /// Closes connections that no partition uses and that are not for look-ups, and forgets their
  /// brokers: owners come and go with every move of a topic.
  mutating func closeUnused(operations: inout OperationQueue) {
    for broker in brokers.indices where !brokers[broker].isSeed && !brokers[broker].isForgotten {
      if partitions.contains(where: { $0.broker == broker }) { continue }
      guard let id = brokers[broker].connection else {
        let isNamed = (0..<connections.upperBound).contains { index in
          connections.tenant(at: index).map { connections[$0].broker == broker } ?? false
        }
        brokers[broker].isForgotten = !isNamed
        continue
      }
      if connections[id].isOpen, connections[id].session.callsInFlight == 0 {
        end(id, "not used any more", operations: &operations)
      }
    }
  }

  /// Closes every connection; no answer is waited for.
  mutating func closeAll(operations: inout OperationQueue) {
    for index in 0..<calls.upperBound {
      if let slot = calls.tenant(at: index) { _ = calls.remove(slot) }
    }
    for broker in brokers.indices { brokers[broker].connection = nil }
    for index in 0..<connections.upperBound {
      guard let id = connections.tenant(at: index) else { continue }
      if connections[id].isConnecting {
        operations.append(.cancel(token(.connect, id)), token: token(.cancel, id))
        connections[id].phase = .abandoned
      } else if let socket = connections[id].phase.socket {
        connections[id].phase = .closing
        operations.append(.close(socket), token: token(.close, id))
      }
    }
  }
}
