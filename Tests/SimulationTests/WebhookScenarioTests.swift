import Gateway
import IOPort
import MQTT
import Settings
import Simulator
import Testing

@Suite("Webhooks in one kind of trouble", .timeLimit(.minutes(1)))
struct WebhookScenarioTests {
  private static func posts(
    source: Int, count: Int, byteCount: Int = 40, path: (Int) -> String
  ) -> [PlannedPost] {
    (0..<count).map { number in
      PlannedPost(
        path: path(number),
        body: DeliveryOracle.payload(device: source, number: number, byteCount: byteCount),
        isRouted: true, isChunked: number % 3 == 0, expectsContinue: number % 5 == 0)
    }
  }

  private static func habits(window: Int, patienceMilliseconds: Int = 600_000) -> WebhookHabits {
    var habits = WebhookHabits()
    habits.window = window
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = patienceMilliseconds
    return habits
  }

  @Test("A connection posts to several lanes, and a stuck one delays only who posted to it")
  func severalLanes() throws {
    var configuration = GatewayScene.configuration()
    configuration.danube.callDeadlineMilliseconds = 500
    configuration.listeners[1].answerTimeoutSeconds = 0
    let scene = try GatewayScene(seed: 21, configuration: configuration)
    let paths = ["/hooks/keyed/a", "/hooks/each/b", "/hooks/own/c"]
    let mixed = scene.addWebhook(
      Self.posts(source: 0, count: 60) { paths[$0 % 3] }, Self.habits(window: 6))
    let free = scene.addWebhook(
      Self.posts(source: 1, count: 60) { _ in "/hooks/own/free" }, Self.habits(window: 6))
    scene.broker?.onMessage = { message in
      .init(message.topic == "/default/alarm" ? .never(isAccepted: false) : .ok)
    }
    let isDone = scene.run(milliseconds: 5_000) { free.isDone }
    #expect(isDone)
    scene.run(milliseconds: 5_000)
    // The first answer leaves; the second is for the stuck lane, and all others are behind it.
    #expect(mixed.settledCount == 1 && mixed.connectionCount == 1)
    scene.broker?.onMessage = nil
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(mixed.statusCounts[202] == 60 && mixed.statusCounts[504] == nil)
  }

  @Test("While the broker is away webhooks are told 503, and memory stays bounded")
  func brokerAway() throws {
    var configuration = GatewayScene.configuration()
    configuration.listeners[0].maxPauseSeconds = 300
    configuration.limits.memoryBytes = 256 << 10
    let scene = try GatewayScene(seed: 22, configuration: configuration)
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    var deviceHabits = DeviceHabits()
    deviceHabits.window = 1_000
    deviceHabits.patienceMilliseconds = 600_000
    let device = scene.addDevice(
      (0..<30).map {
        GatewayScene.message(device: 0, number: $0, topic: "alarm", byteCount: 3_000)
      }, deviceHabits)
    for index in 0..<4 {
      scene.addWebhook(
        Self.posts(source: 1 + index, count: 20, byteCount: 10_000) { "/hooks/own/\(index)/\($0)" },
        Self.habits(window: 1))
    }
    scene.run(milliseconds: 60_000)
    #expect(scene.webhooks.allSatisfy { $0.settledCount == 0 })
    #expect(scene.webhooks.allSatisfy { ($0.statusCounts[503] ?? 0) > 5 })
    #expect(scene.peakBytes > 200 << 10 && scene.peakBytes <= 256 << 10)
    #expect(device.connectionCount == 1 && device.isOpen)
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.webhooks.allSatisfy { $0.statusCounts[202] == 20 })
  }

  @Test("Many slow clients do not stop the others")
  func slowClients() throws {
    var configuration = GatewayScene.configuration()
    configuration.listeners[1].requestTimeoutSeconds = 5
    let scene = try GatewayScene(seed: 23, configuration: configuration)
    var faults = NetworkFaults()
    // A byte a send, and 200 ms between: a request takes half a minute.
    faults.socketBufferBytes = 1...1
    faults.latencyMicroseconds = 100_000...100_000
    for index in 0..<60 {
      scene.world.setFaults(
        faults, between: GatewayScene.gatewayHost, and: GatewayScene.webhookHost(index))
      scene.addWebhook(
        Self.posts(source: index, count: 1) { _ in "/hooks/own/slow" }, Self.habits(window: 1))
    }
    let fast = scene.addWebhook(
      Self.posts(source: 60, count: 200) { "/hooks/own/\($0)" }, Self.habits(window: 4))
    let isDone = scene.run(milliseconds: 5_000) { fast.isDone }
    #expect(isDone && fast.connectionCount == 1)
    scene.run(milliseconds: 30_000)
    #expect(scene.webhooks.dropLast().allSatisfy { $0.settledCount == 0 && $0.connectionCount > 1 })
    #expect(scene.peakInputBytes < 60 * 1_024)
    for index in 0..<60 {
      scene.world.setFaults(
        NetworkFaults(), between: GatewayScene.gatewayHost, and: GatewayScene.webhookHost(index))
    }
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test("An orderly stop answers what is safe, and leaves no connection")
  func orderlyStop() throws {
    let scene = try GatewayScene(seed: 24)
    scene.broker?.onMessage = { _ in .init(.ok, delayMilliseconds: 300) }
    for index in 0..<3 {
      scene.addWebhook(
        Self.posts(source: index, count: 400) { "/hooks/own/\(index)/\($0)" },
        Self.habits(window: 1 + 3 * index))
    }
    scene.run(milliseconds: 3_000)
    let before = scene.oracle.answeredCount
    for client in scene.webhooks { client.staysAway = true }
    scene.main.beginStop()
    let isOver = scene.run(milliseconds: 30_000) { scene.stoppedLoops == 3 }
    #expect(isOver, "the loops go on")
    scene.run(milliseconds: 1_000)
    #expect(scene.violations.isEmpty, "\(scene.violations)")
    #expect(scene.oracle.answeredCount > before, "what was taken in was not answered")
    #expect(scene.webhooks.allSatisfy { $0.isAway })
    #expect(
      scene.oracle.acceptedCount
        == scene.webhooks.reduce(0) { $0 + ($1.statusCounts[202] ?? 0) })
  }
}
