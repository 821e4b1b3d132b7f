import IOPort
public import Spool

/// What a change of cursors comes to, in words.
public enum SpoolChangeText {
  /// What is asked before records are given up.
  public static func question(_ change: SpoolChange, lane: String) -> String {
    "Give up \(change.records) records of \(lane), of which \(change.undelivered) were not "
      + "delivered?\(unread(change))"
  }

  /// What of it nobody can count.
  private static func unread(_ change: SpoolChange) -> String {
    guard change.unreadFiles > 0 else { return "" }
    return " What of it is in \(change.unreadFiles) files of the spool that can't be read now "
      + "(`spool verify` names them) is given up as well, and not counted."
  }

  /// What was done.
  public static func done(_ change: SpoolChange, isReplay: Bool, lane: String) -> String {
    if isReplay, change.isParked {
      return "\(change.records) records of \(lane), from \(change.first) on, wait for a reader "
        + "that this mode does not serve: they will be sent once danube.url changes that\n"
    }
    if isReplay {
      return "\(change.records) records of \(lane), from \(change.first) on, will be sent; "
        + "\(change.records - min(change.records, change.undelivered)) of them again\n"
    }
    return "gave up \(change.records) records of \(lane), of which \(change.undelivered) were not "
      + "delivered; the next one is \(change.first)\(change.unreadFiles > 0 ? "." : "")"
      + "\(unread(change))\n"
  }

  /// What is said when the disk did not take it in time.
  static func unsaved(_ error: IOError?) -> String {
    let why = error.map { ": \($0.text)" } ?? ""
    return "it was done, but the disk does not take it\(why). It is tried again by itself; if the "
      + "gateway ends before that, it is as if nothing had been asked for"
  }

  /// Why it was not done.
  public static func problem(_ error: SpoolChangeError, lane: String) -> String {
    switch error {
    case .unknownLane: "the spool has no lane \(lane); `spool ls` lists them"
    case .unknownReader:
      "\(lane) has no cursor of that name; `spool ls` lists them, --subscription NAME chooses"
    case .unknownSequence(let next):
      "\(lane) has not got so far: its next record is \(next)"
    case .nothingStored: "\(lane) has no such records in the spool: nothing was changed"
    case .laterVersion(let later): SpoolVersionText.refusal(later)
    case .failed(let error): "the cursors can't be written: \(error.text)"
    }
  }
}
