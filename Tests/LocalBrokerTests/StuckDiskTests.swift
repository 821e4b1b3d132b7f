import Bytes
import DanubeProtocol
import GRPC
import LocalBroker
import Records
import Simulator
import Testing

@Suite("The disk of the broker takes nothing", .timeLimit(.minutes(1)))
struct StuckDiskTests {
  private static let lane = "/default/lane"
  private static let other = "/default/other"

  /// A sealed batch with one record of the broker's lane.
  private static func batch(_ store: BatchStore, _ text: String) throws -> BatchID {
    let batch = try #require(
      store.open(lane: LaneID(rawValue: 0), bodyBytes: 500, expectedBytes: 1_000))
    let topic = utf8(lane)
    var prefix = GrowableBytes()
    prefix.append(contentsOf: [0x12, UInt8(topic.count + 2), 0x12, UInt8(topic.count)] + topic)
    let none = GrowableBytes()
    let payload = utf8(text)
    let pieces = RecordPieces(
      prefix: prefix.bytes, attributes: none.bytes, routingKey: none.bytes,
      payload: payload.span.bytes, publishTimeMilliseconds: 1, keyHash: 7, source: .none)
    _ = store.append(pieces, to: batch)
    store.seal(batch)
    return batch
  }

  /// A broker whose disk was given a message of a client and a batch, and failed to take them.
  private struct Stuck {
    let scene: Scene
    let store = BatchStore(limits: BatchLimits())
    let producer: UInt64
    let stream: UInt64
    let call: UInt64
    let batch: BatchID

    init() throws {
      scene = try Scene.durable()
      producer = try scene.createProducer(StuckDiskTests.other)
      stream = scene.receive(try scene.subscribe(StuckDiskTests.lane))
      scene.driver.run(milliseconds: 1_500)
      scene.disk.isReadOnly = true
      call = scene.sendAll(StuckDiskTests.other, producer: producer, ["given"])[0]
      batch = try StuckDiskTests.batch(store, "given")
      scene.broker.append(batch, from: store)
      scene.driver.run(milliseconds: 500)
      #expect(scene.broker.isDiskStuck)
      #expect(scene.status(call) == nil && scene.broker.settled.isEmpty)
    }
  }

  @Test("It is given nothing more: clients are refused at once, and batches wait in memory")
  func givenNothing() throws {
    let stuck = try Stuck()
    let scene = stuck.scene
    #expect(scene.send(other, producer: stuck.producer, "late").status == .resourceExhausted)
    #expect(!scene.broker.append(body: [0x12, 1, 0x78]))
    let late = try Self.batch(stuck.store, "late")
    scene.broker.append(late, from: stuck.store)
    scene.driver.run(milliseconds: 500)
    scene.disk.isReadOnly = false
    scene.driver.run(milliseconds: 10_000) { scene.broker.settled.count == 2 }
    #expect(scene.broker.settled == [SettledBatch(batch: stuck.batch), SettledBatch(batch: late)])
    #expect(scene.status(stuck.call) == .ok)
  }

  @Test("Whoever waits is refused, once, and what was not given to the disk never arrives")
  func refused() throws {
    let stuck = try Stuck()
    let scene = stuck.scene
    let late = try Self.batch(stuck.store, "late")
    scene.broker.append(late, from: stuck.store)
    scene.driver.run(milliseconds: 500)
    #expect(scene.broker.settled.isEmpty)
    scene.broker.refuseWaiting()
    scene.driver.run(milliseconds: 2_000)
    #expect(
      scene.broker.settled == [
        SettledBatch(batch: late, refusal: .noSpace),
        SettledBatch(batch: stuck.batch, refusal: .noSpace),
      ])
    #expect(scene.status(stuck.call) == .resourceExhausted)
    scene.disk.isReadOnly = false
    scene.driver.run(milliseconds: 10_000)
    // What the disk was given it has now, and nobody is told a second time.
    #expect(scene.broker.settled.count == 2)
    let next = try Self.batch(stuck.store, "next")
    scene.broker.append(next, from: stuck.store)
    let messages = try scene.messages(stuck.stream, count: 3, milliseconds: 3_000)
    #expect(messages.map(\.payload) == [utf8("given"), utf8("next")])
    #expect(scene.broker.settled.last == SettledBatch(batch: next))
  }

  private var other: String { Self.other }
}
