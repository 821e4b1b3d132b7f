import Bytes
import IOPort
import TLS
import TestCertificates
import Testing

/// Two transports that talk in memory.
private struct Wires: ~Copyable {
  var near: Transport
  var far: Transport
  var scratch = Transport.Scratch()
  private var operations = OperationQueue()
  /// Bytes that left the near end.
  private(set) var shippedCount = 0
  private(set) var arrivedFar: [UInt8] = []

  init(_ near: consuming Transport, _ far: consuming Transport) {
    self.near = near
    self.far = far
  }

  /// Lets each end send once; false when neither had anything.
  mutating func turn() throws(TLSError) -> Bool {
    let there = Self.ship(&near, &scratch, &operations)
    shippedCount += there.count
    if !there.isEmpty {
      try far.receive(there.span.bytes, scratch: &scratch)
      arrivedFar += Array(copying: scratch.received.bytes)
    }
    let back = Self.ship(&far, &scratch, &operations)
    if !back.isEmpty { try near.receive(back.span.bytes, scratch: &scratch) }
    return !there.isEmpty || !back.isEmpty
  }

  private static func ship(
    _ transport: inout Transport, _ scratch: inout Transport.Scratch,
    _ operations: inout OperationQueue
  ) -> [UInt8] {
    transport.flush(
      to: Descriptor(rawValue: 3), token: Token(rawValue: 1), scratch: &scratch,
      operations: &operations)
    var bytes: [UInt8] = []
    for slice in operations.slices { slice.withBytes { bytes += Array(copying: $0) } }
    operations.removeAll()
    if !bytes.isEmpty { transport.sent(bytes.count) }
    return bytes
  }
}

@Suite("A transport sends in clear or through TLS")
struct TransportTests {
  private func contexts() throws -> (client: TLSContext, server: TLSContext) {
    let authority = try TestAuthority()
    let issued = try authority.issue()
    return (
      try TLSContext(
        client: TLSClientOptions(authorities: authority.certificate, applicationProtocol: .http2)),
      try TLSContext(
        server: TLSServerOptions(
          identity: TLSIdentity(certificates: issued.certificate, key: issued.key),
          applicationProtocol: .http2))
    )
  }

  @Test("Small pieces share records, references come back when they are encrypted")
  func sharedRecords() throws {
    let contexts = try contexts()
    var near = Transport(try TLSSession(contexts.client, serverName: "localhost"))
    near.start()
    #expect(!near.isReady && near.isEncrypted && !near.isEmpty)
    var wires = Wires(near, Transport(try TLSSession(contexts.server)))
    let body = (0..<40_000).map { UInt8(truncatingIfNeeded: $0) }
    var sent: [UInt8] = []
    for index in 0..<200 {
      let piece = [UInt8](repeating: UInt8(index), count: 20)
      wires.near.outbox.append(piece.span.bytes)
      sent += piece
    }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: body.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyMemory(from: body, byteCount: body.count)
    wires.near.outbox.appendReference(
      MemorySlice(baseAddress: memory, count: body.count), tag: 7)
    wires.near.outbox.append(body.span.bytes)
    sent += body + body
    // Before the handshake is over nothing of it leaves.
    #expect(wires.near.takeReleasedTag() == nil)
    while try wires.turn() {}
    #expect(wires.arrivedFar == sent)
    // A handshake, and six records of 22 bytes more than what is in them.
    #expect(wires.shippedCount - sent.count < 2_000)
    #expect(wires.near.takeReleasedTag() == 7)
    #expect(wires.near.takeReleasedTag() == nil)
    #expect(wires.near.isEmpty && wires.near.isReady)
  }

  @Test("In clear it is an outbox")
  func clear() throws {
    var transport = Transport(nil)
    #expect(transport.isReady && !transport.isEncrypted && transport.endOfStream == nil)
    var scratch = Transport.Scratch()
    var operations = OperationQueue()
    let bytes: [UInt8] = [1, 2, 3]
    transport.outbox.append(bytes.span.bytes)
    transport.flush(
      to: Descriptor(rawValue: 3), token: Token(rawValue: 1), scratch: &scratch,
      operations: &operations)
    #expect(operations.entries.count == 1)
    #expect(transport.pendingBytes == 3)
    transport.sent(3)
    #expect(transport.pendingBytes == 0)
  }

  @Test("A reset releases what was not encrypted")
  func reset() throws {
    let contexts = try contexts()
    var near = Transport(try TLSSession(contexts.client, serverName: "localhost"))
    near.start()
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 1)
    defer { memory.deallocate() }
    near.outbox.appendReference(MemorySlice(baseAddress: memory, count: 8), tag: 3)
    near.reset()
    #expect(near.takeReleasedTag() == 3)
    #expect(near.pendingBytes == 0)
  }
}
