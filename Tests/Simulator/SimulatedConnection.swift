import Bytes
import Glibc
import IOPort

/// One TCP connection: two ends, and whether the network still joins them.
final class SimulatedConnection {
  let id: Int
  let link: Link
  /// The end that connected.
  let client: Endpoint
  /// The end that was accepted, or waits to be.
  let server: Endpoint
  /// Nothing travels any more: it was reset on the way or went silent.
  var isBroken = false
  /// Nobody was told yet that it is broken.
  var isSilent = false

  init(id: Int, link: Link, client: Endpoint, server: Endpoint) {
    self.id = id
    self.link = link
    self.client = client
    self.server = server
  }
}

/// A packet on its way.
enum Packet {
  case bytes(Int)
  case finish
  case reset
}

/// One end of a connection, and the direction of bytes that leads away from it.
final class Endpoint {
  let connectionID: Int
  let isClient: Bool
  let node: SimulatedNode
  let address: SocketAddress
  /// Set as soon as the connection exists; cleared when it is over, which ends the reference cycle.
  var connection: SimulatedConnection?
  /// The descriptor it goes by; nil while it waits to be accepted, and after its close.
  var socket: SimulatedSocket?

  /// Bytes that arrived and were not received yet.
  var inbox = GrowableBytes()
  /// Whether the peer ended its direction and everything before arrived.
  var finishArrived = false
  /// Whether this end knows that the connection is reset.
  var isReset = false
  /// Whether its owner closed it.
  var isClosed = false

  /// Bytes on the way from here.
  var wire = GrowableBytes()
  /// Packets on the way from here, in order. Each has one `arrive` event.
  var packets: [Packet] = []
  /// When the last of them arrives.
  var lastArrival = Instant(nanoseconds: 0)
  /// Bytes that left here and that the other end's owner has not received.
  var outstanding = 0
  /// Bytes that left here and that the other end's host has not acknowledged.
  var unacknowledged = 0
  /// The most bytes that left here and were not received.
  let bufferBytes: Int
  /// Whether this end ended its direction.
  var isFinished = false
  /// Whether it was told to reset because it sends to a closed end.
  var resetIsComing = false

  init(
    connectionID: Int, isClient: Bool, node: SimulatedNode, address: SocketAddress,
    bufferBytes: Int
  ) {
    self.connectionID = connectionID
    self.isClient = isClient
    self.node = node
    self.address = address
    self.bufferBytes = bufferBytes
  }

  /// The other end, nil when the connection is over.
  var peer: Endpoint? {
    guard let connection else { return nil }
    return isClient ? connection.server : connection.client
  }

  var traceID: UInt64 { UInt64(connectionID) << 1 | (isClient ? 0 : 1) }
}

/// A connect under way.
final class ConnectRequest {
  let id: Int
  let node: SimulatedNode
  let token: Token
  let address: SocketAddress
  let startedAt: Instant
  /// The wait before the next packet, milliseconds; it doubles.
  var retryMilliseconds = 1_000
  var isCancelled = false
  /// Our end, once the other host answered.
  var endpoint: Endpoint?

  init(id: Int, node: SimulatedNode, token: Token, address: SocketAddress, startedAt: Instant) {
    self.id = id
    self.node = node
    self.token = token
    self.address = address
    self.startedAt = startedAt
  }
}

/// What a descriptor stands for.
final class SimulatedSocket {
  let descriptor: Descriptor
  unowned let node: SimulatedNode
  /// The end of a connection; nil for a listening socket.
  let endpoint: Endpoint?
  /// Where a listening socket listens.
  let listening: SocketAddress?
  /// Connections that wait to be accepted.
  var backlog: [Endpoint] = []
  var acceptToken: Token?
  var receiveToken: Token?
  var send: SendRequest?
  /// Set from the `close` to its completion.
  var closeToken: Token?
  var isClosed = false

  init(
    descriptor: Descriptor, node: SimulatedNode, endpoint: Endpoint?, listening: SocketAddress?
  ) {
    self.descriptor = descriptor
    self.node = node
    self.endpoint = endpoint
    self.listening = listening
  }
}

/// A send under way: what it names, and what that memory held when it was asked for.
final class SendRequest {
  let token: Token
  let slices: [MemorySlice]
  var copy = GrowableBytes()
  /// It found no room and waits until the other end has read.
  var isWaiting = false

  init(token: Token, slices: [MemorySlice]) {
    self.token = token
    self.slices = slices
    for slice in slices { slice.withBytes { copy.append($0) } }
  }

  /// Whether the named memory still holds what it held.
  var isUntouched: Bool { Self.isEqual(copy, to: slices) }

  private static func isEqual(
    _ copy: borrowing GrowableBytes, to slices: [MemorySlice]
  ) -> Bool {
    copy.bytes.withUnsafeBytes { copied in
      var offset = 0
      for slice in slices where slice.count > 0 {
        guard let named = slice.address, let base = copied.baseAddress,
          memcmp(named, base + offset, slice.count) == 0
        else { return false }
        offset += slice.count
      }
      return true
    }
  }
}

extension GrowableBytes {
  /// Appends the first `count` bytes of another queue.
  mutating func append(first count: Int, of other: borrowing GrowableBytes) {
    append(other.bytes.extracting(0..<count))
  }
}
