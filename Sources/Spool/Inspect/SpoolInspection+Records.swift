import Bytes
import IOPort

/// Which records a command is about.
public struct SpoolSelection: Sendable, Equatable {
  /// The lane's topic; nil for all.
  public var topic: [UInt8]?
  /// The lowest sequence.
  public var from: UInt64
  /// Whether only records count that somebody has not got: some cursor of the lane or, where the
  /// lane has none, nobody.
  public var isUndeliveredOnly: Bool

  /// A selection.
  public init(topic: [UInt8]? = nil, from: UInt64 = 0, isUndeliveredOnly: Bool = false) {
    self.topic = topic
    self.from = from
    self.isUndeliveredOnly = isUndeliveredOnly
  }
}

// Reading records in the order of the log.
extension SpoolInspection where Port: ~Copyable {
  /// Calls `body` with the topic, the sequence and the bytes of each record, as it was appended,
  /// until it answers false. A record that is in the log twice is told once. Holds one block in
  /// memory. Answers what could not be read and may hold such records, as `verify` finds it.
  public mutating func forEachRecord(
    _ selection: SpoolSelection,
    _ body: (_ topic: [UInt8], _ sequence: UInt64, _ element: RawSpan) -> Bool
  ) -> [SpoolDamage] {
    let newest = log.segments.last?.footer.number ?? 0
    var places = damagedFiles()
    var damage: [SpoolDamage] = []
    readRecords(selection, places: &places, damage: &damage, body)
    places.removeAll { !concerns($0, selection) }
    if !places.isEmpty { removePassing(&places, newest: newest) }
    return places + damage
  }

  /// Keeps what is wrong when it is looked at again, too: somebody may be writing. What can be read
  /// now and could not before was not told.
  private mutating func removePassing(_ places: inout [SpoolDamage], newest: UInt32) {
    do throws(IOError) {
      try load()
      let again = try verify(isLive: false).damage
      places.removeAll { place in
        guard !again.contains(where: { $0.file == place.file }) else { return false }
        guard place.kind != .block, let number = SegmentHeader.number(of: place.file) else {
          return true
        }
        return number > newest || !log.segments.contains { $0.footer.number == number }
      }
    } catch {
      // What was found stays.
    }
  }

  /// Whether damage may have taken records that are wanted.
  private func concerns(_ damage: SpoolDamage, _ selection: SpoolSelection) -> Bool {
    if damage.lost.isEmpty || damage.mayHoldMore { return true }
    return damage.lost.contains { lost in
      guard lost.topic.isEmpty || selection.topic ?? lost.topic == lost.topic else { return false }
      let sequences =
        max(
          lost.sequences.lowerBound, selection.from)..<max(
          lost.sequences.upperBound, selection.from)
      guard selection.isUndeliveredOnly,
        let known = state.lanes.first(where: { $0.topic == lost.topic })
      else { return !sequences.isEmpty }
      return known.isWaiting(forAnyOf: sequences)
    }
  }

  private mutating func readRecords(
    _ selection: SpoolSelection, places: inout [SpoolDamage], damage: inout [SpoolDamage],
    _ body: (_ topic: [UInt8], _ sequence: UInt64, _ element: RawSpan) -> Bool
  ) {
    var told: [[UInt8]: DeliveredSet] = [:]
    for place in log.segments.indices {
      let footer = log.segments[place].footer
      let isWhole = footer.damagedBytes == 0 && log.segments[place].isSealed
      guard !isWhole || footer.lanes.contains(where: { isWanted($0, selection) }) else { continue }
      let name = SegmentHeader.fileName(footer.number)
      let file: OpenFile
      do throws(IOError) {
        file = try open(name)
      } catch {
        // A gateway removes what is delivered.
        if error.kind != .notFound {
          damage.append(SpoolDamage(file: name, kind: .unreadableFile(error)))
        }
        continue
      }
      defer { close(file) }
      places += holes(in: footer, file: file)
      if !log.segments[place].isSealed,
        let cut = missingFooter(of: log.segments[place], name, file), cut.kind != .footer
      {
        places.append(cut)
      }
      var rest = footer.runs[...]
      for number in footer.blocks.indices {
        let runs = takeRuns(of: number, from: &rest)
        guard runs.contains(where: { isWanted(footer.lanes[Int($0.lane)], selection) }) else {
          continue
        }
        var goesOn = true
        do throws(SpoolFormatError) {
          let content = try content(of: footer.blocks[number], in: footer, file: file)
          goesOn = tell(content, of: footer, selection, told: &told, body)
        } catch {
          damage.append(lostBlock(number, of: footer, runs: runs))
        }
        if !goesOn { return }
      }
    }
  }

  private func isWanted(_ lane: SegmentFooter.Lane, _ selection: SpoolSelection) -> Bool {
    lane.lastSequence >= selection.from && selection.topic ?? lane.topic == lane.topic
  }

  /// The runs of a block, which follow those of the blocks before.
  func takeRuns(
    of block: Int, from rest: inout ArraySlice<SegmentFooter.Run>
  ) -> ArraySlice<SegmentFooter.Run> {
    let runs = rest.prefix { Int($0.block) <= block }
    rest = rest[runs.endIndex...]
    return runs
  }

  /// Tells the records of a block; false when there is to be no more.
  private func tell(
    _ content: borrowing BlockContent, of footer: SegmentFooter, _ selection: SpoolSelection,
    told: inout [[UInt8]: DeliveredSet],
    _ body: (_ topic: [UInt8], _ sequence: UInt64, _ element: RawSpan) -> Bool
  ) -> Bool {
    var goesOn = true
    for (index, run) in content.header.runs.enumerated() {
      guard let lane = footer.lanes.first(where: { $0.hash == run.lane }),
        isWanted(lane, selection)
      else { continue }
      let known = state.lanes.first { $0.topic == lane.topic }
      // The set has nothing below what is asked for, so that it stays small.
      var set = told[lane.topic] ?? DeliveredSet()
      content.forEachRecord(ofRun: index) { sequence, element in
        guard goesOn, sequence >= selection.from,
          !selection.isUndeliveredOnly || known?.isWaiting(for: sequence) ?? true,
          set.insert(sequence)
        else { return }
        goesOn = body(lane.topic, sequence, element)
      }
      told[lane.topic] = set
      if !goesOn { return false }
    }
    return goesOn
  }

  /// Reads a block and checks all of it.
  mutating func content(
    of block: SegmentFooter.Block, in footer: SegmentFooter, file: OpenFile
  ) throws(SpoolFormatError) -> BlockContent {
    do throws(IOError) {
      try read(file, at: UInt64(block.offset), count: Int(block.totalBytes))
    } catch {
      throw .missing
    }
    let header = try BlockHeader(decoding: buffer.bytes)
    guard header.position == SpoolPosition(segment: footer.number, offset: block.offset),
      header.identity == footer.identity, header.totalBytes == Int(block.totalBytes)
    else { throw .damaged }
    let skipped = header.headerBytes
    return try BlockContent(header, payload: buffer.bytes.extracting(droppingFirst: skipped))
  }

  /// The damage that a block is, whose runs the footer knows.
  func lostBlock(
    _ number: Int, of footer: SegmentFooter, runs: ArraySlice<SegmentFooter.Run>
  ) -> SpoolDamage {
    var damage = SpoolDamage(
      file: SegmentHeader.fileName(footer.number), kind: .block,
      offset: UInt64(footer.blocks[number].offset),
      bytes: UInt64(footer.blocks[number].totalBytes))
    damage.lost = runs.map { run in
      SpoolDamage.Lost(
        topic: footer.lanes[Int(run.lane)].topic,
        sequences: run.firstSequence..<run.firstSequence &+ UInt64(run.recordCount))
    }
    return damage
  }
}

extension LaneCursors {
  /// Whether somebody has not got some of the records that were not dropped.
  func isWaiting(forAnyOf sequences: Range<UInt64>) -> Bool {
    let first = max(sequences.lowerBound, firstSequence)
    guard first < sequences.upperBound else { return false }
    return cursors.isEmpty
      || cursors.contains { !$0.delivered.missing(in: first..<sequences.upperBound).isEmpty }
  }

  /// Whether somebody has not got a record that was not dropped.
  func isWaiting(for sequence: UInt64) -> Bool {
    guard sequence >= firstSequence else { return false }
    return cursors.isEmpty || cursors.contains { !$0.delivered.contains(sequence) }
  }
}
