/// A run of devices that publish by MQTT.
struct DeviceFleet: ~Copyable {
  private enum Phase: Equatable {
    /// Not connected; tries again at this time.
    case waiting(until: UInt64)
    case connecting
    case connected
  }

  private struct Device {
    let topic: String
    var phase = Phase.waiting(until: 0)
    var backoff = Backoff()
    /// Message ids of MQTT and the messages that have them.
    var unanswered: [Int32: MessageID] = [:]
  }

  /// So that the queue of new connections at the server does not overflow.
  private static let connectingLimit = 64
  private static let shortestConnectNanoseconds: UInt64 = 500_000_000
  private static let idleLimitNanoseconds: UInt64 = 50_000_000

  private var clients: MosquittoClients
  private var devices: [Device]
  private var ledger: RunLedger
  private var connectingCount = 0
  private var connectedCount = 0
  private var lastTending: UInt64 = 0
  private var lastTrouble = ""

  /// Runs to the end; returns the exit code.
  static func run(_ options: RunOptions, topic: DeviceTemplate) throws(DeviceError) -> Int32 {
    var fleet = try DeviceFleet(options, topic: topic)
    try fleet.connectAll()
    return fleet.publishAll()
  }

  private init(_ options: RunOptions, topic: DeviceTemplate) throws(DeviceError) {
    let numbers = 0..<options.workload.devices
    let ledger = try RunLedger(options, title: "mqtt")
    let clients = try MosquittoClients(
      clientIDs: numbers.map { options.name(of: $0) }, server: options.server)
    self.ledger = ledger
    self.clients = clients
    devices = numbers.map {
      Device(topic: topic.filled(device: options.name(of: $0), number: $0))
    }
  }

  // MARK: The loop

  /// Waits until all are connected, or for as long as answers are waited for.
  private mutating func connectAll() throws(DeviceError) {
    let limit = UInt64(ledger.options.workload.waitMilliseconds) * 1_000_000
    let end = Clock.now() + max(limit, Self.shortestConnectNanoseconds)
    while connectedCount < devices.count, !Process.shouldStop, Clock.now() < end {
      turn(at: Clock.now())
      clients.wait(nanoseconds: Self.idleLimitNanoseconds)
    }
    let server = ledger.options.server
    guard connectedCount > 0 else {
      throw DeviceError(
        message: "no device could connect to \(server.host) port \(server.port): \(lastTrouble)",
        exitCode: ExitCode.unavailable)
    }
    if connectedCount < devices.count {
      ledger.complain("\(connectedCount) of \(devices.count) devices are connected")
    }
  }

  private mutating func publishAll() -> Int32 {
    ledger.begin(at: Clock.now())
    while ledger.goOn(at: Clock.now()) {
      let now = Clock.now()
      turn(at: now)
      for number in devices.indices { publish(number, at: now) }
      // At QoS 0 messages are done when they are written, which may be in `publish` already.
      takeEvents(at: Clock.now())
      clients.wait(
        nanoseconds: ledger.idleNanoseconds(at: now, limit: Self.idleLimitNanoseconds))
    }
    for number in devices.indices where devices[number].phase == .connected {
      clients.disconnect(number)
    }
    return ledger.finish()
  }

  private mutating func turn(at now: UInt64) {
    takeEvents(at: now)
    for number in devices.indices {
      guard case .waiting(let time) = devices[number].phase, time <= now else { continue }
      guard connectingCount < Self.connectingLimit else { break }
      devices[number].phase = .connecting
      connectingCount += 1
      clients.connect(number)
    }
    if now - lastTending >= 1_000_000_000 {
      lastTending = now
      clients.tend()
    }
  }

  private mutating func publish(_ number: Int, at now: UInt64) {
    guard devices[number].phase == .connected else { return }
    let options = ledger.options
    while devices[number].unanswered.count < options.server.inFlight,
      let (id, payload) = ledger.next(for: number)
    {
      let outcome = clients.publish(
        number, topic: devices[number].topic, payload: payload, qos: options.qos)
      switch outcome {
      case .taken(let messageID): devices[number].unanswered[messageID] = id
      case .refused(let reason): ledger.refuse(id, reason, at: now)
      }
    }
  }

  // MARK: Events

  private mutating func takeEvents(at now: UInt64) {
    for event in clients.takeEvents() { take(event, at: now) }
  }

  private mutating func take(_ event: MosquittoClients.Event, at now: UInt64) {
    switch event {
    case .connected(let number):
      if devices[number].phase == .connecting { connectingCount -= 1 }
      if devices[number].phase != .connected { connectedCount += 1 }
      devices[number].phase = .connected
      devices[number].backoff.reset()
    case .rejected(let number, let reason):
      ledger.complain("connection refused: \(reason)")
      tryAgain(number, reason, at: now)
    case .disconnected(let number, let reason):
      if devices[number].phase == .connected { ledger.lostConnection(reason) }
      tryAgain(number, reason, at: now)
    case .published(let number, let messageID, let reason):
      guard let id = devices[number].unanswered.removeValue(forKey: messageID) else { return }
      // MQTT 5.0 §2.4: 0x80 and above are failures.
      if reason < 0x80 {
        ledger.acknowledge(id, at: now)
      } else {
        ledger.refuse(id, MosquittoClients.reasonText(reason), at: now)
      }
    }
  }

  /// One end of a connection may be told by several events.
  private mutating func tryAgain(_ number: Int, _ reason: String, at now: UInt64) {
    switch devices[number].phase {
    case .waiting: return
    case .connecting: connectingCount -= 1
    case .connected: connectedCount -= 1
    }
    lastTrouble = reason
    devices[number].phase = .waiting(until: now + devices[number].backoff.next())
  }
}
