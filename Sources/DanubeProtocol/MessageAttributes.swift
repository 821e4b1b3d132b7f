import Bytes

/// The attributes of a message, one after the other:
/// `while let attribute = attributes.next() { … }`.
public struct MessageAttributes: ~Escapable {
  private var reader: ProtobufReader

  @_lifetime(copy message)
  init(message: RawSpan) {
    reader = ProtobufReader(message)
  }

  /// The next attribute, nil at the end.
  @_lifetime(copy self)
  public mutating func next() -> MessageAttributeView? {
    // The message was checked as a whole before: nothing is thrown here.
    do throws(DanubeProtocolError) {
      while let field = try reader.nextField() {
        if field.number == 7, field.wireType == .lengthDelimited {
          return try MessageAttributeView(decoding: try reader.readLengthDelimited())
        }
        try reader.skip(field)
      }
      return nil
    } catch {
      return nil
    }
  }
}
