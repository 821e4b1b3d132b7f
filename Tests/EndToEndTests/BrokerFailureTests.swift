import BrokerFailures
import Foundation
import Synchronization
import Testing

extension EndToEnd {
  /// The table that SimulationTests plays in the simulator.
  @Suite("Each way in which brokers fail, over real sockets")
  struct BrokerFailureTests {
    /// Most of a failure is waiting: some are played at a time, each by a thread of its own with
    /// two brokers and a gateway.
    private static let threadCount = 8

    private struct State {
      var next = 0
      var played = 0
      var complaints: [String] = []
    }

    @Test("The gateway finds the right way out")
    func play() async throws {
      await expectRightWays(BrokerFailure.all, trust: nil)
    }

    @Test("The gateway finds the right way out through TLS")
    func playSecurely() async throws {
      let failures = BrokerFailure.all.filter(\.isOfConnections)
      await expectRightWays(failures, trust: try SocketFailureBench.Trust())
    }

    private func expectRightWays(
      _ failures: [BrokerFailure], trust: SocketFailureBench.Trust?
    ) async {
      let state = Mutex(State())
      await withCheckedContinuation { continuation in
        let group = DispatchGroup()
        for _ in 0..<Self.threadCount {
          group.enter()
          let thread = Thread {
            while let failure = state.withLock({ state -> BrokerFailure? in
              defer { state.next += 1 }
              return state.next < failures.count ? failures[state.next] : nil
            }) {
              let complaints = Self.play(failure, trust)
              state.withLock {
                $0.played += 1
                $0.complaints += complaints.map { "\(failure): \($0)" }
              }
            }
            group.leave()
          }
          thread.stackSize = 8 << 20
          thread.start()
        }
        group.notify(queue: .global()) { continuation.resume() }
      }
      let complaints = state.withLock { $0.complaints }
      #expect(complaints.isEmpty, "\(complaints.joined(separator: "\n"))")
      #expect(state.withLock { $0.played } == failures.count)
    }

    private static func play(
      _ failure: BrokerFailure, _ trust: SocketFailureBench.Trust?
    ) -> [String] {
      do {
        return try SocketFailureBench(trust: trust).play(failure)
      } catch {
        return ["\(error)"]
      }
    }
  }
}
