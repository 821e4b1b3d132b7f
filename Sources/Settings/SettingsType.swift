/// What a setting may be: a description for people, and the reading of a value.
public struct SettingsType<Value: Sendable>: Sendable {
  /// A noun phrase with unit and range, such as `a whole number of milliseconds, 1 to 5000`.
  public let description: String

  /// Reads a value, or returns nil having added at least one problem.
  public let read: @Sendable (SettingsNode, inout [SettingsProblem]) -> Value?

  /// A type with its description and reading.
  public init(
    _ description: String,
    read: @escaping @Sendable (SettingsNode, inout [SettingsProblem]) -> Value?
  ) {
    self.description = description
    self.read = read
  }

  /// A type written as a string, which `parse` reads. Without `showsValue` no error shows what
  /// stands there instead.
  public static func parsed(
    _ description: String, showsValue: Bool = true,
    by parse: @escaping @Sendable (String) throws(SettingsProblem) -> Value
  ) -> SettingsType {
    SettingsType(description) { node, problems in
      guard case .string(let text) = node.value else {
        let shown = showsValue ? node.shown : "what stands here"
        problems.append(SettingsProblem("\(shown) is not \(description)"))
        return nil
      }
      do throws(SettingsProblem) {
        return try parse(text)
      } catch {
        problems.append(error)
        return nil
      }
    }
  }
}

extension SettingsType where Value == String {
  /// Any text that is not empty and has no NUL byte.
  public static var text: SettingsType {
    parsed("text") { text throws(SettingsProblem) in
      if text.isEmpty { throw SettingsProblem("the text is empty") }
      if text.utf8.contains(0) { throw SettingsProblem("\(quoted(text)) has a NUL byte") }
      return text
    }
  }

  /// Letters, digits, `_` and `-`, 1 to `limit` of them.
  public static func name(limit: Int) -> SettingsType {
    let description = "a name of 1 to \(limit) letters, digits, _ or -"
    return parsed(description) { text throws(SettingsProblem) in
      guard !text.isEmpty, text.utf8.count <= limit, text.utf8.allSatisfy({ isNameByte($0) })
      else { throw SettingsProblem("\(quoted(text)) is not \(description)") }
      return text
    }
  }
}

extension SettingsType where Value == Bool {
  /// `true` or `false`.
  public static var boolean: SettingsType {
    SettingsType("true or false") { node, problems in
      if case .boolean(let flag) = node.value { return flag }
      problems.append(SettingsProblem("\(node.shown) is not true or false"))
      return nil
    }
  }
}

extension SettingsType where Value == Int {
  /// A whole number in `range`; `unit` is a plural such as `connections`.
  public static func integer(_ range: ClosedRange<Int>, of unit: String? = nil) -> SettingsType {
    let noun = unit.map { "a whole number of \($0)" } ?? "a whole number"
    let description = "\(noun), \(range.lowerBound) to \(range.upperBound)"
    return SettingsType(description) { node, problems in
      if case .integer(let number) = node.value, let value = Int(exactly: number),
        range.contains(value)
      {
        return value
      }
      problems.append(SettingsProblem("\(node.shown) is not \(description)"))
      return nil
    }
  }

  /// A duration in whole milliseconds.
  public static func milliseconds(_ range: ClosedRange<Int>) -> SettingsType {
    integer(range, of: "milliseconds")
  }

  /// A duration in whole seconds.
  public static func seconds(_ range: ClosedRange<Int>) -> SettingsType {
    integer(range, of: "seconds")
  }

  /// A size in bytes: an integer, or a string of an integer and a unit such as `"8MiB"`.
  public static func byteSize(_ range: ClosedRange<Int>) -> SettingsType {
    let description =
      "a size, \(ByteSize.text(range.lowerBound)) to \(ByteSize.text(range.upperBound))"
    return SettingsType(description) { node, problems in
      let size: Int?
      switch node.value {
      case .integer(let number): size = Int(exactly: number)
      case .string(let text): size = ByteSize.parse(text)
      default: size = nil
      }
      if let size, range.contains(size) { return size }
      problems.append(
        SettingsProblem(
          "\(node.shown) is not \(description)",
          remedy: "Write bytes as a number, or a whole number with B, KiB, MiB, GiB, kB, MB or GB "
            + "as in \"\(ByteSize.text(range.lowerBound))\"."))
      return nil
    }
  }
}

extension SettingsType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
  /// One of the words of an enum.
  public static var choice: SettingsType {
    let words = Value.allCases.map(\.rawValue)
    let description =
      words.count == 1
      ? quoted(words[0]) : "one of " + words.map { quoted($0) }.joined(separator: ", ")
    return parsed(description) { text throws(SettingsProblem) in
      if let value = Value(rawValue: text) { return value }
      throw SettingsProblem(
        "\(quoted(text)) is not \(description)", suggestion: nearest(to: text, among: words))
    }
  }
}

extension SettingsType {
  /// A list of values of one type, at least one. A single value stands for a list of one.
  public static func list<Element>(of element: SettingsType<Element>) -> SettingsType
  where Value == [Element] {
    SettingsType("\(element.description), or a list of such") { node, problems in
      guard let elements = node.elements else {
        return element.read(node, &problems).map { [$0] }
      }
      if elements.isEmpty {
        problems.append(SettingsProblem("the list is empty"))
        return nil
      }
      var values: [Element] = []
      for (index, item) in elements.enumerated() {
        var found: [SettingsProblem] = []
        if let value = element.read(item, &found) { values.append(value) }
        problems += found.map { $0.inside("[\(index)]", at: item.position) }
      }
      return values.count == elements.count ? values : nil
    }
  }
}

extension SettingsProblem {
  /// The problem of an element or entry, seen from what holds it.
  func inside(_ step: String, at position: SettingsPosition) -> SettingsProblem {
    var problem = self
    problem.position = problem.position ?? position
    problem.subpath = step + problem.subpath
    return problem
  }
}
