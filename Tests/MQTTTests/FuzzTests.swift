import Bytes
import MQTT
import Testing

@Suite("Broken bytes")
struct FuzzTests {
  static let seeds: [UInt64] = [0xDA0B, 1, 2, 3]
  static let casesPerSeed = 20_000

  struct Sample {
    /// The client that sends it when it is connected; nil when it is not.
    var client: ProtocolVersion?
    var bytes: [UInt8]
  }

  /// Packets with about everything in them, one by one.
  static let samples: [Sample] = {
    var samples: [Sample] = []
    for version in ProtocolVersion.allCases {
      let conversation = FeedingTests.conversation(version)
      let packets = FeedingTests.packets(of: conversation)
      samples.append(Sample(client: nil, bytes: conversation))
      samples.append(Sample(client: nil, bytes: packets[0]))
      // As many as there are rejections below.
      for _ in 0..<10 {
        for packet in packets.dropFirst() {
          samples.append(Sample(client: version, bytes: packet))
        }
      }
    }
    for row in Rejection.all where row.bytes.count < 200 {
      samples.append(Sample(client: row.client, bytes: row.bytes))
    }
    let more: [[UInt8]] = [
      packet(0x32, "0003'a/b' 0007 09 01 01 26 0001'k' 0001'v' 'payload'"),
      packet(0x82, "0102 02 0B 01 0001'a' 2E 000A'$share/g/b' 01"),
      packet(0x62, "0009 92 04 1F 0001'x'"), packet(0xE0, "81 04 1F 0001'x'"),
    ]
    for bytes in more { samples.append(Sample(client: .v5, bytes: bytes)) }
    return samples
  }()

  static func mutated(_ random: inout SeededRandom) -> Sample {
    let sample = samples[Int.random(in: 0..<samples.count, using: &random)]
    var client = sample.client
    var bytes = sample.bytes
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      if bytes.isEmpty { break }
      let index = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
      case 2: bytes.remove(at: index)
      case 3: bytes.insert([0x00, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0, at: index)
      case 4: bytes.removeSubrange(index...)
      case 5: bytes += samples[Int.random(in: 0..<samples.count, using: &random)].bytes
      default: client = ProtocolVersion.allCases.randomElement(using: &random)
      }
    }
    return Sample(client: client, bytes: bytes)
  }

  @Test(
    "Mutated packets never trap the server, nor move it beyond the bytes",
    .timeLimit(.minutes(1)), arguments: seeds)
  func server(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var accepted = 0
    var rejected = 0
    for number in 0..<Self.casesPerSeed {
      let sample = Self.mutated(&random)
      let bytes = sample.bytes
      var server = sample.client.map { Server(connected: $0) } ?? Server()
      let before = server.acceptedCount
      do throws(MQTTError) {
        let (events, consumed) = try server.feed(bytes)
        if consumed < 0 || consumed > bytes.count {
          Issue.record("seed \(seed), case \(number): consumed \(consumed) of \(bytes.hex)")
        }
        if case .needMore(let size?) = events.last {
          if size <= bytes.count - consumed || size > server.session.limits.maximumPacketBytes {
            Issue.record("seed \(seed), case \(number): waits for \(size) with \(bytes.hex)")
          }
        }
      } catch {
        rejected += 1
        server.session.writeRejection(error, into: &server.output)
      }
      accepted += server.acceptedCount - before
      // Whatever was written is MQTT.
      if !Self.isReadable(server.takeOutput(), version: server.session.version) {
        Issue.record("seed \(seed), case \(number): unreadable answer to \(bytes.hex)")
      }
    }
    // Both must be worth the name.
    #expect(accepted > Self.casesPerSeed / 8, "seed \(seed)")
    #expect(rejected > Self.casesPerSeed / 8, "seed \(seed)")
  }

  private static func isReadable(_ bytes: [UInt8], version: ProtocolVersion) -> Bool {
    var client = ClientSession(version: version)
    var consumed = 0
    do throws(MQTTError) {
      while consumed < bytes.count {
        if case .needMore = Answer(try client.next(in: bytes.span.bytes, consumed: &consumed)) {
          return false
        }
      }
      return true
    } catch {
      return false
    }
  }

  @Test("Mutated answers never trap the client", .timeLimit(.minutes(1)), arguments: seeds)
  func client(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for version in ProtocolVersion.allCases {
      var server = Server()
      _ = try server.feed(FeedingTests.conversation(version))
      var texted = Server(connected: version)
      texted.session.writeRejection(.secondConnect, into: &texted.output)
      let valid = server.takeOutput() + texted.takeOutput()
      for number in 0..<Self.casesPerSeed / 4 {
        var bytes = valid
        for _ in 0...Int.random(in: 0...3, using: &random) {
          let index = Int.random(in: 0..<bytes.count, using: &random)
          bytes[index] = UInt8.random(in: 0...255, using: &random)
        }
        var client = ClientSession(version: version)
        var consumed = 0
        do throws(MQTTError) {
          reading: while true {
            let event = Answer(try client.next(in: bytes.span.bytes, consumed: &consumed))
            if case .needMore = event { break reading }
          }
        } catch {}
        if consumed > bytes.count {
          Issue.record("seed \(seed), case \(number): consumed \(consumed) of \(bytes.hex)")
        }
      }
    }
  }
}
