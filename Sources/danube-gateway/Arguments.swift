import CLinux
import Glibc

/// What the command line asks for.
enum Command: Equatable {
  /// Without a path it is the environment's, or edge.toml.
  case run(config: String?)
  case check(config: String?, shows: Bool)
  case version
  case help
  case tail(TailOptions)
  case spool(SpoolOptions)
}

/// The options of `danube-gateway tail`.
struct TailOptions: Equatable {
  var topic = ""
  var url = "http://127.0.0.1:6650"
  var subscription = ""
  var printsJSON = false
  /// Records after which it ends; 0 for never.
  var count = 0
  /// The authorities of brokers with TLS, the own certificate and its key, and the token: paths.
  var authorityFile: String?
  var certificateFile: String?
  var keyFile: String?
  var tokenFile: String?
}

/// A command line that can't be followed; the message says what is wrong with it.
struct ArgumentError: Error, Equatable {
  let message: String
}

/// Reads the command line with the C library's `getopt_long` (see docs/decisions/0001).
enum Arguments {
  static let usage = """
    usage: danube-gateway COMMAND [OPTIONS]

      run [--config FILE]     run the gateway (default: edge.toml)
      check [--config FILE]   check a configuration; exit code 78 when it has errors
        --show                print the whole configuration, with the origin of each value
      tail TOPIC [OPTIONS]    print the records of a Danube topic as they come
        --url URL             the broker (default: http://127.0.0.1:6650)
        --subscription NAME   subscription to use (default: one of this run's own)
        --json                print JSON lines
        --count N             end after N records
        --ca-file FILE        the authorities of a broker with TLS (default: the system's)
        --certificate-file FILE, --key-file FILE
                              the certificate to show it, and its private key
        --token-file FILE     the token to show it
      spool COMMAND [OPTIONS] look into the buffer on the disk, or change it
        ls                    lanes, segments and damage (--json for machines)
        verify                read everything; exit code 1 when something is damaged
        dump                  print records (--lane TOPIC, --from N, --limit N, --undelivered)
        export --ndjson       the same, all of each, as JSON lines
        replay                send what is still there again (--lane TOPIC, --from N)
        drop                  give records up (--lane TOPIC, --before N, --yes)
        quarantine ls, show TOPIC, replay TOPIC, drop TOPIC
                              what the broker refused for good, and why
        --dir DIR             the folder: data_dir, or the spool's own, or a copy of it
        --config FILE         where data_dir stands (default: edge.toml)
        --admin HOST:PORT     ls, replay, drop: ask the gateway that runs there
        --token-file FILE     the token of its admin address
      version                 print the version

      -h, --help              print this text

    """

  private static let options: [(name: StaticString, takesValue: Bool, letter: Character)] = [
    ("config", true, "c"), ("url", true, "u"), ("subscription", true, "s"), ("json", false, "j"),
    ("count", true, "n"), ("show", false, "w"), ("help", false, "h"), ("dir", true, "d"),
    ("admin", true, "a"), ("token-file", true, "k"), ("lane", true, "l"), ("from", true, "f"),
    ("limit", true, "m"), ("before", true, "b"), ("ndjson", false, "N"),
    ("undelivered", false, "U"), ("yes", false, "y"), ("ca-file", true, "A"),
    ("certificate-file", true, "C"), ("key-file", true, "K"),
  ]

  /// The letters as `getopt` takes them.
  private static let letters =
    ":" + options.map { "\($0.letter)" + ($0.takesValue ? ":" : "") }.joined()

  static func parse() throws(ArgumentError) -> Command {
    var values: [Character: String] = [:]
    var words: [String] = []
    // getopt_long permutes argv, so that options may stand before and after the words.
    var table = unsafe options.map { option in
      unsafe clinux_option(
        UnsafeRawPointer(option.name.utf8Start).assumingMemoryBound(to: CChar.self),
        option.takesValue ? 1 : 0, Int32(option.letter.asciiValue ?? 0))
    }
    unsafe table.append(clinux_option(nil, 0, 0))
    clinux_getopt_quiet()
    while true {
      let result = unsafe getopt_long(
        CommandLine.argc, CommandLine.unsafeArgv, letters, &table, nil)
      if result == -1 { break }
      let letter = Character(UnicodeScalar(UInt8(truncatingIfNeeded: result)))
      let culprit = argument(Int(clinux_optind()) - 1)
      if letter == "?" { throw ArgumentError(message: "unknown option \(culprit)") }
      if letter == ":" { throw ArgumentError(message: "\(culprit) needs a value") }
      values[letter] = unsafe clinux_optarg().map { unsafe String(cString: $0) } ?? ""
    }
    for index in Int(clinux_optind())..<Int(CommandLine.argc) { words.append(argument(index)) }
    return try command(words: words, values: values)
  }

  private static func argument(_ index: Int) -> String {
    guard index < CommandLine.arguments.count else { return "" }
    return unsafe CommandLine.unsafeArgv[index].map { unsafe String(cString: $0) } ?? ""
  }

  static func command(
    words: [String], values: [Character: String]
  ) throws(ArgumentError) -> Command {
    if values["h"] != nil || words.first == "help" { return .help }
    guard let name = words.first else { throw ArgumentError(message: "a command is missing") }
    if name == "spool" { return .spool(try spool(words: words, values: values)) }
    let allowed: Set<Character>
    switch name {
    case "run": allowed = ["c"]
    case "check": allowed = ["c", "w"]
    case "tail": allowed = ["u", "s", "j", "n", "A", "C", "K", "k"]
    case "version": allowed = []
    default: throw ArgumentError(message: "unknown command \(name)")
    }
    try check(values, allowed: allowed, of: name)
    let expected = name == "tail" ? 2 : 1
    guard words.count <= expected else {
      throw ArgumentError(message: "\(name) does not take \(words[expected])")
    }
    switch name {
    case "run": return .run(config: values["c"])
    case "check": return .check(config: values["c"], shows: values["w"] != nil)
    case "version": return .version
    default: return .tail(try tail(words: words, values: values))
    }
  }

  private static func check(
    _ values: [Character: String], allowed: Set<Character>, of name: String
  ) throws(ArgumentError) {
    if let option = options.first(where: { option in
      values[option.letter] != nil && !allowed.contains(option.letter)
    }) {
      throw ArgumentError(message: "\(name) does not take --\(option.name)")
    }
  }

  private static func spool(
    words: [String], values: [Character: String]
  ) throws(ArgumentError) -> SpoolOptions {
    let options = try SpoolOptions(words: words, values: values)
    let action = options.action
    try check(values, allowed: action.options, of: "spool \(action.rawValue)")
    return options
  }

  private static func tail(
    words: [String], values: [Character: String]
  ) throws(ArgumentError) -> TailOptions {
    guard words.count == 2 else {
      throw ArgumentError(message: "tail needs a topic, such as /default/temperature")
    }
    var options = TailOptions()
    options.topic = words[1]
    options.url = values["u"] ?? options.url
    options.subscription = values["s"] ?? ""
    options.printsJSON = values["j"] != nil
    options.authorityFile = values["A"]
    options.certificateFile = values["C"]
    options.keyFile = values["K"]
    options.tokenFile = values["k"]
    if (options.certificateFile == nil) != (options.keyFile == nil) {
      throw ArgumentError(message: "--certificate-file and --key-file go together")
    }
    if let text = values["n"] {
      guard let count = Int(text), count > 0 else {
        throw ArgumentError(message: "--count needs a number above 0, not \(text)")
      }
      options.count = count
    }
    return options
  }
}
