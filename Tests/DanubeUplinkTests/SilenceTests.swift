import DanubeUplink
import IOPort
import Metrics
import Simulator
import Testing

@Suite("Silent brokers")
struct SilenceTests {
  private static let gateway: UInt32 = 0x0a00_0001

  /// A broker that holds everything: calls end in vain, and pings are answered.
  private func hangingScene(deadlineMilliseconds: Int) throws -> Scene {
    var limits = UplinkLimits.quick
    limits.callDeadlineMilliseconds = deadlineMilliseconds
    let scene = try Scene(limits: limits)
    scene.broker.onMessage = { _ in .init(.never(isAccepted: false)) }
    scene.driver.run(milliseconds: 100)
    return scene
  }

  @Test("A held call does not make the gateway talk", .timeLimit(.minutes(1)))
  func quiet() throws {
    let scene = try hangingScene(deadlineMilliseconds: 3_600_000)
    scene.loop.publish([("k", numbered(1))])
    scene.driver.run(milliseconds: 100)
    let sent = scene.loop.metrics.bytesSent.value
    scene.driver.run(milliseconds: 300_000)
    // A frame of PING has 17 bytes (RFC 9113 §6.7).
    #expect(scene.loop.metrics.bytesSent.value - sent == 17)
    scene.driver.run(milliseconds: 620_000)
    #expect(scene.loop.metrics.bytesSent.value - sent == 3 * 17)
    #expect(scene.broker.connectionCount == 1)
  }

  @Test(
    "A connection that dies behind a broker that hangs is found when a call ends in vain",
    .timeLimit(.minutes(1)))
  func diesBehindHang() throws {
    let scene = try hangingScene(deadlineMilliseconds: 10_000)
    scene.loop.publish([("k", numbered(1))])
    // The first ping has its answer.
    scene.driver.run(milliseconds: 3_000)
    scene.world.cut(Self.gateway, Scene.brokerHost)
    scene.driver.run(milliseconds: 8_500)
    #expect(scene.loop.status.lastError.contains("no sign of life"))
    scene.broker.onMessage = nil
    scene.world.heal(Self.gateway, Scene.brokerHost)
    #expect(scene.settle())
    #expect(scene.loop.accepted.count == 1)
  }
}
