import BenchKit
import CLinux
import Glibc

/// What the command line asks for.
struct Options {
  var isHelp = false
  var isList = false
  /// Names of scenarios; all when it is empty.
  var only: [String] = []
  /// Where the results go as JSON.
  var jsonPath: String?
  /// An earlier run's JSON.
  var comparePath: String?
  var isQuick = false
  var includesPeers = false
  var plant: Plant?
  /// Whether to say who calls the C heap.
  var tellsHeapCallers = false
  /// Round trips to the broker to measure behind, milliseconds.
  var roundTrips: [Int] = []
  /// Where folders for the disk's scenarios are made.
  var folder = "/tmp"

  static let usage = """
    usage: bench [OPTIONS]

      --list            name the scenarios
      --only NAME...    run these only
      --quick           under a minute: counts are checked, figures are rough
      --json FILE       write the results there, too
      --compare FILE    compare with an earlier run's --json
      --folder DIR      where the disk to measure is (default: TMPDIR, or /tmp)
      --peers           measure other brokers and clients, too, where they are installed
      --heap-callers    say who calls the C heap in the gateway while it is measured
      --rtt-ms N[,N]... measure what depends on it with round trips of so many milliseconds to
                        the broker, and without
      --plant FAULT     commit a fault, which must show: lost, duplicate, wrong-ack, slow
      -h, --help        print this text

    """

  private static let options: [(name: StaticString, takesValue: Bool, letter: Character)] = [
    ("list", false, "l"), ("only", true, "o"), ("json", true, "j"), ("compare", true, "c"),
    ("quick", false, "q"), ("folder", true, "f"), ("peers", false, "p"), ("plant", true, "x"),
    ("heap-callers", false, "m"), ("rtt-ms", true, "r"), ("help", false, "h"),
  ]

  /// Reads the command line with the C library's `getopt_long` (docs/decisions/0001).
  static func parse() throws(BenchError) -> Options {
    var result = Options()
    if let place = unsafe getenv("TMPDIR") {
      let folder = unsafe String(cString: place)
      if !folder.isEmpty { result.folder = folder }
    }
    var table = unsafe options.map { option in
      unsafe clinux_option(
        UnsafeRawPointer(option.name.utf8Start).assumingMemoryBound(to: CChar.self),
        option.takesValue ? 1 : 0, Int32(option.letter.asciiValue ?? 0))
    }
    unsafe table.append(clinux_option(nil, 0, 0))
    let letters = ":" + options.map { "\($0.letter)" + ($0.takesValue ? ":" : "") }.joined()
    clinux_getopt_quiet()
    while true {
      let code = unsafe getopt_long(
        CommandLine.argc, CommandLine.unsafeArgv, letters, &table, nil)
      if code == -1 { break }
      let letter = Character(UnicodeScalar(UInt8(truncatingIfNeeded: code)))
      let value = unsafe clinux_optarg().map { unsafe String(cString: $0) } ?? ""
      if letter == "?" || letter == ":" {
        let culprit = argument(Int(clinux_optind()) - 1)
        let problem = letter == "?" ? "unknown option \(culprit)" : "\(culprit) needs a value"
        throw .failed(problem)
      }
      try result.take(letter, value)
    }
    // `--only` takes one word by itself; what stands free names further scenarios.
    let words = (Int(clinux_optind())..<Int(CommandLine.argc)).map(argument)
    guard words.isEmpty || !result.only.isEmpty else {
      throw .failed("\(words[0]): name scenarios behind --only")
    }
    result.only += words
    let known = ScenarioTable.all.map(\.name)
    for name in result.only where !known.contains(name) {
      throw .failed("no scenario \(name); there are \(known.joined(separator: ", "))")
    }
    return result
  }

  private static func argument(_ index: Int) -> String {
    guard index < CommandLine.arguments.count else { return "" }
    return unsafe CommandLine.unsafeArgv[index].map { unsafe String(cString: $0) } ?? ""
  }

  private mutating func take(_ letter: Character, _ value: String) throws(BenchError) {
    switch letter {
    case "l": isList = true
    case "o": only += value.split(separator: ",").map(String.init)
    case "j": jsonPath = value
    case "c": comparePath = value
    case "q": isQuick = true
    case "f": folder = value
    case "m": tellsHeapCallers = true
    case "p": includesPeers = true
    case "r":
      for word in value.split(separator: ",", omittingEmptySubsequences: false) {
        guard let milliseconds = Int(word), (0...10_000).contains(milliseconds) else {
          throw .failed("--rtt-ms takes milliseconds from 0 to 10000, not \(word)")
        }
        roundTrips.append(milliseconds)
      }
    case "x":
      guard let plant = Plant(rawValue: value) else {
        let names = Plant.allCases.map(\.rawValue).joined(separator: ", ")
        throw .failed("no fault \(value); there are \(names)")
      }
      self.plant = plant
    default: isHelp = true
    }
  }
}
