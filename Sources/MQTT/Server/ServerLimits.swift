/// What a server session allows its client.
public struct ServerLimits: Sendable, Hashable, BitwiseCopyable {
  /// What happens to RETAIN = 1 on a PUBLISH of MQTT 5.0.
  ///
  /// CONNACK says Retain Available = 0, since nothing is retained here, and a client that sends
  /// the flag nevertheless errs [MQTT-3.2.2-14]. Many do, out of habit, and their message is good:
  /// the flag travels on as an attribute. Strict sites refuse it. MQTT 3.1.1 has no way to
  /// announce it, and there the flag is always accepted.
  public enum RetainFlag: UInt8, BitwiseCopyable, Sendable, Hashable {
    /// The publish is accepted with its flag.
    case acceptAsAttribute
    /// The connection ends with reason 0x9A.
    case refuse
  }

  /// The largest packet, 1 to 268,435,460 bytes, its fixed header included; MQTT 5.0 clients are
  /// told.
  public var maximumPacketBytes = 1 << 20
  /// Publishes with QoS 1 that may wait for their PUBACK, 1 to 65,535; MQTT 5.0 clients are told
  /// and held to it.
  public var receiveMaximum: UInt16 = 256
  /// The longest keep alive granted, in seconds; 0 leaves it to the client. MQTT 5.0 clients are
  /// told; MQTT 3.1.1 has no way to tell, so that its clients get what they ask for.
  public var maximumKeepAliveSeconds: UInt16 = 0
  /// The longest client identifier, in bytes, 23 to 65,535: it is kept for every connection.
  public var maximumClientIDBytes = 1_024
  /// The topic aliases that a client may use, 0 to 65,535; MQTT 5.0 clients are told and held to
  /// it.
  public var topicAliasMaximum: UInt16 = 16
  /// The memory for the topics behind a client's topic aliases, in bytes.
  public var topicAliasBytes = 16 << 10
  /// RETAIN on a PUBLISH of MQTT 5.0.
  public var retainFlag = RetainFlag.acceptAsAttribute

  /// The defaults.
  public init() {}
}
