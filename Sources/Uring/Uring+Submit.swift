import Bytes
import CLinux
public import IOPort

extension Uring {
  /// Slices of one send at most: the kernel's UIO_MAXIOV.
  private static var sliceLimit: Int { 1_024 }
  /// Bytes of one send at most, so that a slow peer can't keep one send in the kernel for ever:
  /// after many partial writes it would be given to a kernel thread. The owner sends the rest.
  private static var sendLimitBytes: Int { 1 << 20 }

  /// Takes every operation of the queue and empties it. Operations on a descriptor that is being
  /// closed end with the error `cancelled`.
  public mutating func submit(_ operations: inout OperationQueue) {
    for index in operations.entries.indices {
      let entry = operations.entries[index]
      switch entry.operation {
      case .accept(let descriptor): accept(on: descriptor, token: entry.token)
      case .connect(let address): connect(to: address, token: entry.token)
      case .receive(let descriptor): receive(on: descriptor, token: entry.token)
      case .cancel(let token): cancel(token)
      case .send(let descriptor, let first, let count):
        let slices = operations.slices.span.extracting(Int(first)..<Int(first) + Int(count))
        send(slices, on: descriptor, token: entry.token)
      case .shutdownWrites(let descriptor): shutdownWrites(of: descriptor)
      case .close(let descriptor): close(descriptor, token: entry.token)
      case .measureQueue(let descriptor): measureQueue(of: descriptor, token: entry.token)
      case .ring(let doorbell):
        DoorbellDescriptors.ring(doorbell.rawValue)
        ring.counters.otherCalls &+= 1
      case .recycle(let bufferIndex): buffers.recycle(bufferIndex)
      case .file(let work):
        submit(
          work, token: entry.token, slices: operations.slices.span, names: operations.names.span)
      }
    }
    operations.removeAll()
  }

  /// The place of a descriptor that takes new operations: nil while it is being closed.
  func openPlace(_ descriptor: Descriptor) -> UInt32? {
    guard let place = descriptors.place(of: descriptor),
      descriptors[place].closeToken == nil
    else { return nil }
    return place
  }

  mutating func hold(_ event: HeldCompletion.Event, token: Token) {
    held.append(HeldCompletion(token: token, event: event))
  }

  mutating func begin(
    _ kind: OperationTable.Kind, on place: UInt32, token: Token, byteCount: UInt32 = 0
  ) -> UInt64 {
    let operation = operations.insert(
      OperationTable.Entry(token: token, kind: kind, descriptor: place, byteCount: byteCount),
      head: &descriptors[place].operations)
    return operations.userData(of: operation)
  }

  private mutating func accept(on descriptor: Descriptor, token: Token) {
    guard let place = openPlace(descriptor) else {
      return hold(.acceptEnded(IOError(.cancelled)), token: token)
    }
    let userData = begin(.accept, on: place, token: token)
    ring.accept(descriptors[place].fileDescriptor, userData: userData)
  }

  private mutating func connect(to address: SocketAddress, token: Token) {
    let kernelAddress = KernelAddress(address)
    ring.counters.otherCalls &+= 3
    let fileDescriptor: Int32
    do throws(IOError) {
      fileDescriptor = try Sockets.open(family: kernelAddress.family, limits: limits)
    } catch {
      return hold(.connectFailed(error), token: token)
    }
    guard let place = descriptors.insert(fileDescriptor) else {
      Sockets.close(fileDescriptor)
      return hold(.connectFailed(IOError(.resourcesExhausted)), token: token)
    }
    Sockets.setPatience(fileDescriptor)
    let userData = begin(.connect, on: place, token: token)
    ring.connect(fileDescriptor, to: kernelAddress, userData: userData)
  }

  private mutating func receive(on descriptor: Descriptor, token: Token) {
    guard let place = openPlace(descriptor) else {
      return hold(.receiveEnded(IOError(.cancelled)), token: token)
    }
    let userData = begin(.receive, on: place, token: token)
    ring.receive(
      descriptors[place].fileDescriptor, group: Self.bufferGroup, userData: userData)
  }

  private mutating func cancel(_ token: Token) {
    var candidate = operations.find(token)
    while let place = candidate {
      // Searched for before, because the kernel may be called, but no place is given away here.
      candidate = operations.find(token, after: place)
      if operations[place].kind == .close { continue }
      operations[place].isCancelled = true
      ring.cancel(operations.userData(of: place), userData: InternalData.ignored)
    }
  }

  private mutating func send(_ slices: Span<MemorySlice>, on descriptor: Descriptor, token: Token) {
    guard let place = openPlace(descriptor) else {
      return hold(.sendFailed(IOError(.cancelled)), token: token)
    }
    precondition(!descriptors[place].isSending, "one send a descriptor is under way at a time")
    var total = 0
    for index in slices.indices { total += slices[index].count }
    // More than that is never asked for at once, and a short answer shows there was more.
    let userData = begin(
      .send, on: place, token: token, byteCount: UInt32(clamping: total))
    descriptors[place].isSending = true
    let fileDescriptor = descriptors[place].fileDescriptor
    if total > Self.sendLimitBytes || slices.count > Self.sliceLimit {
      sendFirstPart(of: slices, fileDescriptor: fileDescriptor, userData: userData)
    } else if slices.count == 1 {
      ring.send(fileDescriptor, slice: slices[0], userData: userData)
    } else {
      ring.send(fileDescriptor, slices: slices, userData: userData)
    }
  }

  /// Sends as many leading slices as the limits allow, or a part of the first.
  private mutating func sendFirstPart(
    of slices: Span<MemorySlice>, fileDescriptor: Int32, userData: UInt64
  ) {
    var count = 0
    var byteCount = 0
    while count < min(slices.count, Self.sliceLimit),
      byteCount + slices[count].count <= Self.sendLimitBytes
    {
      byteCount += slices[count].count
      count += 1
    }
    if byteCount == 0 {
      let large = slices[min(count, slices.count - 1)]
      ring.send(
        fileDescriptor, slice: large.prefix(min(large.count, Self.sendLimitBytes)),
        userData: userData)
    } else {
      ring.send(fileDescriptor, slices: slices.extracting(0..<count), userData: userData)
    }
  }

  private mutating func measureQueue(of descriptor: Descriptor, token: Token) {
    guard let place = openPlace(descriptor) else { return hold(.queueMeasured(0), token: token) }
    ring.counters.otherCalls &+= 1
    let count = Sockets.queuedBytes(descriptors[place].fileDescriptor)
    hold(.queueMeasured(count), token: token)
  }

  private mutating func shutdownWrites(of descriptor: Descriptor) {
    guard let place = openPlace(descriptor) else { return }
    if descriptors[place].isSending {
      descriptors[place].endsAfterSend = true
    } else {
      // Not through the ring: there it is always given to a kernel thread.
      endWrites(of: place)
    }
  }

  mutating func endWrites(of place: UInt32) {
    descriptors[place].endsAfterSend = false
    Sockets.shutdownWrites(descriptors[place].fileDescriptor)
    ring.counters.otherCalls &+= 1
  }

  private mutating func close(_ descriptor: Descriptor, token: Token) {
    guard let place = openPlace(descriptor) else {
      preconditionFailure("a descriptor is closed once")
    }
    descriptors[place].closeToken = token
    // One by one and not by descriptor: the kernel finds an operation by its user data in a hash
    // table, by its descriptor only by looking at all there are.
    var next = descriptors[place].operations
    while next != OperationTable.none {
      operations[next].isCancelled = true
      ring.cancel(operations.userData(of: next), userData: InternalData.ignored)
      next = operations.next(after: next) ?? OperationTable.none
    }
    closeIfIdle(place)
  }

  /// Closes the socket when that was asked for and its last operation is over.
  mutating func closeIfIdle(_ place: UInt32) {
    guard let token = descriptors[place].closeToken,
      descriptors[place].operations == OperationTable.none
    else { return }
    let userData = begin(.close, on: place, token: token)
    ring.close(descriptors[place].fileDescriptor, userData: userData)
  }
}
