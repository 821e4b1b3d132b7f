import Bytes
import Glibc
import IOPort

/// Bytes on their way: from the memory a send names to the buffers of the other end's port.
extension SimulatedWorld {
  /// The kernel takes what it has room for of a send.
  func take(_ endpoint: Endpoint) {
    guard let socket = endpoint.socket, let send = socket.send else { return }
    guard let connection = endpoint.connection, !endpoint.isReset, !endpoint.isFinished else {
      return endSend(of: socket, .sendFailed(IOError(.connectionReset)))
    }
    let faults = self.faults(on: connection.link)
    var count = min(send.copy.count, endpoint.bufferBytes - endpoint.outstanding)
    if count < send.copy.count, !send.isWaiting { faultCounts.backPressures += 1 }
    guard count > 0 else {
      send.isWaiting = true
      return
    }
    if count > 1, happens(faults.shortWritePerMille) {
      count = draw(in: 1...count - 1)
      faultCounts.shortWrites += 1
    }
    checkMemory(of: send, node: socket.node)
    endpoint.outstanding += count
    endpoint.unacknowledged += count
    if !connection.isBroken {
      endpoint.wire.append(first: count, of: send.copy)
      transmit(count, from: endpoint, faults: faults)
    }
    endSend(of: socket, .sent(count))
    if happens(faults.resetPerMille) { breakConnection(connection) }
    if happens(faults.cutPerMille) {
      silence(connection)
      let after = draw(in: faults.cutMilliseconds)
      schedule(.cutEnds(connection), at: now.advanced(milliseconds: after))
    }
  }

  /// Ends the send of a socket, checking that its memory was left alone.
  func endSend(of socket: SimulatedSocket, _ event: PendingEvent) {
    guard let send = socket.send else { return }
    checkMemory(of: send, node: socket.node)
    socket.send = nil
    post(event, token: send.token, to: socket.node)
  }

  private func checkMemory(of send: SendRequest, node: SimulatedNode) {
    if !send.isUntouched { violation("memory changed under a send", by: node) }
  }

  private func transmit(_ count: Int, from endpoint: Endpoint, faults: NetworkFaults) {
    guard faults.bytesPerSecond == 0 else {
      // In packets of an Ethernet, lest everything arrive when the last byte does.
      var left = count
      while left > 0 {
        send(.bytes(min(left, 1_448)), from: endpoint)
        left -= 1_448
      }
      return
    }
    guard count > 1, happens(faults.splitPerMille) else {
      return send(.bytes(count), from: endpoint)
    }
    faultCounts.splits += 1
    var left = count
    let byteByByte = count <= 64 && draw(in: 0...1) == 0
    for _ in 0..<(byteByByte ? count - 1 : draw(in: 1...7)) where left > 1 {
      let piece = byteByByte ? 1 : draw(in: 1...left - 1)
      send(.bytes(piece), from: endpoint)
      left -= piece
    }
    send(.bytes(left), from: endpoint)
  }

  /// Puts a packet on the way, behind those before it.
  func send(_ packet: Packet, from endpoint: Endpoint) {
    guard let connection = endpoint.connection else { return }
    let faults = self.faults(on: connection.link)
    var arrival = departure(of: packet, from: endpoint.node.host, on: connection.link)
      .advanced(nanoseconds: latency(on: connection.link))
    if happens(faults.spikePerMille) {
      arrival = arrival.advanced(milliseconds: draw(in: faults.spikeMilliseconds))
      faultCounts.spikes += 1
    }
    endpoint.lastArrival = max(endpoint.lastArrival, arrival)
    endpoint.packets.append(packet)
    schedule(.arrive(from: endpoint), at: endpoint.lastArrival)
  }

  /// When a packet has gone through the narrow place of a link.
  private func departure(of packet: Packet, from host: UInt32, on link: Link) -> Instant {
    let rate = faults(on: link).bytesPerSecond
    guard rate > 0, case .bytes(let count) = packet else { return now }
    let free = max(now, busyUntil[link]?[host] ?? now)
    let end = free.advanced(nanoseconds: UInt64(count) * 1_000_000_000 / UInt64(rate))
    busyUntil[link, default: [:]][host] = end
    return end
  }

  func latency(on link: Link) -> UInt64 {
    UInt64(draw(in: faults(on: link).latencyMicroseconds)) * 1_000
      + UInt64(draw(in: 0...999))
  }

  /// The oldest packet of an end reaches the other one.
  func arrive(from sender: Endpoint) {
    guard let connection = sender.connection, let receiver = sender.peer else { return }
    let packet = sender.packets.removeFirst()
    guard !connection.isBroken else { return }
    switch packet {
    case .bytes(let count):
      sender.unacknowledged -= count
      if receiver.isClosed {
        sender.wire.removeFirst(count)
        // A host answers bytes for a closed socket with a reset.
        guard !sender.resetIsComing else { return }
        sender.resetIsComing = true
        schedule(.reset(sender), at: now.advanced(nanoseconds: latency(on: connection.link)))
      } else {
        if !receiver.isReset { receiver.inbox.append(first: count, of: sender.wire) }
        sender.wire.removeFirst(count)
        pump(receiver)
      }
    case .finish:
      receiver.finishArrived = true
      pump(receiver)
    case .reset:
      reset(receiver)
    }
  }

  /// Hands what arrived to a receive that is under way.
  func pump(_ endpoint: Endpoint) {
    guard let socket = endpoint.socket else { return }
    while let token = socket.receiveToken {
      if endpoint.inbox.count > 0 {
        guard receiveIntoBuffer(endpoint, token: token, node: socket.node) else {
          faultCounts.bufferExhaustions += 1
          endReceive(of: socket, IOError(.resourcesExhausted, code: ENOBUFS))
          return
        }
      } else if endpoint.isReset {
        endReceive(of: socket, IOError(.connectionReset, code: ECONNRESET))
      } else if endpoint.finishArrived {
        endReceive(of: socket, nil)
      } else {
        return
      }
    }
  }

  func endReceive(of socket: SimulatedSocket, _ error: IOError?) {
    guard let token = socket.receiveToken else { return }
    socket.receiveToken = nil
    post(.receiveEnded(error), token: token, to: socket.node)
  }

  private func receiveIntoBuffer(
    _ endpoint: Endpoint, token: Token, node: SimulatedNode
  ) -> Bool {
    let link = endpoint.connection?.link
    let faults = link.map { self.faults(on: $0) } ?? defaultFaults
    guard !node.freeBuffers.isEmpty, !happens(faults.bufferExhaustionPerMille) else {
      return false
    }
    var count = min(endpoint.inbox.count, node.limits.receiveBufferBytes)
    if happens(faults.splitPerMille) { count = draw(in: 1...count) }
    let place = draw(in: 0...node.freeBuffers.count - 1)
    let buffer = node.lendBuffer(at: place, holding: count, of: endpoint.inbox)
    endpoint.inbox.removeFirst(count)
    post(.received(buffer: buffer, count: count), token: token, to: node)
    record(67, UInt64(buffer), node.digest(buffer: buffer, count: count))
    if let link, let sender = endpoint.peer {
      let opens = now.advanced(nanoseconds: latency(on: link))
      schedule(.window(sender, bytes: count), at: opens)
    }
    return true
  }

  /// The other end has read: a send that waited for room goes on.
  func openWindow(_ endpoint: Endpoint, bytes: Int) {
    guard let connection = endpoint.connection, !connection.isBroken else { return }
    endpoint.outstanding -= bytes
    if endpoint.socket?.send?.isWaiting == true { take(endpoint) }
  }

  // MARK: Ends

  /// An end learns that its connection is reset.
  func reset(_ endpoint: Endpoint) {
    guard !endpoint.isReset, !endpoint.isClosed else { return }
    endpoint.isReset = true
    // What arrived and was not read may or may not be readable still: no owner can rely on either.
    if endpoint.inbox.count > 0, draw(in: 0...1) == 0 { endpoint.inbox.removeAll() }
    if let socket = endpoint.socket {
      endSend(of: socket, .sendFailed(IOError(.connectionReset, code: ECONNRESET)))
    }
    pump(endpoint)
  }

  /// The network resets a connection: what is on the way is lost, both ends are told.
  func breakConnection(_ connection: SimulatedConnection) {
    guard !connection.isBroken else { return }
    connection.isBroken = true
    faultCounts.resets += 1
    tellReset(connection)
  }

  /// The network forgets a connection: what is on the way and what follows is lost, nobody is told.
  func silence(_ connection: SimulatedConnection) {
    guard !connection.isBroken else { return }
    connection.isBroken = true
    connection.isSilent = true
    faultCounts.cuts += 1
  }

  /// A silent connection is found to be dead.
  func endSilence(_ connection: SimulatedConnection) {
    guard connection.isSilent else { return }
    connection.isSilent = false
    tellReset(connection)
  }

  private func tellReset(_ connection: SimulatedConnection) {
    for endpoint in [connection.client, connection.server] {
      let told = now.advanced(nanoseconds: latency(on: connection.link))
      schedule(.reset(endpoint), at: told)
    }
  }

  /// A close takes effect: everything under way on the socket ends, then `closed` comes.
  func close(_ socket: SimulatedSocket) {
    guard let token = socket.closeToken, !socket.isClosed else { return }
    let cancelled = IOError(.cancelled, code: ECANCELED)
    if let endpoint = socket.endpoint {
      if socket.send != nil, draw(in: 0...1) == 0 { take(endpoint) }
      endSend(of: socket, .sendFailed(cancelled))
      endReceive(of: socket, cancelled)
      close(endpoint, abruptly: false)
    }
    endAccept(of: socket, cancelled)
    stopListening(socket)
    socket.isClosed = true
    socket.node.release(socket.descriptor)
    post(.closed, token: token, to: socket.node)
  }

  /// The owner lets go of an end. Unread bytes, or `abruptly`, make it a reset.
  func close(_ endpoint: Endpoint, abruptly: Bool) {
    guard !endpoint.isClosed else { return }
    if let connection = endpoint.connection, !endpoint.isReset, !connection.isBroken {
      if abruptly || endpoint.inbox.count > 0 {
        send(.reset, from: endpoint)
      } else if !endpoint.isFinished {
        send(.finish, from: endpoint)
      }
    }
    endpoint.isClosed = true
    endpoint.socket = nil
    endpoint.inbox.removeAll(keepingCapacityUpTo: 0)
    if let connection = endpoint.connection, let peer = endpoint.peer, peer.isClosed {
      endpoint.connection = nil
      peer.connection = nil
      connections.removeAll { $0 === connection }
    }
  }

  /// The owner ends its direction. A send that is still under way may be lost by that.
  func shutdownWrites(_ socket: SimulatedSocket) {
    guard let endpoint = socket.endpoint, !endpoint.isFinished else { return }
    if socket.send != nil {
      if draw(in: 0...1) == 0 { take(endpoint) }
      endSend(of: socket, .sendFailed(IOError(.connectionReset, code: EPIPE)))
    }
    endpoint.isFinished = true
    guard let connection = endpoint.connection, !endpoint.isReset, !connection.isBroken else {
      return
    }
    send(.finish, from: endpoint)
  }
}
