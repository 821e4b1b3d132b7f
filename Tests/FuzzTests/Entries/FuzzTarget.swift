/// What is fuzzed. The fuzzer and the tests run the same checks on an input.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A device's bytes to the MQTT server.
  case mqtt
  /// MQTT packets of every type, read and written.
  case mqttPacket = "mqtt-packet"
  /// A client's bytes to the HTTP/1.1 server.
  case http
  /// A client's frames to the gRPC server.
  case grpcServer = "grpc-server"
  /// A server's frames to the gRPC client.
  case grpcClient = "grpc-client"
  /// Messages of the Danube protocol.
  case protobuf
  /// A configuration file, with variables of the environment.
  case toml

  /// How much an input is turned over.
  public enum Effort: Sendable {
    /// As the fuzzer does it, many times a second: whole, cut once, and byte by byte.
    case quick
    /// As the tests do it: cut at every place too.
    case thorough
  }

  /// Runs an input; throws what it should not have led to. What traps, traps.
  public func check(_ input: [UInt8], effort: Effort) throws(Finding) {
    switch self {
    case .mqtt: try MQTTCheck.run(input, effort: effort)
    case .mqttPacket: try MQTTPacketCheck.run(input, effort: effort)
    case .http: try HTTPCheck.run(input, effort: effort)
    case .grpcServer: try GRPCServerCheck.run(input, effort: effort)
    case .grpcClient: try GRPCClientCheck.run(input, effort: effort)
    case .protobuf: try ProtobufCheck.run(input)
    case .toml: try TOMLCheck.run(input)
    }
  }
}
