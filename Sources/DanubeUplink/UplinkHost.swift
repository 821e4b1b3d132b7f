/// A host whose addresses an uplink asks for.
public struct UplinkHost: Sendable, Hashable {
  /// The name.
  public var name: String
  /// The port to connect to.
  public var port: UInt16

  /// A host by its name.
  public init(name: String, port: UInt16) {
    self.name = name
    self.port = port
  }
}
