import CLinux

extension Uring {
  /// Tries a multishot receive into a provided buffer: it needs Linux 6.0, and can't be asked for.
  static func probeMultishotReceive(
    _ ring: inout KernelRing, _ buffers: inout BufferPool
  ) throws(UringError) {
    let feature = "IORING_RECV_MULTISHOT"
    guard let pair = Sockets.pair() else { throw .outOfDescriptors }
    defer { Sockets.close(pair.0) }
    Sockets.writeByte(to: pair.1)
    ring.receive(pair.0, group: bufferGroup, userData: InternalData.probe)
    let first = awaitProbe(&ring)
    Sockets.close(pair.1)
    guard let first, first.result == 1, let index = first.bufferIndex else {
      throw .tooOld(feature: feature)
    }
    buffers.giveBackUnused(index)
    guard first.hasMore, let last = awaitProbe(&ring), !last.hasMore else {
      throw .tooOld(feature: feature)
    }
    if let index = last.bufferIndex { buffers.giveBackUnused(index) }
  }

  private static func awaitProbe(_ ring: inout KernelRing) -> KernelCompletion? {
    for _ in 0..<10 {
      if let completion = ring.takeCompletion() { return completion }
      ring.enter(minimum: 1, nanoseconds: 100_000_000)
    }
    return nil
  }

  /// Cancels everything, waits for the end of it, and closes every socket. Without the wait the
  /// kernel would still hold sockets, and their ports, when the last owner believes them closed.
  static func end(
    _ ring: consuming KernelRing, operations: consuming OperationTable,
    descriptors: consuming DescriptorTable
  ) {
    // The doorbell's read is one more.
    var left = operations.count + 1
    ring.cancelAll(userData: InternalData.ignored)
    var attempts = 0
    while left > 0, attempts < 20 {
      guard ring.enter(minimum: 1, nanoseconds: 10_000_000) == 0 else { break }
      attempts += 1
      while let completion = ring.takeCompletion() {
        if completion.userData == InternalData.ignored { continue }
        if !InternalData.contains(completion.userData), completion.result >= 0 {
          switch operations[OperationTable.place(of: completion.userData)].kind {
          case .accept, .open: Sockets.close(completion.result)
          default: break
          }
        }
        if !completion.hasMore { left -= 1 }
      }
    }
    for fileDescriptor in descriptors.openFileDescriptors() { Sockets.close(fileDescriptor) }
  }
}
