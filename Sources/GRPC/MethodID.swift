/// Names a method of a service to a ``ClientSession``, in the caller's own numbering.
public struct MethodID: BitwiseCopyable, Hashable, Sendable {
  /// The caller's number.
  public let rawValue: UInt8

  /// The method with the caller's number.
  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }
}
