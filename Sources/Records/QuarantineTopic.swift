/// The names of the spool's lanes that hold what a broker refused: `quarantine:` and the Danube
/// topic that it was for. No Danube topic has such a name: theirs begin with a slash.
public enum QuarantineTopic {
  private static let prefix = Array("quarantine:".utf8)

  /// The lane's name for a Danube topic.
  public static func name(of topic: [UInt8]) -> [UInt8] { prefix + topic }

  /// The Danube topic of a lane with that name; nil when it is no quarantine.
  public static func topic(of name: [UInt8]) -> [UInt8]? {
    guard name.count > prefix.count, name.starts(with: prefix) else { return nil }
    return Array(name[prefix.count...])
  }

  /// Whether a lane with that name is a quarantine.
  public static func isName(_ name: [UInt8]) -> Bool {
    name.count > prefix.count && name.starts(with: prefix)
  }
}
