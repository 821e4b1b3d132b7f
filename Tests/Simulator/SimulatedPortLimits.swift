/// What a simulated port has, as a kernel would give it.
public struct SimulatedPortLimits: Sendable {
  /// Receive buffers in the port's pool.
  public var receiveBufferCount = 256
  /// Bytes in each of them.
  public var receiveBufferBytes = 4_096
  /// Most descriptors open at a time.
  public var descriptorLimit = 65_536
  /// Most connections of a listening socket that wait to be accepted.
  public var backlog = 128

  /// A roomy port.
  public init() {}

  /// A port with its own receive buffers.
  public init(receiveBufferCount: Int, receiveBufferBytes: Int) {
    self.receiveBufferCount = receiveBufferCount
    self.receiveBufferBytes = receiveBufferBytes
  }
}
