/// A value in memory of its own, for one owner.
///
/// A large noncopyable value in another one makes the compiler follow each of its parts wherever
/// the outer one is used, which takes it minutes; a pointer to it does not. Whoever reaches the
/// value through ``address`` keeps to the rule that holds for it anyway: it is changed only by who
/// may change the owner.
@safe
@frozen
public struct Owned<Value: ~Copyable>: ~Copyable {
  /// Where the value is, as long as its owner lives.
  public let address: UnsafeMutablePointer<Value>

  /// Moves a value there.
  @inlinable
  public init(_ value: consuming Value) {
    unsafe address = .allocate(capacity: 1)
    unsafe address.initialize(to: value)
  }

  @inlinable
  deinit {
    unsafe address.deinitialize(count: 1)
    unsafe address.deallocate()
  }
}
