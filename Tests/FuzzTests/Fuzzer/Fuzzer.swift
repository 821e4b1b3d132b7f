import FuzzEntries
import Glibc

/// libFuzzer's own entry, which takes its flags and the folders of inputs.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  do throws(Finding) {
    try Fuzzer.target.check(input, effort: .quick)
  } catch {
    Fuzzer.complain("\(Fuzzer.target.rawValue): \(error)")
    abort()
  }
  return 0
}

/// `danube-fuzz TARGET [FOLDER…] [-FLAG=VALUE…]`.
@main
enum Fuzzer {
  private static let variable = "DANUBE_FUZZ_TARGET"

  /// What is fuzzed. libFuzzer starts its own processes for `-merge=1` and `-fork=1` without the
  /// target's name: they find it in their environment.
  static let target: FuzzTarget = {
    let name = getenv(variable).map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
      let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " | ")
      complain("danube-fuzz: '\(name)' is no target. Usage: danube-fuzz \(names) …")
      exit(64)
    }
    return target
  }()

  static func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  static func main() {
    let given = CommandLine.arguments
    var arguments = CommandLine.unsafeArgv
    var count = CommandLine.argc
    if given.count > 1, FuzzTarget(rawValue: given[1]) != nil {
      setenv(variable, given[1], 1)
      // The target's place becomes the program's name.
      arguments[1] = arguments[0]
      arguments += 1
      count -= 1
    }
    _ = target
    exit(runDriver(&count, &arguments, testOneInput))
  }
}
