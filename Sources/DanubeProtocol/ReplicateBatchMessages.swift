/// The messages of a batch, one after the other, each an encoded `StreamMessage`:
/// `while let message = messages.next() { … }`.
public struct ReplicateBatchMessages: ~Escapable {
  private var reader: ProtobufReader

  @_lifetime(copy batch)
  init(batch: RawSpan) {
    reader = ProtobufReader(batch)
  }

  /// The next message, nil at the end.
  @_lifetime(copy self)
  public mutating func next() -> RawSpan? {
    // The batch was checked as a whole before: nothing is thrown here.
    do throws(DanubeProtocolError) {
      while let field = try reader.nextField() {
        if field.number == 2, field.wireType == .lengthDelimited {
          return try reader.readLengthDelimited()
        }
        try reader.skip(field)
      }
      return nil
    } catch {
      return nil
    }
  }
}
