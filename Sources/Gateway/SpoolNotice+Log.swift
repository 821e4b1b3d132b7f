import Bytes
import Delivery
import IOPort
import Logs
import Settings
import Spool

extension SpoolNotice {
  /// How grave it is.
  var level: LogLevel {
    switch self {
    case .opened(let report, _, _): report.isDamaged ? .warning : .info
    case .failing, .damaged, .unread, .startDelayed: .error
    case .foreign, .leftovers, .full, .refusing, .dropped, .expired, .setAside: .warning
    case .refusedLost: .error
    case .laneDrained(_, _, let lost, _): lost > 0 ? .warning : .info
    case .works, .hasRoom, .takesAll, .laneSpools: .info
    }
  }

  /// The event's name in the log.
  func event(_ configuration: GatewayConfiguration) -> StaticString {
    switch self {
    case .opened: "spool.opened"
    case .unread: "spool.file_unreadable"
    case .foreign: "spool.foreign_file"
    case .startDelayed: "spool.start_delayed"
    case .leftovers: "spool.leftovers"
    case .failing: "spool.failing"
    case .works: "spool.works"
    case .full: "spool.full"
    case .hasRoom: "spool.has_room"
    case .laneSpools: "spool.lane_spools"
    case .laneDrained: "spool.lane_drained"
    case .refusing: Self.drops(configuration) ? "spool.dropping" : "spool.refusing"
    case .takesAll: "spool.takes_all"
    case .dropped: "spool.records_dropped"
    case .expired: "spool.records_expired"
    case .setAside: "spool.records_quarantined"
    case .refusedLost: "spool.records_lost"
    case .damaged: "spool.records_damaged"
    }
  }

  /// What happened, and what can be done about it.
  func message(_ configuration: GatewayConfiguration) -> StaticString {
    let isEmbedded = configuration.danube.target == .embedded
    return switch self {
    case .opened(let report, _, _):
      report.isDamaged
        ? "parts of the spool can't be read any more: they are left out and stay where they are"
        : ""
    case .unread(let file) where file.error.kind == .notFound:
      """
      a file of the spool is not there, or what has its name is no regular file or of another \
      spool: its records are delivered after a start that finds it; put it back, or an empty file \
      in its place to give them up, and start the gateway again
      """
    case .unread:
      """
      a file of the spool can't be read: its records wait in it, and are delivered after a start \
      that can read it; mend it, and start the gateway again
      """
    case .foreign:
      """
      a file in the spool's folder is named like a part of it and belongs to another spool, or is \
      damaged: it is left alone; move it to a folder of its own, and see it with spool export --dir
      """
    case .startDelayed(let delay): Self.message(delay.error, isStarting: true)
    case .leftovers(_, let isEmbedded): SpoolLeftoversText.message(isEmbedded ? .embedded : .uplink)
    case .failing(let error): Self.message(error)
    case .works: "the spool's disk works again"
    case .full:
      switch configuration.spool.overflow {
      case .reject:
        """
        the spool holds max_bytes: new records are refused while the broker does not take them; \
        give it more, or bring the broker back
        """
      case .dropOldest: "the spool holds max_bytes: its oldest records are dropped"
      case .dropNewest: "the spool holds max_bytes: new records are dropped"
      }
    case .hasRoom: "the spool takes records again"
    case .laneSpools: "the broker does not take the topic's records in time: they go to the disk"
    case .laneDrained(_, _, let lost, _):
      lost == 0
        ? "the broker has all of the topic's records that were on the disk"
        : """
        nothing of the topic waits on the disk any more, but the broker did not get all of it: \
        some was dropped, expired, given up, refused or damaged
        """
    case .refusing(_, let isFailing): Self.refusal(configuration, isFailing: isFailing)
    case .takesAll: "records of every topic are taken again"
    case .dropped:
      isEmbedded
        ? "retain_bytes is reached: records were dropped that some subscription had not got"
        : "records were dropped that no broker had: the spool was full"
    case .expired:
      isEmbedded
        ? "records older than retain_age_s were dropped that some subscription had not got"
        : "records were dropped that no broker had: they were older than max_age_s"
    case .setAside:
      """
      the broker refused records for good: they are kept in quarantine; look at them with spool \
      quarantine show, and replay or drop them
      """
    case .refusedLost:
      "the broker refused records for good, and there was no room to keep them: they are lost"
    case .damaged:
      """
      a place on the disk is damaged: its records are left out; copy the folder, and look at the \
      disk's health
      """
    }
  }

  /// Whether records without a place are answered, and dropped.
  private static func drops(_ configuration: GatewayConfiguration) -> Bool {
    configuration.spool.overflow == .dropNewest
  }

  private static func refusal(
    _ configuration: GatewayConfiguration, isFailing: Bool
  ) -> StaticString {
    switch (drops(configuration), isFailing) {
    case (false, false):
      """
      the disk takes no more of some topics: new records are refused; raise max_bytes, or the \
      routes' spool_max_bytes or priority, or bring the broker back
      """
    case (true, false):
      """
      the disk takes no more of some topics: new records are answered and thrown away; raise \
      max_bytes, or the routes' spool_max_bytes or priority, or bring the broker back
      """
    case (false, true): "the spool's disk fails: new records of some topics are refused"
    case (true, true):
      "the spool's disk fails: new records of some topics are answered and thrown away"
    }
  }

  private static func message(_ error: IOError, isStarting: Bool) -> StaticString {
    switch error.kind {
    case .notPermitted:
      """
      the gateway may not read files of the spool: nothing is delivered, and new records are \
      refused, until it may; give its user the files
      """
    case .resourcesExhausted:
      """
      there are no descriptors or no memory to read the spool's files: nothing is delivered, and \
      new records are refused, until there are; raise LimitNOFILE
      """
    default:
      """
      the disk fails to give files of the spool: they are tried again for a while, and then left \
      out; look at the kernel's log and the disk's health
      """
    }
  }

  private static func message(_ error: IOError) -> StaticString {
    switch error.kind {
    case .noSpace where error.code == 122:
      """
      the quota of the spool's file system is used up: what is not on the disk waits in memory; \
      raise the quota, or set a lower spool.max_bytes
      """
    case .noSpace:
      """
      the spool's file system is full: what is not on the disk waits in memory; free space there, \
      or set a lower spool.max_bytes
      """
    case .readOnly:
      """
      the spool's file system can only be read: what is not on the disk waits in memory; check the \
      disk, mount it for writing
      """
    case .deviceFailed:
      """
      the spool's disk fails: what is not on the disk waits in memory; look at the kernel's log \
      and the disk's health
      """
    case .notPermitted:
      """
      the gateway may not use the spool's folder: what is not on the disk waits in memory; give \
      its user the folder
      """
    case .resourcesExhausted:
      """
      there are no descriptors or no memory for the spool's files: what is not on the disk waits \
      in memory; raise LimitNOFILE
      """
    default: "the spool's disk fails: what is not on the disk waits in memory"
    }
  }

  /// Whether each is written: places of damage are told once.
  var isOwn: Bool {
    switch self {
    case .damaged, .unread, .foreign: true
    default: false
    }
  }

  /// The numbers of it.
  func add(to fields: inout LogFields, folder: String) {
    switch self {
    case .opened(let report, let milliseconds, let records):
      fields.add("segments", report.segments)
      fields.add("records", Int(clamping: records))
      fields.add("ms", milliseconds)
      if report.damagedBytes > 0 { fields.add("damaged_bytes", Int(clamping: report.damagedBytes)) }
      if report.damagedPlaces > 0 { fields.add("damaged_places", report.damagedPlaces) }
      if report.cutSegments > 0 { fields.add("cut_segments", report.cutSegments) }
      if !report.unreadFiles.isEmpty { fields.add("unreadable_files", report.unreadFiles.count) }
      if report.foreignFiles > 0 { fields.add("foreign_files", report.foreignFiles) }
      if report.damagedCursorCopies > 0 {
        fields.add("damaged_cursor_copies", report.damagedCursorCopies)
      }
    case .unread(let file):
      fields.add("file", file.name.description)
      fields.add("error", file.reason)
      fields.add("folder", folder)
    case .foreign(let segment):
      fields.add("file", SegmentHeader.fileName(segment).description)
      fields.add("folder", folder)
    case .startDelayed(let delay):
      fields.add("files", delay.files)
      fields.add("file", delay.name.description)
      fields.add("error", delay.error.text)
      fields.add("folder", folder)
    case .leftovers(let left, _):
      fields.add("records", Int(clamping: left.records))
      fields.add("topics", left.lanes)
      fields.add("folder", folder)
    case .failing(let error):
      fields.add("error", error.text)
      fields.add("folder", folder)
    case .works(let milliseconds): fields.add("ms", milliseconds)
    case .full(let used, let limit), .hasRoom(let used, let limit):
      fields.add("used_bytes", Int(clamping: used))
      fields.add("max_bytes", Int(clamping: limit))
    case .laneSpools(let topic): fields.add("topic", topic.rawBytes)
    case .laneDrained(let topic, let delivered, let lost, let milliseconds):
      fields.add("topic", topic.rawBytes)
      fields.add("delivered", Int(clamping: delivered))
      if lost > 0 { fields.add("not_delivered", Int(clamping: lost)) }
      fields.add("ms", milliseconds)
    case .refusing(let lanes, _): fields.add("topics", lanes)
    case .takesAll(let milliseconds): fields.add("ms", milliseconds)
    case .dropped(let records), .expired(let records):
      fields.add("records", Int(clamping: records))
    case .setAside(let topic, let records, let reason),
      .refusedLost(let topic, let records, let reason):
      fields.add("topic", topic.rawBytes)
      fields.add("records", records)
      fields.add("reason", reason.rawBytes)
    case .damaged(let place):
      fields.add("file", SegmentHeader.fileName(place.segment).description)
      fields.add("offset", Int(place.offset))
      fields.add("records", Int(clamping: place.records))
      fields.add("folder", folder)
    }
  }
}

extension SpoolRecoveryReport {
  /// Whether something can't be read that was safe once. What was cut or is not ours was never.
  var isDamaged: Bool {
    damagedBytes > 0 || damagedPlaces > 0 || damagedCursorCopies > 0 || !unreadFiles.isEmpty
  }
}
