import Gateway

/// What `danube-gateway spool` is asked for.
struct SpoolOptions: Equatable {
  /// The second word of the command.
  enum Action: String, CaseIterable {
    /// Lanes, segments and damage.
    case ls
    /// Read everything.
    case verify
    /// Records for people.
    case dump
    /// Records for machines.
    case export
    /// Send records again.
    case replay
    /// Give records up.
    case drop

    /// Whether it writes.
    var isChange: Bool { self == .replay || self == .drop }
    /// The letters of the options it takes.
    var options: Set<Character> {
      switch self {
      case .ls: ["d", "c", "a", "k", "j"]
      case .verify: ["d", "c", "j"]
      case .dump: ["d", "c", "l", "f", "m", "U"]
      case .export: ["d", "c", "l", "f", "m", "U", "N"]
      case .replay: ["d", "c", "a", "k", "l", "f", "s"]
      case .drop: ["d", "c", "a", "k", "l", "b", "y"]
      }
    }
  }

  var action: Action
  /// Whether it is about what the broker refused; then `lane` is that of a quarantine.
  var isQuarantine = false
  /// Whether it can ask a gateway that runs.
  var canAsk: Bool { action == .ls && !isQuarantine || action.isChange }
  /// The folder, where one is named.
  var directory: String?
  var config: String?
  /// Where a gateway that runs is asked.
  var admin: String?
  var tokenFile: String?
  var lane: String?
  var from: UInt64?
  var before: UInt64?
  var limit: Int?
  var subscription = ""
  var printsJSON = false
  var isUndeliveredOnly = false
  /// Whether no question is to be asked.
  var isSure = false

  /// Options of the action that `words` names.
  init(words: [String], values: [Character: String]) throws(ArgumentError) {
    let names = Action.allCases.map(\.rawValue).joined(separator: ", ")
    var words = words
    if words.count > 1, words[1] == "quarantine" {
      isQuarantine = true
      lane = try Self.takeQuarantine(&words)
    }
    guard words.count > 1, let action = Action(rawValue: words[1]) else {
      throw ArgumentError(
        message: words.count > 1
          ? "spool has no command \(words[1]), only \(names)" : "spool needs one of \(names)")
    }
    guard words.count == 2 else {
      throw ArgumentError(message: "spool \(words[1]) does not take \(words[2])")
    }
    self.action = action
    directory = values["d"]
    config = values["c"]
    admin = values["a"]
    tokenFile = values["k"]
    if let named = values["l"] {
      guard lane == nil else { throw ArgumentError(message: "the topic is given twice") }
      lane = isQuarantine ? QuarantineListing.lane(of: named) : named
    }
    subscription = values["s"] ?? ""
    printsJSON = values["j"] != nil
    isUndeliveredOnly = values["U"] != nil || isQuarantine
    isSure = values["y"] != nil
    from = try Self.number(values["f"], of: "--from") ?? (isQuarantine ? 0 : nil)
    before = try Self.number(values["b"], of: "--before")
    limit = try Self.number(values["m"], of: "--limit").map { Int(clamping: $0) }
    if directory != nil, config != nil {
      throw ArgumentError(message: "--dir and --config both say where the spool is: give one")
    }
    if directory != nil, admin != nil {
      throw ArgumentError(message: "--dir and --admin both say where the spool is: give one")
    }
    if action.isChange, lane == nil {
      throw ArgumentError(message: "spool \(action.rawValue) needs --lane TOPIC")
    }
    if action == .replay, from == nil {
      throw ArgumentError(message: "spool replay needs --from N; --from 0 is everything")
    }
  }

  /// Takes `quarantine` and the topic out of the words: what is left is a command for its lane.
  private static func takeQuarantine(_ words: inout [String]) throws(ArgumentError) -> String? {
    let actions = ["ls": "ls", "show": "export", "replay": "replay", "drop": "drop"]
    guard words.count > 2, let action = actions[words[2]] else {
      throw ArgumentError(message: "spool quarantine needs one of ls, show, replay, drop")
    }
    let topic = words.count > 3 && action != "ls" ? words.remove(at: 3) : nil
    words.removeSubrange(1...2)
    words.insert(action, at: 1)
    return topic.map { QuarantineListing.lane(of: $0) }
  }

  private static func number(
    _ text: String?, of option: String
  ) throws(ArgumentError) -> UInt64? {
    guard let text else { return nil }
    guard let number = UInt64(text) else {
      throw ArgumentError(message: "\(option) needs a number, not \(text)")
    }
    return number
  }
}
