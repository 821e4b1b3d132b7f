import Bytes
public import IOPort

// From requests to reads, and back.
extension LogReader {
  private static let windowBytes = 256 << 10
  /// A buffer that grew larger is given back after its use.
  private static let bufferBytes = 1 << 20

  /// Ends a turn: asks for what can be read now.
  public mutating func flush(operations: inout OperationQueue) {
    closeForgotten(operations: &operations)
    var kept: [UInt32] = []
    for handle in wanting {
      guard case .wants(let want)? = requests[handle]?.state else { continue }
      kept.append(handle)
      guard let idle = loadIDs.first(where: { loads[$0].want == nil }), !isLoading(want) else {
        continue
      }
      if case .block = want, !blocks.hasRoom { continue }
      guard let file = file(of: want.segment, operations: &operations) else { continue }
      start(idle, want, file, operations: &operations)
    }
    wanting = kept
  }

  /// Takes a completion whose token has this part's owner.
  public mutating func handle(
    _ completion: consuming Completion, operations: inout OperationQueue
  ) {
    let token = completion.token
    switch consume completion.event {
    case .file(let event):
      if token.verb == LogVerb.openToRead, files.contains(token.slot) {
        opened(token.slot, event, operations: &operations)
      } else if token.verb == LogVerb.read, loads.contains(token.slot) {
        didRead(token.slot, event, operations: &operations)
      }
    case .closed:
      if files.contains(token.slot) { _ = files.remove(token.slot) }
    default: break
    }
  }

  // MARK: Files

  private func isLoading(_ want: Want) -> Bool { loadIDs.contains { loads[$0].serves(want) } }

  /// The file of a segment, open or about to be; nil when it has to wait.
  private mutating func file(
    of segment: UInt32, operations: inout OperationQueue
  ) -> SlotID? {
    var oldest: SlotID?
    for place in 0..<files.upperBound {
      guard let id = files.tenant(at: place), !files[id].isClosing else { continue }
      if files[id].number == segment, !files[id].isForgotten { return id }
      guard files[id].users == 0, files[id].descriptor != nil else { continue }
      if let known = oldest, files[known].lastUse <= files[id].lastUse { continue }
      oldest = id
    }
    if files.isFull {
      if let oldest { close(oldest, operations: &operations) }
      return nil
    }
    let id = files.insert(File(number: segment))
    operations.open(
      SegmentHeader.fileName(segment), in: directory, .read,
      token: Token(owner: owner, verb: LogVerb.openToRead, slot: id))
    return id
  }

  private mutating func close(_ id: SlotID, operations: inout OperationQueue) {
    guard let descriptor = files[id].descriptor else { return }
    files[id].isClosing = true
    operations.append(
      .close(descriptor), token: Token(owner: owner, verb: LogVerb.closeRead, slot: id))
  }

  private mutating func closeForgotten(operations: inout OperationQueue) {
    for place in 0..<files.upperBound {
      guard let id = files.tenant(at: place), files[id].isForgotten, files[id].users == 0,
        !files[id].isClosing
      else { continue }
      close(id, operations: &operations)
    }
  }

  private mutating func opened(
    _ id: SlotID, _ event: FileEvent, operations: inout OperationQueue
  ) {
    let waiting = loadIDs.filter { loads[$0].want != nil && loads[$0].file == id }
    if case .opened(let descriptor, let bytes) = event {
      files[id].descriptor = descriptor
      files[id].bytes = bytes
      for load in waiting { begin(load, operations: &operations) }
      return
    }
    let file = files.remove(id)
    var error = IOError(.other)
    if case .failed(let cause) = event { error = cause }
    let wants = waiting.compactMap { loads[$0].want }
    for load in waiting { loads[load].want = nil }
    if error.kind == .notFound, !file.isForgotten, index[file.number] != nil {
      tell(.lost(segment: file.number))
      noteLoss(ofFile: file.number)
      let gone = lost[file.number]
      forget(file.number)
      // Whoever asks now is to be told that it was there.
      lost[file.number] = gone
    }
    for want in wants { fail(want, error) }
  }

  // MARK: Loads

  private mutating func start(
    _ id: SlotID, _ want: Want, _ file: SlotID, operations: inout OperationQueue
  ) {
    uses += 1
    loads[id].want = want
    loads[id].file = file
    if case .block(let position, let totalBytes) = want {
      loads[id].blocks = blocks(at: position, totalBytes)
    }
    files[file].users += 1
    files[file].lastUse = uses
    if files[file].descriptor != nil { begin(id, operations: &operations) }
  }

  /// The file is open.
  private mutating func begin(_ id: SlotID, operations: inout OperationQueue) {
    guard let want = loads[id].want else { return }
    switch want {
    case .runs(let number):
      guard let segment = index[number], segment.isSealed,
        segment.fileBytes > UInt64(segment.end)
      else { return beginScan(id, operations: &operations) }
      loads[id].scan = nil
      read(
        id, UInt64(segment.end), Int(clamping: segment.fileBytes - UInt64(segment.end)),
        operations: &operations)
    case .block(let position, _):
      let bytes = loads[id].blocks.reduce(0) { $0 + Int($1.totalBytes) }
      read(id, UInt64(position.offset), bytes, operations: &operations)
    }
  }

  /// The blocks to read when one is wanted: with it those behind it that nobody has read.
  private mutating func blocks(
    at position: SpoolPosition, _ totalBytes: UInt32
  ) -> [SegmentFooter.Block] {
    var wanted = [SegmentFooter.Block(offset: position.offset, totalBytes: totalBytes)]
    let known = runs[position.segment]?.blocks(
      at: position.offset, within: limits.readAheadBytes)
    for block in (known ?? []).dropFirst() {
      let next = SpoolPosition(segment: position.segment, offset: block.offset)
      let isLoading = isLoading(.block(next, totalBytes: block.totalBytes))
      if isLoading || blocks.place(of: next) != nil || damaged.contains(next) { break }
      wanted.append(block)
    }
    return wanted
  }

  private mutating func read(
    _ id: SlotID, _ offset: UInt64, _ count: Int, operations: inout OperationQueue
  ) {
    loads[id].offset = offset
    loads[id].wanted = count
    loads[id].buffer.reset(room: count)
    readOn(id, operations: &operations)
  }

  private mutating func readOn(_ id: SlotID, operations: inout OperationQueue) {
    guard let descriptor = files[loads[id].file].descriptor else {
      preconditionFailure("a read of a file that is not open")
    }
    operations.append(
      .file(
        .read(
          descriptor, offset: loads[id].offset + UInt64(loads[id].buffer.count),
          into: loads[id].buffer.target(upTo: loads[id].wanted))),
      token: Token(owner: owner, verb: LogVerb.read, slot: id))
  }

  private mutating func didRead(
    _ id: SlotID, _ event: FileEvent, operations: inout OperationQueue
  ) {
    guard case .transferred(let count) = event, let want = loads[id].want else {
      guard case .failed(let error) = event, let want = loads[id].want else { return }
      if case .runs = want, loads[id].scan == nil, error.kind == .deviceFailed {
        // What the footer tells can be found without it.
        return beginScan(id, operations: &operations)
      }
      if case .block(let position, let totalBytes) = want, loads[id].blocks.count > 1 {
        // What fails may be in what was to be read ahead: this block alone then.
        loads[id].blocks.removeSubrange(1...)
        return read(id, UInt64(position.offset), Int(totalBytes), operations: &operations)
      }
      end(id)
      if case .block(let position, _) = want, error.kind == .deviceFailed,
        wanters(of: want).contains(where: { requests[$0]?.skipsUnreadable == true })
      {
        damage(position)
      }
      return fail(want, error)
    }
    readBytes += UInt64(count)
    loads[id].buffer.advance(count)
    if count > 0, loads[id].buffer.count < loads[id].wanted {
      return readOn(id, operations: &operations)
    }
    // It was forgotten meanwhile; nobody wants it.
    guard index[want.segment] != nil, !files[loads[id].file].isForgotten else { return end(id) }
    switch want {
    case .runs(let number):
      if loads[id].scan == nil {
        takeFooter(id, number, operations: &operations)
      } else {
        goOn(id, number, operations: &operations)
      }
    case .block(let position, _): takeBlocks(id, position)
    }
  }

  /// A read is over. Those who wanted something else of it go on.
  private mutating func end(_ id: SlotID) {
    guard loads[id].want != nil else { return }
    let served = wanting.filter { handle in
      if case .wants(let want)? = requests[handle]?.state { loads[id].serves(want) } else { false }
    }
    loads[id].want = nil
    loads[id].scan = nil
    loads[id].scanned = SegmentRuns()
    if loads[id].wanted > Self.bufferBytes { loads[id].buffer.release() }
    files[loads[id].file].users -= 1
    for handle in served { resolve(handle) }
  }

  private func wanters(of want: Want) -> [UInt32] {
    wanting.filter { handle in
      if case .wants(want)? = requests[handle]?.state { true } else { false }
    }
  }

  /// What was wanted could not be read.
  private mutating func fail(_ want: Want, _ error: IOError) {
    for handle in wanters(of: want) {
      // It may be found elsewhere now, or be known to be missing.
      resolve(handle)
      guard case .wants(want)? = requests[handle]?.state else { continue }
      requests[handle]?.state = .over
      tell(.failed(handle, error))
    }
  }

  // MARK: Content

  private mutating func takeBlocks(_ id: SlotID, _ wanted: SpoolPosition) {
    let want = loads[id].want
    var isLater = false
    for block in loads[id].blocks where !blocks.isFull {
      let position = SpoolPosition(segment: wanted.segment, offset: block.offset)
      guard blocks.place(of: position) == nil, !damaged.contains(position) else { continue }
      do throws(SpoolFormatError) {
        blocks.insert(
          try loads[id].content(of: block, at: position, identity: identity))
      } catch .unknownVersion {
        // It is no damage: nobody may go on without it.
        if position == wanted { isLater = true }
      } catch {
        // Others are found out when they are wanted themselves.
        if position == wanted { damage(position) }
      }
    }
    end(id)
    blocks.makeRoom()
    if isLater, let want { fail(want, IOError(.notSupported)) }
  }

  private mutating func takeFooter(
    _ id: SlotID, _ number: UInt32, operations: inout OperationQueue
  ) {
    do throws(SpoolFormatError) {
      let footer = try loads[id].footer()
      guard footer.number == number, footer.identity == identity else { throw .damaged }
      runs.insert(SegmentRuns(footer), of: number)
    } catch {
      return beginScan(id, operations: &operations)
    }
    end(id)
  }

  /// Goes through a segment whose footer is damaged.
  private mutating func beginScan(_ id: SlotID, operations: inout OperationQueue) {
    guard let segment = index[loads[id].want?.segment ?? 0] else { return end(id) }
    damagedFooters += 1
    let start = SegmentHeader.encodedBytes
    guard segment.end > UInt32(start) else {
      runs.insert(SegmentRuns(), of: segment.number)
      return end(id)
    }
    loads[id].scanned = SegmentRuns()
    loads[id].badPlaces = []
    loads[id].scan = SegmentScan(
      number: segment.number, identity: identity, fileBytes: UInt64(segment.end))
    read(
      id, UInt64(start), min(Self.windowBytes, Int(segment.end) - start),
      operations: &operations)
  }

  private mutating func goOn(
    _ id: SlotID, _ number: UInt32, operations: inout OperationQueue
  ) {
    let isShort = loads[id].buffer.count < loads[id].wanted
    while true {
      switch loads[id].nextStep() {
      case .needs(let offset, let count):
        // A file that ends earlier than it did holds no more.
        if isShort { break }
        let left = Int(loads[id].scan?.fileBytes ?? offset) - Int(offset)
        read(
          id, UInt64(offset), min(max(count, Self.windowBytes), left), operations: &operations)
        return
      case .block(let header):
        loads[id].scanned.add(header)
        continue
      case .bad(let from, _):
        loads[id].badPlaces.append(from)
        continue
      case .later:
        // Nobody may take it for a hole.
        let want = loads[id].want
        end(id)
        if let want { fail(want, IOError(.notSupported)) }
        return
      case .end: break
      }
      runs.insert(loads[id].scanned, of: number)
      noteLoss(of: number, found: loads[id].scanned, badPlaces: loads[id].badPlaces)
      return end(id)
    }
  }
}
