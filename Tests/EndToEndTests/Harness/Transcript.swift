import Foundation
import Synchronization
import Testing

/// What the processes of the running test wrote, to be shown when it fails.
enum Transcript {
  private struct State {
    var failed = false
    var outputs: [(title: String, text: String)] = []
  }
  private static let state = Mutex(State())
  private static let shownBytes = 6_000

  static func reset() {
    state.withLock { $0 = State() }
  }

  static func markFailed() {
    state.withLock { $0.failed = true }
  }

  /// Keeps the last of what a process wrote; called when it has ended.
  static func keep(title: String, output: Data) {
    guard !output.isEmpty else { return }
    let text = String(decoding: output.suffix(shownBytes), as: UTF8.self)
    state.withLock { $0.outputs.append((title, text)) }
  }

  static func showIfFailed() {
    let state = state.withLock { $0 }
    guard state.failed else { return }
    for (title, text) in state.outputs {
      print("---- \(title)\n\(text)")
    }
  }
}

/// Prints the transcript of a failed test.
struct Transcribed: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    guard testCase != nil else { return try await function() }
    Transcript.reset()
    do {
      try await function()
    } catch {
      Transcript.markFailed()
      Transcript.showIfFailed()
      throw error
    }
    Transcript.showIfFailed()
  }
}

extension Trait where Self == Transcribed {
  static var transcribed: Self { Transcribed() }
}
