import Bytes
import IOPort

// Writing a copy: open, reserve, write, sync, close, and the name when it is new.
extension CursorFile {
  /// Files grow in steps of this.
  private static var stepBytes: Int { 64 << 10 }

  private static func roundedUp(_ bytes: Int) -> Int {
    (bytes + stepBytes - 1) / stepBytes * stepBytes
  }

  /// What a file should have room for: twice the state, because it may grow when there is no space,
  /// if that is not too much.
  private var wantedBytes: Int { wantedBytes(for: stateBytes) }

  private func wantedBytes(for stateBytes: Int) -> Int {
    Self.roundedUp(stateBytes + min(stateBytes, mostSpareBytes))
  }

  /// Bytes that both copies take on the disk with a state that is larger by so much than the one
  /// that was saved last.
  func diskBytes(growing bytes: Int) -> Int {
    max(diskBytes, 2 * wantedBytes(for: savedBytes + bytes))
  }

  /// What the file grows by when the space that was asked for is there.
  var bytesBeingReserved: Int { max(0, askedBytes - fileBytes) }

  private var stateBytes: Int { step == .confirm ? found.stateBytes : image.stateBytes }

  /// Begins to write the copy that the step is about.
  mutating func beginWrite(operations: inout OperationQueue) {
    switch step {
    case .confirm: current = 1 - target
    case .write: current = target
    case .mirror: current = 1 - target
    }
    attempts = 0
    failure = nil
    openToWrite(operations: &operations)
  }

  private mutating func openToWrite(operations: inout OperationQueue) {
    phase = .openingToWrite
    operations.open(
      copies[current].name, in: directory, copies[current].exists ? .update : .create,
      token: token)
  }

  mutating func didWrite(_ event: FileEvent, operations: inout OperationQueue) {
    switch (phase, event) {
    case (.openingToWrite, .opened(let descriptor, let bytes)):
      file = descriptor
      fileBytes = Int(clamping: bytes)
      copies[current].exists = true
      copies[current].solidBytes = min(copies[current].solidBytes, fileBytes)
      copies[current].fileBytes = fileBytes
      fit(operations: &operations)
    case (.openingToWrite, .failed(let error)): notOpened(error, operations: &operations)
    case (.truncating, .done):
      fileBytes = wantedBytes
      copies[current].solidBytes = min(copies[current].solidBytes, fileBytes)
      copies[current].fileBytes = fileBytes
      reserve(operations: &operations)
    case (.allocating, .done):
      copies[current].fileBytes = max(copies[current].fileBytes, askedBytes)
      write(askedBytes, operations: &operations)
    case (.allocating, .failed(let error)): notAllocated(error, operations: &operations)
    case (.writing, .transferred(let count)) where count > 0:
      writtenBytes += count
      copies[current].fileBytes = max(copies[current].fileBytes, writtenBytes)
      writeOn(operations: &operations)
    case (.writing, .transferred): notWritten(IOError(.noSpace), operations: &operations)
    case (.writing, .failed(let error)): notWritten(error, operations: &operations)
    case (.syncing, .done): close(operations: &operations)
    case (.syncingNames, .done):
      for copy in copies.indices { copies[copy].isNameDurable = copies[copy].exists }
      finishCopy(operations: &operations)
    case (.syncingNames, .failed(let error)): fail(error)
    case (_, .failed(let error)):
      failure = error
      close(operations: &operations)
    default: preconditionFailure("an answer to nothing asked for")
    }
  }

  /// The file was there and is not, or the other way round: somebody else was here.
  private mutating func notOpened(_ error: IOError, operations: inout OperationQueue) {
    let hadFile = copies[current].exists
    guard attempts == 0, error.kind == (hadFile ? .notFound : .alreadyExists) else {
      return fail(error)
    }
    attempts = 1
    copies[current].exists = !hadFile
    copies[current].isNameDurable = false
    openToWrite(operations: &operations)
  }

  /// Makes a file smaller that is much too large. Not while it is being confirmed: what it holds
  /// may be all there is.
  private mutating func fit(operations: inout OperationQueue) {
    guard step != .confirm, fileBytes > 8 * wantedBytes else {
      return reserve(operations: &operations)
    }
    phase = .truncating
    operations.append(.file(.truncate(file, bytes: UInt64(wantedBytes))), token: token)
  }

  private mutating func reserve(operations: inout OperationQueue) {
    guard copies[current].solidBytes < wantedBytes, step != .confirm else {
      return write(stateBytes, operations: &operations)
    }
    allocate(wantedBytes, operations: &operations)
  }

  private mutating func allocate(_ bytes: Int, operations: inout OperationQueue) {
    phase = .allocating
    askedBytes = bytes
    operations.append(.file(.allocate(file, bytes: UInt64(bytes))), token: token)
  }

  private mutating func notAllocated(_ error: IOError, operations: inout OperationQueue) {
    let least = Self.roundedUp(stateBytes)
    switch error.kind {
    case .noSpace where stateBytes <= fileBytes: write(stateBytes, operations: &operations)
    case .noSpace where least < askedBytes: allocate(least, operations: &operations)
    // Writing zeros reserves space as well.
    case .notSupported: write(askedBytes, operations: &operations)
    default:
      failure = error
      close(operations: &operations)
    }
  }

  /// Writes the state, and zeros behind it up to `bytes`: later saves then change the content of a
  /// file and nothing else about it.
  private mutating func write(_ bytes: Int, operations: inout OperationQueue) {
    bytesToWrite = max(bytes, stateBytes)
    if step == .confirm {
      found.pad(to: bytesToWrite)
    } else {
      image.pad(to: bytesToWrite)
      copies[current].content = .none
    }
    writtenBytes = 0
    phase = .writing
    writeOn(operations: &operations)
  }

  private mutating func writeOn(operations: inout OperationQueue) {
    guard writtenBytes < bytesToWrite else {
      phase = .syncing
      operations.append(.file(.sync(file)), token: token)
      return
    }
    let first = operations.beginSend()
    let left = bytesToWrite - writtenBytes
    if step == .confirm {
      unsafe operations.appendSlice(found.bytes.slice(at: writtenBytes, length: left))
    } else {
      unsafe operations.appendSlice(image.bytes.slice(at: writtenBytes, length: left))
    }
    operations.endWrite(
      to: file, offset: UInt64(writtenBytes), from: first, token: token)
  }

  private mutating func notWritten(_ error: IOError, operations: inout OperationQueue) {
    if error.kind == .noSpace, writtenBytes >= stateBytes {
      // The state is there, only the reserve behind it is not.
      bytesToWrite = writtenBytes
      return writeOn(operations: &operations)
    }
    failure = error
    close(operations: &operations)
  }

  private mutating func close(operations: inout OperationQueue) {
    phase = .closing
    operations.append(.close(file), token: token)
  }

  mutating func didClose(operations: inout OperationQueue) {
    if let failure {
      // What the file holds, and where, is not known: all of it is written next time.
      copies[current].solidBytes = 0
      return fail(failure)
    }
    copies[current].solidBytes = max(copies[current].solidBytes, writtenBytes)
    guard !copies[current].isNameDurable else { return finishCopy(operations: &operations) }
    phase = .syncingNames
    operations.append(.file(.sync(directory)), token: token)
  }

  /// A copy is durable.
  private mutating func finishCopy(operations: inout OperationQueue) {
    copies[current].content = .durable
    switch step {
    case .confirm:
      found.release()
      step = .write
      beginWrite(operations: &operations)
      return
    case .write:
      savedBytes = image.stateBytes
      copies[current].generation = image.generation
      newest = current
      found.release()
      let other = copies[1 - current].content
      if other == .none || other == .unreadable {
        step = .mirror
        beginWrite(operations: &operations)
        return
      }
    case .mirror: copies[current].generation = image.generation
    }
    phase = .idle
    tell(.saved)
  }

  private mutating func fail(_ error: IOError) {
    phase = .idle
    tell(.failed(error))
  }
}
