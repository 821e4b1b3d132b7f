import Records
import Spool

extension SpoolStatus {
  /// Takes in what a quarantine holds.
  mutating func noteQuarantine(_ lane: SpoolLaneID, of spool: borrowing Spool) {
    let records = spool.waitingRecords(of: lane)
    guard records > 0, let topic = QuarantineTopic.topic(of: spool.topic(of: lane)) else { return }
    var look = Lane(topic: topic)
    look.records = records
    look.bytes = spool.waitingBytes(of: lane)
    look.ageMilliseconds = Int(clamping: spool.oldestMilliseconds(of: lane) ?? 0)
    quarantine.add(look)
    quarantines.append(look)
    quarantines.sort { $0.records > $1.records }
    if quarantines.count > Self.laneLimit { quarantines.removeLast() }
  }
}
