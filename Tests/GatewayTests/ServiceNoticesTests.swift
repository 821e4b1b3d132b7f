import Admin
import Gateway
import IOPort
import Settings
import Testing

@Suite("What the service manager is told")
struct ServiceNoticesTests {
  private func time(_ milliseconds: Int) -> Instant {
    Instant(nanoseconds: 0).advanced(milliseconds: milliseconds)
  }

  private func gateway() throws -> Gateway {
    let configuration = GatewayConfiguration(
      routes: [try RouteConfiguration(mqtt: "#", to: "/default/all")])
    return Gateway(configuration: configuration, seed: 1, startingAt: time(0))
  }

  @Test("READY comes when both loops listen, once, and STOPPING when the end begins")
  func life() throws {
    let gateway = try gateway()
    var notices = ServiceNotices(gateway: gateway, watchdogMilliseconds: nil)
    var message = notices.next(at: time(0))
    #expect(message == nil)
    gateway.control.addListening("mqtt", .loopback(port: 1883))
    gateway.control.set(.running, of: .ingest)
    message = notices.next(at: time(1))
    #expect(message == nil)
    gateway.control.addListening("broker", .loopback(port: 6650))
    gateway.control.set(.running, of: .delivery)
    message = notices.next(at: time(2))
    #expect(
      message
        == "READY=1\nSTATUS=Serving mqtt 127.0.0.1:1883, broker 127.0.0.1:6650; embedded broker")
    for now in [3, 10_000] {
      message = notices.next(at: time(now))
      #expect(message == nil)
    }
    // Nothing to say means nobody is woken.
    let deadline = notices.nextDeadline
    #expect(deadline == .distantFuture)
    gateway.control.advance(to: .draining)
    message = notices.next(at: time(10_001))
    #expect(
      message
        == "STOPPING=1\nSTATUS=Stopping: answering devices\nEXTEND_TIMEOUT_USEC=15000000")
    gateway.control.advance(to: .stopping)
    message = notices.next(at: time(10_002))
    #expect(message == nil)
  }

  @Test("A gateway that cannot start is never ready, and says why")
  func failure() throws {
    let gateway = try gateway()
    var notices = ServiceNotices(gateway: gateway, watchdogMilliseconds: 1_000)
    gateway.control.set(.running, of: .ingest)
    gateway.control.fail(.delivery, "broker address 127.0.0.1:1: already in use.\nA second line")
    var message = notices.next(at: time(0))
    #expect(message == nil)
    gateway.control.advance(to: .stopping)
    message = notices.next(at: time(1))
    #expect(
      message
        == "STOPPING=1\nSTATUS=Cannot serve: broker address 127.0.0.1:1: already in use.")
  }

  @Test("Signs of life follow both loops, and end when one hangs or the end begins")
  func watchdog() throws {
    let gateway = try gateway()
    var notices = ServiceNotices(gateway: gateway, watchdogMilliseconds: 1_000)
    gateway.control.set(.running, of: .ingest)
    gateway.control.set(.running, of: .delivery)
    var message = notices.next(at: time(0))
    #expect(message?.hasPrefix("READY=1\n") == true)
    let deadline = notices.nextDeadline
    #expect(deadline == time(500))
    gateway.ingestHealth.turned(at: time(400))
    gateway.deliveryHealth.turned(at: time(400))
    message = notices.next(at: time(500))
    #expect(message == "WATCHDOG=1")
    message = notices.next(at: time(500))
    #expect(message == nil)
    var wakes = notices.takeWakeUp()
    #expect(!wakes)
    for now in stride(from: 1_000, to: 20_000, by: 10) {
      gateway.deliveryHealth.turned(at: time(now))
      message = notices.next(at: time(now))
      #expect(message == nil)
    }
    wakes = notices.takeWakeUp()
    #expect(wakes)
    wakes = notices.takeWakeUp()
    #expect(!wakes)
    gateway.ingestHealth.turned(at: time(20_000))
    message = notices.next(at: time(20_100))
    #expect(message == "WATCHDOG=1")
    gateway.control.advance(to: .draining)
    message = notices.next(at: time(20_101))
    #expect(message?.hasPrefix("STOPPING=1\n") == true)
    let end = notices.nextDeadline
    #expect(end == .distantFuture)
  }
}
