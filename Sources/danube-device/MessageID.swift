/// One message of a run: the device that made it, and which of that device's messages it is.
struct MessageID: Hashable {
  /// From 0.
  var device: Int
  /// From 1.
  var sequence: Int
}
