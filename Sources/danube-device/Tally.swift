/// What became of the messages of a run so far.
struct Tally: Equatable {
  /// Messages that were due.
  var made = 0
  /// Answered with success: PUBACK or PUBCOMP with a reason below 0x80, HTTP 2xx. At QoS 0, where
  /// nothing is answered, those that were written to the connection.
  var acknowledged = 0
  /// Answered with a refusal, or not sendable at all.
  var refused = 0
  /// Not acknowledged in the time for it; they may have been later.
  var late = 0
  /// Times a webhook was told to come again (HTTP 429 or 503), or its connection failed.
  var retried = 0
  /// Connections that ended before the run did.
  var disconnected = 0

  /// Neither acknowledged nor refused yet.
  var open: Int { made - acknowledged - refused }
}
