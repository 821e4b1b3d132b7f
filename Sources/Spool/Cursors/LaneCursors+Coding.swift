import Bytes

// Lanes and cursors as they are in the cursor file; `CursorState` tells the bytes.
extension LaneCursors {
  func encode(into output: inout GrowableBytes) {
    output.appendLittleEndian(hash.rawValue)
    output.appendLittleEndian(nextSequence)
    output.appendLittleEndian(firstSequence)
    output.appendLittleEndian(flags)
    output.appendLittleEndian(UInt32(clamping: cursors.count))
    output.appendLittleEndian(UInt32(clamping: topic.count))
    output.append(contentsOf: topic)
    if let replication {
      output.appendLittleEndian(replication.base)
      output.appendLittleEndian(replication.owner)
      output.appendLittleEndian(UInt32(clamping: replication.ends.count))
      for end in replication.ends { output.appendLittleEndian(end) }
    }
    if let receivedThrough { output.appendLittleEndian(receivedThrough) }
    for cursor in cursors { cursor.encode(into: &output) }
  }

  /// Whether it has what programs that know the first version only would take for damage.
  var needsVersion2: Bool { replication != nil || receivedThrough != nil }

  private var flags: UInt32 {
    (isReliable ? 1 : 0) | (replication == nil ? 0 : 2) | (receivedThrough == nil ? 0 : 4)
  }

  init(_ reader: inout ByteReader, version: UInt32) throws(SpoolFormatError) {
    guard let hash = reader.readUInt64LittleEndian(),
      let nextSequence = reader.readUInt64LittleEndian(),
      let firstSequence = reader.readUInt64LittleEndian(),
      let flags = reader.readUInt32LittleEndian(), flags <= (version == 1 ? 1 : 7),
      let cursorCount = reader.readUInt32LittleEndian()
    else { throw .damaged }
    topic = try reader.readName()
    self.hash = LaneHash(rawValue: hash)
    self.nextSequence = nextSequence
    self.firstSequence = firstSequence
    isReliable = flags & 1 != 0
    if flags & 2 != 0 { replication = try ReplicationPlan(&reader) }
    if flags & 4 != 0 {
      guard let number = reader.readUInt64LittleEndian() else { throw .damaged }
      receivedThrough = number
    }
    cursors = []
    for _ in 0..<cursorCount { cursors.append(try Cursor(&reader)) }
  }
}

extension ReplicationPlan {
  init(_ reader: inout ByteReader) throws(SpoolFormatError) {
    guard let base = reader.readUInt64LittleEndian(),
      let owner = reader.readUInt64LittleEndian(),
      let count = reader.readUInt32LittleEndian(), count <= UInt32(Self.maximumEnds)
    else { throw .damaged }
    var ends: [UInt64] = []
    for _ in 0..<count {
      guard let end = reader.readUInt64LittleEndian() else { throw .damaged }
      ends.append(end)
    }
    guard let plan = ReplicationPlan(base: base, owner: owner, ends: ends) else { throw .damaged }
    self = plan
  }
}

extension Cursor {
  func encode(into output: inout GrowableBytes) {
    output.appendLittleEndian(delivered.next)
    output.appendLittleEndian(UInt32(isExclusive ? 1 : 0))
    output.appendLittleEndian(UInt32(clamping: delivered.ranges.count))
    output.appendLittleEndian(UInt32(clamping: consumers.count))
    output.appendLittleEndian(UInt32(clamping: name.count))
    output.append(contentsOf: name)
    for consumer in consumers {
      output.append(UInt8(clamping: consumer.count))
      output.append(contentsOf: consumer)
    }
    var end = delivered.next
    for range in delivered.ranges {
      output.appendLEB128(range.lowerBound - end - 1)
      output.appendLEB128(range.upperBound - range.lowerBound - 1)
      end = range.upperBound
    }
  }

  init(_ reader: inout ByteReader) throws(SpoolFormatError) {
    guard let next = reader.readUInt64LittleEndian(),
      let flags = reader.readUInt32LittleEndian(), flags <= 1,
      let rangeCount = reader.readUInt32LittleEndian(),
      let consumerCount = reader.readUInt32LittleEndian(),
      consumerCount <= UInt32(Self.maximumConsumers)
    else { throw .damaged }
    name = try reader.readName()
    isExclusive = flags == 1
    for _ in 0..<consumerCount {
      guard let length = reader.readUInt8(), length > 0 else { throw .damaged }
      consumers.append(try reader.readName(Int(length)))
    }
    delivered = DeliveredSet(next: next)
    var end = next
    for _ in 0..<rangeCount {
      guard let missing = reader.readLEB128(), let more = reader.readLEB128() else {
        throw .damaged
      }
      // Both numbers are one less than what they tell, and sums must not pass the largest.
      let (before, beforeOverflows) = missing.addingReportingOverflow(1)
      let (first, firstOverflows) = end.addingReportingOverflow(before)
      let (length, lengthOverflows) = more.addingReportingOverflow(1)
      let (last, lastOverflows) = first.addingReportingOverflow(length)
      guard !beforeOverflows, !firstOverflows, !lengthOverflows, !lastOverflows,
        delivered.append(first..<last)
      else { throw .damaged }
      end = last
    }
  }
}

extension GrowableBytes {
  /// Appends a number, seven bits a byte, the lowest first; all bytes but the last have bit 7.
  mutating func appendLEB128(_ value: UInt64) {
    var rest = value
    while rest > 0x7f {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(truncatingIfNeeded: rest))
  }
}

extension ByteReader {
  /// Reads a number as above; nil when it does not end, or is no 64-bit number.
  mutating func readLEB128() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = readUInt8() else { return nil }
      // The tenth byte has room for one bit.
      if shift == 63, byte > 1 { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  /// Reads a length, 4 bytes, and as many bytes.
  fileprivate mutating func readName() throws(SpoolFormatError) -> [UInt8] {
    guard let length = readUInt32LittleEndian() else { throw .damaged }
    return try readName(Int(length))
  }

  /// Reads so many bytes.
  fileprivate mutating func readName(_ length: Int) throws(SpoolFormatError) -> [UInt8] {
    guard let bytes = readBytes(length) else { throw .damaged }
    var name: [UInt8] = []
    name.reserveCapacity(bytes.byteCount)
    var reader = ByteReader(bytes)
    while let byte = reader.readUInt8() { name.append(byte) }
    return name
  }
}
