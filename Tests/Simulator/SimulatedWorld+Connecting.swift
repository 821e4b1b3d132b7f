import Glibc
import IOPort

/// How connections come about.
extension SimulatedWorld {
  /// What Linux waits before it gives up a connect nobody answers, milliseconds.
  private static var connectPatienceMilliseconds: Int { 127_000 }

  // MARK: Listening

  func listen(
    on address: SocketAddress, node: SimulatedNode
  ) throws(IOError) -> (Descriptor, SocketAddress) {
    guard address.isUnspecified || address.isLoopback || address == node.address(address.port)
    else { throw IOError(.addressNotAvailable, code: EADDRNOTAVAIL) }
    var bound = address
    if bound.port == 0 { bound.port = takeEphemeralPort() }
    let isTaken = listeners.contains { listener in
      guard listener.node.host == node.host, let other = listener.listening else { return false }
      return other.port == bound.port
        && (other.isUnspecified || bound.isUnspecified || other == bound)
    }
    if isTaken { throw IOError(.addressInUse, code: EADDRINUSE) }
    guard let descriptor = node.takeDescriptor() else {
      throw IOError(.resourcesExhausted, code: EMFILE)
    }
    let socket = SimulatedSocket(
      descriptor: descriptor, node: node, endpoint: nil, listening: bound)
    node.sockets[descriptor.rawValue] = socket
    listeners.append(socket)
    return (descriptor, bound)
  }

  func stopListening(_ socket: SimulatedSocket) {
    guard socket.listening != nil else { return }
    listeners.removeAll { $0 === socket }
    for endpoint in socket.backlog { close(endpoint, abruptly: true) }
    socket.backlog.removeAll()
  }

  /// Hands waiting connections to an accept that is under way.
  func accept(_ socket: SimulatedSocket) {
    while let token = socket.acceptToken, !socket.isClosed, let endpoint = socket.backlog.first {
      let faults = endpoint.connection.map { self.faults(on: $0.link) } ?? defaultFaults
      guard !happens(faults.acceptExhaustionPerMille),
        let descriptor = socket.node.takeDescriptor()
      else {
        faultCounts.acceptExhaustions += 1
        return endAccept(of: socket, IOError(.resourcesExhausted, code: EMFILE))
      }
      socket.backlog.removeFirst()
      open(endpoint, as: descriptor)
      let peer = endpoint.peer?.address ?? endpoint.address
      post(.accepted(descriptor, peer), token: token, to: socket.node)
    }
  }

  func endAccept(of socket: SimulatedSocket, _ error: IOError) {
    guard let token = socket.acceptToken else { return }
    socket.acceptToken = nil
    post(.acceptEnded(error), token: token, to: socket.node)
  }

  private func open(_ endpoint: Endpoint, as descriptor: Descriptor) {
    let socket = SimulatedSocket(
      descriptor: descriptor, node: endpoint.node, endpoint: endpoint, listening: nil)
    endpoint.socket = socket
    endpoint.node.sockets[descriptor.rawValue] = socket
  }

  // MARK: Connecting

  func connect(to address: SocketAddress, token: Token, node: SimulatedNode) {
    connectCount += 1
    let request = ConnectRequest(
      id: connectCount, node: node, token: token, address: address, startedAt: now)
    node.connects.append(request)
    scheduleSoon(.attempt(request))
  }

  /// A first packet leaves, or is lost.
  func attempt(_ request: ConnectRequest) {
    guard !request.isCancelled else { return }
    guard let host = request.destinationHost, nodes.contains(where: { $0.host == host }) else {
      return scheduleSoon(.answer(request, IOError(.unreachable, code: EHOSTUNREACH)))
    }
    let link = Link(request.node.host, host)
    if stalled[link] != nil || happens(faults(on: link).connectLostPerMille) {
      retryLater(request)
    } else {
      schedule(.knock(request), at: now.advanced(nanoseconds: latency(on: link)))
    }
  }

  private func retryLater(_ request: ConnectRequest) {
    faultCounts.lostConnects += 1
    let retry = now.advanced(milliseconds: request.retryMilliseconds)
    let end = request.startedAt.advanced(milliseconds: Self.connectPatienceMilliseconds)
    request.retryMilliseconds *= 2
    if retry < end {
      schedule(.attempt(request), at: retry)
    } else {
      schedule(.answer(request, IOError(.timedOut, code: ETIMEDOUT)), at: end)
    }
  }

  /// A first packet reaches the other host.
  func knock(_ request: ConnectRequest) {
    guard !request.isCancelled, let host = request.destinationHost else { return }
    let link = Link(request.node.host, host)
    let faults = self.faults(on: link)
    let answered = now.advanced(nanoseconds: latency(on: link))
    guard let listener = listener(for: request.address, host: host),
      !refusing.contains(SocketAddress(ipv4: host, port: request.address.port)),
      !happens(faults.connectRefusedPerMille)
    else {
      faultCounts.refusals += 1
      let error = IOError(.connectionRefused, code: ECONNREFUSED)
      return schedule(.answer(request, error), at: answered)
    }
    guard listener.backlog.count < listener.node.limits.backlog else {
      return retryLater(request)
    }
    let connection = makeConnection(request, listener: listener, link: link)
    request.endpoint = connection.client
    listener.backlog.append(connection.server)
    scheduleSoon(.accept(listener))
    schedule(.answer(request, nil), at: answered)
  }

  private func listener(for address: SocketAddress, host: UInt32) -> SimulatedSocket? {
    listeners.first { socket in
      guard socket.node.host == host, let bound = socket.listening else { return false }
      guard bound.port == address.port else { return false }
      return bound.isUnspecified || bound == address
        || (address.isUnspecified && bound.isLoopback)
    }
  }

  private func makeConnection(
    _ request: ConnectRequest, listener: SimulatedSocket, link: Link
  ) -> SimulatedConnection {
    connectionCount += 1
    let bufferBytes = draw(in: faults(on: link).socketBufferBytes)
    let isLocal = request.address.isLoopback || request.address.isUnspecified
    let clientPort = takeEphemeralPort()
    let client = Endpoint(
      connectionID: connectionCount, isClient: true, node: request.node,
      address: isLocal ? .loopback(port: clientPort) : request.node.address(clientPort),
      bufferBytes: bufferBytes)
    let server = Endpoint(
      connectionID: connectionCount, isClient: false, node: listener.node,
      address: request.address, bufferBytes: bufferBytes)
    let connection = SimulatedConnection(
      id: connectionCount, link: link, client: client, server: server)
    client.connection = connection
    server.connection = connection
    connections.append(connection)
    return connection
  }

  /// The answer to a connect is back.
  func answer(_ request: ConnectRequest, _ error: IOError?) {
    let node = request.node
    node.connects.removeAll { $0 === request }
    guard !request.isCancelled else {
      if let endpoint = request.endpoint { close(endpoint, abruptly: true) }
      return
    }
    if let error { return post(.connectFailed(error), token: request.token, to: node) }
    guard let endpoint = request.endpoint else { return }
    if endpoint.isReset {
      close(endpoint, abruptly: true)
      let error = IOError(.connectionReset, code: ECONNRESET)
      post(.connectFailed(error), token: request.token, to: node)
    } else if let descriptor = node.takeDescriptor() {
      open(endpoint, as: descriptor)
      post(.connected(descriptor), token: request.token, to: node)
    } else {
      close(endpoint, abruptly: true)
      let error = IOError(.resourcesExhausted, code: EMFILE)
      post(.connectFailed(error), token: request.token, to: node)
    }
  }

  private func takeEphemeralPort() -> UInt16 {
    repeat {
      nextEphemeralPort = nextEphemeralPort == .max ? 40_000 : nextEphemeralPort + 1
    } while listeners.contains { $0.listening?.port == nextEphemeralPort }
    return nextEphemeralPort
  }
}

extension ConnectRequest {
  /// The host it leads to; nil for addresses that no simulated host has.
  var destinationHost: UInt32? {
    if address.isLoopback || address.isUnspecified { return node.host }
    return address.isIPv6 ? nil : UInt32(truncatingIfNeeded: address.high)
  }
}

extension SimulatedNode {
  /// The host's own address with a port.
  func address(_ port: UInt16) -> SocketAddress { SocketAddress(ipv4: host, port: port) }
}

extension SocketAddress {
  /// Whether it is in 127.0.0.0/8, or `::1`.
  var isLoopback: Bool { isIPv6 ? high == 0 && low == 1 : high >> 24 == 127 }
}
