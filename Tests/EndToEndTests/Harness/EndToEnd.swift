import Testing

/// Real processes on loopback against parties that are not part of this project. One test at a
/// time: each starts a gateway and several peers.
@Suite(
  "End to end", .serialized, .timeLimit(.minutes(2)), .transcribed,
  .compactMapIssues { issue in
    Transcript.markFailed()
    return issue
  })
enum EndToEnd {}

/// Why a test cannot go on.
struct EndToEndError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
