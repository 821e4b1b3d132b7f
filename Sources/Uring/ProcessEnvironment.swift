import CLinux

/// What the process got from who started it.
public enum ProcessEnvironment {
  /// Every variable of the environment, in its order. What is no UTF-8 is replaced.
  public static var variables: [(name: String, value: String)] {
    var result: [(name: String, value: String)] = []
    var index: Int32 = 0
    while let entry = unsafe clinux_environment_entry(index) {
      index += 1
      let text = unsafe String(cString: entry)
      guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
      result.append(
        (String(text[..<equals]), String(text[text.index(after: equals)...])))
    }
    return result
  }

  /// The value of a variable; nil when it is not set.
  public static func value(of name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }

  /// The number of this process.
  public static var processID: Int32 { getpid() }
}
