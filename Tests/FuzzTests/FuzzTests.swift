import Foundation
import FuzzEntries
import Testing

/// The inputs that the fuzzer found worth keeping, through the same checks.
@Suite("Every corpus passes its checks")
struct FuzzTests {
  @Test("Replayed, cut at every place", .timeLimit(.minutes(1)), arguments: FuzzTarget.allCases)
  func replay(target: FuzzTarget) throws {
    let inputs = try Corpus.inputs(of: target)
    #expect(inputs.count >= 20, "\(target.rawValue) has a corpus")
    for input in inputs {
      do throws(Finding) {
        try target.check(input.bytes, effort: .thorough)
      } catch {
        Issue.record("\(input.path): \(error)")
      }
    }
  }

  @Test("Each target has a coverage floor, and each floor a target")
  func floors() throws {
    let names = try Corpus.floors().map(\.target)
    #expect(Set(names) == Set(FuzzTarget.allCases.map(\.rawValue)))
    #expect(names.count == FuzzTarget.allCases.count)
  }

  @Test("The inputs stay small, so that the repository does", arguments: FuzzTarget.allCases)
  func sizes(target: FuzzTarget) throws {
    let inputs = try Corpus.inputs(of: target)
    #expect(inputs.allSatisfy { $0.bytes.count <= 16 << 10 })
    #expect(inputs.map(\.bytes.count).reduce(0, +) <= 256 << 10)
  }
}
