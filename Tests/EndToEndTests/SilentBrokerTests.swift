import Foundation
import Testing

extension EndToEnd {
  /// A server of grpcio with gRPC's own rule for pings: one in 300 s and a few more, or the
  /// connection is closed with ENHANCE_YOUR_CALM.
  @Suite("A broker that is long in answering")
  struct SilentBrokerTests {
    /// With one strike instead of the default of two the fourth ping is one too many: 20 s for a
    /// gateway that asks every 5 s.
    @Test("A call that is held for 22 s does not cost the connection", .timeLimit(.minutes(1)))
    func heldCall() throws {
      let broker = try PythonPeer("strict_broker", ["--ping-strikes", "1"])
      let port = try #require(try broker.expect("listening").offset)
      var configuration = GatewayProcess.Configuration()
      configuration.brokerURL = "http://127.0.0.1:\(port)"
      configuration.danube = "call_deadline_ms = 60000"
      let gateway = try GatewayProcess(configuration)
      try broker.expect("created")
      let devices = try MQTTPeer(port: gateway.mqttPort)
      try devices.connect(["device"])
      try devices.publish("device", "sensors/a/temperature", "held")
      try broker.expect("message")
      sleep(22)
      let metrics = try gateway.get("/metrics").body.split(separator: "\n")
      #expect(metrics.contains("danube_gateway_uplink_connections_opened_total 1"))
      #expect(metrics.contains("danube_gateway_uplink_connections_lost_total 0"))
      #expect(try broker.takeEvents().map(\.event) == [], "the call is still held")
    }
  }
}
