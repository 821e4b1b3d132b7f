// What a test may know of ports that loops have taken for themselves.
extension SimulatedWorld {
  /// Receive buffers that a port's owner has seen and not given back.
  public func lentBufferCount(of id: NodeID) -> Int { nodes[id.rawValue].lentBufferCount }

  /// Descriptors of a port that are open.
  public func openDescriptorCount(of id: NodeID) -> Int { nodes[id.rawValue].descriptorCount }
}
