import IOPort
import MQTT

/// What a device wants published when its connection ends without a word (MQTT 5.0 §3.1.2.5).
struct Will: ~Copyable {
  /// Where a will is in its life.
  enum Stage: BitwiseCopyable {
    /// Its connection is open.
    case held
    /// Its connection has ended; it is published at an instant unless the device comes back.
    case delayed(until: Instant)
    /// There was no memory for its record; it is dropped at an instant.
    case waiting(until: Instant)
  }

  /// What a will costs beside its bytes.
  static let overheadBytes = 256

  let clientID: [UInt8]
  /// The attribute `mqtt.client_id`, encoded.
  let clientAttribute: [UInt8]
  /// The number of the connection, see ``Router``.
  let sender: UInt64
  let peer: SocketAddress
  let version: ProtocolVersion
  let qos: QoS
  let isRetained: Bool
  /// Properties, topic and payload as CONNECT had them.
  let encoded: [UInt8]
  /// For how long after the connection the device may come back, in seconds.
  var delaySeconds: UInt32
  var stage = Stage.held

  /// The memory that it takes, about.
  var byteCount: Int { encoded.count + clientID.count + Self.overheadBytes }
}
