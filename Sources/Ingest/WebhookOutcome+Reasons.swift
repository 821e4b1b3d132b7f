import HTTP1
import Records

extension WebhookOutcome {
  /// What a request that cannot be read is answered.
  init(_ error: HTTP1Error) {
    switch error {
    case .targetTooLong: self = .targetTooLong
    case .headTooLarge: self = .headTooLarge
    case .bodyTooLarge: self = .bodyTooLarge
    case .unknownExpectation: self = .unknownExpectation
    case .unknownTransferCoding: self = .unknownTransferCoding
    case .unsupportedVersion: self = .unsupportedVersion
    case .invalidRequestLine, .invalidTarget, .bareLineFeed, .bareCarriageReturn,
      .invalidCharacter, .invalidFieldName, .foldedField, .invalidHost, .invalidContentLength,
      .invalidTransferEncoding, .ambiguousLength, .invalidChunk:
      self = .malformed
    }
  }

  /// What is answered for a record that was taken in and is refused.
  init(_ reason: RefusalReason) {
    switch reason {
    case .tooLarge: self = .recordTooLarge
    case .invalidPayload: self = .invalidPayload
    case .invalidRequest: self = .recordRefused
    case .noSpace: self = .noSpace
    }
  }
}
