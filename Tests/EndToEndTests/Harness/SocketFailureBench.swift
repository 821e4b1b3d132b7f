import BrokerFailures
import Foundation
import IOPort
import Simulator
import TLS
import TestCertificates
import Uring

/// A gateway process and two brokers of the calling thread, on loopback.
final class SocketFailureBench: FailureBench {
  let stage: FailureStage
  let troubleMilliseconds = 700
  let backoffMaximumMilliseconds = 150
  private var gateway: GatewayProcess?
  private var devices: [PublishingDevice] = []
  private let began = ContinuousClock.now
  private let trust: Trust?

  /// What brokers show, and who issued it.
  struct Trust: Sendable {
    let authority: TestAuthority
    let identity: TestAuthority.Issued

    init() throws {
      authority = try TestAuthority()
      identity = try authority.issue()
    }

    func context() throws -> TLSContext {
      try TLSContext(
        server: TLSServerOptions(
          identity: TLSIdentity(certificates: identity.certificate, key: identity.key),
          applicationProtocol: .http2))
    }
  }

  /// In clear, or by TLS.
  init(trust: Trust? = nil) throws {
    self.trust = trust
    stage = try FailureStage(broker: Self.broker(trust), other: Self.broker(trust))
  }

  private static func broker(_ trust: Trust?) throws -> ScriptedBroker {
    var limits = UringLimits()
    limits.submissionEntries = 64
    limits.completionEntries = 512
    limits.receiveBufferCount = 32
    return try ScriptedBroker(
      port: Uring(limits: limits), on: .loopback(port: 0), tls: trust?.context())
  }

  var milliseconds: Int {
    let passed = began.duration(to: .now).components
    return Int(passed.seconds * 1_000 + passed.attoseconds / 1_000_000_000_000_000)
  }

  func start() throws {
    var configuration = GatewayProcess.Configuration()
    configuration.brokerURL = stage.broker.advertisedURL
    configuration.danube = """
      backoff_min_ms = 20
      backoff_max_ms = \(backoffMaximumMilliseconds)
      call_deadline_ms = 800
      \(trust.map { "ca_file = \"\($0.authority.certificateFile)\"" } ?? "")
      """
    configuration.routes = """
      [[route]]
      mqtt = "keyed/+/#"
      to = "\(FailureStage.topic)"
      key = "{1}"
      [[route]]
      mqtt = "sensors/+/temperature"
      to = "\(FailureStage.otherTopic)"
      key = "{client_id}"
      """
    // Other threads start gateways as well: a port that was free may be taken by now.
    for _ in 0..<5 {
      do {
        gateway = try GatewayProcess(configuration)
        return
      } catch let error as EndToEndError where error.description.contains("already in use") {
        continue
      }
    }
    gateway = try GatewayProcess(configuration)
  }

  private func running() throws -> GatewayProcess {
    guard let gateway else { throw EndToEndError("the gateway was not started") }
    return gateway
  }

  func publish(_ count: Int, bytes: Int) throws {
    for isOther in [false, true] {
      let device = devices.count
      let messages = (0..<count).map { number in
        var payload = Array("\(device):\(number):".utf8)
        let wanted = isOther ? 24 : bytes
        payload += [UInt8](repeating: 0x2e, count: max(0, wanted - payload.count))
        return (isOther ? "sensors/a/temperature" : "keyed/k\(number % 5)/x", payload)
      }
      devices.append(
        try PublishingDevice(
          port: running().mqttPort, name: "device-\(device)", messages: messages))
    }
  }

  /// Turns what belongs to this thread, some milliseconds at a time at most.
  func run(milliseconds limit: Int, until condition: () -> Bool) -> Bool {
    let end = milliseconds + limit
    while !condition() {
      if milliseconds >= end { return false }
      for broker in [stage.broker, stage.other] {
        broker.turn(atMostMilliseconds: 1)
      }
      for device in devices where !device.isDone {
        do {
          try device.turn()
        } catch {
          complaints.append("\(error)")
          return false
        }
      }
    }
    return true
  }

  private var complaints: [String] = []

  func status() throws -> String {
    let socket = try RawSocket(port: running().adminPort)
    socket.send(Array("GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
    return String(decoding: try socket.receiveToEnd(Deadline(seconds: 10)), as: UTF8.self)
  }

  /// Everybody has the answers; the log says once what a person has to do.
  func end() throws -> [String] {
    if !run(milliseconds: 10_000, until: { self.devices.allSatisfy(\.isDone) }) {
      complaints.append("answers: \(devices.map(\.answeredCount))")
    }
    let log = try running().process.errorOutput
    let lines = log.split(separator: "\n").count { $0.contains("uplink.topic_blocked") }
    if lines > 1 { complaints.append("\(lines) lines about one topic") }
    return complaints
  }
}
