import Bytes
import Testing

func array(_ span: RawSpan) -> [UInt8] { span.withUnsafeBytes { Array($0) } }

/// A small seeded generator (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

@Suite("A growing queue of bytes")
struct GrowableBytesTests {
  @Test("Random operations agree with an array", arguments: 1...30 as ClosedRange<UInt64>)
  func model(seed: UInt64) {
    var random = Seeded(state: seed)
    var bytes = seed % 2 == 0 ? GrowableBytes() : GrowableBytes(capacity: 100)
    var model: [UInt8] = []
    for _ in 0..<500 {
      step(&bytes, &model, &random)
      #expect(bytes.count == model.count, "seed \(seed)")
      #expect(bytes.isEmpty == model.isEmpty)
      #expect(bytes.capacity >= bytes.count)
      #expect(array(bytes.bytes) == model, "seed \(seed)")
    }
  }

  private func step(_ bytes: inout GrowableBytes, _ model: inout [UInt8], _ random: inout Seeded) {
    switch Int.random(in: 0..<12, using: &random) {
    case 0...2:
      let part = (0..<Int.random(in: 0...300, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      bytes.append(part.span.bytes)
      model += part
    case 3:
      let byte = UInt8.random(in: 0...255, using: &random)
      bytes.append(byte)
      model.append(byte)
    case 4:
      let value = UInt32.random(in: 0 ... .max, using: &random)
      bytes.appendBigEndian(value)
      bytes.appendLittleEndian(value)
      model += withUnsafeBytes(of: value.bigEndian) { Array($0) }
      model += withUnsafeBytes(of: value.littleEndian) { Array($0) }
    case 5:
      bytes.appendBigEndian(UInt16(0x0102))
      bytes.appendLittleEndian(UInt64(0x0102_0304_0506_0708))
      model += [1, 2, 8, 7, 6, 5, 4, 3, 2, 1]
    case 6...8:
      let length = Int.random(in: 0...model.count, using: &random)
      bytes.removeFirst(length)
      model.removeFirst(length)
    case 9:
      let length = Int.random(in: 0...min(20, model.count), using: &random)
      bytes.removeLast(length)
      model.removeLast(length)
    case 10 where model.count >= 4:
      let offset = Int.random(in: 0...model.count - 4, using: &random)
      bytes.overwriteBigEndian(at: offset, with: 0xdead_beef)
      bytes.overwrite(at: offset + 1, with: 0x11)
      model.replaceSubrange(offset..<offset + 4, with: [0xde, 0x11, 0xbe, 0xef])
    default:
      if Int.random(in: 0..<10, using: &random) == 0 {
        bytes.removeAll(keepingCapacityUpTo: Int.random(in: 0...400, using: &random))
        model = []
      } else {
        bytes.append("text")
        model += Array("text".utf8)
      }
    }
  }

  @Test("A queue in steady state keeps its memory")
  func steadyState() {
    var bytes = GrowableBytes()
    let part = [UInt8](repeating: 1, count: 100)
    for _ in 0..<10 { bytes.append(part.span.bytes) }
    for _ in 0..<100 {
      bytes.append(part.span.bytes)
      bytes.removeFirst(100)
    }
    let capacity = bytes.capacity
    for _ in 0..<10_000 {
      bytes.append(part.span.bytes)
      bytes.removeFirst(100)
    }
    #expect(bytes.capacity == capacity)
    #expect(bytes.count == 1_000)
  }

  @Test("Emptying gives memory above the limit back, and keeps what is below")
  func limit() {
    var bytes = GrowableBytes()
    bytes.append([UInt8](repeating: 1, count: 1_000).span.bytes)
    bytes.removeAll(keepingCapacityUpTo: 10_000)
    #expect(bytes.capacity >= 1_000)
    bytes.removeAll(keepingCapacityUpTo: 100)
    #expect(bytes.capacity == 0)
    bytes.append(7)
    #expect(array(bytes.bytes) == [7])
  }

  @Test("Memory is set to what is wanted, never below the bytes, and none for none")
  func setCapacity() {
    var bytes = GrowableBytes()
    bytes.setCapacity(0)
    #expect(bytes.capacity == 0)
    bytes.setCapacity(100)
    #expect(bytes.capacity == 100 && bytes.isEmpty)
    bytes.append([UInt8](repeating: 1, count: 90).span.bytes)
    bytes.append("0123456789")
    #expect(bytes.capacity == 100)
    bytes.removeFirst(95)
    bytes.setCapacity(3)
    #expect(bytes.capacity == 5 && array(bytes.bytes) == Array("56789".utf8))
    bytes.setCapacity(1_000)
    #expect(bytes.capacity == 1_000 && array(bytes.bytes) == Array("56789".utf8))
    bytes.removeFirst(5)
    bytes.setCapacity(0)
    #expect(bytes.capacity == 0 && bytes.isEmpty)
  }

  @Test("A slice names the bytes where they are")
  func slice() {
    var bytes = GrowableBytes()
    bytes.append("0123456789")
    bytes.removeFirst(2)
    let slice = bytes.slice(at: 3, length: 4)
    #expect(slice.withBytes { array($0) } == Array("5678".utf8))
    #expect(slice.prefix(2).withBytes { array($0) } == Array("56".utf8))
    #expect(slice.dropping(first: 3).withBytes { array($0) } == Array("8".utf8))
    #expect(slice.dropping(first: 4).count == 0)
    #expect(MemorySlice().count == 0)
    #expect(GrowableBytes().slice(at: 0, length: 0).count == 0)
  }

  @Test("Nothing at all can be looked at")
  func empty() {
    let bytes = GrowableBytes()
    #expect(bytes.bytes.byteCount == 0)
    #expect(bytes.capacity == 0)
  }
}
