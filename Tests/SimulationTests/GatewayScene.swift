import Gateway
import IOPort
import Ingest
import MQTT
import Records
import Settings
import Simulator
import Spool

/// A whole gateway with its devices and a broker, on simulated hosts.
final class GatewayScene {
  static let gatewayHost: UInt32 = 0x0a00_0001
  static let brokerHost: UInt32 = 0x0a00_0064
  static let firstDeviceHost: UInt32 = 0x0a00_0a00
  static let firstWebhookHost: UInt32 = 0x0a00_0c00
  static let mqttPort: UInt16 = 1883
  static let webhookPort: UInt16 = 8080
  static let brokerPort: UInt16 = 6650

  let world: SimulatedWorld
  let driver: SimulationDriver
  private(set) var gateway: Gateway
  private(set) var ingest: IngestNode
  private(set) var delivery: DeliveryNode
  private(set) var main: MainNode
  /// Nil with the embedded broker.
  let broker: ScriptedBroker?
  let oracle = DeliveryOracle()
  let wills = WillOracle()
  private(set) var devices: [SimulatedDevice] = []
  /// Clients of webhooks; their numbers follow those of the devices.
  private(set) var webhooks: [SimulatedWebhook] = []
  private var acceptedSeen = 0
  /// When the gateway was killed last.
  private var lastCrash = Instant(nanoseconds: 0)
  private(set) var peakBytes = 0
  private(set) var peakInputBytes = 0
  /// Where the loops of the gateway ended.
  private(set) var stoppedLoops = 0
  /// How often the gateway was started.
  private(set) var starts = 1
  private let portLimits: SimulatedPortLimits
  private let spoolFault: PlantedSpoolFault?
  private var bootID: UInt64

  init(
    seed: UInt64, configuration: GatewayConfiguration = GatewayScene.configuration(),
    isFaulty: Bool = false, spoolFault: PlantedSpoolFault? = nil, bootID: UInt64 = 0,
    limits: SimulatedPortLimits = .init(receiveBufferCount: 32, receiveBufferBytes: 2_048)
  ) throws {
    portLimits = limits
    self.bootID = bootID
    self.spoolFault = spoolFault
    world = SimulatedWorld(seed: seed)
    driver = SimulationDriver(world)
    gateway = Gateway(
      configuration: configuration, seed: seed, startingAt: world.now, bootID: bootID)
    if case .brokers = configuration.danube.target {
      let broker = try ScriptedBroker(world, host: Self.brokerHost, port: Self.brokerPort)
      driver.add(broker)
      self.broker = broker
    } else {
      broker = nil
    }
    main = try MainNode(world, host: Self.gatewayHost, gateway: gateway)
    ingest = try IngestNode(
      world, host: Self.gatewayHost, gateway: gateway, limits: limits, isFaulty: isFaulty)
    delivery = try DeliveryNode(
      world, host: Self.gatewayHost, gateway: gateway, limits: limits, fault: spoolFault)
    driver.add(main)
    driver.add(ingest)
    driver.add(delivery)
  }

  /// Ends the process of the gateway, or its power, in the middle of whatever it does, and starts
  /// it again, with another configuration if there is one.
  func crash(
    losesPower: Bool, bootID: UInt64? = nil, configuration other: GatewayConfiguration? = nil
  ) throws {
    watchBroker()
    lastCrash = world.now
    self.bootID = bootID ?? self.bootID
    for id in [ingest.portID, delivery.portID, main.portID] { driver.remove(id) }
    if losesPower {
      world.losePower(host: Self.gatewayHost)
    } else {
      for id in [ingest.portID, delivery.portID, main.portID] { world.kill(id) }
    }
    let configuration = other ?? gateway.configuration
    gateway = Gateway(
      configuration: configuration, seed: world.seed &+ UInt64(starts) &* 1_000,
      startingAt: world.now, bootID: self.bootID)
    main = try MainNode(world, host: Self.gatewayHost, gateway: gateway)
    ingest = try IngestNode(
      world, host: Self.gatewayHost, gateway: gateway, limits: portLimits, isFaulty: false)
    delivery = try DeliveryNode(
      world, host: Self.gatewayHost, gateway: gateway, limits: portLimits, fault: spoolFault)
    driver.add(main)
    driver.add(ingest)
    driver.add(delivery)
    starts += 1
  }

  /// Messages have so many bytes at most: of a small spool less is kept free for them.
  static func limitMessages(of configuration: inout GatewayConfiguration, to bytes: Int) {
    for listener in configuration.listeners.indices {
      configuration.listeners[listener].maxPacketBytes = bytes
      configuration.listeners[listener].maxBodyBytes = bytes
      configuration.listeners[listener].maxHeadBytes = 1 << 10
    }
  }

  /// A small gateway in front of the broker, without a spool.
  static func configuration(isEmbedded: Bool = false) -> GatewayConfiguration {
    var configuration = GatewayConfiguration(
      routes: [
        route("sensors/+/temperature", "/default/temperature", key: "{client_id}"),
        route("keyed/+/#", "/default/keyed", key: "{1}"),
        route("alarm", "/default/alarm", key: "{topic}"),
        webhook("/hooks/keyed/{name}", "/default/keyed", key: "{path.name}"),
        webhook("/hooks/each/*", "/default/alarm", key: "{topic}"),
        webhook("/hooks/own/*", "/default/hooks", key: "{topic}"),
        webhook("/hooks/made/{kind}/{number}", "/default/made-{path.kind}", key: "{topic}"),
      ])
    var webhooks = ListenerConfiguration()
    webhooks.kind = .webhook
    webhooks.address = HostPort(host: "0.0.0.0", port: webhookPort)
    webhooks.maxPipelined = 8
    webhooks.maxBodyBytes = 400 << 10
    webhooks.answerTimeoutSeconds = 1
    webhooks.pressureWaitMilliseconds = 500
    configuration.listeners.append(webhooks)
    configuration.listeners[0].address = HostPort(host: "0.0.0.0", port: mqttPort)
    configuration.listeners[0].receiveMaximum = 16
    configuration.listeners[0].maxPacketBytes = 400 << 10
    configuration.listeners[0].maxPauseSeconds = 20
    configuration.spool.mode = .memory
    configuration.limits.memoryBytes = 1 << 20
    configuration.limits.maxBatchBytes = 64 << 10
    configuration.danube.callDeadlineMilliseconds = 1_000
    configuration.danube.connectTimeoutMilliseconds = 1_000
    configuration.danube.backoffMinMilliseconds = 20
    configuration.danube.backoffMaxMilliseconds = 500
    if !isEmbedded {
      configuration.danube.target = .brokers([BrokerURL(host: "10.0.0.100", port: brokerPort)])
    } else {
      configuration.broker.address = HostPort(host: "0.0.0.0", port: brokerPort)
    }
    return configuration
  }

  private static func route(
    _ filter: String, _ topic: String, key: String
  ) -> RouteConfiguration {
    do {
      return try RouteConfiguration(mqtt: filter, to: topic, key: key)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  private static func webhook(
    _ path: String, _ topic: String, key: String
  ) -> RouteConfiguration {
    do {
      return try RouteConfiguration(webhook: path, to: topic, key: key)
    } catch {
      preconditionFailure("\(error)")
    }
  }

  // MARK: Devices

  static func deviceHost(_ index: Int) -> UInt32 { firstDeviceHost + UInt32(index) }

  @discardableResult
  func addDevice(_ messages: [PlannedMessage], _ habits: DeviceHabits) -> SimulatedDevice {
    precondition(webhooks.isEmpty, "devices come first")
    let index = devices.count
    let device = SimulatedDevice(
      world, host: Self.deviceHost(index), name: "device-\(index)",
      gateway: SocketAddress(ipv4: Self.gatewayHost, port: Self.mqttPort), messages: messages,
      habits: habits, seed: world.seed &* 31 &+ UInt64(index))
    let isV5 = habits.version == .v5
    device.onAnswer = { [unowned self] number, reason in
      watchBroker()
      oracle.answered(
        device: index, number: number, reason: reason, isRouted: messages[number].isRouted,
        isV5: isV5)
    }
    oracle.addDevice(messageCount: messages.count, isRefusable: true)
    devices.append(device)
    driver.add(device)
    return device
  }

  static func webhookHost(_ index: Int) -> UInt32 { firstWebhookHost + UInt32(index) }

  @discardableResult
  func addWebhook(_ posts: [PlannedPost], _ habits: WebhookHabits) -> SimulatedWebhook {
    let index = webhooks.count
    let source = devices.count + index
    let client = SimulatedWebhook(
      world, host: Self.webhookHost(index), name: "webhook-\(index)",
      gateway: SocketAddress(ipv4: Self.gatewayHost, port: Self.webhookPort), posts: posts,
      habits: habits, seed: world.seed &* 37 &+ UInt64(index))
    client.onAnswer = { [unowned self] number, status in
      watchBroker()
      oracle.webhookAnswered(
        source: source, number: number, status: status, isRouted: posts[number].isRouted)
    }
    oracle.addDevice(messageCount: posts.count)
    webhooks.append(client)
    driver.add(client)
    return client
  }

  /// A device with the name of another one and nothing to say.
  func addTwin(of index: Int) -> SimulatedDevice {
    let twin = SimulatedDevice(
      world, host: Self.deviceHost(100 + index), name: devices[index].name,
      gateway: SocketAddress(ipv4: Self.gatewayHost, port: Self.mqttPort), messages: [],
      habits: devices[index].habits, seed: world.seed &+ 99)
    devices[index].staysAway = true
    driver.add(twin)
    return twin
  }

  /// The next message of the next device.
  static func message(
    device: Int, number: Int, topic: String, qos: QoS = .atLeastOnce, byteCount: Int = 20,
    isRouted: Bool = true
  ) -> PlannedMessage {
    PlannedMessage(
      topic: Array(topic.utf8), qos: qos,
      payload: DeliveryOracle.payload(device: device, number: number, byteCount: byteCount),
      isRouted: isRouted)
  }

  /// Tells the oracle what a consumer or the broker has.
  func accepted(topic: String, key: [UInt8], payload: [UInt8], isStale: Bool = false) {
    if let place = WillOracle.place(of: payload), place.device < devices.count {
      wills.accepted(place, topic: topic, key: key, of: devices[place.device])
      return
    }
    checkPlace(topic: topic, key: key, payload: payload)
    oracle.accepted(
      topic: topic, key: key, payload: payload, isStale: isStale
    ) { [devices] device, number in
      device < devices.count ? devices[device].messages[number].qos : .atLeastOnce
    }
  }

  /// Whether a device's record came where its MQTT topic leads, by alias or not.
  private func checkPlace(topic: String, key: [UInt8], payload: [UInt8]) {
    guard let (index, number) = DeliveryOracle.identity(of: payload), index < devices.count,
      number < devices[index].messages.count
    else { return }
    let levels = String(decoding: devices[index].messages[number].topic, as: UTF8.self)
      .split(separator: "/")
    let expected: (topic: String, key: String)? =
      switch levels.first {
      case "sensors": (WillOracle.danubeTopic, devices[index].name)
      case "keyed": ("/default/keyed", String(levels[1]))
      case "alarm": ("/default/alarm", "alarm")
      default: nil
      }
    guard let expected else { return }
    if topic != expected.topic || key != Array(expected.key.utf8) {
      oracle.complain("\(index):\(number) came to \(topic) with key \(key)")
    }
    if topic == WillOracle.danubeTopic {
      devices[index].newestAccepted = max(
        devices[index].newestAccepted, devices[index].firstConnections[number])
    }
  }

  // MARK: Time

  private func watchBroker() {
    guard let broker else { return }
    while acceptedSeen < broker.accepted.count {
      let message = broker.accepted[acceptedSeen]
      acceptedSeen += 1
      accepted(
        topic: message.topic, key: message.key, payload: message.payload,
        isStale: message.arrivedAt < lastCrash)
    }
  }

  private func watchMemory() {
    let bytes = gateway.store.bytesInUse
    peakBytes = max(peakBytes, bytes)
    if bytes > gateway.configuration.limits.memoryBytes {
      oracle.complain("\(bytes) bytes of batches")
    }
    let input = inputBytes
    peakInputBytes = max(peakInputBytes, input)
    if input > IngestLimits(configuration: gateway.configuration).inputBytes {
      oracle.complain("\(input) bytes of memory for what devices sent")
    }
  }

  /// Loops that have ended do not turn any more, as their threads would.
  private func dropStoppedLoops() {
    if gateway.control.stage == .running { return }
    for (part, id) in [(GatewayControl.Part.ingest, ingest.portID), (.delivery, delivery.portID)]
    where gateway.control.state(of: part) == .stopped && world.isAlive(id) {
      let lent = world.lentBufferCount(of: id)
      if lent > 0 { oracle.complain("\(part) ended with \(lent) buffers lent") }
      stoppedLoops += 1
      driver.remove(id)
      world.kill(id)
    }
    if main.isFinished, world.isAlive(main.portID) {
      stoppedLoops += 1
      driver.remove(main.portID)
      world.kill(main.portID)
    }
  }

  /// Runs until `condition` holds, watching every turn; false when time ran out before.
  @discardableResult
  func run(milliseconds: Int, until condition: () -> Bool = { false }) -> Bool {
    let isMet = driver.run(milliseconds: milliseconds) {
      watchMemory()
      dropStoppedLoops()
      return condition()
    }
    watchBroker()
    return isMet
  }

  // MARK: What holds at the end

  /// Everything wrong so far.
  var violations: [String] {
    oracle.violations + wills.violations + devices.flatMap(\.violations)
      + webhooks.flatMap(\.violations)
  }

  /// After everything healed: everything outstanding is delivered, answered, and forgotten.
  func settle(milliseconds: Int = 120_000, isBrokerCalm: Bool = false) -> [String] {
    let isDone = run(milliseconds: milliseconds) {
      devices.allSatisfy(\.isDone) && webhooks.allSatisfy(\.isDone)
        && gateway.store.batchesInUse == 0
    }
    if !isDone {
      for device in devices where !device.isDone {
        oracle.complain(
          "\(device.name) has \(device.answeredCount) answers for \(device.messages.count)")
      }
      for client in webhooks where !client.isDone {
        oracle.complain("\(client.name) has \(client.settledCount) of \(client.posts.count)")
      }
      oracle.complain("\(gateway.store.batchesInUse) batches are in use at the end")
    }
    run(milliseconds: 2_000)
    if gateway.store.bytesInUse != 0 {
      oracle.complain("\(gateway.store.bytesInUse) bytes leaked")
    }
    // A delayed will that nobody took back would come now.
    if devices.contains(where: { $0.habits.will == .delayed }) {
      run(milliseconds: Int(WillOracle.delaySeconds) * 1_000)
    }
    wills.check(devices, isBrokerCalm: isBrokerCalm)
    if metric("danube_gateway_mqtt_wills") > devices.count {
      oracle.complain("\(metric("danube_gateway_mqtt_wills")) wills are kept")
    }
    // A packet that is on its way may be there, a message that waits may not.
    if inputBytes > 1_024 { oracle.complain("\(inputBytes) bytes of input leaked") }
    for id in [ingest.portID, delivery.portID, main.portID] where world.isAlive(id) {
      let lent = world.lentBufferCount(of: id)
      if lent > 0 { oracle.complain("\(lent) buffers are lent for ever") }
    }
    return violations
  }
}
