import IOPort

/// What a test does to the network, at once or from a script (`SimulatedWorld.at`).
extension SimulatedWorld {
  /// Gives the link between two hosts faults of its own; a host and itself: its loopback.
  public func setFaults(_ faults: NetworkFaults, between one: UInt32, and other: UInt32) {
    linkFaults[Link(one, other)] = faults
  }

  /// Packets between two hosts wait until ``heal(_:_:)``; connections survive, as with a short loss
  /// of a route. New connects are tried again for two minutes.
  public func partition(_ one: UInt32, _ other: UInt32) {
    let link = Link(one, other)
    record(64, UInt64(link.low), UInt64(link.high))
    if stalled[link] == nil { stalled[link] = [] }
  }

  /// Connections between two hosts go silent for good and new ones do not come about, as when an
  /// uplink is gone and comes back with another address; after ``heal(_:_:)`` their ends are reset.
  public func cut(_ one: UInt32, _ other: UInt32) {
    partition(one, other)
    for connection in connections where connection.link == Link(one, other) {
      silence(connection)
    }
  }

  /// Ends a partition or a cut.
  public func heal(_ one: UInt32, _ other: UInt32) {
    let link = Link(one, other)
    record(65, UInt64(link.low), UInt64(link.high))
    guard let waiting = stalled.removeValue(forKey: link) else { return }
    let resumed = now.advanced(nanoseconds: latency(on: link))
    for event in waiting { schedule(event, at: resumed) }
    for connection in connections where connection.link == link { endSilence(connection) }
  }

  /// A ``partition(_:_:)`` that ends by itself.
  public func partition(_ one: UInt32, _ other: UInt32, forMilliseconds milliseconds: Int) {
    partition(one, other)
    after(milliseconds: milliseconds) { [unowned self] in heal(one, other) }
  }

  /// A ``cut(_:_:)`` that ends by itself.
  public func cut(_ one: UInt32, _ other: UInt32, forMilliseconds milliseconds: Int) {
    cut(one, other)
    after(milliseconds: milliseconds) { [unowned self] in heal(one, other) }
  }

  /// Resets every connection between two hosts.
  public func resetConnections(_ one: UInt32, _ other: UInt32) {
    for connection in connections where connection.link == Link(one, other) {
      breakConnection(connection)
    }
  }

  /// From now on connects to a host's port are refused. Connections there are left alone.
  public func refuseConnects(to host: UInt32, port: UInt16) {
    refusing.insert(SocketAddress(ipv4: host, port: port))
  }

  /// Ends ``refuseConnects(to:port:)``.
  public func allowConnects(to host: UInt32, port: UInt16) {
    refusing.remove(SocketAddress(ipv4: host, port: port))
  }

  /// The process that owns a port dies at once: its kernel ends or resets its connections and frees
  /// its listening ports. The port is of no use any more; a new process makes a new one.
  public func kill(_ id: NodeID) {
    let node = nodes[id.rawValue]
    guard !node.isDead else { return }
    record(66, UInt64(id.rawValue))
    node.isDead = true
    node.dropCompletions()
    abandonDiskRequests(of: node)
    for request in node.connects { request.isCancelled = true }
    for socket in node.socketsInOrder {
      socket.send = nil
      socket.isClosed = true
      if let endpoint = socket.endpoint { close(endpoint, abruptly: draw(in: 0...1) == 0) }
      stopListening(socket)
    }
    node.sockets.removeAll()
  }

  /// Rings a port's doorbell from outside every loop.
  public func ring(_ doorbell: Doorbell) {
    guard nodes.indices.contains(Int(doorbell.rawValue)) else {
      preconditionFailure("no such doorbell")
    }
    scheduleSoon(.ring(nodes[Int(doorbell.rawValue)]))
  }
}
