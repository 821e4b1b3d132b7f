import IOPort
import MQTT
import Metrics
import Records
import Settings
import Testing

@testable import Ingest

@Suite("Memory for what was received", .timeLimit(.minutes(1)))
struct IngestInputTests {
  private static let chunkBytes = 8 << 10

  private func settleAll(_ bench: IngestBench) {
    while let batch = bench.takeBatch() { bench.tell(Progress(batch: batch, kind: .complete)) }
  }

  /// A device by hand that sends one long packet and stops where reading stops.
  private struct Sender {
    let descriptor: Int32
    var rest: ArraySlice<UInt8>

    /// Sends the next piece if it is read; whether it was.
    mutating func sendPiece(_ bench: IngestBench) -> Bool {
      guard !rest.isEmpty, bench.sockets[descriptor]?.receive != nil else { return false }
      let cancelCount = bench.sockets[descriptor]?.cancelCount
      bench.receive(descriptor, Array(rest.prefix(IngestInputTests.chunkBytes)))
      rest = rest.dropFirst(IngestInputTests.chunkBytes)
      if bench.sockets[descriptor]?.cancelCount != cancelCount {
        bench.endReceive(descriptor, IOError(.cancelled))
      }
      return true
    }
  }

  private func senders(_ bench: IngestBench, count: Int, payloadBytes: Int) -> [Sender] {
    (0..<count).map { number in
      let packet = publish(.v5, 1, payload: [UInt8](repeating: 7, count: payloadBytes))
      return Sender(descriptor: bench.connect(.v5, id: "dev-\(number)"), rest: packet[...])
    }
  }

  @Test("A few bytes behind a large packet keep a few bytes of memory")
  func remainder() throws {
    let bench = try IngestBench(memoryBytes: 4 << 20)
    let packet = publish(.v5, 1, payload: [UInt8](repeating: 7, count: 500_000))
    for number in 0..<50 {
      let device = bench.connect(.v5, id: "dev-\(number)")
      bench.receive(device, Array(packet.prefix(100)))
      #expect(bench.inputBytes >= packet.count && bench.inputBytes == bench.heldInputBytes)
      bench.receive(device, Array(packet.dropFirst(100)) + [0x30, 10, 0])
      settleAll(bench)
      #expect(bench.output(device) == puback(1))
    }
    #expect(bench.inputBytes == bench.heldInputBytes)
    #expect(bench.inputBytes > 0 && bench.inputBytes <= 50 * 64)
  }

  @Test("The memory of bytes that waited is given back when few are left")
  func shrinking() throws {
    let bench = try IngestBench(memoryBytes: 64 << 10)
    let device = bench.connect(.v5)
    let payload = [UInt8](repeating: 1, count: 30_000)
    bench.receive(device, (1...6).flatMap { publish(.v5, $0, payload: payload) } + [0x30, 10, 0])
    #expect(bench.sockets[device]?.cancelCount == 1)
    bench.endReceive(device, IOError(.cancelled))
    #expect(bench.inputBytes >= 90_000 && bench.inputBytes == bench.heldInputBytes)
    settleAll(bench)
    #expect(bench.output(device) == (1...6).flatMap { puback($0) })
    #expect(bench.inputBytes == bench.heldInputBytes && bench.inputBytes <= 64)
  }

  @Test("The memory of packets in pieces serves the next ones, and goes when none come any more")
  func spareMemory() throws {
    let bench = try IngestBench(memoryBytes: 4 << 20)
    let device = bench.connect(.v5)
    let packet = publish(.v5, 1, payload: [UInt8](repeating: 7, count: 60_000))
    var spare = 0
    for round in 0..<5 {
      bench.receive(device, Array(packet.prefix(20_000)))
      #expect(bench.inputBytes >= packet.count && bench.inputBytes == bench.heldInputBytes)
      bench.receive(device, Array(packet.dropFirst(20_000)))
      settleAll(bench)
      #expect(bench.output(device) == puback(1) && bench.inputBytes == 0)
      if round > 0 { #expect(bench.spareInputBytes == spare) }
      spare = bench.spareInputBytes
      #expect(spare >= packet.count)
      #expect(spare + bench.inputBytes <= bench.inputLimits.inputBytes)
    }
    for _ in 0..<12 { bench.pass(milliseconds: 10_000) }
    #expect(bench.spareInputBytes == 0)
  }

  @Test("Sixty devices halfway through a large packet all finish, a few at a time")
  func backpressure() throws {
    let bench = try IngestBench(memoryBytes: 4 << 20) { $0.limits.memoryBytes = 16 << 20 }
    var senders = senders(bench, count: 60, payloadBytes: 1_000_000)
    var turns = 0
    var mostReceiving = 0
    while senders.contains(where: { !$0.rest.isEmpty }), turns < 10_000 {
      turns += 1
      var sent = 0
      for index in senders.indices where senders[index].sendPiece(bench) { sent += 1 }
      try #require(sent > 0, "nobody is read any more")
      if turns > 1 { mostReceiving = max(mostReceiving, sent) }
      #expect(bench.inputBytes <= bench.inputLimits.inputBytes)
      settleAll(bench)
    }
    #expect(mostReceiving > 0 && mostReceiving <= 8)
    #expect(senders.allSatisfy { bench.output($0.descriptor) == puback(1) })
    #expect(bench.metrics.disconnects(.inputMemory).value == 0)
    #expect(bench.inputBytes == 0 && bench.heldInputBytes == 0)
  }

  @Test("While large packets wait for memory, small ones in two pieces go through")
  func smallPackets() throws {
    let bench = try IngestBench(memoryBytes: 4 << 20) { $0.limits.memoryBytes = 16 << 20 }
    var senders = senders(bench, count: 20, payloadBytes: 1_000_000)
    for index in senders.indices { _ = senders[index].sendPiece(bench) }
    let device = bench.connect(.v5, id: "small")
    let packet = publish(.v5, 1)
    bench.receive(device, Array(packet.prefix(6)))
    bench.receive(device, Array(packet.dropFirst(6)))
    settleAll(bench)
    #expect(bench.output(device) == puback(1))
  }

  @Test("A packet that never ends gives its memory to the waiting ones after max_pause_s")
  func heldReservation() throws {
    let bench = try IngestBench(memoryBytes: 4 << 20) {
      $0.limits.memoryBytes = 16 << 20
      $0.listeners[0].maxPauseSeconds = 30
    }
    var senders = senders(bench, count: 5, payloadBytes: 1_000_000)
    for index in senders.indices { _ = senders[index].sendPiece(bench) }
    #expect(bench.sockets[senders[4].descriptor]?.receive == nil)
    bench.pass(milliseconds: 29_999)
    #expect(bench.metrics.disconnects(.inputMemory).value == 0)
    // The one who waits came a moment later.
    bench.pass(milliseconds: 1)
    let ended = senders.filter { bench.output($0.descriptor).dropFirst(2).first == 0x97 }
    #expect(!ended.isEmpty && bench.inputBytes == bench.heldInputBytes)
  }

  @Test("A device that waits for memory longer than max_pause_s is told 0x97")
  func waitLimit() throws {
    let bench = try IngestBench(memoryBytes: 4 << 20) {
      $0.limits.memoryBytes = 16 << 20
      $0.listeners[0].maxPauseSeconds = 100
    }
    var senders = senders(bench, count: 6, payloadBytes: 1_000_000)
    for index in senders.indices { _ = senders[index].sendPiece(bench) }
    for _ in 0..<4 { bench.pass(milliseconds: 24_999) }
    #expect(senders.allSatisfy { bench.output($0.descriptor).isEmpty })
    bench.pass(milliseconds: 1_000)
    #expect(bench.output(senders[5].descriptor).dropFirst(2).first == 0x97)
  }
}
