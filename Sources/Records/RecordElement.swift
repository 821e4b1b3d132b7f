import Bytes
import DanubeProtocol

/// One record as it lies in a batch and in the spool: an element of `ReplicateBatch.messages`,
/// which is `0x12`, the length as a varint, and a `StreamMessage` body. Borrowed, read in place.
public struct RecordElement: ~Escapable {
  /// The whole element.
  public let bytes: RawSpan
  /// The `StreamMessage`.
  public let body: RawSpan

  /// Reads the frame of an element; nil when `bytes` is anything but one element that a batch could
  /// hold. The body is not looked at.
  @_lifetime(copy bytes)
  public init?(_ bytes: RawSpan) {
    var reader = ProtobufReader(bytes)
    do throws(DanubeProtocolError) {
      guard let field = try reader.nextField(), field.number == 2,
        field.wireType == .lengthDelimited
      else { return nil }
      let body = try reader.readLengthDelimited()
      // One element, framed as batches frame it.
      guard BatchStore.encodedBytes(body.byteCount) == bytes.byteCount,
        body.byteCount <= BatchStore.maximumBodyBytes
      else { return nil }
      self.bytes = bytes
      self.body = body
    } catch {
      return nil
    }
  }

  /// A copy of the Danube topic that a record is for; nil when `bytes` is no record with one.
  public static func topic(of bytes: RawSpan) -> [UInt8]? {
    guard let element = RecordElement(bytes) else { return nil }
    do throws(DanubeProtocolError) {
      let name = try StreamMessageView(decoding: element.body).topicName
      return name.isEmpty ? nil : Array(copying: name)
    } catch {
      return nil
    }
  }

  /// The routing key; empty when the record has none, or when its body is no `StreamMessage`.
  public var routingKey: RawSpan {
    @_lifetime(copy self)
    get {
      let none = body.extracting(first: 0)
      var key = none
      var reader = ProtobufReader(body)
      do throws(DanubeProtocolError) {
        while let field = try reader.nextField() {
          if field.number == 10, field.wireType == .lengthDelimited {
            key = try reader.readLengthDelimited()
          } else {
            try reader.skip(field)
          }
        }
        return key
      } catch {
        return none
      }
    }
  }

  /// The key hash with which a record that was stored is sent again, on a lane whose records have
  /// that order. `sequence` is its number in the lane.
  ///
  /// A key has the same hash as when the record was received. Who sent a record is not stored:
  /// records without a key stay in order all together, which keeps the promise that those of one
  /// sender do, but lets them travel only one at a time.
  public func orderHash(_ order: RecordOrder, sequence: UInt64) -> UInt64 {
    switch order {
    case .key:
      let key = routingKey
      return key.isEmpty ? RecordOrder.topicHash : RecordOrder.hash(ofKey: key)
    case .topic: return RecordOrder.topicHash
    // Far apart and all different: an odd factor.
    case .none: return (sequence &+ 1) &* 0x9e37_79b9_7f4a_7c15
    }
  }
}
