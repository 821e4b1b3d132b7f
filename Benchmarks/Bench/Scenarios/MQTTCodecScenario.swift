import Baseline
import BenchKit
import Bytes
import MQTT

/// A PUBLISH with QoS 1 read, and its PUBACK written; no sockets, no records.
enum MQTTCodecScenario {
  static var scenario: Scenario {
    Scenario(
      name: "mqtt-codec",
      summary: "PUBLISH QoS 1 of 100 B read and PUBACK written, beside a minimal loop in C",
      cases: [
        Scenario.Case(
          name: "3.1.1",
          ours: { (context) throws(BenchError) in try ours(context, .v3_1_1, "3.1.1") },
          limit: { (context) throws(BenchError) in try limit(context, .v3_1_1, "3.1.1") }),
        Scenario.Case(
          name: "5.0",
          ours: { (context) throws(BenchError) in try ours(context, .v5, "5.0") },
          limit: { (context) throws(BenchError) in try limit(context, .v5, "5.0") }),
      ], plants: [.wrongAck, .slow])
  }

  /// Packets of a block, as a receive brings them.
  private static var packetsPerBlock: Int { 64 }
  private static var payloadBytes: Int { 100 }

  private static func block(_ version: ProtocolVersion, into output: inout GrowableBytes) {
    var client = ClientSession(version: version)
    let topic = Array("sensors/press-17/temperature".utf8)
    let payload = [UInt8](repeating: UInt8(ascii: "x"), count: payloadBytes)
    for _ in 0..<packetsPerBlock {
      client.writePublish(
        topic: topic.rawBytes, payload: payload.rawBytes, qos: .atLeastOnce, into: &output)
    }
  }

  /// What was read of a block.
  private struct Count {
    var messages = 0
    var payloadBytes = 0
    var wrong = 0
  }

  private static func connected(
    _ version: ProtocolVersion
  ) throws(BenchError) -> ServerSession {
    var limits = ServerLimits()
    limits.receiveMaximum = 65_535
    var server = ServerSession(limits: limits)
    var hello = GrowableBytes()
    var answer = GrowableBytes()
    ClientSession(version: version).writeConnect(
      ClientOptions(clientID: "bench"), into: &hello)
    var consumed = 0
    do throws(MQTTError) {
      _ = try server.next(in: hello.bytes, consumed: &consumed)
    } catch {
      throw .failed("CONNECT was refused: \(error)")
    }
    guard server.state == .deciding else { throw .failed("CONNECT was not understood") }
    server.writeConnack(into: &answer)
    return server
  }

  private static func read(
    _ block: RawSpan, _ server: inout ServerSession, _ answer: inout GrowableBytes,
    _ count: inout Count
  ) throws(MQTTError) {
    answer.removeAll()
    var consumed = 0
    while true {
      switch try server.next(in: block, consumed: &consumed) {
      case .publish(let view):
        count.messages += 1
        count.payloadBytes += view.payload.byteCount
        server.writePuback(view.packetID, into: &answer)
      default: return
      }
    }
  }

  private static func check(_ answer: RawSpan, _ count: inout Count) {
    if answer.byteCount != 4 * packetsPerBlock { count.wrong += 1 }
    for index in 0..<answer.byteCount / 4 {
      let high = answer.byte(at: 4 * index + 2) ?? 0
      let low = answer.byte(at: 4 * index + 3) ?? 0
      if Int(high) << 8 | Int(low) != index + 1 { count.wrong += 1 }
    }
  }

  private static func ours(
    _ context: BenchContext, _ version: ProtocolVersion, _ label: String
  ) throws(BenchError) -> [Figure] {
    var block = GrowableBytes()
    self.block(version, into: &block)
    var server = try connected(version)
    var answer = GrowableBytes(capacity: 4 * packetsPerBlock)
    var count = Count()
    var blocks = 0
    let watch = Stopwatch()
    repeat {
      for _ in 0..<256 {
        do throws(MQTTError) {
          try read(block.bytes, &server, &answer, &count)
        } catch {
          throw .mismatch("a packet was refused: \(error)")
        }
        if context.plant == .wrongAck, blocks == 100 { answer.overwrite(at: 7, with: 99) }
        if context.plant == .slow { baseline_spin(1_000) }
        check(answer.bytes, &count)
        blocks += 1
      }
    } while watch.seconds < context.seconds
    var figure = Figure(label, basis: .processorTime)
    watch.fill(&figure, messages: count.messages)
    figure.systemCalls = 0
    try BenchError.expect("packets read", count.messages, is: blocks * packetsPerBlock)
    try BenchError.expect("payload bytes", count.payloadBytes, is: count.messages * payloadBytes)
    try BenchError.expect("wrong acknowledgements", count.wrong, is: 0)
    return [figure]
  }

  /// A fixed number of packets, a multiple of 64, for `CountedWork`.
  static func work(_ version: ProtocolVersion, _ messages: Int) throws(BenchError) {
    var block = GrowableBytes()
    self.block(version, into: &block)
    var server = try connected(version)
    var answer = GrowableBytes(capacity: 4 * packetsPerBlock)
    var count = Count()
    while count.messages < messages {
      do throws(MQTTError) {
        try read(block.bytes, &server, &answer, &count)
      } catch {
        throw .mismatch("a packet was refused: \(error)")
      }
    }
    try BenchError.expect("packets read", count.messages, is: messages)
  }

  private static func limit(
    _ context: BenchContext, _ version: ProtocolVersion, _ label: String
  ) throws(BenchError) -> [Figure] {
    var block = GrowableBytes()
    self.block(version, into: &block)
    var result = baseline_codec_result()
    let watch = Stopwatch()
    let slice = unsafe block.slice(at: 0, length: block.count)
    unsafe baseline_mqtt(
      slice.address?.assumingMemoryBound(to: UInt8.self), slice.count, version == .v5 ? 5 : 4,
      UInt32(packetsPerBlock), context.seconds, &result)
    var figure = Figure(label, basis: .processorTime)
    watch.fill(&figure, messages: Int(result.messages))
    figure.systemCalls = 0
    try BenchError.expect("wrong acknowledgements in C", result.wrong, is: 0)
    try BenchError.expect(
      "payload bytes in C", result.payload_bytes, is: result.messages * UInt64(payloadBytes))
    return [figure]
  }
}
