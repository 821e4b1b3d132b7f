import Bytes
public import IOPort

/// What a look at every byte of a spool found.
public struct SpoolVerification: Sendable, Equatable {
  /// Segments that were read.
  public var segments = 0
  /// Blocks that are as they were written.
  public var blocks = 0
  /// Records in them.
  public var records: UInt64 = 0
  /// Bytes before compression.
  public var rawBytes: UInt64 = 0
  /// Segments that end with an interrupted write, of which nobody was told that it is safe. That is
  /// no damage.
  public var interruptedWrites = 0
  /// Copies of the cursor file that are whole.
  public var cursorCopies = 0
  /// What is wrong.
  public var damage: [SpoolDamage] = []
}

// Reading everything.
extension SpoolInspection where Port: ~Copyable {
  /// Reads every block of every segment and both copies of the cursor file, and changes nothing.
  ///
  /// A place counts as damaged when it was durable once. With `isLive` somebody writes meanwhile:
  /// then only what looks damaged twice is.
  public mutating func verify(isLive: Bool) throws(IOError) -> SpoolVerification {
    var result = try verifyOnce()
    guard isLive, !result.damage.isEmpty else { return result }
    try load()
    let again = try verifyOnce()
    result.damage.removeAll { found in !again.damage.contains(found) }
    return result
  }

  private mutating func verifyOnce() throws(IOError) -> SpoolVerification {
    var result = SpoolVerification()
    result.interruptedWrites = log.cutSegments
    verifyCursors(&result)
    result.damage += damagedFiles()
    for place in log.segments.indices { verify(log.segments[place], &result) }
    return result
  }

  // MARK: Segments

  /// Files of segments of which nothing is read.
  mutating func damagedFiles() -> [SpoolDamage] {
    // Those of the cursor file are found with its copies.
    var damage = log.laterVersions.map { SpoolDamage(file: $0.file, kind: .laterVersion($0)) }
    for number in log.foreignSegments + log.unreadSegments.map(\.segment) {
      if let found = damageOfForeign(number) { damage.append(found) }
    }
    for file in log.missing(of: state.segments) where !file.isForeign {
      damage.append(SpoolDamage(file: file.name, kind: .unreadableFile(file.error)))
    }
    for number in log.blankSegments where state.segments.contains(where: { $0.contains(number) }) {
      damage.append(SpoolDamage(file: SegmentHeader.fileName(number), kind: .emptyFile))
    }
    return damage
  }

  /// Places between the blocks of a segment, or behind the last one, in which there was one.
  mutating func holes(in footer: SegmentFooter, file: OpenFile) -> [SpoolDamage] {
    // Blocks of a later version were passed over, and are no damage.
    let name = SegmentHeader.fileName(footer.number)
    let isLater = log.laterVersions.contains { $0.file == name }
    var damage: [SpoolDamage] = []
    var end = UInt32(SegmentHeader.encodedBytes)
    var damagedBytes: UInt64 = 0
    for block in footer.blocks {
      if block.offset > end, !isLater {
        damagedBytes += UInt64(block.offset - end)
        damage.append(hole(in: footer, from: end, to: block.offset, file: file))
      }
      end = max(end, block.offset &+ block.totalBytes)
    }
    if footer.damagedBytes > damagedBytes {
      // What is damaged at the end of a segment has no block behind it that would tell where.
      let bytes = footer.damagedBytes - damagedBytes
      let to = UInt32(clamping: UInt64(end) + bytes)
      damage.append(hole(in: footer, from: end, to: to, file: file))
    }
    return damage
  }

  private mutating func verify(
    _ segment: RecoveredLog.Segment, _ result: inout SpoolVerification
  ) {
    let footer = segment.footer
    let name = SegmentHeader.fileName(footer.number)
    let file: OpenFile
    do throws(IOError) {
      file = try open(name)
    } catch {
      if error.kind != .notFound {
        result.damage.append(SpoolDamage(file: name, kind: .unreadableFile(error)))
      }
      return
    }
    defer { close(file) }
    result.segments += 1
    result.damage += holes(in: footer, file: file)
    var rest = footer.runs[...]
    for number in footer.blocks.indices {
      let block = footer.blocks[number]
      let runs = takeRuns(of: number, from: &rest)
      do throws(SpoolFormatError) {
        let content = try content(of: block, in: footer, file: file)
        result.blocks += 1
        result.records += UInt64(content.header.recordCount)
        result.rawBytes += UInt64(content.header.rawBytes)
      } catch {
        result.damage.append(lostBlock(number, of: footer, runs: runs))
      }
    }
    let hasHeader = verifyHeader(of: segment, name, file, &result)
    if !segment.isSealed, hasHeader, let damage = missingFooter(of: segment, name, file) {
      result.damage.append(damage)
    }
  }

  /// A segment whose blocks, or whose footer, are good without a header is read all the same.
  private mutating func verifyHeader(
    of segment: RecoveredLog.Segment, _ name: FileName, _ file: OpenFile,
    _ result: inout SpoolVerification
  ) -> Bool {
    do throws(IOError) {
      try read(file, at: 0, count: SegmentHeader.encodedBytes)
    } catch {
      result.damage.append(SpoolDamage(file: name, kind: .unreadableFile(error)))
      return false
    }
    do throws(SpoolFormatError) {
      if try SegmentHeader(decoding: buffer.bytes).number == segment.footer.number { return true }
    } catch .unknownVersion(let version) {
      let later = SpoolLaterVersion(.segment, version, in: name)
      if !log.laterVersions.contains(later) {
        result.damage.append(SpoolDamage(file: name, kind: .laterVersion(later)))
      }
      return false
    } catch {
      // Told below.
    }
    result.damage.append(
      SpoolDamage(
        file: name, kind: .segmentHeader, bytes: UInt64(SegmentHeader.encodedBytes)))
    return false
  }

  /// A place in which there is no good block. The header of one may still tell what was in it.
  private mutating func hole(
    in footer: SegmentFooter, from: UInt32, to: UInt32, file: OpenFile
  ) -> SpoolDamage {
    var damage = SpoolDamage(
      file: SegmentHeader.fileName(footer.number), kind: .block, offset: UInt64(from),
      bytes: UInt64(to > from ? to - from : 0))
    var offset = from
    var known: UInt64 = 0
    while offset < to {
      var next = offset &+ UInt32(BlockHeader.alignment)
      if next < offset { break }
      let count = min(SegmentScan.mostHeaderBytes, Int(to - offset))
      do throws(IOError) {
        try read(file, at: UInt64(offset), count: count)
      } catch {
        damage.kind = .unreadableFile(error)
        return damage
      }
      do throws(SpoolFormatError) {
        let header = try BlockHeader(decoding: buffer.bytes)
        if header.position == SpoolPosition(segment: footer.number, offset: offset),
          header.identity == footer.identity
        {
          next = max(next, offset &+ UInt32(clamping: header.totalBytes))
          known += UInt64(next - offset)
          damage.lost += header.runs.map { run in
            let (end, overflows) = run.firstSequence.addingReportingOverflow(
              UInt64(run.recordCount))
            return SpoolDamage.Lost(
              topic: topic(of: run.lane), sequences: run.firstSequence..<(overflows ? .max : end))
          }
        }
      } catch {
        // Nothing here that tells; perhaps further on.
      }
      offset = next
    }
    damage.mayHoldMore = known < damage.bytes
    return damage
  }

  private func topic(of hash: LaneHash) -> [UInt8] {
    for segment in log.segments {
      if let lane = segment.footer.lanes.first(where: { $0.hash == hash }) { return lane.topic }
    }
    return []
  }

  /// A segment without a footer is one that was written last, or its footer is damaged: then the
  /// trailer at the end of the file still shows that there was one.
  mutating func missingFooter(
    of segment: RecoveredLog.Segment, _ name: FileName, _ file: OpenFile
  ) -> SpoolDamage? {
    let trailerBytes = UInt64(SegmentFooter.trailerBytes)
    guard file.bytes >= UInt64(SegmentHeader.encodedBytes) + trailerBytes else {
      return cut(of: segment, name)
    }
    do throws(IOError) {
      try read(file, at: file.bytes - trailerBytes, count: Int(trailerBytes))
    } catch {
      return SpoolDamage(file: name, kind: .unreadableFile(error))
    }
    guard SegmentFooter.looksLikeTrailer(buffer.bytes) else { return cut(of: segment, name) }
    let offset = UInt64(segment.end)
    return SpoolDamage(file: name, kind: .footer, offset: offset, bytes: file.bytes - offset)
  }

  /// A segment that was written last has no footer, nor does perhaps the one before, and they get
  /// theirs as soon as a start has found them.
  private func cut(of segment: RecoveredLog.Segment, _ name: FileName) -> SpoolDamage? {
    let number = segment.footer.number
    guard segment.footer.damagedBytes == 0,
      log.segments.contains(where: { $0.isSealed && $0.footer.number > number + 1 })
    else { return nil }
    return SpoolDamage(file: name, kind: .missingFooter, offset: UInt64(segment.end))
  }

  /// What is wrong with a file with a segment's name that a start leaves alone.
  private mutating func damageOfForeign(_ number: UInt32) -> SpoolDamage? {
    let name = SegmentHeader.fileName(number)
    do throws(IOError) {
      let file = try open(name)
      defer { close(file) }
      try read(file, at: 0, count: SegmentHeader.encodedBytes)
      // The end of power can leave a file that was being made.
      if buffer.bytes.byteCount < SegmentHeader.encodedBytes || isBlank(buffer.bytes) { return nil }
      return SpoolDamage(file: name, kind: .segmentHeader, bytes: file.bytes)
    } catch {
      return error.kind == .notFound ? nil : SpoolDamage(file: name, kind: .unreadableFile(error))
    }
  }

  private func isBlank(_ bytes: RawSpan) -> Bool {
    var reader = ByteReader(bytes)
    while let byte = reader.readUInt8() {
      if byte != 0 { return false }
    }
    return true
  }

  // MARK: Cursors

  private mutating func verifyCursors(_ result: inout SpoolVerification) {
    for copy in [CursorCopy("cursors-a"), CursorCopy("cursors-b")] {
      do throws(IOError) {
        let file = try open(copy.name)
        defer { close(file) }
        try read(file, at: 0, count: CursorState.headerBytes)
        // One that was made and never written is no damage.
        if isBlank(buffer.bytes) { continue }
        do throws(SpoolFormatError) {
          let count = try CursorState.encodedBytes(header: buffer.bytes)
          try readWhole(file, count)
          _ = try CursorState.decode(buffer.bytes)
          result.cursorCopies += 1
        } catch .unknownVersion(let version) {
          let later = SpoolLaterVersion(.cursors, version, in: copy.name)
          result.damage.append(SpoolDamage(file: copy.name, kind: .laterVersion(later)))
        } catch {
          result.damage.append(
            SpoolDamage(file: copy.name, kind: .cursors, bytes: file.bytes))
        }
      } catch {
        // One copy alone is enough, and at first there is none.
        if error.kind != .notFound {
          result.damage.append(SpoolDamage(file: copy.name, kind: .unreadableFile(error)))
        }
      }
    }
  }

  private mutating func readWhole(_ file: OpenFile, _ count: Int) throws(SpoolFormatError) {
    guard UInt64(count) <= file.bytes else { throw .missing }
    do throws(IOError) {
      try read(file, at: 0, count: count)
    } catch {
      throw .missing
    }
  }
}

extension SegmentFooter {
  /// Whether the last bytes of a file begin as a trailer does.
  static func looksLikeTrailer(_ bytes: RawSpan) -> Bool {
    var reader = ByteReader(bytes)
    return bytes.byteCount == trailerBytes && reader.readUInt64LittleEndian() == magic
  }
}
