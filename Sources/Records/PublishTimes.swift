public import Bytes
import DanubeProtocol

/// What the publish times are to be of records that came before the clock of the machine was set.
///
/// A box without a battery boots in 1970 and gets the time from the network, later than its first
/// messages. How long ago those came is known all the same.
public struct PublishTimes: BitwiseCopyable, Sendable, Equatable {
  /// A time of day before this is one that nobody set: 2024-01-01T00:00:00Z, Unix milliseconds.
  public static var earliestMilliseconds: UInt64 { 1_704_067_200_000 }

  private let shift: Int64?
  private let latest: UInt64

  /// The clock was set forward by so much since, milliseconds.
  public init(shiftMilliseconds: Int64) {
    shift = shiftMilliseconds
    latest = 0
  }

  /// All that is known is that the records came before this, Unix milliseconds.
  public init(latestMilliseconds: UInt64) {
    shift = nil
    latest = latestMilliseconds
  }

  /// The right time instead of `time`, both in Unix milliseconds; nil when that is right, or when
  /// no better one is known.
  public func corrected(_ time: UInt64) -> UInt64? {
    guard time < Self.earliestMilliseconds else { return nil }
    var right = latest
    if let shift {
      let (sum, overflow) = Int64(time).addingReportingOverflow(shift)
      right = overflow || sum < 0 ? 0 : UInt64(sum)
    }
    return right >= Self.earliestMilliseconds ? right : nil
  }

  /// The right publish time of a `StreamMessage`; nil when it has that, or when no better one is
  /// known. O(fields).
  public func corrected(in body: RawSpan) -> UInt64? {
    var time: UInt64 = 0
    var reader = ProtobufReader(body)
    do throws(DanubeProtocolError) {
      while let field = try reader.nextField() {
        if field.number == 4, field.wireType == .varint {
          time = try reader.readVarint()
        } else {
          try reader.skip(field)
        }
      }
    } catch {
      return nil
    }
    return corrected(time)
  }

  /// The field that stands for a publish time behind a `StreamMessage`: the last one counts.
  public static func field(_ time: UInt64, into output: inout GrowableBytes) {
    output.appendField(4, varint: time)
  }

  /// Bytes of that field at most.
  public static var fieldBytes: Int { 11 }
}
