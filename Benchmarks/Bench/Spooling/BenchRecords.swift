import Bytes

/// Records as they lie in a batch: a device's readings, each with its number, so that whoever reads
/// them back can tell which one it is and whether it is whole.
///
/// `0x12`, the length, and a `StreamMessage` with its topic and a payload that begins with four
/// bytes of number. There are so many different ones, used in turn: readings repeat about as
/// much as real ones do.
struct BenchRecords: ~Copyable {
  /// Different records, more than fit into a block: a multiple of the records after which the
  /// lanes come in turn again, so that one of them always belongs to the same lane.
  static let poolCount = 5_120

  /// Bytes of a record.
  let byteCount: Int
  /// Bytes from the start of a record to its number.
  let numberOffset: Int
  /// All of them, one after the other.
  private(set) var pool: GrowableBytes

  /// Records of `payloadBytes`, at least 8, for so many lanes: JSON, or what can't be compressed.
  init(payloadBytes: Int, lanes: SpoolBench.Lanes, isNoise: Bool = false) {
    precondition(Self.poolCount % (lanes.count * lanes.run) == 0)
    let starts = (0..<lanes.count).map { Self.start(payloadBytes, topic: lanes.topic($0)) }
    let start = starts[0]
    numberOffset = start.count
    byteCount = start.count + payloadBytes
    pool = GrowableBytes(capacity: byteCount * Self.poolCount)
    var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    for index in 0..<Self.poolCount {
      pool.append(contentsOf: starts[lanes.lane(of: UInt64(index))])
      var payload: [UInt8] = [0, 0, 0, 0]
      if isNoise {
        while payload.count < payloadBytes { payload.append(UInt8(random.next(256))) }
      } else {
        while payload.count < payloadBytes {
          let temperature = "2\(random.next(5)).\(random.next(100))"
          let text =
            "{\"device\":\"press-\(index % 20)\",\"temperature\":\(temperature),"
            + "\"pressure\":1.\(random.next(1_000)),\"state\":\"running\"}"
          payload += Array(text.utf8)
        }
      }
      pool.append(contentsOf: Array(payload.prefix(payloadBytes)))
    }
  }

  /// What stands before the payload; of the same length for every topic.
  private static func start(_ payloadBytes: Int, topic: [UInt8]) -> [UInt8] {
    var head: [UInt8] = [0x12, UInt8(topic.count + 2), 0x12, UInt8(topic.count)] + topic
    head += [0x22] + varint(payloadBytes)
    return [0x12] + varint(head.count + payloadBytes) + head
  }

  private static func varint(_ value: Int) -> [UInt8] {
    value < 128 ? [UInt8(value)] : [UInt8(value & 0x7f | 0x80)] + varint(value >> 7)
  }

  /// Writes its number into the record with that number.
  mutating func number(_ number: UInt64) {
    pool.overwriteLittleEndian(
      at: offset(of: number) + numberOffset, with: UInt32(truncatingIfNeeded: number))
  }

  /// The record that was numbered last.
  @_lifetime(borrow self)
  func record(_ number: UInt64) -> RawSpan {
    let start = offset(of: number)
    return pool.bytes.extracting(start..<start + byteCount)
  }

  private func offset(of number: UInt64) -> Int {
    Int(truncatingIfNeeded: number % UInt64(Self.poolCount)) * byteCount
  }

  /// Whether bytes are the record with a number, whole.
  mutating func isRecord(_ number: UInt64, _ bytes: RawSpan) -> Bool {
    self.number(number)
    return record(number).isEqual(to: bytes)
  }
}

/// Reproducible numbers, good enough to be no pattern.
struct XorShift {
  private var state: UInt64

  /// `seed` is not 0.
  init(seed: UInt64) { state = seed }

  mutating func next(_ limit: UInt64) -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state % limit
  }
}
