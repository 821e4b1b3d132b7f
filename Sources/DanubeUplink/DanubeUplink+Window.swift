import GRPC
import IOPort

// How many calls are under way follows from how fast they are answered.
extension DanubeUplink {
  /// A record was accepted, or not answered for in time: its connection's window is told how long
  /// that took.
  mutating func followAnswer(_ call: Call) {
    guard connections.contains(call.connection) else { return }
    let limit = connections[call.connection].session.callLimit
    connections[call.connection].window.answered(startedAt: call.startedAt, at: now, limit: limit)
  }
}
