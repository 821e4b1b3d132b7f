import DanubeUplink
import IOPort
import Records
import Simulator
import Testing

@Suite("Topics that the broker lets hang")
struct HangingTopicsTests {
  /// A window of 64 calls and topics of which the first `hanging` never get an answer.
  private func scene(topics: Int, hanging: Int) throws -> Scene {
    var limits = UplinkLimits.quick
    limits.maximumCallsInFlight = 64
    let names = (0..<topics).map { "/default/t\($0)" }
    let scene = try Scene(
      topics: names, limits: limits, batches: BatchLimits(batches: 2_000, memoryBytes: 64 << 20))
    let stuck = Set(names.prefix(hanging))
    scene.broker.onMessage = { message in
      stuck.contains(message.topic)
        ? .init(.never(isAccepted: false)) : .init(.ok, delayMilliseconds: 5)
    }
    scene.driver.run(milliseconds: 200)
    return scene
  }

  private func publish(_ scene: Scene, _ lanes: Range<Int>, count: Int, round: Int) {
    for lane in lanes {
      let messages = (0..<count).map {
        (key: "k\(round)-\($0)", payload: numbered(round * 1_000 + $0))
      }
      #expect(scene.loop.publish(lane: lane, messages))
    }
  }

  @Test("Three of ten do not stop the others, from the first moment on", .timeLimit(.minutes(1)))
  func threeOfTen() throws {
    let scene = try scene(topics: 10, hanging: 3)
    publish(scene, 0..<3, count: 500, round: 0)
    // They have taken what they can get.
    scene.driver.run(milliseconds: 500)
    #expect(scene.broker.inFlight < 64)
    for round in 0..<40 {
      let before = scene.loop.accepted.count
      publish(scene, 3..<10, count: 20, round: round)
      let isDone = scene.driver.run(milliseconds: 1_000) {
        scene.loop.accepted.count == before + 140
      }
      #expect(isDone, "round \(round): \(scene.loop.accepted.count - before) of 140")
    }
    #expect(scene.loop.accepted.count == 40 * 140)
    scene.broker.onMessage = nil
    #expect(scene.settle(withinMilliseconds: 120_000))
    #expect(scene.loop.violations == [])
  }

  @Test(
    "More than there are calls stop the others no longer than until they are known",
    .timeLimit(.minutes(1)))
  func moreThanCalls() throws {
    let scene = try scene(topics: 110, hanging: 100)
    publish(scene, 0..<100, count: 20, round: 0)
    // What was sent before anybody knew ends with its deadline: two waves.
    scene.driver.run(milliseconds: 5_000)
    for round in 0..<40 {
      let before = scene.loop.accepted.count
      publish(scene, 100..<110, count: 20, round: round)
      let isDone = scene.driver.run(milliseconds: 1_000) {
        scene.loop.accepted.count == before + 200
      }
      #expect(isDone, "round \(round): \(scene.loop.accepted.count - before) of 200")
    }
    scene.broker.onMessage = nil
    #expect(scene.settle(withinMilliseconds: 120_000))
  }

  @Test("Topics that begin to hang while they are busy leave room", .timeLimit(.minutes(1)))
  func hangLater() throws {
    let scene = try scene(topics: 10, hanging: 0)
    publish(scene, 0..<3, count: 500, round: 0)
    scene.driver.run(milliseconds: 20)
    let stuck = Set(["/default/t0", "/default/t1", "/default/t2"])
    scene.broker.onMessage = { message in
      stuck.contains(message.topic) ? .init(.never(isAccepted: false)) : .init(.ok)
    }
    scene.driver.run(milliseconds: 500)
    #expect(scene.broker.inFlight > 48 && scene.broker.inFlight < 64)
    let before = scene.loop.accepted.count
    publish(scene, 3..<10, count: 20, round: 1)
    #expect(scene.driver.run(milliseconds: 1_000) { scene.loop.accepted.count == before + 140 })
    scene.broker.onMessage = nil
    #expect(scene.settle(withinMilliseconds: 120_000))
  }

  @Test(
    "A stuck key does not stop the others of its topic, however seldom they publish",
    .timeLimit(.minutes(1)), arguments: [(64, 1), (64, 8), (200, 3), (1_024, 16)])
  func stuckKeys(window: Int, count: Int) throws {
    var limits = UplinkLimits.quick
    limits.maximumCallsInFlight = window
    limits.callDeadlineMilliseconds = 10_000
    let scene = try Scene(topics: ["/default/t", "/default/u"], limits: limits)
    scene.broker.onMessage = { message in
      message.key.starts(with: "stuck".utf8)
        ? .init(.never(isAccepted: false)) : .init(.ok, delayMilliseconds: 5)
    }
    scene.driver.run(milliseconds: 200)
    scene.loop.publish(lane: 0, (0..<count).map { ("stuck\($0)", numbered($0)) })
    for number in 0..<20 {
      scene.driver.run(milliseconds: 1_700)
      scene.loop.publish(lane: 0, [("free", numbered(1_000 + number))])
      let isDone = scene.driver.run(milliseconds: 1_000) {
        scene.loop.accepted.count == number + 1
      }
      #expect(isDone, "message \(number)")
    }
    scene.broker.onMessage = nil
    #expect(scene.settle(withinMilliseconds: 600_000))
    #expect(scene.loop.violations == [])
  }

  @Test("Topics that all have their answers share the whole window", .timeLimit(.minutes(1)))
  func allAnswered() throws {
    let scene = try scene(topics: 2, hanging: 0)
    publish(scene, 0..<2, count: 500, round: 0)
    #expect(scene.settle())
    #expect(scene.broker.peakInFlight >= 64 * 6 / 7)
  }
}
