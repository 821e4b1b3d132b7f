/// What a run consists of.
struct WorkloadOptions: Equatable {
  var devices = 10
  /// Messages a second of all devices together; above 0.
  var rate = 10.0
  /// Messages of all devices together.
  var messages = 100
  /// A message that takes longer than this is late.
  var lateMilliseconds = 1_000
  /// How long answers are waited for after the last message was due.
  var waitMilliseconds = 10_000
}
