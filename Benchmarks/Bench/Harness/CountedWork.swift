import Bytes
import Glibc
import MQTT
import Rings
import Spool
import Uring

/// Fixed amounts of work that need no kernel, for tools that count instructions:
///
///     bench __work                 names them
///     bench __work NAME MESSAGES   does one
///
/// Two runs of different lengths tell what a message takes, without what starting takes
/// (`scripts/gates`).
enum CountedWork {
  private static let verb = "__work"
  private static let names = [
    "http-codec", "mqtt-codec-3.1.1", "mqtt-codec-5", "ring", "route-match", "spool-block",
  ]

  /// In a process that was started for it: does the work and ends the process.
  static func runIfAsked() {
    let arguments = CommandLine.arguments
    guard arguments.count >= 2, arguments[1] == verb else { return }
    guard arguments.count == 4, let messages = Int(arguments[3]), messages > 0 else {
      StandardStreams.writeStandardOutput(names.joined(separator: "\n") + "\n")
      exit(arguments.count == 2 ? 0 : ExitCode.usage)
    }
    do throws(BenchError) {
      try work(arguments[2], messages)
      exit(0)
    } catch {
      StandardStreams.writeStandardError("bench: \(error.message)\n")
      exit(ExitCode.failed)
    }
  }

  private static func work(_ name: String, _ messages: Int) throws(BenchError) {
    switch name {
    case "http-codec": try HTTPCodecScenario.work(messages)
    case "mqtt-codec-3.1.1": try MQTTCodecScenario.work(.v3_1_1, messages)
    case "mqtt-codec-5": try MQTTCodecScenario.work(.v5, messages)
    case "ring": try ring(messages)
    case "route-match": try RouteMatchScenario.work(messages)
    case "spool-block": try blocks(messages)
    default: throw .failed("no work \(name); there are \(names.joined(separator: ", "))")
    }
  }

  /// Numbers through a ring, 64 at a time.
  private static func ring(_ messages: Int) throws(BenchError) {
    let ring = makeRing(of: UInt64.self, capacity: 4_096)
    var producer = ring.producer
    var consumer = ring.consumer
    var popped: UInt64 = 0
    while popped < UInt64(messages) {
      for number in popped..<popped + 64 where !producer.push(number) {
        throw .mismatch("the ring was full")
      }
      for number in popped..<popped + 64 where consumer.pop() != number {
        throw .mismatch("the ring lost \(number)")
      }
      popped += 64
    }
  }

  /// Records of 20 lanes to blocks as they are written: gathered, compressed, with checksums.
  private static func blocks(_ messages: Int) throws(BenchError) {
    let lanes = SpoolAppendScenario.twenty
    var records = SpoolAppendScenario.readings(lanes)
    var builder = BlockBuilder()
    var spare = SpareMemory()
    var stored = 0
    for index in 0..<messages {
      let number = UInt64(index)
      let lane = lanes.lane(of: number)
      records.number(number)
      builder.append(
        lane: LaneHash(rawValue: UInt64(lane)), sequence: number / 20, records.record(number))
      if builder.recordCount == 1_024 {
        let block = builder.finish(using: &spare)
        stored += block.payload.byteCount
      }
    }
    guard stored > 0 else { throw .mismatch("no block was made") }
  }
}
