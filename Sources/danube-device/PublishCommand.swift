/// `danube-device publish`: one message, and the wait for its acknowledgement.
enum PublishCommand {
  private static let payloadLimit = 256 << 20

  static func run(_ options: PublishOptions) throws(DeviceError) -> Int32 {
    let payload = try payload(options.payload)
    var clients = try MosquittoClients(clientIDs: [options.clientID], server: options.server)
    let end = Clock.now() + UInt64(options.waitMilliseconds) * 1_000_000
    var isPublished = false
    var lastTending = Clock.now()
    clients.connect(0)
    while !Process.shouldStop, Clock.now() < end {
      clients.wait(nanoseconds: min(50_000_000, end - min(end, Clock.now())))
      if Clock.now() - lastTending > 1_000_000_000 {
        lastTending = Clock.now()
        clients.tend()
      }
      for event in clients.takeEvents() {
        switch event {
        case .connected:
          guard !isPublished else { continue }
          isPublished = true
          let outcome = clients.publish(
            0, topic: options.topic, payload: payload, qos: options.qos,
            isRetained: options.isRetained, properties: options.properties)
          if case .refused(let reason) = outcome { return failed("refused: \(reason)") }
        case .rejected(_, let reason): throw unavailable(options.server, reason)
        case .disconnected(_, let reason):
          guard isPublished else { throw unavailable(options.server, reason) }
          return failed("not acknowledged: disconnected: \(reason)")
        case .published(_, _, let reason):
          guard reason < 0x80 else {
            return failed("refused: \(MosquittoClients.reasonText(reason))")
          }
          clients.disconnect(0)
          return ExitCode.success
        }
      }
    }
    return failed("not acknowledged in \(options.waitMilliseconds) ms")
  }

  private static func payload(_ source: PublishOptions.Payload) throws(DeviceError) -> [UInt8] {
    let path: String
    switch source {
    case .text(let text): return Array(text.utf8)
    case .file(let name): path = name
    case .standardInput: path = "-"
    }
    var file = try InputFile(path)
    let bytes = try file.readAll(limit: payloadLimit)
    guard bytes.count <= payloadLimit else {
      throw DeviceError(
        message: "\(path) is longer than an MQTT packet can be", exitCode: ExitCode.data)
    }
    return bytes
  }

  private static func unavailable(_ server: ServerOptions, _ reason: String) -> DeviceError {
    DeviceError(
      message: "no connection to \(server.host) port \(server.port): \(reason)",
      exitCode: ExitCode.unavailable)
  }

  private static func failed(_ text: String) -> Int32 {
    OutputFile.writeStandardError("danube-device: \(text)\n")
    return ExitCode.incomplete
  }
}
