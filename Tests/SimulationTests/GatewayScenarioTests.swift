import GRPC
import Gateway
import IOPort
import MQTT
import Records
import Settings
import Simulator
import Testing

@Suite("The whole gateway in one kind of trouble", .timeLimit(.minutes(1)))
struct GatewayScenarioTests {
  private static func messages(
    device: Int, count: Int, topic: String, byteCount: Int = 20, qos: QoS = .atLeastOnce
  ) -> [PlannedMessage] {
    (0..<count).map {
      GatewayScene.message(
        device: device, number: $0, topic: topic, qos: qos, byteCount: byteCount)
    }
  }

  private static func habits(
    _ version: ProtocolVersion, patienceMilliseconds: Int = 600_000
  ) -> DeviceHabits {
    var habits = DeviceHabits()
    habits.version = version
    habits.window = 64
    habits.restMilliseconds = 0...1
    habits.patienceMilliseconds = patienceMilliseconds
    return habits
  }

  @Test(
    "A stuck key delays only its own connections",
    arguments: [ProtocolVersion.v5, .v3_1_1])
  func stuckKey(version: ProtocolVersion) throws {
    var configuration = GatewayScene.configuration()
    configuration.danube.callDeadlineMilliseconds = 500
    configuration.listeners[0].maxPauseSeconds = 300
    let scene = try GatewayScene(seed: 5, configuration: configuration)
    let stuck = scene.addDevice(
      Self.messages(device: 0, count: 40, topic: "keyed/stuck/x"), Self.habits(version))
    for device in 1...3 {
      scene.addDevice(
        Self.messages(device: device, count: 200, topic: "keyed/free\(device)/x"),
        Self.habits(version))
    }
    let key = Array("stuck".utf8)
    scene.broker?.onMessage = { message in
      .init(message.key == key ? .never(isAccepted: false) : .ok)
    }
    let others = scene.devices.dropFirst()
    let areDone = scene.run(milliseconds: 2_000) { others.allSatisfy { $0.isDone } }
    #expect(areDone)
    #expect(stuck.answeredCount == 0 && stuck.isOpen)
    scene.run(milliseconds: 20_000)
    #expect(stuck.answeredCount == 0 && stuck.connectionCount == 1)
    #expect(scene.gateway.store.batchesInUse > 0)
    scene.broker?.onMessage = nil
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(stuck.answeredCount == 40)
  }

  @Test(
    "Records of a stuck key keep their own bytes and not those of large traffic beside them",
    arguments: [ProtocolVersion.v5, .v3_1_1], [20, 900])
  func stuckKeyBesideLargeTraffic(version: ProtocolVersion, stuckBytes: Int) throws {
    var configuration = GatewayScene.configuration()
    configuration.danube.callDeadlineMilliseconds = 500
    configuration.listeners[0].maxPauseSeconds = 5
    configuration.listeners[0].receiveMaximum = 64
    let scene = try GatewayScene(seed: 21, configuration: configuration)
    var habits = Self.habits(version)
    habits.restMilliseconds = 10...30
    habits.burst = 1
    for device in 0..<4 {
      scene.addDevice(
        Self.messages(device: device, count: 60, topic: "keyed/stuck/x", byteCount: stuckBytes),
        habits)
    }
    habits.restMilliseconds = 0...1
    habits.window = 8
    for device in 4..<8 {
      // Twelve times the memory in all.
      scene.addDevice(
        Self.messages(
          device: device, count: 400, topic: "keyed/free\(device)/x", byteCount: 8_000), habits)
    }
    let key = Array("stuck".utf8)
    scene.broker?.onMessage = { message in
      .init(message.key == key ? .never(isAccepted: false) : .ok)
    }
    let stuck = scene.devices[..<4]
    let free = scene.devices[4...]
    let areDone = scene.run(milliseconds: 60_000) { free.allSatisfy { $0.isDone } }
    #expect(areDone, "answered: \(free.map(\.answeredCount))")
    #expect(free.allSatisfy { $0.connectionCount == 1 })
    scene.run(milliseconds: 10_000)
    #expect(stuck.allSatisfy { $0.answeredCount == 0 && $0.connectionCount == 1 })
    #expect(scene.metric("danube_gateway_batch_compactions_total") > 0)
    // 240 records are under way; each may keep four times its bytes, with what belongs to it.
    let bytes = scene.gateway.store.bytesInUse
    #expect(bytes <= max(4 * 240 * (stuckBytes + 300), 600 << 10))
    scene.broker?.onMessage = nil
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(stuck.allSatisfy { $0.answeredCount == 60 })
    #expect(scene.peakBytes <= configuration.limits.memoryBytes)
  }

  @Test(
    "While the broker is away devices wait, memory is bounded, keep alive stands still",
    arguments: [ProtocolVersion.v5, .v3_1_1])
  func brokerAway(version: ProtocolVersion) throws {
    var configuration = GatewayScene.configuration()
    configuration.listeners[0].maxPauseSeconds = 300
    configuration.listeners[0].receiveMaximum = 1_000
    configuration.limits.memoryBytes = 256 << 10
    let scene = try GatewayScene(seed: 6, configuration: configuration)
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    for device in 0..<4 {
      var habits = Self.habits(version)
      habits.window = 1_000
      // Without pings the keep alive would end the connection after three seconds.
      habits.keepAliveSeconds = 2
      habits.forgetsPings = true
      scene.addDevice(
        Self.messages(device: device, count: 120, topic: "alarm", byteCount: 3_000), habits)
    }
    scene.run(milliseconds: 60_000)
    #expect(scene.oracle.answeredCount == 0)
    #expect(scene.metric("danube_gateway_reading_paused_total") >= 4)
    #expect(scene.peakBytes > 200 << 10 && scene.peakBytes <= 256 << 10)
    #expect(scene.peakInputBytes > 0)
    #expect(scene.devices.allSatisfy { $0.connectionCount == 1 && $0.isOpen })
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.answeredCount == 480 && scene.oracle.duplicateCount == 0)
  }

  @Test("After max_pause_s a device is told 0x97 and sends again later")
  func pauseLimit() throws {
    var configuration = GatewayScene.configuration()
    configuration.listeners[0].maxPauseSeconds = 5
    configuration.listeners[0].receiveMaximum = 1_000
    configuration.limits.memoryBytes = 256 << 10
    let scene = try GatewayScene(seed: 7, configuration: configuration)
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    for (device, version) in [ProtocolVersion.v5, .v3_1_1].enumerated() {
      var habits = Self.habits(version)
      habits.window = 1_000
      scene.addDevice(
        Self.messages(device: device, count: 100, topic: "alarm", byteCount: 3_000), habits)
    }
    scene.run(milliseconds: 4_000)
    #expect(scene.devices.allSatisfy { $0.connectionCount == 1 })
    scene.run(milliseconds: 8_000)
    #expect(scene.devices[0].disconnectReasons.first == 0x97)
    #expect(scene.devices[1].connectionCount > 1)
    #expect(scene.oracle.answeredCount == 0)
    scene.world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(scene.oracle.answeredCount == 200)
  }

  @Test(
    "A device that does not read its answers is not read either",
    arguments: [ProtocolVersion.v5, .v3_1_1])
  func slowReader(version: ProtocolVersion) throws {
    let scene = try GatewayScene(seed: 8)
    var faults = NetworkFaults()
    faults.socketBufferBytes = 1_024...1_024
    scene.world.setFaults(
      faults, between: GatewayScene.gatewayHost, and: GatewayScene.deviceHost(0))
    let device = scene.addDevice(
      Self.messages(device: 0, count: 100, topic: "alarm"), Self.habits(version))
    scene.run(milliseconds: 1_000)
    #expect(device.isDone)
    device.floodsPings = true
    device.stopReading(forMilliseconds: 10_000)
    // The limit, what the sockets hold, and what the device itself has not got rid of.
    let limit = 64 << 10
    scene.run(milliseconds: 9_000) { device.pingCount * 2 > limit }
    #expect(
      device.pingCount * 2 < limit,
      "the gateway took \(device.pingCount) pings and keeps their answers")
    device.floodsPings = false
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
    #expect(device.connectionCount == 1)
  }

  @Test("A silent device is disconnected after 1.5 times its keep alive [MQTT-3.1.2-22]")
  func keepAlive() throws {
    let scene = try GatewayScene(seed: 9)
    var habits = Self.habits(.v5)
    habits.keepAliveSeconds = 2
    habits.forgetsPings = true
    let silent = scene.addDevice(Self.messages(device: 0, count: 1, topic: "alarm"), habits)
    habits.forgetsPings = false
    let lively = scene.addDevice(Self.messages(device: 1, count: 1, topic: "alarm"), habits)
    scene.run(milliseconds: 2_900)
    #expect(silent.disconnectReasons.isEmpty)
    scene.run(milliseconds: 200)
    #expect(silent.disconnectReasons == [0x8d])
    scene.run(milliseconds: 10_000)
    #expect(lively.disconnectReasons.isEmpty && lively.connectionCount == 1)
  }

  @Test("A second connection of a client ends the first [MQTT-3.1.4-3]")
  func takeOver() throws {
    let scene = try GatewayScene(seed: 10)
    scene.broker?.onMessage = { _ in .init(.ok, delayMilliseconds: 700) }
    let device = scene.addDevice(
      Self.messages(device: 0, count: 10, topic: "alarm"), Self.habits(.v5))
    scene.run(milliseconds: 500)
    let gone = scene.addTwin(of: 0)
    scene.run(milliseconds: 500)
    #expect(device.disconnectReasons == [0x8e] && gone.isOpen)
    gone.staysAway = true
    gone.leave(says: true)
    device.comeBack()
    let violations = scene.settle()
    #expect(violations.isEmpty, "\(violations)")
  }

  @Test("An orderly stop answers what is safe, tells devices 0x8B, and ends the loops")
  func orderlyStop() throws {
    let scene = try GatewayScene(seed: 11)
    scene.broker?.onMessage = { _ in .init(.ok, delayMilliseconds: 300) }
    for (device, version) in [ProtocolVersion.v5, .v3_1_1, .v5].enumerated() {
      var habits = Self.habits(version)
      habits.window = 8
      scene.addDevice(
        Self.messages(device: device, count: 400, topic: "keyed/\(device)/x"), habits)
    }
    scene.run(milliseconds: 3_000)
    let before = scene.oracle.answeredCount
    for device in scene.devices { device.staysAway = true }
    scene.main.beginStop()
    let isOver = scene.run(milliseconds: 30_000) { scene.stoppedLoops == 3 }
    #expect(isOver, "the loops go on")
    scene.run(milliseconds: 1_000)
    #expect(scene.violations.isEmpty, "\(scene.violations)")
    #expect(scene.oracle.answeredCount > before, "what was taken in was not answered")
    #expect(scene.gateway.store.batchesInUse == 0)
    #expect(scene.devices[0].disconnectReasons == [0x8b])
    #expect(scene.devices[2].disconnectReasons == [0x8b])
    #expect(scene.devices.allSatisfy { $0.isAway })
    // Everything that the broker took was answered: there was time enough.
    #expect(scene.oracle.acceptedCount == scene.oracle.answeredCount)
  }

  @Test(
    "A stop while the broker is away ends within its limit and answers nothing",
    arguments: [1, 2, 5])
  func stopWithoutBroker(seconds: Int) throws {
    var configuration = GatewayScene.configuration()
    configuration.gateway.shutdownSeconds = seconds
    let scene = try GatewayScene(seed: 12, configuration: configuration)
    scene.world.refuseConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    for (device, version) in [ProtocolVersion.v5, .v3_1_1].enumerated() {
      scene.addDevice(
        Self.messages(device: device, count: 50, topic: "alarm"), Self.habits(version))
    }
    scene.run(milliseconds: 2_000)
    for device in scene.devices { device.staysAway = true }
    scene.main.beginStop()
    let isOver = scene.run(milliseconds: seconds * 1_000) { scene.stoppedLoops == 3 }
    #expect(isOver, "the loops go on")
    scene.run(milliseconds: 1_000)
    #expect(scene.oracle.answeredCount == 0 && scene.violations.isEmpty)
    #expect(scene.devices[0].disconnectReasons == [0x8b])
    #expect(scene.devices.allSatisfy { $0.isAway })
  }

  @Test("A loop that is stuck does not keep the process beyond the limit")
  func stopWhileStuck() throws {
    var configuration = GatewayScene.configuration()
    configuration.gateway.shutdownSeconds = 2
    let scene = try GatewayScene(seed: 13, configuration: configuration)
    scene.run(milliseconds: 1_000)
    scene.driver.remove(scene.ingest.portID)
    scene.main.beginStop()
    #expect(scene.run(milliseconds: 1_900) { scene.main.isFinished } == false)
    // The way to Danube was closed in order all the same.
    #expect(scene.gateway.control.state(of: .delivery) == .stopped)
    // At the limit, and after the turn that sees it.
    #expect(scene.run(milliseconds: 101) { scene.main.isFinished })
  }
}
