import Bytes
import IOPort

// Reading both copies.
extension CursorFile {
  /// Read at first; nearly every state fits.
  private static var firstWindowBytes: Int { 64 << 10 }
  /// How often a copy that can't be read is tried.
  private static var mostAttempts: Int { 3 }

  mutating func readNext(operations: inout OperationQueue) {
    guard let next = toRead.popLast() else { return finishLoad() }
    current = next
    attempts = 0
    openToRead(operations: &operations)
  }

  private mutating func openToRead(operations: inout OperationQueue) {
    phase = .opening
    operations.open(copies[current].name, in: directory, .read, token: token)
  }

  mutating func didRead(_ event: FileEvent, operations: inout OperationQueue) {
    switch (phase, event) {
    case (.opening, .opened(let descriptor, let bytes)):
      file = descriptor
      fileBytes = Int(clamping: bytes)
      copies[current].exists = true
      copies[current].solidBytes = fileBytes
      readFromStart(min(fileBytes, Self.firstWindowBytes), operations: &operations)
    case (.opening, .failed(let error)):
      if error.kind == .notFound {
        copies[current].exists = false
        return readNext(operations: &operations)
      }
      attempts += 1
      if attempts < Self.mostAttempts { return openToRead(operations: &operations) }
      noteUnreadable(error)
      damaged(.unreadable)
      readNext(operations: &operations)
    case (.reading, .transferred(let count)):
      buffer.advance(count)
      if count > 0, buffer.count < windowBytes {
        readOn(operations: &operations)
      } else {
        take(operations: &operations)
      }
    case (.reading, .failed(let error)):
      attempts += 1
      if attempts < Self.mostAttempts {
        return readFromStart(windowBytes, operations: &operations)
      }
      noteUnreadable(error)
      damaged(.unreadable)
      close(operations: &operations)
    default: preconditionFailure("an answer to nothing asked for")
    }
  }

  private mutating func readFromStart(_ bytes: Int, operations: inout OperationQueue) {
    phase = .reading
    windowBytes = bytes
    buffer.reset(room: bytes)
    if bytes == 0 { return take(operations: &operations) }
    readOn(operations: &operations)
  }

  private mutating func readOn(operations: inout OperationQueue) {
    operations.append(
      .file(
        .read(
          file, offset: UInt64(buffer.count), into: buffer.target(upTo: windowBytes))),
      token: token)
  }

  private mutating func close(operations: inout OperationQueue) {
    phase = .closingRead
    operations.append(.close(file), token: token)
  }

  private mutating func damaged(_ content: CursorCopy.Content) {
    copies[current].content = content
    damagedCopies += 1
  }

  /// As much was read as was asked for, or there is no more.
  private mutating func take(operations: inout OperationQueue) {
    do throws(SpoolFormatError) {
      let total = try CursorState.encodedBytes(header: buffer.bytes)
      let window = min(total + CursorState.maximumTrailerBytes, fileBytes)
      if total > buffer.count {
        guard total <= fileBytes, total > windowBytes else { throw .damaged }
        return readFromStart(window, operations: &operations)
      }
      if window > windowBytes { return readFromStart(window, operations: &operations) }
      let (generation, state) = try CursorState.decode(buffer.bytes)
      copies[current].content = .found
      copies[current].generation = generation
      if newest.map({ copies[$0].generation < generation }) ?? true {
        newest = current
        loaded = state
        let trailer = CursorState.trailerBytes(
          buffer.bytes.extracting(total..<buffer.count), generation: generation)
        keep(total + trailer, generation: generation)
      }
    } catch .unknownVersion(let version) {
      laterVersions = [SpoolLaterVersion(.cursors, version, in: copies[current].name)]
      copies[current].content = .foreign
    } catch {
      // A copy that was made and never written is no damage.
      if !isBlank { damaged(.none) }
    }
    close(operations: &operations)
  }

  private mutating func keep(_ count: Int, generation: UInt64) {
    var image = CursorImage()
    image.set(buffer.bytes.extracting(0..<count), generation: generation)
    found = image
  }

  /// Whether there is nothing where the header should be.
  private var isBlank: Bool {
    var reader = ByteReader(buffer.bytes)
    for _ in 0..<CursorState.headerBytes {
      if let byte = reader.readUInt8(), byte != 0 { return false }
    }
    return true
  }

  private mutating func finishLoad() {
    buffer.release()
    phase = .idle
    lastGeneration = copies.map(\.generation).max() ?? 0
    let state = loaded
    loaded = nil
    tell(.loaded(state, damagedCopies: damagedCopies))
  }
}
