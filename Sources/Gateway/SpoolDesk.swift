import IOPort
import Spool
import Synchronization

/// Questions about the spool from the admin address to the delivery loop, and the answers.
///
/// The main thread waits for none of them: it asks, rings, and looks again when it is rung.
final class SpoolDesk: Sendable {
  /// What is asked.
  enum Question: Sendable, Equatable {
    case listing
    case replay(topic: [UInt8], reader: [UInt8], from: UInt64)
    case drop(topic: [UInt8], before: UInt64?, isTrial: Bool)

    /// Whether it changes something.
    var isChange: Bool {
      switch self {
      case .listing: false
      case .replay: true
      case .drop(_, _, let isTrial): !isTrial
      }
    }
  }

  /// What is answered.
  enum Answer: Sendable {
    /// There is no spool, or it does not know yet what it holds.
    case noSpool
    case listing(SpoolListing)
    /// The disk has it.
    case changed(SpoolChange)
    /// It holds, and the disk did not take it in time.
    case unsaved(SpoolChange, IOError?)
    case failed(SpoolChangeError)
  }

  private struct State {
    var next: UInt64 = 0
    var questions: [(number: UInt64, question: Question)] = []
    var answers: [(number: UInt64, answer: Answer)] = []
  }

  private let state = Mutex<State>(State())
  private let hasQuestions = Atomic<Bool>(false)

  /// Asks; the number comes back with the answer. Ring the delivery loop afterwards.
  func ask(_ question: Question) -> UInt64 {
    let number = state.withLock { state in
      state.next += 1
      state.questions.append((state.next, question))
      return state.next
    }
    // Pairs with the exchange in `takeQuestions`.
    hasQuestions.store(true, ordering: .releasing)
    return number
  }

  /// What was asked since the last time. Costs one load while that is nothing.
  func takeQuestions() -> [(number: UInt64, question: Question)] {
    guard hasQuestions.load(ordering: .relaxed) else { return [] }
    _ = hasQuestions.exchange(false, ordering: .acquiring)
    return state.withLock { state in
      defer { state.questions = [] }
      return state.questions
    }
  }

  /// Answers. Ring main afterwards.
  func answer(_ number: UInt64, _ answer: Answer) {
    state.withLock { $0.answers.append((number, answer)) }
  }

  /// The answers since the last time.
  func takeAnswers() -> [(number: UInt64, answer: Answer)] {
    state.withLock { state in
      defer { state.answers = [] }
      return state.answers
    }
  }
}
