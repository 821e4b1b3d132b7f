import CLinux
public import IOPort

extension Uring {
  /// The next completion, nil when there is none now.
  public mutating func next() -> Completion? {
    if heldStart < held.count {
      let first = held[heldStart]
      heldStart += 1
      if heldStart == held.count {
        held.removeAll(keepingCapacity: true)
        heldStart = 0
      }
      return first.completion
    }
    while let completion = ring.takeCompletion() {
      if let translated = translate(completion) { return translated }
    }
    return nil
  }

  private mutating func translate(_ completion: KernelCompletion) -> Completion? {
    if InternalData.contains(completion.userData) {
      return translateInternal(completion)
    }
    let place = OperationTable.place(of: completion.userData)
    precondition(
      operations.userData(of: place) == completion.userData, "a completion of nothing asked for")
    switch operations[place].kind {
    case .accept: return accepted(completion, place)
    case .connect: return connected(completion, place)
    case .receive: return received(completion, place)
    case .send: return sent(completion, place)
    case .close: return closed(place)
    case .open, .transfer, .fileWork: return fileCompletion(completion, place)
    }
  }

  private mutating func translateInternal(_ completion: KernelCompletion) -> Completion? {
    switch completion.userData {
    case InternalData.doorbell:
      guard completion.result >= 0 else { return nil }
      ring.readCount(doorbell.rawValue, userData: InternalData.doorbell)
      return Completion(token: Token(rawValue: .max), event: .rung)
    case InternalData.signals:
      guard let watch = signals, completion.result >= 0 else { return nil }
      let count = SignalDescriptor.drain(watch.fileDescriptor)
      ring.pollReadable(watch.fileDescriptor, userData: InternalData.signals)
      return count > 0 ? Completion(token: watch.token, event: .rung) : nil
    default:
      return nil
    }
  }

  /// The operation gave its last completion.
  mutating func finish(_ place: UInt32) {
    let descriptor = operations[place].descriptor
    operations.remove(place, head: &descriptors[descriptor].operations)
    closeIfIdle(descriptor)
  }

  /// Why an operation ended: one that its owner cancelled did so for that reason, even if another
  /// came first, lest the owner asks again.
  private static func ending(_ operation: OperationTable.Entry, _ result: Int32) -> IOError {
    let error = KernelError.ioError(-result)
    return operation.isCancelled && error.kind == .resourcesExhausted
      ? IOError(.cancelled, code: error.code) : error
  }

  private mutating func accepted(_ completion: KernelCompletion, _ place: UInt32) -> Completion? {
    let operation = operations[place]
    if !completion.hasMore { finish(place) }
    guard completion.result >= 0 else {
      let error = Self.ending(operation, completion.result)
      return Completion(token: operation.token, event: .acceptEnded(error))
    }
    if !completion.hasMore {
      held.append(
        HeldCompletion(
          token: operation.token,
          event: .acceptEnded(
            IOError(operation.isCancelled ? .cancelled : .resourcesExhausted))))
    }
    // The peer's address is asked for apart: a multishot accept has no place for each one's.
    ring.counters.otherCalls &+= 1
    guard let peer = Sockets.peer(of: completion.result),
      let descriptor = descriptors.insert(completion.result)
    else {
      // The peer is gone again, or there is no place: as if it had never come.
      ring.close(completion.result, userData: InternalData.ignored)
      return nil
    }
    return Completion(
      token: operation.token,
      event: .accepted(descriptors.descriptor(of: descriptor), peer: peer))
  }

  private mutating func connected(_ completion: KernelCompletion, _ place: UInt32) -> Completion {
    let operation = operations[place]
    let descriptor = operation.descriptor
    finish(place)
    guard completion.result < 0 else {
      return Completion(
        token: operation.token, event: .connected(descriptors.descriptor(of: descriptor)))
    }
    ring.close(descriptors[descriptor].fileDescriptor, userData: InternalData.ignored)
    descriptors.remove(descriptor)
    return Completion(
      token: operation.token, event: .connectFailed(KernelError.ioError(-completion.result)))
  }

  private mutating func received(_ completion: KernelCompletion, _ place: UInt32) -> Completion? {
    let operation = operations[place]
    if completion.result == -ENOBUFS {
      ring.counters.bufferShortages &+= 1
      if !operation.isCancelled, buffers.hasFree || buffers.publishMore() {
        // Others took the last one, and by now there are more: the receive goes on unnoticed.
        ring.receive(
          descriptors[operation.descriptor].fileDescriptor, group: Self.bufferGroup,
          userData: completion.userData)
        return nil
      }
    }
    if !completion.hasMore { finish(place) }
    guard completion.result > 0, let index = completion.bufferIndex else {
      if let index = completion.bufferIndex { buffers.giveBackUnused(index) }
      let error = completion.result == 0 ? nil : Self.ending(operation, completion.result)
      return Completion(token: operation.token, event: .receiveEnded(error))
    }
    if !completion.hasMore {
      held.append(
        HeldCompletion(
          token: operation.token,
          event: .receiveEnded(
            IOError(operation.isCancelled ? .cancelled : .resourcesExhausted))))
    }
    let bytes = buffers.received(index, byteCount: Int(completion.result))
    return Completion(token: operation.token, event: .received(bytes))
  }

  private mutating func sent(_ completion: KernelCompletion, _ place: UInt32) -> Completion {
    let operation = operations[place]
    descriptors[operation.descriptor].isSending = false
    // After a short send the owner still sends the rest: our direction ends after that one.
    let isWhole = completion.result < 0 || Int64(completion.result) == Int64(operation.byteCount)
    if isWhole, descriptors[operation.descriptor].endsAfterSend {
      endWrites(of: operation.descriptor)
    }
    finish(place)
    guard completion.result >= 0 else {
      return Completion(
        token: operation.token, event: .sendFailed(KernelError.ioError(-completion.result)))
    }
    return Completion(token: operation.token, event: .sent(Int(completion.result)))
  }

  private mutating func closed(_ place: UInt32) -> Completion {
    let operation = operations[place]
    operations.remove(place, head: &descriptors[operation.descriptor].operations)
    descriptors.remove(operation.descriptor)
    return Completion(token: operation.token, event: .closed)
  }
}
