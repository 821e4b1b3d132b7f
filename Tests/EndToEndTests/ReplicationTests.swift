import Foundation
import Testing

extension EndToEnd {
  /// A broker made with gRPC's C core takes long streams of batches.
  @Suite("Backlogs go to a cluster in batches")
  struct ReplicationTests {
    @Test(
      "What waited arrives once, in order of its keys, however often a stream breaks",
      arguments: [0, 2])
    func backlog(breakEvery: Int) throws {
      let port = try RawSocket.freePorts(1)[0]
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = "http://127.0.0.1:\(port)"
      configuration.spool = "spill_after_ms = 50"
      configuration.routes = """
        [[route]]
        mqtt = "sensors/+"
        to = "/edge-test/sensors"
        key = "{client_id}"
        no_live_consumers = true
        """
      let gateway = try GatewayProcess(configuration)
      let devices = try MQTTPeer(port: gateway.mqttPort)
      let clients = (0..<5).map { "device-\($0)" }
      try devices.connect(clients)
      try devices.flood(clients, count: 4_000, topic: "sensors/a")
      let cluster = try PythonPeer(
        "danube_cluster", ["--port", "\(port)", "--break-every", "\(breakEvery)"])
      try cluster.expect("listening")
      let count = UInt64(clients.count * 4_000)
      var has = try state(of: cluster)
      let deadline = Deadline(seconds: 60)
      while has.offset ?? 0 < count, !deadline.isOver {
        usleep(100_000)
        has = try state(of: cluster)
      }
      #expect(has.offset == count && has.sent == 0 && has.outOfOrder == 0)
      #expect(breakEvery == 0 ? has.reason == 1 : has.reason ?? 0 > 1)
    }

    private func state(of cluster: PythonPeer) throws -> PythonPeer.Event {
      try cluster.send([:])
      return try cluster.expect("has")
    }
  }
}
