import Logs
import Uring

/// What keeps the gateway from starting, in words, before or instead of a log.
enum Complaint {
  /// Writes a text to the standard error; in the journal each line is an error.
  static func write(_ text: String) {
    guard isInJournal else {
      StandardStreams.writeStandardError("\(text)\n")
      return
    }
    let mark = "<\(LogLevel.error.syslogPriority)>"
    let lines = text.split(separator: "\n").map { "\(mark)\($0)\n" }
    StandardStreams.writeStandardError(lines.joined())
  }

  /// Whether the standard error goes to the journal.
  static var isInJournal: Bool {
    guard let stream = ProcessEnvironment.value(of: "JOURNAL_STREAM"),
      let file = StandardStreams.errorFile
    else { return false }
    return JournalStream.matches(stream, device: file.device, inode: file.inode)
  }
}
