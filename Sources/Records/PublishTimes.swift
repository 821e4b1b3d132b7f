public import Bytes
import DanubeProtocol

/// What the publish times are to be of records that came before the clock of the machine was set.
///
/// A box without a battery boots in 1970, or at the time it was switched off, and gets the time
/// from the network, later than its first messages. How long ago those came is known all the same.
///
/// A record tells by what setting of the clock it has its time: it came when that said so. Of two
/// that may be it is the one by which it waited less.
public struct PublishTimes: Sendable, Equatable {
  /// A time of day before this is one that nobody set: 2024-01-01T00:00:00Z, Unix milliseconds.
  public static var earliestMilliseconds: UInt64 { 1_704_067_200_000 }
  /// The loops read the clocks one after the other.
  private static var slackMilliseconds: Int64 { 1_000 }

  private let settings: [ClockSetting]
  /// When the records came at the latest, by the boot clock.
  private let latestBoot: Int64
  private let isExact: Bool
  /// The time of day then; 0 when that is not known.
  private let latest: UInt64

  /// The records came until a moment, milliseconds since the start of the machine.
  public init(_ history: ClockHistory, latestMilliseconds boot: UInt64) {
    settings = history.hasCorrections ? history.settings : []
    latestBoot = Int64(min(boot, ClockSetting.latestMoment))
    isExact = false
    latest = history.best?.wallMilliseconds(at: boot) ?? 0
  }

  /// The records came at a moment, milliseconds since the start of the machine.
  public init(_ history: ClockHistory, receivedMilliseconds boot: UInt64) {
    settings = history.settings
    latestBoot = Int64(min(boot, ClockSetting.latestMoment))
    isExact = true
    latest = 0
  }

  /// All that is known is that the records came before this, Unix milliseconds.
  public init(latestMilliseconds: UInt64) {
    settings = []
    latestBoot = 0
    isExact = false
    latest = latestMilliseconds
  }

  /// The right time instead of `time`, both in Unix milliseconds; nil when that is right, or when
  /// no better one is known.
  public func corrected(_ time: UInt64) -> UInt64? {
    guard let told = Int64(exactly: time) else { return nil }
    if let setting = setting(of: told) {
      guard let shift = settings.correction(ofSetting: setting) else { return nil }
      let (right, overflow) = told.addingReportingOverflow(shift)
      guard !overflow, right >= Int64(Self.earliestMilliseconds) else { return nil }
      return UInt64(right)
    }
    guard time < Self.earliestMilliseconds, latest >= Self.earliestMilliseconds else { return nil }
    return latest
  }

  /// The setting that a time was told under; nil when it is none of them.
  private func setting(of time: Int64) -> Int? {
    var nearest: Int?
    var least = Int64.max
    for (index, setting) in settings.enumerated() {
      let (received, overflow) = time.subtractingReportingOverflow(setting.offsetMilliseconds)
      guard !overflow, received >= -Self.slackMilliseconds else { continue }
      var wait = latestBoot.subtractingReportingOverflow(received).partialValue
      if isExact {
        wait = Int64(clamping: wait.magnitude)
        guard wait <= Self.slackMilliseconds else { continue }
      } else {
        let since = Int64(clamping: setting.sinceMilliseconds)
        guard wait >= -Self.slackMilliseconds, since <= latestBoot + Self.slackMilliseconds,
          index + 1 == settings.count
            || received
              <= Int64(clamping: settings[index + 1].sinceMilliseconds) + Self.slackMilliseconds
        else { continue }
      }
      if wait <= least {
        least = wait
        nearest = index
      }
    }
    return nearest
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
