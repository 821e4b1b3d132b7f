public import Spool

/// What is said of a spool that a later version of the program wrote.
public enum SpoolVersionText {
  /// What was found, what is known, and what can be done about it.
  public static func refusal(_ later: SpoolLaterVersion) -> String {
    "\(description(of: later)): nothing in the folder was changed. Start the version of the "
      + "program that wrote it, or a newer one; or move the folder away to begin with an empty one"
  }

  /// What was found and what is known.
  public static func description(of later: SpoolLaterVersion) -> String {
    "a later version of the gateway wrote \(later.file): its \(later.part.rawValue) has format "
      + "\(later.version), and this program knows format \(later.known)"
  }
}
