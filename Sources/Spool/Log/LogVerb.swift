import IOPort

/// What an operation of the log is for: the verbs of its tokens.
enum LogVerb {
  static let write: UInt8 = 1
  static let sync: UInt8 = 2
  static let prepare: UInt8 = 3
  static let seal: UInt8 = 4
  static let remove: UInt8 = 5
  static let syncNames: UInt8 = 6
  static let close: UInt8 = 7
  static let recover: UInt8 = 8
  static let cursorFirst: UInt8 = 10
  static let cursorLast: UInt8 = 14
  static let openToRead: UInt8 = 20
  static let read: UInt8 = 21
  static let closeRead: UInt8 = 22
  static let reseal: UInt8 = 23
}
