import DanubeProtocol
import GRPC
import Gateway
import IOPort
import MQTT
import Records
import Simulator

/// A gateway amid all kinds of trouble, drawn from a seed.
final class HostileGateway {
  let scene: GatewayScene
  private var random: SplitMix64
  /// The broker and the way to it do nothing that makes a call's end ambiguous.
  let isBrokerCalm: Bool
  /// Devices send large messages, more than there is memory for.
  let isHeavy: Bool
  private let troubleMilliseconds: Int
  private(set) var brokerFaults = 0

  init(seed: UInt64, isFaulty: Bool = false) throws {
    random = SplitMix64(seed: seed ^ 0x476a_7465)
    scene = try GatewayScene(seed: seed, isFaulty: isFaulty)
    isBrokerCalm = Int.random(in: 0..<4, using: &random) == 0
    troubleMilliseconds = Int.random(in: 300...3_000, using: &random)
    isHeavy = Int.random(in: 0..<12, using: &random) == 0
    // Otherwise few seeds had enough on its way.
    if Bool.random(using: &random) { scene.gateway.store.compact(aboveBytes: 0) }
    let deviceCount = Int.random(in: 2...4, using: &random)
    for index in 0..<deviceCount { addDevice(index) }
    for index in 0..<Int.random(in: 0...3, using: &random) { addWebhook(deviceCount + index) }
    setFaults(seed)
    if !isBrokerCalm { planTrouble() }
    planBroker()
  }

  private func addDevice(_ index: Int) {
    let count = Int.random(in: 8...24, using: &random)
    let messages = (0..<count).map { number in
      let kind = Int.random(in: 0..<20, using: &random)
      let topic =
        switch kind {
        case 0: "nowhere/at/all"
        case 1: "alarm"
        case 2...8: "keyed/k\(kind % 3)/x/y"
        default: "sensors/room\(kind)/temperature"
        }
      var byteCount = Int.random(in: 8...200, using: &random)
      switch Int.random(in: 0..<40, using: &random) {
      case 0..<8 where isHeavy: byteCount = Int.random(in: 10_000...300_000, using: &random)
      case 8...10: byteCount = Int.random(in: 400...3_000, using: &random)
      default: break
      }
      let qos: QoS =
        Int.random(in: 0..<6, using: &random) == 0 ? .atMostOnce : .atLeastOnce
      return GatewayScene.message(
        device: index, number: number, topic: topic, qos: qos, byteCount: byteCount,
        isRouted: kind != 0)
    }
    scene.addDevice(messages, habits())
  }

  private func addWebhook(_ source: Int) {
    var habits = WebhookHabits()
    habits.window = [1, 1, 3, 20].randomElement(using: &random) ?? 1
    habits.closesPerMille = [0, 100, 1_000].randomElement(using: &random) ?? 0
    habits.leavesPerMille = [0, 0, 10].randomElement(using: &random) ?? 0
    habits.restMilliseconds = 0...([0, 20, 100].randomElement(using: &random) ?? 0)
    habits.patienceMilliseconds = [2_000, 5_000].randomElement(using: &random) ?? 5_000
    let posts = (0..<Int.random(in: 8...24, using: &random)).map { number -> PlannedPost in
      var byteCount = Int.random(in: 8...200, using: &random)
      switch Int.random(in: 0..<40, using: &random) {
      case 0..<8 where isHeavy: byteCount = Int.random(in: 10_000...300_000, using: &random)
      case 8...10: byteCount = Int.random(in: 400...3_000, using: &random)
      default: break
      }
      let kind = Int.random(in: 0..<12, using: &random)
      // Only who waits for each answer keeps an order within a key: a 503 comes to one of several.
      let path =
        switch kind {
        case 0: "/nowhere"
        case 1...2: "/hooks/each/\(number)"
        case 3...4: "/hooks/made/\(kind + number % 2)/\(habits.window == 1 ? 0 : number)"
        case 5...7: "/hooks/own/\(habits.window == 1 ? kind : number)"
        default: "/hooks/keyed/k\(habits.window == 1 ? kind & 1 : number)"
        }
      return PlannedPost(
        path: path,
        body: DeliveryOracle.payload(device: source, number: number, byteCount: byteCount),
        isRouted: kind != 0, isChunked: Int.random(in: 0..<3, using: &random) == 0,
        expectsContinue: Int.random(in: 0..<4, using: &random) == 0)
    }
    scene.addWebhook(posts, habits)
  }

  private func habits() -> DeviceHabits {
    var habits = DeviceHabits()
    habits.version = Bool.random(using: &random) ? .v5 : .v3_1_1
    habits.window = [1, 4, 12, 40].randomElement(using: &random) ?? 4
    habits.keepAliveSeconds = [0, 0, 2, 5].randomElement(using: &random) ?? 0
    habits.forgetsPings = Int.random(in: 0..<6, using: &random) == 0
    habits.burst = [1, 3, 16].randomElement(using: &random) ?? 1
    habits.restMilliseconds = 0...([0, 20, 100].randomElement(using: &random) ?? 0)
    habits.leavesPerMille = [0, 0, 10].randomElement(using: &random) ?? 0
    habits.stopsReadingPerMille = [0, 0, 100].randomElement(using: &random) ?? 0
    habits.usesAliases = habits.version == .v5 && Bool.random(using: &random)
    habits.will = [.none, .plain, .delayed].randomElement(using: &random) ?? .none
    if habits.version == .v3_1_1, habits.will == .delayed { habits.will = .plain }
    habits.marksDuplicates = Bool.random(using: &random)
    habits.patienceMilliseconds = [2_000, 5_000].randomElement(using: &random) ?? 5_000
    return habits
  }

  private func setFaults(_ seed: UInt64) {
    for index in scene.devices.indices {
      guard Int.random(in: 0..<4, using: &random) != 0 else { continue }
      scene.world.setFaults(
        faults(seed &* 16 &+ UInt64(index)), between: GatewayScene.gatewayHost,
        and: GatewayScene.deviceHost(index))
    }
    for index in scene.webhooks.indices {
      guard Int.random(in: 0..<4, using: &random) != 0 else { continue }
      scene.world.setFaults(
        faults(seed &* 16 &+ 10 &+ UInt64(index)), between: GatewayScene.gatewayHost,
        and: GatewayScene.webhookHost(index))
    }
    if !isBrokerCalm {
      scene.world.setFaults(
        faults(seed &* 16 &+ 15), between: GatewayScene.gatewayHost,
        and: GatewayScene.brokerHost)
    }
  }

  private func faults(_ seed: UInt64) -> NetworkFaults {
    var faults = NetworkFaults.hostile(seed: seed)
    faults.cutMilliseconds = 300...4_000
    // The simulator copies a send at each attempt: large ones through tiny buffers take for ever.
    if isHeavy { faults.socketBufferBytes = 16_384...262_144 }
    return faults
  }

  // MARK: The broker

  private func planBroker() {
    guard let broker = scene.broker else { return }
    let badness = [0, 50, 300].randomElement(using: &random) ?? 0
    let slowness = [0, 5, 100].randomElement(using: &random) ?? 0
    broker.onMessage = { [unowned self] message in
      let delay = Int.random(in: 0...slowness, using: &random)
      guard Int.random(in: 0..<1_000, using: &random) < badness else {
        return .init(.ok, delayMilliseconds: delay)
      }
      brokerFaults += 1
      let outcome = fault()
      if case .fail(.invalidArgument, _) = outcome {
        scene.oracle.refused(payload: message.payload)
        scene.wills.refused(payload: message.payload)
      }
      return .init(outcome, delayMilliseconds: delay)
    }
    guard !isBrokerCalm, Bool.random(using: &random) else { return }
    broker.onLookup = { [unowned self] topic in
      switch Int.random(in: 0..<10, using: &random) {
      case 0: .never
      case 1: .fail(.unavailable, "busy")
      default:
        .at(
          connectURL: "http://0.0.0.0:6650", brokerURL: "http://0.0.0.0:6650", type: .connect)
      }
    }
    broker.onCreate = { [unowned self] _, _ in
      switch Int.random(in: 0..<10, using: &random) {
      case 0: .never
      case 1: .fail(.internalError, "no", createsTopic: true)
      default: .ok
      }
    }
  }

  private func fault() -> ScriptedBroker.SendAnswer.Outcome {
    switch Int.random(in: 0..<(isBrokerCalm ? 6 : 10), using: &random) {
    case 0: .fail(.unavailable, "no leader")
    case 1: .fail(.notFound, "producer not found")
    case 2: .fail(.internalError, "panic")
    case 3: .fail(.permissionDenied, "topic is closed")
    case 4: .fail(.resourceExhausted, "slow down")
    case 5: .fail(.invalidArgument, "no")
    case 6: .never(isAccepted: true)
    case 7: .never(isAccepted: false)
    case 8: .closeConnection(isAccepted: true)
    default: .closeConnection(isAccepted: false)
    }
  }

  private func planTrouble() {
    guard let broker = scene.broker else { return }
    let world = scene.world
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let at = Int.random(in: 0...troubleMilliseconds, using: &random)
      let kind = Int.random(in: 0..<7, using: &random)
      let milliseconds = Int.random(in: 10...3_000, using: &random)
      let device = GatewayScene.deviceHost(
        Int.random(in: 0..<scene.devices.count, using: &random))
      let (gateway, far) = (GatewayScene.gatewayHost, GatewayScene.brokerHost)
      world.after(milliseconds: at) { [unowned world, unowned broker] in
        switch kind {
        case 0:
          broker.forgetProducers()
          broker.closeConnections()
        case 1: broker.goAway()
        case 2: broker.forgetProducers()
        case 3: world.cut(gateway, far, forMilliseconds: milliseconds)
        case 4: world.partition(gateway, device, forMilliseconds: milliseconds)
        case 5:
          world.refuseConnects(to: far, port: GatewayScene.brokerPort)
          broker.closeConnections()
          world.after(milliseconds: milliseconds) { [unowned world] in
            world.allowConnects(to: far, port: GatewayScene.brokerPort)
          }
        default: world.resetConnections(gateway, far)
        }
      }
    }
  }

  // MARK: The run

  /// Lets the trouble happen, heals everything, and tells what was wrong.
  func run() -> [String] {
    scene.run(milliseconds: troubleMilliseconds + 3_100)
    heal()
    var violations = scene.settle(isBrokerCalm: isBrokerCalm)
    if isBrokerCalm { violations += unexplainedDuplicates() }
    return violations
  }

  private func heal() {
    let world = scene.world
    for index in scene.devices.indices {
      let host = GatewayScene.deviceHost(index)
      scene.devices[index].isCalm = true
      world.setFaults(NetworkFaults(), between: GatewayScene.gatewayHost, and: host)
      world.heal(GatewayScene.gatewayHost, host)
    }
    for index in scene.webhooks.indices {
      let host = GatewayScene.webhookHost(index)
      scene.webhooks[index].isCalm = true
      world.setFaults(NetworkFaults(), between: GatewayScene.gatewayHost, and: host)
      world.heal(GatewayScene.gatewayHost, host)
    }
    world.setFaults(
      NetworkFaults(), between: GatewayScene.gatewayHost, and: GatewayScene.brokerHost)
    world.heal(GatewayScene.gatewayHost, GatewayScene.brokerHost)
    world.allowConnects(to: GatewayScene.brokerHost, port: GatewayScene.brokerPort)
    scene.broker?.onMessage = nil
    scene.broker?.onLookup = nil
    scene.broker?.onCreate = nil
  }

  /// How often which kind of trouble happened.
  var coverage: [String: Int] {
    let faults = scene.world.faultCounts
    let devices = scene.devices
    func disconnects(_ reason: UInt8) -> Int {
      devices.reduce(0) { sum, device in sum + device.disconnectReasons.count { $0 == reason } }
    }
    let resent = devices.reduce(0) { sum, device in
      sum + device.sentCounts.reduce(0) { $0 + max($1 - 1, 0) }
    }
    func statuses(_ status: Int) -> Int {
      scene.webhooks.reduce(0) { $0 + ($1.statusCounts[status] ?? 0) }
    }
    return [
      "202": statuses(202), "100": statuses(100), "404": statuses(404), "502": statuses(502),
      "503": statuses(503), "504": statuses(504),
      "answers": scene.oracle.answeredCount, "accepted": scene.oracle.acceptedCount,
      "duplicates": scene.oracle.duplicateCount, "refused": scene.oracle.refusedCount,
      "resent": resent, "connections": devices.reduce(0) { $0 + $1.connectionCount },
      "impatience": devices.reduce(0) { $0 + $1.impatienceCount },
      "keep alive": disconnects(0x8d), "broker faults": brokerFaults,
      "uplink connections": (scene.broker?.connectionCount ?? 1) - 1,
      "cancelled calls": scene.broker?.cancelCount ?? 0, "resets": faults.resets,
      "cuts": faults.cuts, "splits": faults.splits, "short writes": faults.shortWrites,
      "back pressures": faults.backPressures, "buffer exhaustions": faults.bufferExhaustions,
      "accept exhaustions": faults.acceptExhaustions, "refusals": faults.refusals,
      "spikes": faults.spikes, "peak KiB": scene.peakBytes >> 10,
      "compactions": scene.metric("danube_gateway_batch_compactions_total"),
      "full memory": scene.peakBytes > 900 << 10 ? 1 : 0,
      "aliased": devices.reduce(0) { $0 + $1.aliasedCount }, "wills": scene.wills.acceptedCount,
      "sessions resumed": devices.reduce(0) { $0 + $1.resumedCount },
      "pauses": scene.metric("danube_gateway_reading_paused_total"),
    ]
  }

  /// With a broker that answers every call, only a device that sends twice makes duplicates.
  private func unexplainedDuplicates() -> [String] {
    var result: [String] = []
    for (index, device) in scene.devices.enumerated() {
      for number in device.messages.indices {
        let accepted = scene.oracle.acceptedCount(device: index, number: number)
        if accepted > device.sentCounts[number] {
          result.append("\(index):\(number) came \(accepted) times")
        }
      }
    }
    for (index, client) in scene.webhooks.enumerated() {
      for number in client.posts.indices {
        let source = scene.devices.count + index
        let accepted = scene.oracle.acceptedCount(device: source, number: number)
        if accepted > client.sentCounts[number] {
          result.append("\(source):\(number) came \(accepted) times")
        }
      }
    }
    return result
  }
}
